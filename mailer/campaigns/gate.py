"""The gate: what could make a campaign harm somebody. `readiness` refuses it while an error stands."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from mailer.campaigns import acts, addressees, asking, editions, home, kinds, letters, petitions, segments
from mailer.campaigns.editions import EditionRenderer, Reader
from mailer.campaigns.home import Audience
from mailer.campaigns.letters import Letter
from mailer.campaigns.segments import Group
from mailer.campaigns.text_names import TextName
from mailer.cases import cases
from mailer.cases.findings import Code, Finding, Level
from mailer.cases.never import Never
from mailer.locale import countries
from mailer.mail import html_words
from mailer.mail.types import Pieces, Rendering
from mailer.store import db
from mailer.store.models import (
    Asking,
    Campaign,
    CampaignStatus,
    CampaignText,
    Case,
    Delivery,
    DeliveryState,
    Edition,
    HomeRule,
    LetterText,
    Purpose,
    Union,
    UnionStatus,
)
from mailer.unions import directory


def findings(
    session: Session, campaign: Campaign, *, start: date | None = None, audience: Iterable[Group] | None = None
) -> Iterator[Finding]:
    """What could harm somebody.

    :param start: the day on which it is to go out; today by default.
    :param audience: as it is written, where that has been looked up.
    :raises editions.Unrenderable: a text cannot be rendered.
    """
    yield from _of_asking(campaign)
    yield from _of_case(session, campaign, start)
    yield from _of_home(session, campaign, audience)
    yield from of_others(session, campaign, start)


def hold(session: Session, campaign: Campaign) -> None:
    """Have nobody load a campaign's case anew until the transaction ends. To be called before the campaign is locked.

    Whoever stops the case or withdraws consent does not wait for that, which may take long: `decided` sees it.
    """
    if campaign.case_id is not None:
        mode = {"read": True, "key_share": True}
        session.get(Case, campaign.case_id, with_for_update=mode, populate_existing=True)


def decided(session: Session, campaign: Campaign, *, start: date | None = None) -> Iterator[Finding]:
    """What somebody decided about a campaign's case since it was looked at; nobody decides more until the transaction
    ends. To be asked last, right before that.

    :param start: as for `findings`.
    """
    if campaign.case_id is None:
        return
    case = session.get(Case, campaign.case_id, with_for_update={"read": True}, populate_existing=True)
    if case is not None:
        yield from _of_decisions(session, campaign, case, start)


def holds_never(session: Session, campaign: Campaign) -> bool:
    """Whether a word that must not appear, as its case says now, stands in a campaign that has begun."""
    case = campaign.case
    return case is not None and bool(case.never) and any(_places(session, campaign, Never(case.never)))


def _is_sayable(case: Case | None, slug: str) -> bool:
    return case is None or not Never(case.never).holds(slug)


def _of_asking(campaign: Campaign) -> Iterator[Finding]:
    if campaign.asking is not Asking.OPEN:
        where, what = f"campaign {campaign.slug}", f"it was {campaign.asking}"
        yield Finding(Level.ERROR, _NOT_ASKING[campaign.asking], where, what, asking.way_back(campaign))


_NOT_ASKING: Mapping[Asking, Code] = {
    Asking.CLOSED: "campaign-closed",
    Asking.STOPPED: "campaign-stopped",
    Asking.WITHDRAWN: "campaign-withdrawn",
}


def _of_case(session: Session, campaign: Campaign, start: date | None) -> Iterator[Finding]:
    if campaign.case_id is None:
        return
    case = campaign.case
    if case is None:  # this session is limited to a union's own, and cases are the organisers'
        what, remedy = "its case cannot be seen from here", "Ask the organisers to send it."
        yield Finding(Level.ERROR, "case-unseen", "campaign.toml, case", what, remedy)
        return
    yield from _of_decisions(session, campaign, case, start)
    if case.never:
        never = Never(case.never)
        for where in _places(session, campaign, never):
            yield _must_not(campaign, where)
        for letter in campaign.letters:
            for where in places_in(letter, never):
                yield _must_not(campaign, where, in_letter=True)
        for target in addressees.of(session, campaign):
            if never.holds(*target.words):
                yield Finding(Level.ERROR, "never", f"target {target.slug}", _MUST_NOT, _CORRECT)


def _of_decisions(session: Session, campaign: Campaign, case: Case, start: date | None) -> Iterator[Finding]:
    if kinds.of(campaign).asks:
        yield from cases.findings(case, db.now(session).date(), start)
    elif campaign.kind != kinds.STOP:
        yield from _of_names(session, campaign, case, start)


def _of_names(session: Session, campaign: Campaign, case: Case, start: date | None) -> Iterator[Finding]:
    """News may go out without consent, but not with the names of those who have not given it."""
    if (missing := cases.consent_finding(case, db.now(session).date(), start)) is None:
        return
    for where in _places(session, campaign, Never(cases.names(case))):
        yield replace(missing, where=where, what=f"somebody is named here, and {missing.what}")


# --- words that must not appear -------------------------------------------------------------------------------------


def _places(session: Session, campaign: Campaign, never: Never) -> Iterator[str]:
    """Where such a word stands: in what was written, with its line, else in what goes out."""
    written = {text.language: _Written.of(text, never) for text in campaign.texts}
    for text in written.values():
        yield from text.places
    for target in campaign.targets:
        if never.holds(target["name"], target["email"], target["address"]):
            yield "campaign.toml, [[targets]]"
    if (petition := petitions.of(campaign)) and never.holds(*petition.to.values()):
        yield "campaign.toml, [petition]"
    if never.holds(campaign.slug):
        yield "the name of the campaign's folder"
    mailing_list = campaign.mailing_list
    if never.holds(mailing_list.name, *mailing_list.names.values()):  # a header of each mail, and its foot
        yield "the name of the list"
    if _prints_unions(campaign) and any(map(never.holds, directory.printable_names(session).values())):
        yield "{{ union }}, which prints the name of a union"
    # Last: a text that cannot be rendered keeps nobody from hearing of the rest.
    outgoing = [(each.language, words) for each in _renderings(session, campaign) for words in each.words]
    for language in dict.fromkeys(language for language, words in outgoing if written[language].misses(never, words)):
        yield f"{language}.md, as it goes out"


def places_in(letter: LetterText, never: Never) -> Iterator[str]:
    """Where a word that must not appear stands in a letter: in what was written, else in what goes out."""
    forms: set[int] = set()
    for part in letters.parts(letter):
        hits = never.find(part.words)
        forms.update(hit.form for hit in hits)
        yield from (part.at(line - 1) for line in sorted({hit.line for hit in hits}))
    read = Letter.of(letter)
    outgoing = [*read.subjects, *read.openings, *read.closings]
    words = [*map(_plain, outgoing), "\n\n".join(map(_plain, read.body))]
    if any(hit.form not in forms for each in words for hit in never.find(each)):
        yield f"{TextName(letter.language, letter.role).file}, as it goes out"


def _prints_unions(campaign: Campaign) -> bool:
    sources = editions.Texts(campaign).sources.values()
    return any("union" in part.fields for source in sources for part in source.parts)


@dataclass(frozen=True, slots=True, repr=False)
class _Written:
    """What was found in a text as its author wrote it."""

    places: list[str]
    forms: set[int] = field(default_factory=set)  # that were found there, by their numbers

    @classmethod
    def of(cls, text: CampaignText, never: Never) -> "_Written":
        found = cls([])
        file = f"{text.language}.md"
        for part in ("subject", "preheader"):
            if hits := never.find(getattr(text, part)):
                found.places.append(f"{file}, {part}")
                found.forms.update(hit.form for hit in hits)
        hits = never.find(text.body, first_line=text.body_line)
        found.places.extend(f"{file}:{line}" for line in sorted({hit.line for hit in hits}))
        found.forms.update(hit.form for hit in hits)
        return found

    def misses(self, never: Never, words: str) -> bool:
        """Whether words that go out hold a form that none of the lines holds."""
        return any(hit.form not in self.forms for hit in never.find(words))


@dataclass(frozen=True, slots=True, repr=False)
class _Outgoing:
    language: str
    words: list[str]  # of each part by itself


def _renderings(session: Session, campaign: Campaign) -> Iterator[_Outgoing]:
    """What goes out: editions that show every wording, or those that are frozen."""
    if campaign.started_at is not None and campaign.status is not CampaignStatus.DRAFT:
        for edition in session.scalars(select(Edition).where(Edition.campaign_id == campaign.id)):
            yield _Outgoing(edition.language, _words(editions.from_json(edition.rendering)))
        return
    renderer = EditionRenderer(session, campaign, editions.TRIAL_SENDER)
    # Letters are looked through by themselves.
    for key in sorted({key._replace(letters="") for key in renderer.trial()}):
        yield _Outgoing(key[0], _words(renderer.render(key)))


def _words(rendering: Rendering) -> list[str]:
    words, attributes = html_words.read(_plain(rendering.html))
    return [_plain(rendering.subject), words, _plain(rendering.text), *sorted(set(attributes))]


def _plain(pieces: Pieces) -> str:
    """What somebody reads of whom nothing is known."""
    return "".join(piece if isinstance(piece, str) else piece.default for piece in pieces)


def _must_not(campaign: Campaign, where: str, *, in_letter: bool = False) -> Finding:
    # Never the word: a finding may stand on a screen that others see, and in a log.
    if campaign.status is CampaignStatus.DRAFT:
        remedy = "Take it out, and load the campaign again."
    elif in_letter:
        remedy = "Take it out, and have it corrected: mailer campaigns correct-letters FOLDER"
    else:
        remedy = "Cancel it, and send one without that word."
    return Finding(Level.ERROR, "never", where, _MUST_NOT, remedy)


_MUST_NOT = "a word stands here that must not appear, as the case's `never` says"
_CORRECT = "Correct the target in a file, and bring it in with `mailer targets import FILE --update`."


# --- readers at home ------------------------------------------------------------------------------------------------

_LOAD_ANEW = "Cancel it, and load it anew under another name."
_TO_DECIDE = (
    'In campaign.toml, write home = "exclude", or write home = "include" and give them words of their own in each '
    "text: {own}."
)
_OWN = '{{% if country == "{code}" %}} … {{% else %}} … {{% endif %}}'
_UNKNOWN_TO_DECIDE = (
    'In campaign.toml, write unknown_home = "include" if they may get it as everybody else does, or "exclude".'
)


def _of_home(session: Session, campaign: Campaign, groups: Iterable[Group] | None) -> Iterator[Finding]:
    """Readers who live under the authorities that are addressed."""
    where = "campaign.toml"
    if campaign.about is None:
        what = "nothing says whose authorities people write to, so nobody who lives there can be kept safe"
        remedy = 'Write about = "CC", the code of the country, or about = "none" if it addresses no state.'
        yield Finding(Level.ERROR, "about-missing", where, what, remedy)
    if campaign.case is not None and campaign.about not in (None, segments.NO_COUNTRY, campaign.case.country):
        country = countries.name(campaign.case.country, "en")
        what = f"the case is about {country} now, and was not when the campaign was loaded"
        remedy = "Load the campaign again." if campaign.status is CampaignStatus.DRAFT else _LOAD_ANEW
        yield Finding(Level.ERROR, "about-outdated", where, what, remedy)
        return
    if not segments.home_of(campaign) or campaign.started_at is not None:  # then its audience is frozen
        return
    country = countries.name(str(campaign.about), "en")
    if groups is None:
        groups = segments.groups(session, campaign.list_id, segments.as_written(campaign))
    audience = Audience.of(campaign, (Reader(*group[:-1]) for group in groups))
    if audience.at_home and campaign.home is None:
        what = f"some of the audience live in {country} or its territories, where acting on it may put them in danger"
        remedy = _TO_DECIDE.format(own=_OWN.format(code=campaign.about))
        yield Finding(Level.ERROR, "home-undecided", where, what, remedy)
    if audience.unknown and campaign.unknown_home is None:
        what = f"the country of some is not known; they may live in {country}"
        yield Finding(Level.ERROR, "home-unknown", where, what, _UNKNOWN_TO_DECIDE)
    if campaign.home is HomeRule.INCLUDE:
        renderer = EditionRenderer(session, campaign, editions.TRIAL_SENDER)
        forwarders = frozenset(_forwarders_at_home(session, campaign))
        audience = replace(audience, at_home=audience.at_home | forwarders)
        for file, code in home.same_words(renderer, audience):
            what = f"people in {countries.name(code, 'en')} would get the same words as others"
            remedy = f"Give them their own: {_OWN.format(code=code)}."
            yield Finding(Level.ERROR, "home-same-words", file, what, remedy)


def _forwarders_at_home(session: Session, campaign: Campaign) -> Iterator[Reader]:
    """As whom the members of unions there read what these forward."""
    if not campaign.forwardable:
        return
    there = Union.country.in_(sorted(segments.home_of(campaign)))
    for union in session.scalars(select(Union).where(Union.status == UnionStatus.AFFILIATED, there)):
        for text in campaign.texts:
            yield Reader(text.language, union.country, union.id if union.is_named else None)


# --- campaigns that choose the audience -----------------------------------------------------------------------------

_BEGIN = "Send that one first, or take it out of `[audience]`."
_LET_IT_END = "Pause that one, or wait until its mails have gone out; then send this one."
_TO_THE_REST = (
    "Pause that one if it is still being sent. Once `mailer campaigns status` shows none of its mails as sending, send "
    "this to the rest: under another name, with `not_got` naming this one."
)


def of_others(session: Session, campaign: Campaign, start: date | None = None) -> Iterator[Finding]:
    """Campaigns by which it says whom it is for, where more people may yet get them.

    :param start: as for `findings`.
    """
    if campaign.started_at is not None:  # then its audience is frozen
        return
    where = "campaign.toml, [audience]"
    for other in segments.choosing(session, campaign, segments.GOT_KEYS):
        name = _name_of(campaign, other)
        if other.started_at is None:
            yield Finding(Level.WARNING, "got-not-begun", where, f"nobody has got {name} yet", _BEGIN)
        elif _is_going_out(session, other):
            is_sending = other.status is CampaignStatus.SENDING
            happens = f"{name} is going out at this moment" if is_sending else f"a worker still holds mails of {name}"
            # A stop waits for nothing. Nor does anything for a worker that hangs, and holds mails of what is paused.
            may_wait = is_sending and campaign.kind != kinds.STOP
            level = Level.ERROR if may_wait and start is None else Level.WARNING
            what = f"{happens}, and who gets it later would not be known here"
            yield Finding(level, "got-going-out", where, what, _LET_IT_END if may_wait else _TO_THE_REST)
    for key in segments.ACTED_KEYS:
        for other in segments.choosing(session, campaign, [key]):
            yield from _of_acts(session, other, _name_of(campaign, other), key)


_ASK_FIRST = "Name one that has gone out and asks people to tell us that they wrote, or to sign; or leave it out."
_LET_THEM_ACT = "To reach these as well, send this once nobody may act on that one any more."
_NOT_KNOWN = "Take it out of `[audience]`. To leave out whoever got it, write `not_got`."


def _of_acts(session: Session, other: Campaign, name: str, key: str) -> Iterator[Finding]:
    """What is wrong with choosing people by who acted on a campaign."""
    where, now = f"campaign.toml, [audience] {key}", db.now(session)
    if other.started_at is None or not acts.asked_for(other):
        yield Finding(Level.WARNING, "acted-nobody", where, f"nobody can have acted on {name}", _ASK_FIRST)
    elif acts.is_forgotten(session, other):
        # A reminder would go to those who have done what it asks for.
        level = Level.ERROR if key == "not_acted" else Level.WARNING
        what = f"who acted on {name} is known no more: that is forgotten some time after its end"
        yield Finding(level, "acted-forgotten", where, what, _NOT_KNOWN)
    elif key == "acted" and acts.why_over(other, now) is None:
        what = f"people may still act on {name}, and whoever does so later does not get this"
        yield Finding(Level.WARNING, "acted-still-open", where, what, _LET_THEM_ACT)


def _name_of(campaign: Campaign, other: Campaign) -> str:
    return f"campaign {other.slug}" if _is_sayable(campaign.case, other.slug) else "a campaign named here"


def _is_going_out(session: Session, campaign: Campaign) -> bool:
    """Whether more people are getting a campaign now; those of whom a server asked to be tried later do not count."""
    states = [DeliveryState.SENDING]
    if campaign.status is CampaignStatus.SENDING:
        states.append(DeliveryState.PENDING)
    of_audience = (Delivery.campaign_id == campaign.id, Delivery.purpose == Purpose.CAMPAIGN)
    return bool(session.scalar(select(exists().where(*of_audience, Delivery.state.in_(states)))))
