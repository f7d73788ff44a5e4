"""Readiness: whom a campaign would reach, and what keeps it from being sent, or may harm.

`delivery.control` asks at every start and resumption, also of a scheduled campaign, and refuses while an error stands.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.campaigns import (
    addressees,
    deadlines,
    editions,
    gate,
    letter_findings,
    lifecycle,
    segments,
    strangers,
    text_findings,
)
from mailer.campaigns.dead_links import Link
from mailer.campaigns.editions import Reader
from mailer.campaigns.segments import Group
from mailer.cases.findings import Code, Finding, Level
from mailer.cases.never import Never
from mailer.cases.targets import NOBODY, Target, Targets
from mailer.errors import MailerError
from mailer.locale import countries, country_groups, languages
from mailer.people import lists, small_numbers
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.models import Campaign, CampaignStatus, Subscriber, Subscription
from mailer.unions import directory

_MOST_NAMED = 12


class Refused(MailerError):
    """{campaign} cannot be sent. {findings}"""

    def __init__(self, *, campaign: str, found: Sequence[Finding]) -> None:
        """:param campaign: which one, at the beginning of a sentence; :param found: the errors."""
        super().__init__(campaign=campaign, findings=" Also: ".join(map(str, found)))
        self.found = found

    @property
    def lines(self) -> Sequence[str]:
        """What it is, and each error as `campaigns check` shows it."""
        return [f"{self.fields['campaign']} cannot be sent.", *(each.marked for each in self.found)]


@dataclass(frozen=True, slots=True)
class Gaps:
    """Where readers would find nothing, since no default stands there either."""

    without_target: Mapping[str | None, int]  # country, None if not known → people asked to write to nobody
    empty_fields: Mapping[str, int]  # field → people who have no value for it, those without a target excepted
    without_own_target: Mapping[str | None, int]  # country → people whose text prints a target, and who have no own
    without_addressee: Mapping[str | None, int]  # country → people who have no target of any role asked for
    dead_links: tuple["DeadLink", ...] = ()


@dataclass(frozen=True, slots=True)
class DeadLink:
    """A link to the target, where some people's target has no such address."""

    file: str
    link: Link
    by_country: Mapping[str | None, int]  # None if not known → people for whom it leads nowhere


def find(session: Session, campaign: Campaign, *, counts_names: bool = True) -> Gaps:
    """Look through everyone's edition for targets of which they have none, and for fields that it prints without a
    default and they have nothing for.

    :param counts_names: also those who told us no name, for which each person is looked at.
    """
    groups = segments.groups(session, campaign.list_id, segments.segment_of(campaign))
    return _gaps(session, campaign, groups, counts_names=counts_names)


def _gaps(session: Session, campaign: Campaign, audience: Iterable[Group], *, counts_names: bool = True) -> Gaps:
    renderer = editions.EditionRenderer(session, campaign, editions.TRIAL_SENDER)
    targets = Targets.stored(campaign.targets)
    without_target: Counter[str | None] = Counter()
    without_own_target: Counter[str | None] = Counter()
    empty: Counter[str] = Counter()
    named_unions = directory.printable_names(session).keys()
    dead: dict[tuple[str, Link], Counter[str | None]] = defaultdict(Counter)
    without_addressee: Counter[str | None] = Counter()
    meant = renderer.correspondence
    home = segments.home_of(campaign)
    prints_names = False
    for language, country, union_id, people in audience:
        edition = renderer.choose(Reader(language, country, union_id))
        printed = renderer.bare_fields(edition)
        target = targets.for_country(country)
        if renderer.printed_fields(edition) & editions.TARGET_FIELDS and not (country and targets.has_own(country)):
            without_own_target[country] += people
        if target is None and printed & editions.TARGET_FIELDS:
            without_target[country] += people
        else:
            for link in renderer.links(edition):
                if link.is_dead(target or NOBODY):
                    dead[renderer.file(edition), link][country] += people
        # Where nobody has any role, that is said of the roles.
        if meant and meant.has_targets and not edition.letters and target is None and country not in home:
            without_addressee[country] += people
        for field in printed & _empty_fields(country, union_id in named_unions, target):
            empty[field] += people
        prints_names |= "name" in printed
    if counts_names and prints_names and (nameless := _count_nameless(session, campaign, renderer)):
        empty["name"] = nameless
    dead_links = sorted(dead.items(), key=lambda found: (found[0][0], found[0][1].line))
    links = tuple(DeadLink(*place, who) for place, who in dead_links)
    return Gaps(without_target, empty, without_own_target, without_addressee, links)


def _empty_fields(country: str | None, has_named_union: bool, target: Target | None) -> frozenset[str]:
    values: dict[str, object] = {"country": country, "union": has_named_union}
    if target is not None:
        values |= target.values
    return frozenset(field for field, value in values.items() if not value)


def _count_nameless(session: Session, campaign: Campaign, renderer: editions.EditionRenderer) -> int:
    """How many read a text that prints their name, and have told none."""
    readers = (Subscription.language, Subscription.country, Subscription.union_id)
    nameless = (
        segments.audience(session, campaign.list_id, segments.segment_of(campaign))
        # A join would have SQLite look up each of the audience, which takes it five times as long.
        .where(Subscription.subscriber_id.in_(select(Subscriber.id).where(Subscriber.name.is_(None))))
        .add_columns(*readers, func.count())
        .group_by(*readers)
    )
    return sum(
        people
        for *reader, people in session.execute(nameless)
        if "name" in renderer.bare_fields(renderer.choose(Reader(*reader)))
    )


def name_countries(codes: Mapping[str | None, int]) -> str:
    """Countries by their English names, the first dozen of them, and people who did not say theirs."""
    names = sorted(countries.name(code, "en") for code in codes if code)
    more = len(names) - _MOST_NAMED
    named = [*names[:_MOST_NAMED], *([f"{more} more countries"] if more > 0 else [])]
    if None in codes:
        named.append("people whose country is not known")
    return ", ".join(named)


# --- what stands against it -----------------------------------------------------------------------------------------


def require(session: Session, campaign: Campaign, *, start: datetime | None = None, is_held: bool = True) -> None:
    """Refuse a campaign against which an error stands.

    :param start: when it is to go out; by default when it would by itself, or now.
    :param is_held: its case stays as it is until the transaction ends, which one that only reads cannot ask for.
    :raises Refused: naming each.
    """
    if is_held:
        gate.hold(session, campaign)
    _refuse(campaign, findings(session, campaign, start=start))


def require_still(session: Session, campaign: Campaign, *, start: datetime | None = None) -> None:
    """Refuse a campaign whose case was stopped, or lost its consent, while it was being looked at and got ready. To be
    called last: nobody decides that any more until the transaction ends.

    :param start: as for `require`.
    :raises Refused: naming each.
    """
    day = start.date() if start and start > db.now(session) else None
    _refuse(campaign, sayable(campaign, gate.decided(session, campaign, start=day)))


def _refuse(campaign: Campaign, found: Iterable[Finding]) -> None:
    errors = [each for each in found if each.level is Level.ERROR]
    if errors:
        name = "This campaign" if _never(campaign).holds(campaign.slug) else f'Campaign "{campaign.slug}"'
        raise Refused(campaign=name, found=errors)


def findings(
    session: Session,
    campaign: Campaign,
    *,
    start: datetime | None = None,
    counted: "Check | None" = None,
    audience: Iterable[Group] | None = None,
) -> list[Finding]:
    """What keeps a campaign from being sent, or may harm; the worst first.

    :param start: as for `require`.
    :param counted: whom it would reach, if that is known already.
    :param audience: as it is written, where that has been looked up.
    """
    start = start or _next_start(session, campaign)
    found = [*deadlines.findings(campaign, start), *_of_keys(session, campaign)]
    found += text_findings.findings(session, campaign)
    try:
        day = start.date() if start > db.now(session) else None
        for finding in gate.findings(session, campaign, start=day, audience=audience):
            found.append(finding)  # one by one: what comes before a text that is broken counts, too
        if campaign.started_at is None:
            found += addressees.findings(session, campaign)
            found += editions.try_out(session, campaign)
            found += _of_audience(session, campaign, counted)
    except editions.Unrenderable as broken:
        found.append(_of_text(broken))
    except UNKNOWN_AUDIENCE as problem:
        remedy = "Change [audience] in campaign.toml, or make what it names, and load the campaign again."
        found.append(Finding(Level.ERROR, "audience-unknown", _AUDIENCE, str(problem).rstrip("."), remedy))
    return sayable(campaign, found)


def _next_start(session: Session, campaign: Campaign) -> datetime:
    """When it goes out, or goes on, if nobody does anything else than resume it."""
    now = db.now(session)
    is_waiting = campaign.status in (CampaignStatus.SCHEDULED, CampaignStatus.PAUSED) and campaign.started_at is None
    return max(now, campaign.scheduled_at) if is_waiting and campaign.scheduled_at else now


#: what an audience may name, and there is no more
UNKNOWN_AUDIENCE = (
    directory.UnknownUnion,
    lists.UnknownList,
    country_groups.UnknownCountryGroup,
    segments.ForeignList,
    segments.ForeignUnion,
    segments.ForeignCampaign,
    lifecycle.UnknownCampaign,
)
_AUDIENCE = "campaign.toml, [audience]"


def _of_text(broken: editions.Unrenderable) -> Finding:
    where, what = f"{broken.fields['file']}:{broken.fields['line']}", str(broken.fields["problem"]).rstrip(".")
    return Finding(Level.ERROR, "text-broken", where, what, "Change it, and load the campaign again.")


def _of_keys(session: Session, campaign: Campaign) -> Iterator[Finding]:
    if campaign.hashed_until is None and campaign.message_key not in {key.id for key in keyring_of(session).link_keys}:
        what = f'the link key "{campaign.message_key}" is missing, with which its Message-IDs are made'
        remedy = "Put the key back, behind the newest one."
        yield Finding(Level.ERROR, "link-key-missing", "MAILER_LINK_KEYS", what, remedy)


def _of_audience(session: Session, campaign: Campaign, counted: "Check | None") -> Iterator[Finding]:
    segment = segments.segment_of(campaign)
    if not (counted.audience if counted else segments.count(session, campaign.list_id, segment)):
        remedy = "Change [audience], or the list."
        yield Finding(Level.ERROR, "audience-empty", _AUDIENCE, "nobody would get it", remedy)
    gaps = counted.gaps if counted else find(session, campaign, counts_names=False)
    if missing := gaps.without_addressee:
        remedy = (
            "Bring one in with `mailer targets import`: one without countries is for everyone else. Or change "
            "[audience], and load the campaign again."
        )
        yield Finding(Level.ERROR, "target-missing", _ASK, _nobody_for(missing), remedy)
    if missing := gaps.without_target:
        what = f"the texts ask people to write to a target, but there is none for {name_countries(missing)}"
        remedy = "Add [[targets]] for them, or one without countries for everyone else, and load the campaign again."
        yield Finding(Level.ERROR, "target-missing", _TARGETS, what, remedy)


def sayable(campaign: Campaign, found: Iterable[Finding]) -> list[Finding]:
    """Findings, each once and errors first, without words that must not appear: they may quote a text."""
    never = _never(campaign)
    said = [_unsaid(each) if never.holds(each.where, each.what, each.remedy) else each for each in found]
    return sorted(dict.fromkeys(said), key=lambda finding: finding.level is not Level.ERROR)


def _sayable_link(campaign: Campaign, dead: DeadLink) -> DeadLink:
    is_sayable = not _never(campaign).holds(dead.link.written)
    return dead if is_sayable else replace(dead, link=replace(dead.link, written="…", to=()))


def _never(campaign: Campaign) -> Never:
    return Never(campaign.case.never if campaign.case else ())


def _unsaid(finding: Finding) -> Finding:
    what = "something is wrong here that cannot be shown, because a word stands in it that must not appear"
    return replace(finding, where="the campaign's files", what=what, remedy="Take that word out first.")


_TARGETS, _ASK = "campaign.toml, [[targets]]", "campaign.toml, ask"


def _nobody_for(missing: Mapping[str | None, int]) -> str:
    return f"people are asked to write to targets, but there is none for {name_countries(missing)}"


# --- what an organiser should know ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Check:
    """What an organiser should know before sending."""

    audience: int
    by_text: Mapping[str, int]  # language of the text they would get → people
    without_text: Mapping[str, int]  # language that has no text → people, who get the campaign's own
    without_target: tuple[str, ...]  # countries whose people read of a target and have none of their own, in English
    without_country: int  # likewise, people who did not say where they live
    left_out: Mapping[str, int]  # territory that `countries` does not mean, though its state is there → people
    not_excluded: Mapping[str, int]  # likewise in `exclude_countries`: people who get it
    has_fallback: bool  # whether those are asked to write to somebody all the same
    gaps: Gaps  # what the texts print, and some of the audience have nothing for
    by_country: Mapping[str | None, int]  # None if not known → people
    by_language: Mapping[str | None, int]  # that people read; likewise
    is_over: bool = False  # whether the deadline has passed
    findings: tuple[Finding, ...] = ()  # the worst first

    @property
    def is_ready(self) -> bool:
        """Whether nothing keeps it from being sent."""
        return all(finding.level is not Level.ERROR for finding in self.findings)


#: what can be said where a text is broken, or the audience names what there is not
_NOTHING_COUNTED = Check(0, {}, {}, (), 0, {}, {}, False, Gaps({}, {}, {}, {}), {}, {})


def check(session: Session, campaign: Campaign, *, ours: Iterable[str] = ()) -> Check:
    """Count the audience, and find what stands against a campaign, and what its texts and targets leave out.

    :param ours: texts all of whose telephone numbers and e-mail addresses are our own.
    """
    try:
        found, audience = _count(session, campaign)
    except (editions.Unrenderable, *UNKNOWN_AUDIENCE):  # nobody can say who would get what
        found, audience = _NOTHING_COUNTED, None
    is_over = campaign.deadline is not None and deadlines.is_over(campaign, db.now(session))
    said = [
        *findings(session, campaign, counted=None if found is _NOTHING_COUNTED else found, audience=audience),
        *_advice(campaign, found),
        *letter_findings.findings(session, campaign, found.by_country),
    ]
    targets = addressees.of(session, campaign)
    said += addressees.warnings(targets, db.now(session).date())
    known = [words for target in targets for words in target.words]
    said += strangers.findings(campaign, [*ours, *known])
    gaps = replace(found.gaps, dead_links=tuple(_sayable_link(campaign, dead) for dead in found.gaps.dead_links))
    return replace(found, gaps=gaps, is_over=is_over, findings=tuple(sayable(campaign, said)))


def _count(session: Session, campaign: Campaign) -> tuple[Check, Iterable[Group] | None]:
    """Whom it would reach, and the audience as it is written where that is the same."""
    segment = segments.segment_of(campaign)
    groups = segments.groups(session, campaign.list_id, segment)  # of a million, each look takes a second
    gaps, texts = _gaps(session, campaign, groups), editions.Texts(campaign)
    by_language: Counter[str | None] = Counter()
    by_text: Counter[str] = Counter()
    without_text: Counter[str] = Counter()
    by_country: Counter[str | None] = Counter()
    for group in groups:
        by_language[group.language] += group.people
        by_country[group.country] += group.people
    for language, people in by_language.items():
        text = texts.for_language(language).language
        by_text[text] += people
        if language and text.partition("-")[0] != language.partition("-")[0]:
            without_text[language] += people
    is_as_written = segment == segments.as_written(campaign)
    beyond = country_groups.left_out(segment.exclude_countries or ())
    found = Check(
        audience=sum(by_text.values()),
        by_text=by_text,
        without_text=without_text,
        without_target=tuple(sorted(countries.name(code, "en") for code in gaps.without_own_target if code)),
        without_country=gaps.without_own_target.get(None, 0),
        left_out=segments.left_out(session, campaign.list_id, segment),
        not_excluded={place: by_country[place] for place in sorted(beyond) if by_country[place]},
        has_fallback=Targets.stored(campaign.targets).fallback is not None,
        gaps=gaps,
        by_country=by_country,
        by_language=by_language,
    )
    return found, groups if is_as_written else None


# --- what is better known before ------------------------------------------------------------------------------------

#: a default that fits most texts, to suggest for a field that stays empty
_DEFAULTS = {
    "name": "supporter",
    "country": "your country",
    "union": "your union",
    "target_email": "no e-mail address",
    "target_address": "no postal address",
}
#: whether a link is to an e-mail address → what else it needs, and an example
_REACHED_BY = {True: ("e-mail address", "us@example.org"), False: ("telephone number", "+44 1632 960001")}


def _advice(campaign: Campaign, found: Check) -> Iterator[Finding]:
    """What keeps nobody from sending it."""
    for language, count in small_numbers.hide_small(found.without_text).items():
        name = languages.name_in_english(language)
        what = f"the campaign has no text in {name}, so {in_words(count)} get another one"
        remedy = "Write the file, or name in [fallbacks] of campaign.toml which other language they read."
        yield _warning("text-missing", f"{language}.md", what, remedy)
    yield from _of_territories(found)
    yield from _of_targets(campaign, found)
    yield from _of_dead_links(found)
    yield from _of_empty_fields(found)


def _warning(code: Code, where: str, what: str, remedy: str) -> Finding:
    return Finding(Level.WARNING, code, where, what, remedy)


def _of_territories(found: Check) -> Iterator[Finding]:
    kinds: tuple[tuple[Code, str, Mapping[str, int], str], ...] = (
        ("territories-left-out", "countries", found.left_out, "do not get it, though their state's people do"),
        ("territories-not-excluded", "exclude_countries", found.not_excluded, "get it, though their state's do not"),
    )
    for code, key, counts, do in kinds:
        if counts:
            shown = small_numbers.hide_small({countries.name(place, "en"): counts[place] for place in counts})
            who = ", ".join(f"{place} ({in_words(count)})" for place, count in sorted(shown.items()))
            codes = ", ".join(f'"{place}"' for place in sorted(counts))
            what = f"people in territories {do}: {who}"
            yield _warning(code, f"{_AUDIENCE}, {key}", what, f"If that is not meant, add to {key}: {codes}.")


def _of_targets(campaign: Campaign, found: Check) -> Iterator[Finding]:
    gaps = found.gaps
    if campaign.started_at is not None and gaps.without_target:  # else it is an error
        what = f"the texts ask people to write to a target, but there is none for {name_countries(gaps.without_target)}"
        yield _warning("target-missing", _TARGETS, what, "Tell them where to write in a mail of its own.")
    if campaign.started_at is not None and gaps.without_addressee:  # likewise
        remedy = "Bring one in with `mailer targets import`: mails that go out later show it."
        yield _warning("target-missing", _ASK, _nobody_for(gaps.without_addressee), remedy)
    others = {code: count for code, count in gaps.without_own_target.items() if code not in gaps.without_target}
    if others:
        get = "they get the one for everyone else" if found.has_fallback else "the words for nobody stand there"
        what = f"there is no target of their own for {name_countries(others)}: {get}"
        yield _warning("target-not-own", _TARGETS, what, "If there is one for them, add [[targets]] with countries.")


def _of_dead_links(found: Check) -> Iterator[Finding]:
    for dead in found.gaps.dead_links:
        lacks, default = _REACHED_BY[dead.link.is_mail]
        filled = f'{{{{ {dead.link.field} or "{default}" }}}}'
        people = in_words(small_numbers.hide_one(sum(dead.by_country.values())))
        what = (
            f"{dead.link.written} leads nowhere for {people}, whose target has no {lacks}: "
            f"{name_countries(dead.by_country)}"
        )
        remedy = (
            f"Give the target one in campaign.toml, or the link a default that is one: {filled}. "
            "Or put {% if country … %} around it."
        )
        yield _warning("dead-link", f"{dead.file}:{dead.link.line}", what, remedy)


def _of_empty_fields(found: Check) -> Iterator[Finding]:
    in_links = {dead.link.field for dead in found.gaps.dead_links}  # of which there is a better thing to say
    for field, count in sorted(found.gaps.empty_fields.items()):
        if field not in in_links:
            what = f"{{{{ {field} }}}} is empty for {in_words(small_numbers.hide_one(count))}"
            filled = f'{{{{ {field} or "{_DEFAULTS.get(field, "…")}" }}}}'
            yield _warning("empty-field", "the texts", what, f"Give a default: {filled}.")


def in_words(count: int | None) -> str:
    """A number of people in words; None is one that is too small to show."""
    return "1 person" if count == 1 else f"{small_numbers.in_words(count)} people"
