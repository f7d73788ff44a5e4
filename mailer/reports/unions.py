"""What forwarding brought: kits sent, acknowledged and forwarded, members reached, and who joined, by union.

A federation's numbers are those of itself and of all beneath it. A number of people that is too small to show is None.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, true
from sqlalchemy.orm import QueryableAttribute, Session, selectinload

from mailer.campaigns import publishing
from mailer.errors import MailerError
from mailer.locale import languages
from mailer.people.small_numbers import Sum, hidden_in_sums
from mailer.store import db
from mailer.store.models import Asking, Campaign, CampaignText, JoinCount, Kit, Union
from mailer.unions import trees
from mailer.unions.trees import UnionTree

_MONTHS = 12  # that a union's own page looks back, this one among them
_MOST_KITS = 100  # that it lists
_MONTH = re.compile("[0-9]{4}-(?:0[1-9]|1[0-2])")


class NoResults(MailerError):
    """This union no longer exists."""


class InvalidMonth(MailerError):
    """ "{month}" is not a month. Write it as year and month, such as 2035-04."""


class MonthsReversed(MailerError):
    """The months run backwards: {since} comes after {until}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionRow:
    """What came of the kits of a union, or of a federation and all beneath it."""

    union_id: int | None  # none: all unions together
    slug: str | None  # none: it asked not to be named, and this is another's page; "" for all together
    name: str | None  # likewise
    is_federation: bool  # there are unions beneath it
    depth: int  # 0: beneath no other
    kits: int  # that went out to it, or that it answered
    acknowledged: int  # of these, how many it answered: seen, will forward, or forwarded
    forwarded: int  # of these, how many it says it forwarded
    reached: int | None  # members, as it says itself; None: 1 to 9, or hidden since it would give such a number away
    joined: int | None  # through its link; None likewise

    @property
    def is_empty(self) -> bool:
        """Whether nothing came of it at all: every number is 0, and none is hidden."""
        return self.kits == self.reached == self.joined == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KitRow:
    """One campaign's kit, on the page of the union that got it."""

    kit_id: int
    campaign_slug: str
    campaign_title: str  # in the union's language, if there is a text in it
    language: str  # of that title
    sent_at: datetime | None
    seen_at: datetime | None
    promised_at: datetime | None
    forwarded_at: datetime | None
    reached: int | None  # as the union itself told us; None: it told no number


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionResults:
    """What a union's forwarding brought in twelve months, for its own page."""

    union_name: str | None  # None: it asked not to be named
    since: str  # the first month, "2034-05"
    until: str  # the last one, which is not over yet
    total: UnionRow  # of a federation: of itself and all beneath it
    kits: tuple[KitRow, ...]  # its own, the latest first
    joined: Mapping[str, int | None]  # each of the twelve months, the first one first; of a federation as in `total`
    branches: tuple[UnionRow, ...]  # what is beneath it, each followed by what is beneath that; depth 0: right beneath


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of all unions' kits, for organisers."""

    since: str | None
    until: str | None
    rows: tuple[UnionRow, ...]  # each federation followed by what is beneath it, by name
    total: UnionRow


# --- what is asked for ----------------------------------------------------------------------------------------------


def results(session: Session, union_id: int) -> UnionResults:
    """What a union's forwarding brought in this month and the eleven before it.

    What it told us of members reached, it may see again: of its own no such number is hidden, of other unions' it is.

    :raises NoResults: there is no such union.
    """
    union = session.get(Union, union_id)
    if union is None:
        raise NoResults
    months = _months_until(db.now(session))
    since, until = months[0], months[-1]
    period = _Period(since, until)
    tree = trees.read(session).beneath(union_id)
    counted = _count(session, period, among=tree.places)
    by_month = _joined_by_month(session, period, among=tree.places)
    spread = {_Cell("month", month): by_month.get(month, 0) for month in months}
    joined = _shown(
        _cells(tree, lambda each: counted[each].joined) | spread,
        [Sum(_Cell("all", union_id), spread.keys()), *_sums(tree)],
    )
    own = counted[union_id].reached
    reached = _shown(_cells(tree, lambda each: 0 if each == union_id else counted[each].reached), _sums(tree))
    beneath = reached[_Cell("all", union_id)]
    reached[_Cell("all", union_id)] = None if beneath is None else beneath + own
    total, *branches = _rows(tree, counted, reached=reached, joined=joined)
    return UnionResults(
        union_name=union.name if union.is_named else None,
        since=since,
        until=until,
        total=total,
        kits=tuple(_kits(session, union, period)),
        joined={month: joined[_Cell("month", month)] for month in months},
        branches=tuple(_as_others_see(row, tree) for row in branches),
    )


def report(session: Session, *, since: str | None = None, until: str | None = None) -> Report:
    """What the forwarding of all unions brought.

    :param since: the first month that counts, "2034-05"; None: from the beginning.
    :param until: the last one; None: until now.
    :raises InvalidMonth: one of them is no month.
    :raises MonthsReversed: the last comes before the first.
    """
    period = _Period(since, until)
    period.check()
    tree = trees.read(session)
    counted = _count(session, period)
    joined = _shown(_cells(tree, lambda each: counted[each].joined), _sums(tree))
    reached = _shown(_cells(tree, lambda each: counted[each].reached), _sums(tree))
    total, *rows = _rows(tree, counted, reached=reached, joined=joined)
    return Report(since=since, until=until, rows=tuple(rows), total=total)


def _as_others_see(row: UnionRow, tree: UnionTree) -> UnionRow:
    """A branch on the page of its federation: nameless if it asked not to be named."""
    assert row.union_id is not None  # noqa: S101 - only all together have none
    is_named = tree.places[row.union_id].is_named
    return replace(row, depth=row.depth - 1, name=row.name if is_named else None, slug=row.slug if is_named else None)


# --- when -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Period:
    """Whole months, as UTC has them; None: without end on that side."""

    since: str | None
    until: str | None

    def check(self) -> None:
        """Look whether this is a period.

        :raises InvalidMonth: one of its ends is no month.
        :raises MonthsReversed: the last comes before the first.
        """
        for month in (self.since, self.until):
            if month is not None and (not _MONTH.fullmatch(month) or month[:4] in ("0000", "9999")):
                raise InvalidMonth(month=month)
        if self.since and self.until and self.since > self.until:
            raise MonthsReversed(since=self.since, until=self.until)

    def has(self, month: QueryableAttribute[str]) -> ColumnElement[bool]:
        """Whether a month, as it is stored, is one of them."""
        return and_(true() if self.since is None else month >= self.since, month <= (self.until or "9999-12"))

    def has_moment(self, moment: ColumnElement[datetime]) -> ColumnElement[bool]:
        """Whether a moment is in one of them; NULL is not."""
        is_in: list[ColumnElement[bool]] = [moment.is_not(None)]
        if self.since:
            is_in.append(moment >= _first_moment(self.since))
        if self.until:
            is_in.append(moment < _first_moment(_next_month(self.until)))
        return and_(*is_in)


def _months_until(now: datetime) -> list[str]:
    """This month and the eleven before it, the earliest first."""
    this = now.year * 12 + now.month - 1
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(this - _MONTHS + 1, this + 1)]


def _first_moment(month: str) -> datetime:
    return datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC)


def _next_month(month: str) -> str:
    number = int(month[:4]) * 12 + int(month[5:])
    return f"{number // 12:04}-{number % 12 + 1:02}"


# --- numbers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Counts:
    """What came of a union's kits."""

    kits: int = 0
    acknowledged: int = 0
    forwarded: int = 0
    reached: int = 0
    joined: int = 0


@dataclass(frozen=True, slots=True)
class _Cell:
    """A number that is shown, or that can be told from those that are."""

    what: str  # "all": a union and all beneath it; "own": a federation without what is beneath it; "month"
    which: int | str | None  # a union's id, None for all unions together, or a month


def _cells(tree: UnionTree, number_of: Callable[[int | None], int]) -> dict[_Cell, int]:
    """All numbers that can be told: what is shown of each union, and what a federation has of its own."""
    shown = {_Cell("all", key): total for key, total in tree.sum_up(number_of).items()}
    return shown | {_Cell("own", key): number_of(key) for key, place in tree.places.items() if place.children}


def _sums(tree: UnionTree) -> list[Sum[_Cell]]:
    """Which of these are others' sum."""
    return [
        Sum(_Cell("all", key), [_Cell("own", key), *(_Cell("all", child) for child in place.children)])
        for key, place in tree.places.items()
        if place.children
    ]


def _shown(counts: Mapping[_Cell, int], sums: Sequence[Sum[_Cell]]) -> dict[_Cell, int | None]:
    """The numbers with None for those that are not to be shown."""
    hidden = hidden_in_sums(counts, sums)
    return {cell: None if cell in hidden else count for cell, count in counts.items()}


def _rows(
    tree: UnionTree,
    counted: Mapping[int | None, _Counts],
    *,
    reached: Mapping[_Cell, int | None],
    joined: Mapping[_Cell, int | None],
) -> Iterator[UnionRow]:
    """A row for each place, in order."""
    kits = tree.sum_up(lambda key: counted[key].kits)
    acknowledged = tree.sum_up(lambda key: counted[key].acknowledged)
    forwarded = tree.sum_up(lambda key: counted[key].forwarded)
    for key, place in tree.places.items():
        yield UnionRow(
            union_id=place.union_id,
            slug=place.slug,
            name=place.name,
            is_federation=bool(place.children),
            depth=place.depth,
            kits=kits[key],
            acknowledged=acknowledged[key],
            forwarded=forwarded[key],
            reached=reached[_Cell("all", key)],
            joined=joined[_Cell("all", key)],
        )


def _count(
    session: Session, period: _Period, *, among: Collection[int | None] | None = None
) -> dict[int | None, _Counts]:
    """What came of each union's own kits in some months; of none, noughts.

    :param among: the unions that are wanted; None: all.
    """
    went_out = _went_out()
    of_kits = (
        select(
            Kit.union_id,
            func.count(),
            func.count(func.coalesce(Kit.seen_at, Kit.promised_at, Kit.forwarded_at)),
            func.count(Kit.forwarded_at),
            func.sum(Kit.reached),
        )
        .where(Kit.union_id.is_not(None), period.has_moment(went_out), _is_among(Kit.union_id, among))
        .group_by(Kit.union_id)
    )
    of_joins = (
        select(JoinCount.union_id, func.sum(JoinCount.joined))
        .where(period.has(JoinCount.month), _is_among(JoinCount.union_id, among))
        .group_by(JoinCount.union_id)
    )
    counted: defaultdict[int | None, _Counts] = defaultdict(_Counts)
    for union_id, kits, acknowledged, forwarded, reached in session.execute(of_kits):
        counted[union_id] = _Counts(kits, acknowledged, forwarded, int(reached or 0))
    for union_id, joined in session.execute(of_joins):
        counted[union_id] = replace(counted[union_id], joined=int(joined or 0))
    return counted


def _joined_by_month(session: Session, period: _Period, *, among: Collection[int | None]) -> dict[str, int]:
    """How many joined through these unions' links, by month; months without any are missing."""
    by_month = (
        select(JoinCount.month, func.sum(JoinCount.joined))
        .where(period.has(JoinCount.month), _is_among(JoinCount.union_id, among))
        .group_by(JoinCount.month)
    )
    return {month: int(joined or 0) for month, joined in session.execute(by_month)}


def _went_out() -> ColumnElement[datetime]:
    """When a kit came to its union, by our mail or, as its answer shows, by other ways; NULL if it did not."""
    moment: ColumnElement[datetime] = func.coalesce(Kit.sent_at, Kit.seen_at, Kit.promised_at, Kit.forwarded_at)
    return moment


def _is_among(column: QueryableAttribute[Any], union_ids: Collection[int | None] | None) -> ColumnElement[bool]:
    return true() if union_ids is None else column.in_([each for each in union_ids if each is not None])


# --- a union's own kits ---------------------------------------------------------------------------------------------


def _kits(session: Session, union: Union, period: _Period) -> Iterator[KitRow]:
    """The kits that went out to a union in some months, the latest first; none of a campaign that was taken down, or
    holds a word that must not appear."""
    lines = (
        selectinload(Kit.campaign).selectinload(Campaign.texts).load_only(CampaignText.language, CampaignText.subject)
    )
    latest = (
        select(Kit)
        .join(Campaign, Campaign.id == Kit.campaign_id)
        .where(Kit.union_id == union.id, period.has_moment(_went_out()), Campaign.asking != Asking.WITHDRAWN)
        .order_by(_went_out().desc(), Kit.id.desc())
        .limit(_MOST_KITS)
        .options(lines)
    )
    for kit in session.scalars(latest):
        if not publishing.is_sayable(session, kit.campaign):
            continue
        language = _language_for(union, kit.campaign)
        yield KitRow(
            kit_id=kit.id,
            campaign_slug=kit.campaign.slug,
            campaign_title=publishing.title(kit.campaign, language),
            language=language,
            sent_at=kit.sent_at,
            seen_at=kit.seen_at,
            promised_at=kit.promised_at,
            forwarded_at=kit.forwarded_at,
            reached=kit.reached,
        )


def _language_for(union: Union, campaign: Campaign) -> str:
    """The first of a union's languages that a campaign has a text in, or else the campaign's own."""
    there = {text.language for text in campaign.texts}
    spoken = (form for tag in union.languages for form in languages.forms(tag))
    return next((form for form in spoken if form in there), campaign.language)
