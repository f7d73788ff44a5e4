"""What each finding means, in the languages of the desk: of campaigns, and of an installation at a glance."""

from collections.abc import Callable, Mapping

from mailer.cases.findings import Code
from mailer.operations.doctor import findings as of_installation
from mailer.web.language import _

_SENTENCES: Mapping[Code | of_installation.Code, Callable[[], str]] = {
    "about-missing": lambda: _("Nothing says whose authorities people write to"),
    "about-outdated": lambda: _("Its case was about another country when it was loaded"),
    "acted-forgotten": lambda: _("Its audience depends on who acted on a campaign, and that is known no more"),
    "acted-nobody": lambda: _("Its audience depends on who acted on a campaign, and nobody can have done so"),
    "acted-still-open": lambda: _("Its audience depends on who acted on a campaign, and people still may"),
    "asks-missing": lambda: _("Some targets want no copies, and the case does not say what to ask of them"),
    "audience-empty": lambda: _("Nobody would get it"),
    "audience-unknown": lambda: _("Its audience names something that does not exist, or is not yours"),
    "campaign-closed": lambda: _("The campaign is closed"),
    "campaign-stopped": lambda: _("The campaign is stopped"),
    "campaign-withdrawn": lambda: _("The campaign is withdrawn for good"),
    "case-closed": lambda: _("Its case is closed"),
    "case-stopped": lambda: _("Its case is stopped"),
    "case-unseen": lambda: _("Its case is not shown to a union: the organisers have to send it"),
    "consent-missing": lambda: _("Nobody has agreed that we speak of the case"),
    "consent-past": lambda: _("The consent to speak of the case has ended, or ends before the start"),
    "dead-link": lambda: _("For some people a link leads nowhere"),
    "data-directory": lambda: _("The folder for data is missing, or cannot be written to"),
    "deadline-near": lambda: _("The deadline is less than 48 hours after the start"),
    "deadline-passed": lambda: _("It would start after its deadline"),
    "disk-full": lambda: _("The disk is full, and nothing can be sent"),
    "disk-low": lambda: _("Little room is left on the disk"),
    "empty-field": lambda: _("For some people a field stays empty"),
    "fact-stale": lambda: _("A fact is older than it is good for"),
    "got-going-out": lambda: _("A campaign that its audience depends on is still going out"),
    "got-not-begun": lambda: _("Nobody has got a campaign yet that its audience depends on"),
    "home-same-words": lambda: _("People who live under those authorities would get the words for others"),
    "home-undecided": lambda: _("Nobody has decided what people get who live under those authorities"),
    "home-unknown": lambda: _("Some people may live under those authorities: their country is not known"),
    "keys-beside-database": lambda: _("The keys lie beside the database: who copies one has the other"),
    "latest-start-passed": lambda: _("It would start after its latest start"),
    "letter-missing": lambda: _("A letter is missing for some of those whom people write to"),
    "letter-unread": lambda: _("Nobody gets one of the letters"),
    "link-key-missing": lambda: _("A key is missing with which its links are made"),
    "machine-name": lambda: _("This machine has no name that mail servers accept"),
    "mail-long": lambda: _("The mail is so long that Gmail will soon cut it off"),
    "markdown-left": lambda: _("Signs of Markdown go out as they stand"),
    "never": lambda: _("A word stands there that must not appear"),
    "never-in-history": lambda: _("The history of the case holds a word that must not appear"),
    "no-link": lambda: _("A text has nothing to press"),
    "no-organisers": lambda: _("No organiser hears by mail when the campaign is held"),
    "preheader-length": lambda: _("The preheader is too short or too long"),
    "role-missing": lambda: _("It asks people to write to a role that no target has"),
    "setting-wrong": lambda: _("A setting is missing or wrong"),
    "spam-words": lambda: _("Some words cost points at spam filters"),
    "target-doubtful": lambda: _("A target was reported as wrong"),
    "target-missing": lambda: _("Some people would have nobody to write to"),
    "target-not-own": lambda: _("A text names a target, and some people have none of their own"),
    "target-stale": lambda: _("Nobody has verified a target for 180 days, or ever"),
    "territories-left-out": lambda: _("People in territories do not get it, though their state’s people do"),
    "territories-not-excluded": lambda: _("People in territories get it, though their state’s people do not"),
    "text-broken": lambda: _("A text cannot be made into a mail"),
    "text-missing": lambda: _("The campaign has no text in a language that some of its readers read"),
    "text-unfinished": lambda: _("A text was saved that cannot go out like that"),
    "translation-outdated": lambda: _("The campaign’s own text has changed since it was translated"),
    "unknown-address": lambda: _("It shows an e-mail address that is neither yours nor a target’s"),
    "unknown-telephone": lambda: _("It shows a telephone number that is neither yours nor a target’s"),
    "unseen": lambda: _("A footnote or a line is shown to nobody"),
    "wordings-few": lambda: _("Many people would send nearly the same letter"),
}


def meaning(code: Code | of_installation.Code) -> str:
    """What a finding means, in a sentence without a full stop."""
    return _SENTENCES[code]()
