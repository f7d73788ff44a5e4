"""Of a system notice that failed it stays known for a while why, and never whom it was for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, LargeBinary, select, type_coerce, update
from sqlalchemy.orm import Session

from mailer.operations import housekeeping
from mailer.people import failed_notices, notices, subscribers
from mailer.people.failed_notices import FailedNotice
from mailer.people.notices import Notice, NoticeKind
from mailer.store.db import utcnow
from mailer.store.models import Delivery, DeliveryState, Reason
from tests.support.factories import make_subscriber, make_union, notices_owed

S = DeliveryState
WORDS = "5.1.1 ana@example.org: ana unknown at example.org"


def fail(session: Session, state: DeliveryState = S.FAILED, words: str | None = WORDS, **owed: Any) -> None:
    """Owe a notice, and have it fail."""
    owed = {"language": "fr", "address": "ana@example.org", "kind": NoticeKind.CONFIRM} | owed
    notices.owe(session, Notice(owed.pop("kind"), "ab" * 20, {"list": "News"}), **owed)
    latest = session.scalars(select(Delivery).order_by(Delivery.id.desc()).limit(1)).one()
    latest.state, latest.smtp_code, latest.smtp_text, latest.settled_at = state, 550, words, utcnow()
    session.flush()


def known(session: Session) -> list[FailedNotice]:
    session.expire_all()
    return failed_notices.read(session, Delivery.state.in_(notices.FAILED))


@pytest.mark.parametrize("state", notices.FAILED)
def test_it_stays_known_why_a_notice_failed_and_not_whom_it_was_for(
    engine: Engine, session: Session, state: DeliveryState
) -> None:
    person, union = make_subscriber(session, email="bo@example.org", name="Bo Example"), make_union(session)
    fail(session, state)
    kit = {"kind": NoticeKind.KIT, "address": None, "subscriber_id": person.id, "union_id": union.id}
    fail(session, state, "5.2.2 mailbox of Bo Example is full", **kit)
    before = known(session)
    assert [(each.kind, each.union_id, each.smtp_code, each.words) for each in before] == [
        (NoticeKind.KIT, union.id, 550, "5.2.2 mailbox of [recipient] is full"),
        (NoticeKind.CONFIRM, None, 550, "5.1.1 [address]: [recipient] unknown at [recipient]"),
    ]
    session.commit()
    for _ in range(2):
        housekeeping.tidy(engine)
        assert known(session) == before
        for row in notices_owed(session):
            assert [row.address, row.subscriber_id, row.union_id, row.language] == [None] * 4
            assert row.notice is not None and "abab" not in row.notice and "News" not in row.notice
            assert row.smtp_text is not None and "ana" not in row.smtp_text and "Bo" not in row.smtp_text
        session.commit()


@pytest.mark.parametrize("state", [S.SENT, S.SKIPPED])
def test_what_did_not_fail_is_forgotten_at_once(engine: Engine, session: Session, state: DeliveryState) -> None:
    fail(session, state)
    session.commit()
    housekeeping.tidy(engine)
    (row,) = notices_owed(session)
    assert row.notice is row.smtp_text is row.address is None


def test_after_a_week_nothing_is_known_of_it(engine: Engine, session: Session) -> None:
    fail(session)
    for days, remembered in ((6, 1), (7, 1), (8, 0)):
        # As what is older than a day is kept: cut to the day.
        day = datetime.combine(utcnow().date() - timedelta(days=days), datetime.min.time(), UTC)
        session.execute(update(Delivery).values(settled_at=day))
        session.commit()
        housekeeping.tidy(engine)
        assert len(known(session)) == remembered
    (row,) = notices_owed(session)
    assert row.notice is row.smtp_text is None
    assert (row.state, row.smtp_code) == (S.FAILED, 550)


def test_an_address_that_was_damaged_keeps_nobody_from_being_forgotten(engine: Engine, session: Session) -> None:
    for _ in range(3):
        fail(session, words="5.1.1 who is ana?")
    first, second, _ = (row.id for row in notices_owed(session))
    for damaged, column in ((first, Delivery.address), (second, Delivery.notice)):
        broken = type_coerce(b"damaged", LargeBinary)
        session.execute(update(Delivery).where(Delivery.id == damaged).values({column: broken}))
    session.execute(update(Delivery).where(Delivery.id == first).values(reason=Reason.UNREADABLE))
    session.commit()
    housekeeping.tidy(engine)
    assert [(each.delivery_id - first, each.kind, each.words) for each in known(session)] == [
        (2, NoticeKind.CONFIRM, "5.1.1 who is [recipient]?"),
        (0, NoticeKind.CONFIRM, None),
    ]
    assert all(row.address is None for row in notices_owed(session))


def test_of_who_was_erased_nothing_is_kept(engine: Engine, session: Session) -> None:
    fail(session)
    session.commit()
    subscribers.erase(session, "ana@example.org")
    session.commit()
    housekeeping.tidy(engine)
    assert known(session) == []
