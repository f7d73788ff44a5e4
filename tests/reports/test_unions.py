"""What forwarding brought, by union and federation: every number right, no small one told."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from mailer.people.small_numbers import Sum
from mailer.reports import unions as union_reports
from mailer.reports.unions import InvalidMonth, MonthsReversed, NoResults, Report, UnionResults, UnionRow
from mailer.store.db import utcnow
from mailer.store.models import Campaign, JoinCount, Kit, Union
from tests.support.factories import add_text, make_campaign, make_list, make_union
from tests.support.inference import Range, narrowed
from tests.support.statements import watched

NOW = utcnow()
MONTH = f"{NOW:%Y-%m}"


@pytest.fixture
def campaign(session: Session) -> Campaign:
    return make_campaign(session, make_list(session))


def join(session: Session, union: Union, joined: int, month: str = MONTH) -> None:
    session.add(JoinCount(union_id=union.id, month=month, joined=joined))
    session.flush()


def give_kit(
    session: Session,
    campaign: Campaign,
    union: Union | None,
    *,
    sent_at: datetime | None = NOW,
    seen_at: datetime | None = None,
    promised_at: datetime | None = None,
    forwarded_at: datetime | None = None,
    reached: int | None = None,
) -> Kit:
    kit = Kit(
        campaign_id=campaign.id,
        union_id=union.id if union else None,
        sent_at=sent_at,
        seen_at=seen_at,
        promised_at=promised_at,
        forwarded_at=forwarded_at,
        reached=reached,
    )
    session.add(kit)
    session.flush()
    return kit


def row(found: Report | UnionResults, slug: str) -> UnionRow:
    rows = found.rows if isinstance(found, Report) else found.branches
    return next(each for each in rows if each.slug == slug)


# --- sums -----------------------------------------------------------------------------------------------------------


def test_a_federation_has_its_own_numbers_and_those_of_all_beneath_it(session: Session, campaign: Campaign) -> None:
    world = make_union(session, "world", country=None)
    docks = make_union(session, "docks", parent=world)
    branch = make_union(session, "branch", parent=docks)
    loners = make_union(session, "loners")
    give_kit(session, campaign, world)
    give_kit(session, campaign, docks, seen_at=NOW)
    give_kit(session, campaign, branch, forwarded_at=NOW, reached=250)
    give_kit(session, campaign, loners, promised_at=NOW)
    give_kit(session, campaign, None)  # everybody's is nobody's
    for union, joined in ((world, 100), (docks, 20), (branch, 30), (loners, 50)):
        join(session, union, joined)
    found = union_reports.report(session)
    assert [(each.slug, each.depth, each.is_federation) for each in found.rows] == [
        ("loners", 0, False),
        ("world", 0, True),
        ("docks", 1, True),
        ("branch", 2, False),
    ]
    assert [(each.kits, each.acknowledged, each.forwarded) for each in found.rows] == [
        (1, 1, 0),
        (3, 2, 1),
        (2, 2, 1),
        (1, 1, 1),
    ]
    assert [each.joined for each in found.rows] == [50, 150, 50, 30]
    assert [each.reached for each in found.rows] == [0, 250, 250, 250]
    total = found.total
    assert (total.kits, total.acknowledged, total.forwarded, total.reached, total.joined) == (4, 3, 1, 250, 200)


def test_a_kit_counts_when_it_went_out_or_was_answered(session: Session, campaign: Campaign) -> None:
    unions = [make_union(session, slug) for slug in ("mailed", "by-hand", "neither")]
    give_kit(session, campaign, unions[0])
    give_kit(session, campaign, unions[1], sent_at=None, forwarded_at=NOW)
    give_kit(session, campaign, unions[2], sent_at=None)
    assert [each.kits for each in union_reports.report(session).rows] == [1, 1, 0]


def test_only_the_months_asked_for_count_the_first_and_the_last_among_them(session: Session) -> None:
    campaigns = [
        make_campaign(session, make_list(session, f"list-{number}"), slug=f"c-{number}") for number in range(4)
    ]
    union = make_union(session)
    moments = [
        datetime(2034, 1, 31, 23, 59, tzinfo=UTC),
        datetime(2034, 2, 1, tzinfo=UTC),
        datetime(2034, 12, 31, 23, 59, tzinfo=UTC),
        datetime(2035, 1, 1, tzinfo=UTC),
    ]
    for campaign, moment in zip(campaigns, moments, strict=True):
        give_kit(session, campaign, union, sent_at=moment, forwarded_at=NOW, reached=100)
        join(session, union, 20, f"{moment:%Y-%m}")

    def numbers(since: str | None, until: str | None) -> tuple[int, int | None, int | None]:
        total = union_reports.report(session, since=since, until=until).total
        return total.kits, total.reached, total.joined

    assert numbers("2034-02", "2034-12") == (2, 200, 40)
    assert numbers("2034-02", None) == (3, 300, 60)
    assert numbers(None, "2034-01") == (1, 100, 20)
    assert numbers(None, None) == (4, 400, 80)


@pytest.mark.parametrize("month", ["2034", "2034-13", "2034-1", "April", "9999-12", ""])
def test_what_is_no_month_is_refused(session: Session, month: str) -> None:
    with pytest.raises(InvalidMonth):
        union_reports.report(session, until=month)


def test_months_that_run_backwards_are_refused(session: Session) -> None:
    with pytest.raises(MonthsReversed):
        union_reports.report(session, since="2034-05", until="2034-04")


def test_a_circle_that_was_written_by_hand_is_cut(session: Session) -> None:
    first = make_union(session, "first")
    second = make_union(session, "second", parent=first)
    first.parent_id = second.id
    session.flush()
    join(session, first, 15)
    join(session, second, 25)
    found = union_reports.report(session)
    assert [(each.slug, each.depth, each.joined) for each in found.rows] == [("first", 0, 40), ("second", 1, 25)]


def test_without_unions_there_is_nothing(session: Session) -> None:
    found = union_reports.report(session)
    assert (found.rows, found.total.kits, found.total.joined) == ((), 0, 0)


# --- a union's own page ---------------------------------------------------------------------------------------------


def test_a_union_sees_its_kits_and_twelve_months_of_joining(session: Session, campaign: Campaign) -> None:
    campaign.texts[0].subject = "Free {{ target_name or 'them' }}"
    add_text(session, campaign, "fr", "…")
    union = make_union(session, "quays")
    union.languages = ["tr", "fr-CA", "en"]
    old = make_campaign(session, make_list(session, "old"), slug="old")
    give_kit(session, old, union, sent_at=NOW - timedelta(days=400))
    kit = give_kit(session, campaign, union, forwarded_at=NOW, reached=8)
    join(session, union, 30)
    join(session, union, 99, "2019-01")
    found = union_reports.results(session, union.id)
    assert (len(found.joined), list(found.joined)[-1], found.until) == (12, MONTH, MONTH)
    assert found.since == next(iter(found.joined))
    assert list(found.joined.values()) == [0] * 11 + [30]
    (shown,) = found.kits
    assert (shown.kit_id, shown.campaign_title, shown.language) == (kit.id, "Subject", "fr")
    assert shown.reached == found.total.reached == 8  # as it told us itself
    assert (found.union_name, found.total.kits, found.total.joined) == ("Quays", 1, 30)
    assert found.branches == ()
    union.languages = []
    assert union_reports.results(session, union.id).kits[0].campaign_title == "Free them"


def test_a_federation_sees_what_belongs_to_it_and_nothing_else(session: Session, campaign: Campaign) -> None:
    world = make_union(session, "world", country=None)
    docks = make_union(session, "docks", parent=world)
    branch = make_union(session, "branch", parent=docks)
    other = make_union(session, "other")
    for union, joined in ((world, 11), (docks, 12), (branch, 13), (other, 14)):
        give_kit(session, campaign, union, forwarded_at=NOW, reached=joined * 10)
        join(session, union, joined)
    found = union_reports.results(session, docks.id)
    assert (found.total.slug, found.total.joined, found.total.reached, found.total.kits) == ("docks", 25, 250, 2)
    assert [(each.slug, each.depth, each.joined) for each in found.branches] == [("branch", 0, 13)]
    assert [kit.reached for kit in found.kits] == [120]
    assert found.joined[MONTH] == 25
    assert [each.slug for each in union_reports.results(session, world.id).branches] == ["docks", "branch"]


def test_a_union_that_asked_not_to_be_named_is_not_on_its_federations_page_nor_on_its_own(session: Session) -> None:
    world = make_union(session, "world", country=None)
    secret = make_union(session, "secret", parent=world)
    secret.is_named = False
    session.flush()
    (branch,) = union_reports.results(session, world.id).branches
    assert (branch.name, branch.slug) == (None, None)
    assert union_reports.results(session, secret.id).union_name is None
    assert row(union_reports.report(session), "secret").name == "Secret"  # organisers know


def test_of_a_union_that_is_not_there_are_no_results(session: Session) -> None:
    with pytest.raises(NoResults):
        union_reports.results(session, 7)


# --- small numbers --------------------------------------------------------------------------------------------------


def test_small_numbers_are_hidden_and_what_would_give_them_away(session: Session, campaign: Campaign) -> None:
    world = make_union(session, "world", country=None)
    numbers = {"a": 3, "b": 40, "c": 12}
    for slug, number in numbers.items():
        union = make_union(session, slug, parent=world)
        join(session, union, number)
        give_kit(session, campaign, union, forwarded_at=NOW, reached=number)
    for found in (union_reports.report(session), union_reports.results(session, world.id)):
        assert [row(found, slug).joined for slug in numbers] == [None, 40, None]
        assert [row(found, slug).reached for slug in numbers] == [None, 40, None]
        assert (found.total.joined, found.total.reached) == (55, 55)


def test_a_union_cannot_tell_a_small_month_from_the_sum(session: Session) -> None:
    union = make_union(session)
    months = list(union_reports.results(session, union.id).joined)
    for month, joined in zip(months, (4, 20, 11, 0), strict=False):
        join(session, union, joined, month)
    found = union_reports.results(session, union.id)
    assert list(found.joined.values())[:4] == [None, 20, None, 0]
    assert found.total.joined == 35


def test_a_federation_cannot_tell_what_a_branch_reached_from_what_it_reached_itself(
    session: Session, campaign: Campaign
) -> None:
    world = make_union(session, "world", country=None)
    branch = make_union(session, "branch", parent=world)
    give_kit(session, campaign, world, forwarded_at=NOW, reached=500)
    give_kit(session, campaign, branch, forwarded_at=NOW, reached=4)
    found = union_reports.results(session, world.id)
    assert found.kits[0].reached == 500
    assert (row(found, "branch").reached, found.total.reached) == (None, None)


@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize("seed", range(12))
def test_of_random_federations_no_small_number_can_be_told(session: Session, campaign: Campaign, seed: int) -> None:
    """Neither from the report, nor from the page of any union: months, branches, their sum, and what it told itself."""
    rng = random.Random(seed)
    unions = [make_union(session, "u0")]
    for number in range(1, 14):
        unions.append(make_union(session, f"u{number}", parent=rng.choice([*unions, None])))
    months = list(union_reports.results(session, unions[0].id).joined)
    true = dict.fromkeys((union.id for union in unions), 0)
    reached = {union.id: rng.choice([0, 1, 8, 10, 500]) for union in unions}
    for union in unions:
        give_kit(session, campaign, union, forwarded_at=NOW, reached=reached[union.id])
        for month in months:
            if (joined := rng.choice([0] * 8 + [1, 2, 9, 15, 40])) > 0:
                join(session, union, joined, month)
                true[union.id] += joined
    found = union_reports.report(session)
    require_untold([found.total, *found.rows], true, "joined")
    require_untold([found.total, *found.rows], reached, "reached")
    for union in unions:
        page = union_reports.results(session, union.id)
        branches = [replace(row, depth=row.depth + 1) for row in page.branches]
        require_untold([page.total, *branches], true, "joined", months=page.joined)
        require_untold([page.total, *branches], reached, "reached", own=reached[union.id])


def require_untold(
    rows: list[UnionRow],
    true: Mapping[int, int],
    field: str,
    *,
    months: Mapping[str, int | None] = MappingProxyType({}),
    own: int | None = None,
) -> None:
    """Insist that of the numbers from 1 to 9 in a table none is shown, and each could be another.

    :param true: what each union has of its own.
    :param own: that of the first row, where whoever sees the table knows it.
    """
    top, *beneath = rows
    depths = [-1 if top.union_id is None else 0, *(row.depth for row in beneath)]
    known: dict[str, Range] = {}
    sums: list[Sum[str]] = []
    small: list[str] = []
    for place, row in enumerate(rows):
        after = (other for other in range(place + 1, len(rows)) if depths[other] <= depths[place])
        within = range(place, next(after, len(rows)))
        children = [other for other in within if depths[other] == depths[place] + 1]
        of_own = {other: true.get(rows[other].union_id or 0, 0) for other in within}
        shown: int | None = getattr(row, field)
        assert shown in (None, sum(of_own.values()))
        known[f"all {place}"] = (0, float("inf")) if shown is None else (shown, shown)
        known[f"own {place}"] = (0, float("inf")) if place or own is None else (own, own)
        sums.append(Sum(f"all {place}", [f"own {place}", *(f"all {child}" for child in children)]))
        if own is None or place:
            small += [f"all {place}"] * (0 < sum(of_own.values()) < 10) + [f"own {place}"] * (0 < of_own[place] < 10)
    for month, number in months.items():
        known[month] = (0, float("inf")) if number is None else (number, number)
        assert number in (None, 0) or number >= 10
    if months:
        sums.append(Sum("all 0", list(months)))
        small += [month for month, number in months.items() if number is None]
    for name in small:
        least, most = narrowed(known, sums)[name]
        assert least < most


# --- size -----------------------------------------------------------------------------------------------------------


def test_five_hundred_unions_with_sixty_months_take_few_statements(session: Session) -> None:
    federations = [make_union(session, f"f{number}", country=None) for number in range(20)]
    unions = [make_union(session, f"u{number}", parent=federations[number % 20]) for number in range(480)]
    rows = [
        {"union_id": union.id, "month": f"{2030 + month // 12}-{month % 12 + 1:02}", "joined": 5}
        for union in (*federations, *unions)
        for month in range(60)
    ]
    session.execute(insert(JoinCount), rows)
    campaign = make_campaign(session, make_list(session))
    kits = [{"campaign_id": campaign.id, "union_id": union.id, "sent_at": NOW} for union in unions]
    session.execute(insert(Kit), kits)
    session.commit()
    with watched(session.get_bind().engine) as statements:
        found = union_reports.report(session)
        union_reports.results(session, federations[0].id)
    assert (len(found.rows), found.total.joined, found.total.kits) == (500, 500 * 60 * 5, 480)
    assert len(statements) <= 3 + 9
