"""Whoever left, was erased or has no mailbox gets mail again only when they ask for it themselves; whoever reported our
mail as spam never does."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer.people import subscribers, suppression
from mailer.store.db import session_scope
from mailer.store.models import Subscription, SuppressionReason
from tests.support.concurrency import Beside
from tests.support.factories import make_list, make_subscriber

INDEX = bytes(range(32))
OTHER = bytes(32)
LIFTABLE = [
    SuppressionReason.LEFT,
    SuppressionReason.BOUNCED,
    SuppressionReason.REPORTED,
    SuppressionReason.ERASED,
]


@pytest.mark.parametrize("reason", LIFTABLE)
def test_who_asks_for_our_mail_again_is_off_the_list(session: Session, reason: SuppressionReason) -> None:
    suppression.add(session, INDEX, reason)
    suppression.add(session, OTHER, reason)
    assert suppression.lift(session, INDEX) is reason
    assert suppression.suppressed(session, [INDEX, OTHER]) == {OTHER}
    assert suppression.lift(session, INDEX) is None


def test_who_reported_our_mail_as_spam_stays_on_the_list(session: Session) -> None:
    suppression.add(session, INDEX, SuppressionReason.COMPLAINED)
    for reasons in (LIFTABLE, list(SuppressionReason), []):
        with pytest.raises(suppression.Complained):
            suppression.lift(session, INDEX, reasons=reasons)
    with pytest.raises(suppression.Complained):
        suppression.lift(session, INDEX)
    assert suppression.reason(session, INDEX) is SuppressionReason.COMPLAINED


def test_a_complaint_weighs_more_than_what_was_there_before_it(session: Session) -> None:
    for reason in (SuppressionReason.LEFT, SuppressionReason.COMPLAINED, SuppressionReason.ERASED):
        suppression.add(session, INDEX, reason)
    with pytest.raises(suppression.Complained):
        suppression.lift(session, INDEX)


@pytest.mark.parametrize("reason", LIFTABLE)
def test_a_report_that_may_be_made_up_hides_no_other_reason(session: Session, reason: SuppressionReason) -> None:
    for each in (SuppressionReason.REPORTED, SuppressionReason.COMPLAINED):
        suppression.add(session, INDEX, each)
    assert suppression.reason(session, INDEX) is SuppressionReason.COMPLAINED
    for each in (reason, SuppressionReason.REPORTED):
        suppression.add(session, OTHER, each)
    is_by_owner = reason in (SuppressionReason.LEFT, SuppressionReason.ERASED)
    if reason is not SuppressionReason.ERASED:
        assert suppression.lift_by_hand(session, OTHER, "She rang.") is SuppressionReason.REPORTED
    assert suppression.reason(session, OTHER) is (reason if is_by_owner else None)


@pytest.mark.parametrize("reason", LIFTABLE)
def test_taking_back_a_leaving_lifts_what_the_leaving_did_and_nothing_else(
    session: Session, reason: SuppressionReason
) -> None:
    suppression.add(session, INDEX, reason)
    lifts = reason is SuppressionReason.LEFT
    assert suppression.lift(session, INDEX, reasons=[SuppressionReason.LEFT]) is (reason if lifts else None)
    assert suppression.reason(session, INDEX) is (None if lifts else reason)


def test_an_address_that_was_lifted_can_be_put_on_the_list_again(session: Session) -> None:
    suppression.add(session, INDEX, SuppressionReason.ERASED)
    suppression.lift(session, INDEX)
    suppression.add(session, INDEX, SuppressionReason.LEFT)
    assert suppression.reason(session, INDEX) is SuppressionReason.LEFT


def test_lifting_has_a_person_mailed_again(session: Session) -> None:
    person = make_subscriber(session, make_list(session))
    suppression.add(session, person.email_index, SuppressionReason.BOUNCED)
    subscribers.refresh(session, [person.id])
    assert session.scalars(select(Subscription.mailable)).one() is False
    suppression.lift(session, person.email_index)
    subscribers.refresh(session, [person.id])
    assert session.scalars(select(Subscription.mailable)).one() is True


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_complaint_at_the_same_moment_is_neither_lifted_nor_missed(engine: Engine, session: Session) -> None:
    suppression.add(session, INDEX, SuppressionReason.LEFT)
    session.commit()
    suppression.add(session, INDEX, SuppressionReason.COMPLAINED)  # written, and not seen by others yet

    def lift() -> None:
        with session_scope(engine) as other:
            suppression.lift(other, INDEX)

    beside = Beside(lift)
    beside.must_wait()
    session.commit()
    with pytest.raises(suppression.Complained):
        beside.result()
    assert suppression.reason(session, INDEX) is SuppressionReason.COMPLAINED


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
@pytest.mark.parametrize("reason", [SuppressionReason.ERASED, SuppressionReason.COMPLAINED])
def test_what_is_taken_back_of_an_address_that_seemed_not_to_exist_undoes_nothing_of_the_same_moment(
    engine: Engine, session: Session, reason: SuppressionReason
) -> None:
    suppression.add(session, INDEX, SuppressionReason.BOUNCED)
    session.commit()
    suppression.add(session, INDEX, reason)  # written, and not seen by others yet

    def lift() -> None:
        with session_scope(engine) as other:
            suppression.lift_bounced(other, INDEX)

    beside = Beside(lift)
    beside.must_wait()
    session.commit()
    beside.result()
    assert suppression.reason(session, INDEX) is reason


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [
        (suppression.lock_shared, suppression.lock_shared, False),
        (suppression.lock_shared, suppression.lock_alone, True),
        (suppression.lock_alone, suppression.lock_shared, True),
        (suppression.lock_alone, suppression.lock_alone, True),
    ],
)
def test_removals_wait_for_everybody_and_imports_for_removals_only(
    engine: Engine,
    session: Session,
    first: Callable[[Session], None],
    second: Callable[[Session], None],
    waits: bool,
) -> None:
    first(session)

    def lock() -> None:
        with session_scope(engine) as other:
            second(other)

    beside = Beside(lock)
    if waits:
        beside.must_wait()
        session.commit()
    beside.result()
