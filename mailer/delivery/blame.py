"""Whom a refusal is about: us, the address, or neither, by a table of what standards and mail servers say.

A server's code tells less than its words: 550 is a mailbox that does not exist as well as a quota that is used up. What
no rule knows is told by how often it comes, see `verdicts.RefusalWatch`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache

from mailer.delivery.recipients import Recipient
from mailer.mail.addresses import RECIPIENT, names_in, redact, without
from mailer.mail.smtp_replies import status_of
from mailer.mail.types import Outcome, Stage
from mailer.store.models import Reason


class Whom(StrEnum):
    """Whom a refusal is about."""

    US = "us"  # our sender, account, address or quota: the next mail would be refused too
    POLICY = "policy"  # us or what we send, perhaps in the eyes of this recipient only
    ADDRESS = "address"  # it does not exist; a list may have many such in a row
    NEITHER = "neither"  # it does not say: a full mailbox, or something new


@dataclass(frozen=True, slots=True)
class Rule:
    """What a refusal must have in common with one that is known. Each pattern is searched for; "" fits everything."""

    whom: Whom
    source: str  # where the server's side of it is written down
    code: str = ""  # of SMTP (RFC 5321)
    status: str = ""  # enhanced status code (RFC 3463); "^$" where there is none
    words: str = ""
    but_not: str = "(?!)"  # words
    stages: frozenset[Stage] = frozenset(Stage)

    def fits(self, code: int, status: str, text: str, stage: Stage) -> bool:
        """Whether a refusal is one of these."""
        return (
            stage in self.stages
            and _has(self.code, str(code))
            and _has(self.status, status)
            and _has(self.words, text)
            and not _has(self.but_not, text)
        )


def _has(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


_AT_MAIL = frozenset({Stage.MAIL})
_AT_RCPT = frozenset({Stage.RCPT})
_NO_SUCH_ADDRESS = re.compile(r"5\.1\.(?:1|2|6|10)")
#: what another server said to ours of one recipient, who was looked up there before we were answered
_OF_ANOTHER = r"\bsaid:|call-?(?:out|back)|undeliverable address"
_GREYLISTING = r"\bgr[ea]y-?list"  # everybody is put off at first, whoever they are
_A_TIME = r"(?:daily|hourly|monthly|24[- ]?hours?|(?:per|each|every)[- ](?:minute|hour|day|month))"
_A_MEASURE = r"(?:limits?|quotas?|max(?:imum)?|only|allowance)"
#: of a limit, that it is the recipient's
_OF_RECIPIENT = (
    r"\breceiv(?:e|es|ed|ing)\b|\brecipients? (?:has|have|is|are)\b|\b(?:invalid|unknown) (?:recipient|user)s?\b"
    r"|\b(?:this|recipient address rejected:(?: the)?) (?:user|recipient|mailbox)\b(?!.*\bsend)"
    rf"|{_GREYLISTING}|\bmailbox (?:is |has |size |storage )*(?:full|over|exceed|quota|limit)"
)

#: The first that fits counts.
RULES = (
    # --- the address: first, because a list may have many
    Rule(
        Whom.ADDRESS,
        "RFC 3463, 3.2; RFC 7505, 4.2: no such mailbox, no such domain, moved, takes no mail",
        status=rf"^{_NO_SUCH_ADDRESS.pattern}$",
        stages=_AT_RCPT,
    ),
    # --- our sender
    Rule(
        Whom.US,
        "RFC 3463, 3.2: the sender's address. Sendmail says so at RCPT; Exchange Online and Zoho of a blocked account",
        status=r"^[45]\.1\.[78]$",
    ),
    Rule(Whom.NEITHER, "RFC 1870, 6.1; RFC 3463, 3.4: SIZE= at MAIL", code="552|534", stages=_AT_MAIL),
    Rule(Whom.NEITHER, "RFC 3463, 3.3 and 3.4: the message is too large", status=r"^5\.(?:2\.3|3\.4)$"),
    Rule(Whom.NEITHER, "our own words, for want of a reply: the size", code="^0$", stages=_AT_MAIL),
    Rule(Whom.US, "RFC 5321, 3.3: MAIL names only the sender", code="^[45]", stages=_AT_MAIL),
    Rule(
        Whom.US,
        "postconf(5): smtpd_delay_reject has Postfix say at RCPT what it has against sender, client or HELO; for now, "
        "where a name cannot be looked up",
        code="^[45]",
        words=r"\b(?:sender address|client host|helo command) rejected\b",
        but_not=_GREYLISTING,
    ),
    Rule(Whom.US, "Exim specification, 44: verify = sender", code="^5", words=r"\bsender verif(?:y|ication) failed"),
    Rule(
        Whom.US,
        "docs.aws.amazon.com/ses: SMTP response codes; www.twilio.com/docs/sendgrid: sender identity; "
        "support.smtp2go.com: common sending errors; help.mailgun.com: a domain that may not send; "
        "learn.microsoft.com: SendAsDenied",
        code="^[45]",
        words=r"sender identity|sender (?:address )?blocked|sending paused for this account|send ?as ?denied"
        r"|(?:address|domain|identity) (?:is )?not (?:yet )?verified"
        r"|not (?:allowed|authori[sz]ed) to send(?! (?:\w+ )?to\b)",
        but_not=rf"{_GREYLISTING}|\brecipient address\b",
    ),
    # --- our log-in, and relaying
    Rule(Whom.US, "RFC 4954, 4 and 6: authentication required, or its credentials are wrong", code="^53[0458]$"),
    Rule(
        Whom.US,
        "RFC 4954, 6, by servers that use another code for it: MailEnable, hMailServer, Exchange (5.7.57)",
        code="^5",
        status=r"^$|^5\.[05]\.\d|^5\.7\.(?:0|1|3|57)$",
        words=r"authentication (?:is )?required|requires? (?:smtp )?authentication|must (?:first )?(?:be )?authenticate"
        r"|not authenticated",
        but_not=rf"{_OF_ANOTHER}|resolver\.",
    ),
    Rule(
        Whom.US,
        "postconf(5): Relay access denied, for now with defer_unauth_destination; Exim specification, 43: relay not "
        "permitted; Sendmail, James, Mailgun: relaying denied; support.google.com/a/answer/3726730: mail relay denied; "
        "Exchange: unable to relay; qmail: rcpthosts",
        code="^[45]",
        status=r"^$|^[45]\.0\.0$|^[45]\.5\.\d|^[45]\.7\.\d+$",
        words=r"\brelay(?:ing)?\b.*\b(?:denied|disallowed|prohibited|rejected|forbidden|not (?:permitted|allowed))"
        r"|(?:\b(?:not|cannot|no|unable to|never)|n't) (?:\w+ ){0,2}relay(?:ing)?\b|\brcpthosts\b",
        but_not=rf"{_OF_ANOTHER}|{_GREYLISTING}",
    ),
    # --- our quota
    Rule(
        Whom.US,
        "support.google.com/a/answer/3726730: 5.4.5; help.zoho.com: 5.4.6. In RFC 3463, 3.5: congestion, and a loop",
        code="^550$",
        status=r"^5\.4\.[56]$",
        but_not=r"\b(?:hops?|loops?|looping)\b",
    ),
    Rule(
        Whom.US,
        "learn.microsoft.com: non-delivery reports in Exchange Online: the limits of a sender and of a tenant",
        status=r"^5\.1\.90$|^5\.7\.(?:232|233|705|708|750)$",
    ),
    Rule(
        Whom.US,
        "learn.microsoft.com: SubmissionQuotaExceeded, with 5.2.0; support.google.com: SMTP relay limits; "
        "docs.aws.amazon.com/ses: sending quotas. Nobody but us has a quota to send, whatever the status code",
        code="^[45]",
        words=r"\b(?:send(?:ing)?|submission|relay|outgoing|outbound|out ?mail) ?(?:rate )?(?:limits?|quotas?)"
        r"|\byour account\b.*\b(?:limit|quota)\b|\b(?:limit|quota)\b.*\byour account\b|\bsending rate exceeded",
        but_not=_OF_RECIPIENT,
    ),
    Rule(
        Whom.US,
        "docs.aws.amazon.com/ses: sending quotas; support.google.com: SMTP relay limits; www.ionos.com/help: mass "
        "mailing limits; cPanel: max emails per hour; GoDaddy: 552 and bare 554, relay quota; providers on Postfix: so "
        "many in 24 hours. In RFC 3463, 3.3: 5.2.x is the recipient's mailbox",
        code="^[45]",
        status=r"^(?!5\.2\.|4\.2\.2$)",
        words=rf"\b{_A_TIME}\b.*\b{_A_MEASURE}\b|\b{_A_MEASURE}\b.*\b{_A_TIME}\b"
        r"|\byou (?:have )?(?:reached|exceeded) (?:your|its|the) (?:\S+ )?(?:\S+ )?(?:limit|quota)",
        but_not=_OF_RECIPIENT,
    ),
    Rule(
        Whom.US,
        "www.twilio.com/docs/sendgrid: maximum credits; help.brevo.com: credits; cPanel: max defers and failures",
        code="^[45]",
        words=r"\bcredits? (?:limit )?(?:is |are |has been |have been )?(?:exceeded|exhausted|used up)"
        r"|\b(?:not enough|insufficient|no (?:more|remaining)) credits?\b|\bmax defers and failures\b"
        r"|\bunusual sending activity\b",
    ),
    # --- the address, by words
    Rule(
        Whom.ADDRESS,
        "Exim and IONOS: unknown user, unrouteable address; mail servers from before RFC 3463",
        code="^55[0134]$",
        status="^$",
        words=r"\b(?:unknown|no such|invalid) (?:local )?(?:user|recipient|mailbox|address)\b"
        r"|\bunrout(?:e)?able address"
        r"|\b(?:user|recipient|mailbox|address) (?:is )?(?:unknown|not found|does(?: not|n't) exist)",
        stages=_AT_RCPT,
    ),
    Rule(Whom.ADDRESS, "our own words, for want of a reply: no server can take this one", code="^0$", stages=_AT_RCPT),
    # --- perhaps us
    Rule(Whom.POLICY, "RFC 3463, 3.8: security or policy", code="^5", status=r"^5\.7\."),
)


@lru_cache(maxsize=16)  # each is asked for the delivery and for the campaign
def whom(code: int, text: str, stage: Stage = Stage.RCPT) -> Whom:
    """Whom a refusal is about.

    :param text: the server's words, with the enhanced status code.
    :param stage: at which it came. The ledger does not keep it: what is from there counts as said at RCPT.
    """
    status = status_of(text)
    return next((rule.whom for rule in RULES if rule.fits(code, status, text, stage)), Whom.NEITHER)


def whom_of(outcome: Outcome) -> Whom:
    """Whom a server's answer is about that is a refusal, for now or for good."""
    return whom(outcome.code, outcome.text, outcome.stage)


# --- the same words --------------------------------------------------------------------------------------------------

_WORDS = 12  # so many are compared; a reason for a pause is kept to 300 characters
#: Numbers, and names of messages, connections and hosts: none that a server gives goes without a digit for long.
_HAS_DIGIT = re.compile(r"\S*\d\S*")
_REFUSES = "the mail server refuses our mail: "
_REASON = re.compile(rf"{re.escape(_REFUSES)}(?:(\d{{3}}) )?(.*)", re.DOTALL)


def without_whom(text: str, recipient: Recipient | Reason | None) -> str:
    """A server's words without addresses, and without whom they are about, if that is known."""
    return without(text, names_in(recipient.email, recipient.name) if isinstance(recipient, Recipient) else [])


def reason_to_pause(code: int, text: str) -> str:
    """What an organiser is told. It is kept with the campaign, which is not encrypted, and servers quote addresses.

    :param text: the server's words, by `without_whom`.
    """
    return f"{_REFUSES}{f'{code} ' if code else ''}{redact(text)}"


def refused_with(reason: str | None) -> tuple[int, str] | None:
    """Code and words of the refusal that a campaign was paused for; None where it was paused for something else."""
    found = _REASON.fullmatch(reason or "")
    return (int(found[1] or 0), found[2]) if found else None


def alike(code: int, text: str) -> str:
    """What is the same in answers that differ only in whom and which message they are about."""
    return " ".join([str(code), status_of(text), *_words(text)[:_WORDS]])


def is_alike(code: int, text: str, other_code: int, other: str) -> bool:
    """Whether an answer is the same as another but for whom and which message it is about.

    :param text: the other may have anything where this says whom it is about, as by `without_whom`.
    """
    if (code, status_of(text)) != (other_code, status_of(other)):
        return False
    if RECIPIENT not in text:
        return alike(code, text) == alike(other_code, other)
    words = _words(text)
    fixed = " ".join(words[:_WORDS]).split(RECIPIENT)
    pattern = "?*".join(re.sub(r"[*?[]", r"[\g<0>]", part) for part in fixed) + ("*" if len(words) > _WORDS else "")
    return fnmatchcase(" ".join(_words(other)), pattern)


def _words(text: str) -> list[str]:
    return [_HAS_DIGIT.sub("#", word) for word in redact(text).casefold().split()]
