"""What people report of targets is counted, with nothing about who, and three networks make a target doubtful."""

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.cases import target_book, target_reports
from mailer.cases.target_book import UnknownTarget
from mailer.cases.targets import Target
from mailer.operations import housekeeping
from mailer.store import db
from mailer.store.db import session_scope
from mailer.store.models import StoredTarget, TargetReport, TargetReportKind, TargetRole
from tests.support.concurrency import Beside
from tests.support.days import lately

CAME_BACK, MOVED = TargetReportKind.CAME_BACK, TargetReportKind.MOVED


def put(session: Session, slug: str = "berlin", verified_on: date | None = None) -> Target:
    known = Target((), slug, f"{slug}@example.org", "", slug=slug, role=TargetRole.REPRESENTATIVE)
    target = Target(**{key: getattr(known, key) for key in known.__slots__} | {"verified_on": verified_on})
    target_book.put(session, target)
    return target


def numbers(session: Session, slug: str = "berlin") -> list[int]:
    """What is kept of the networks that reported a target."""
    session.flush()
    session.expire_all()
    return list(session.query(StoredTarget).filter_by(slug=slug).one().doubts)


def doubted(session: Session, slug: str = "berlin") -> bool:
    session.flush()
    session.expire_all()
    return target_book.is_doubtful(target_book.get(session, slug))


def report_from(session: Session, shares: int, slug: str = "berlin") -> None:
    """Report a target from as many networks as it takes to have so many numbers."""
    for host in range(1, 255):
        if len(numbers(session, slug)) == shares:
            return
        target_reports.note(session, slug, MOVED, f"198.51.100.{host}")
    raise AssertionError("so many networks have no more numbers")


def test_reports_are_counted_by_month_and_kind(session: Session) -> None:
    put(session)
    put(session, "bonn")
    for kind in (CAME_BACK, MOVED, CAME_BACK):
        target_reports.note(session, "berlin", kind, "198.51.100.1")
    session.commit()
    (month, counts), *others = target_reports.by_month(session, "berlin").items()
    assert month in {moment.date().replace(day=1) for moment in lately()}
    assert (counts, others) == ({CAME_BACK: 2, MOVED: 1}, [])
    assert target_reports.by_month(session, "bonn") == {}
    with pytest.raises(UnknownTarget):
        target_reports.note(session, "prague", MOVED, "198.51.100.1")


def test_three_networks_make_a_target_doubtful_and_one_network_never_does(session: Session) -> None:
    put(session)
    for kind in [*TargetReportKind] * 4:
        target_reports.note(session, "berlin", kind, "198.51.100.1")
    assert len(numbers(session)) == 1
    report_from(session, 2)
    assert not doubted(session)
    report_from(session, 3)
    assert doubted(session)
    assert all(0 <= number < 16 for number in numbers(session))


def test_of_a_network_nothing_is_kept_by_which_two_targets_or_two_years_could_be_laid_side_by_side(
    session: Session,
) -> None:
    networks = [f"198.51.100.{host}" for host in range(12)]
    kept = []
    for slug, day in (("berlin", None), ("bonn", None), ("berlin", date(2026, 1, 5)), ("berlin", date(2026, 1, 6))):
        put(session, slug, day)
        for network in networks:
            target_reports.note(session, slug, MOVED, network)
        kept.append(numbers(session, slug))
    assert len({tuple(each) for each in kept}) == 4


@pytest.mark.parametrize("imported", [False, True], ids=["verified", "imported"])
def test_once_a_target_is_verified_nothing_reported_before_counts(session: Session, imported: bool) -> None:
    today = db.now(session).date()
    put(session, verified_on=today - timedelta(days=9))
    report_from(session, 3)
    for same_or_earlier in (9, 10):
        put(session, verified_on=today - timedelta(days=same_or_earlier))
        assert doubted(session)
    if imported:
        put(session, verified_on=today - timedelta(days=8))
    else:
        target_book.verify(session, "berlin", "Ana")
    session.flush()
    assert numbers(session) == []
    assert target_reports.by_month(session, "berlin"), "how many there were is still known"


def test_two_who_report_at_the_same_moment_both_count(engine: Engine, session: Session) -> None:
    put(session)
    session.commit()
    first, second = "198.51.100.1", "198.51.100.4"

    def report() -> None:
        with session_scope(engine) as other:
            target_reports.note(other, "berlin", MOVED, second)

    target_reports.note(session, "berlin", MOVED, first)
    beside = Beside(report)
    beside.must_wait()
    session.commit()
    beside.result()
    with session_scope(engine) as check:
        (counts,) = target_reports.by_month(check, "berlin").values()
        assert (counts, len(numbers(check))) == ({MOVED: 2}, 2)


def test_counts_are_kept_for_two_years(engine: Engine, session: Session) -> None:
    put(session)
    target_reports.note(session, "berlin", MOVED, "198.51.100.1")
    report = session.query(TargetReport).one()
    this_month = report.month
    report.month = this_month.replace(year=this_month.year - 2)
    session.commit()
    housekeeping.tidy(engine)
    assert len(target_reports.by_month(session, "berlin")) == 1
    report.month = (report.month - timedelta(days=1)).replace(day=1)
    session.commit()
    housekeeping.tidy(engine)
    assert target_reports.by_month(session, "berlin") == {}
