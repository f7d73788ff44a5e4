"""Readiness: whom a campaign would reach, and what still keeps it from being sent."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.campaigns import deadlines, editions, gate, segments
from mailer.campaigns.dead_links import Link
from mailer.campaigns.editions import Reader
from mailer.campaigns.segments import Group
from mailer.cases.findings import Finding
from mailer.cases.targets import NOBODY, Target, Targets
from mailer.errors import MailerError
from mailer.locale import countries, country_groups
from mailer.store import db
from mailer.store.models import Campaign, Subscriber, Subscription
from mailer.unions import directory

#: fields that print a part of the target
_TARGET_FIELDS = frozenset(["target_name", "target_email", "target_address"])
_MOST_NAMED = 12


class NobodyToWriteTo(MailerError):
    """Campaign "{slug}" asks people to write to a target, but there is none for {whom}. In campaign.toml, add
    [[targets]] for them, or one without countries for everyone else. Then load it again."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """Where readers would find nothing, since no default stands there either."""

    without_target: Mapping[str | None, int]  # country, None if not known → people asked to write to nobody
    empty_fields: Mapping[str, int]  # field → people who have no value for it, those without a target excepted
    without_own_target: Mapping[str | None, int]  # country → people whose text prints a target, and who have no own
    dead_links: tuple["DeadLink", ...] = ()


@dataclass(frozen=True, slots=True)
class DeadLink:
    """A link to the target, where some people's target has no such address."""

    file: str
    link: Link
    by_country: Mapping[str | None, int]  # None if not known → people for whom it leads nowhere


def find(session: Session, campaign: Campaign) -> Gaps:
    """Look through everyone's edition for targets of which they have none, and for fields that it prints without a
    default and they have nothing for."""
    return _gaps(session, campaign, segments.groups(session, campaign.list_id, segments.segment_of(campaign)))


def _gaps(session: Session, campaign: Campaign, audience: Iterable[Group]) -> Gaps:
    renderer = editions.EditionRenderer(session, campaign, editions.TRIAL_SENDER)
    targets = Targets.stored(campaign.targets)
    without_target: Counter[str | None] = Counter()
    without_own_target: Counter[str | None] = Counter()
    empty: Counter[str] = Counter()
    named_unions = directory.printable_names(session).keys()
    dead: dict[tuple[str, Link], Counter[str | None]] = defaultdict(Counter)
    prints_names = False
    for language, country, union_id, people in audience:
        edition = renderer.choose(Reader(language, country, union_id))
        printed = renderer.bare_fields(edition)
        target = targets.for_country(country)
        if renderer.printed_fields(edition) & _TARGET_FIELDS and not (country and targets.has_own(country)):
            without_own_target[country] += people
        if target is None and printed & _TARGET_FIELDS:
            without_target[country] += people
        else:
            for link in renderer.links(edition):
                if link.is_dead(target or NOBODY):
                    dead[renderer.file(edition), link][country] += people
        for field in printed & _empty_fields(country, union_id in named_unions, target):
            empty[field] += people
        prints_names |= "name" in printed
    if prints_names and (nameless := _count_nameless(session, campaign, renderer)):
        empty["name"] = nameless
    dead_links = sorted(dead.items(), key=lambda found: (found[0][0], found[0][1].line))
    return Gaps(without_target, empty, without_own_target, tuple(DeadLink(*place, who) for place, who in dead_links))


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


def require_targets(session: Session, campaign: Campaign) -> None:
    """Refuse a campaign that would ask some of its audience to write to nobody.

    :raises NobodyToWriteTo: naming their countries.
    """
    missing = find(session, campaign).without_target
    if missing:
        raise NobodyToWriteTo(slug=campaign.slug, whom=name_countries(missing))


def name_countries(codes: Mapping[str | None, int]) -> str:
    """Countries by their English names, the first dozen of them, and people who did not say theirs."""
    names = sorted(countries.name(code, "en") for code in codes if code)
    more = len(names) - _MOST_NAMED
    named = [*names[:_MOST_NAMED], *([f"{more} more countries"] if more > 0 else [])]
    if None in codes:
        named.append("people whose country is not known")
    return ", ".join(named)


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
    is_over: bool  # whether the deadline has passed, so that it cannot be sent any more
    warnings: tuple[str, ...]
    findings: tuple[Finding, ...]  # what its case says against it, and what else may harm


def check(session: Session, campaign: Campaign) -> Check:
    """Count the audience and find what its texts and targets leave out."""
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
    return Check(
        audience=sum(by_text.values()),
        by_text=by_text,
        without_text=without_text,
        without_target=tuple(sorted(countries.name(code, "en") for code in gaps.without_own_target if code)),
        without_country=gaps.without_own_target.get(None, 0),
        left_out=segments.left_out(session, campaign.list_id, segment),
        not_excluded={place: by_country[place] for place in sorted(beyond) if by_country[place]},
        has_fallback=Targets.stored(campaign.targets).fallback is not None,
        gaps=gaps,
        is_over=campaign.deadline is not None and deadlines.is_over(campaign, db.now(session)),
        warnings=tuple(editions.try_out(session, campaign)),
        findings=tuple(gate.findings(session, campaign, audience=groups if is_as_written else None)),
    )
