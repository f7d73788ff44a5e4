"""Refusals and bounces add up to the end of mail to an address."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.mail.feedback.types import Category
from mailer.people import bounces, returned, subscribers, suppression
from mailer.store.db import utcnow
from mailer.store.models import (
    DeliveryState,
    MailEvent,
    MailEventCount,
    SuppressionReason,
)
from tests.support.factories import deliver, make_bounce, make_campaign, make_list, make_subscriber

FULL, GONE = Category.FULL, Category.NO_DOMAIN


@pytest.mark.parametrize(
    ("days", "category", "are_enough"),
    [
        ([], FULL, False),
        ([0, 7, 14], FULL, True),
        ([0, 7, 13], FULL, False),
        ([0, 14], FULL, False),
        ([0, 0, 14], FULL, False),
        ([0, 1, 2, 3, 7], FULL, True),
        ([0, 1, 2, 3, 6], FULL, False),
        ([0, 1, 2, 7], FULL, False),
        ([0, 3], GONE, True),
        ([0, 2], GONE, False),
    ],
)
def test_how_many_are_enough_over_how_long(days: Sequence[int], category: Category, are_enough: bool) -> None:
    counts = [(date(2026, 3, 1) + timedelta(days=day), category) for day in days]
    assert bounces.adds_up(counts) is are_enough


class Person:
    """Somebody whom three campaigns went to, the last one now."""

    def __init__(self, session: Session) -> None:
        self.session = session
        mailing_list = make_list(session)
        self.subscriber = make_subscriber(session, mailing_list)
        self.first, self.second, self.last = (
            deliver(session, campaign, self.subscriber, DeliveryState.FAILED, settled_at=utcnow())
            for campaign in (
                make_campaign(session, mailing_list, slug="first"),
                make_campaign(session, mailing_list, slug="second"),
                make_campaign(session, mailing_list, slug="third"),
            )
        )

    def reason(self) -> tuple[SuppressionReason, Category | None] | None:
        self.session.flush()
        found = suppression.find(self.session, self.subscriber.email_index)
        return (found.reason, found.category) if found else None


@pytest.fixture
def person(session: Session) -> Person:
    return Person(session)


def days_ago(days: int) -> date:
    return (utcnow() - timedelta(days=days)).date()


def test_who_is_gone_when_a_mail_is_given_to_a_server_gets_no_more(person: Person, session: Session) -> None:
    bounces.refuse(session, {person.last.id: Category.NO_MAILBOX})
    assert person.reason() == (SuppressionReason.BOUNCED, Category.NO_MAILBOX)


def test_refusals_add_up_with_what_came_back(person: Person, session: Session) -> None:
    against = {"email_index": person.subscriber.email_index}
    make_bounce(session, person.first, day=days_ago(20), **against)
    bounces.refuse(session, {person.last.id: Category.UNDETERMINED})
    assert person.reason() is None
    make_bounce(session, person.second, day=days_ago(10), **against)
    returned.take_back(session, [person.last.id])
    bounces.refuse(session, {person.last.id: Category.UNDETERMINED})
    assert person.reason() == (SuppressionReason.BOUNCED, Category.UNDETERMINED)


def test_a_domain_that_is_gone_is_asked_for_once_more(person: Person, session: Session) -> None:
    bounces.refuse(session, {person.first.id: Category.NO_DOMAIN})
    assert person.reason() is None
    session.execute(select(MailEvent)).scalar_one().day = days_ago(3)
    bounces.refuse(session, {person.last.id: Category.NO_DOMAIN})
    assert person.reason() == (SuppressionReason.BOUNCED, Category.NO_DOMAIN)


@pytest.mark.parametrize("category", [Category.POLICY, Category.US, Category.RATE, Category.SIZE])
def test_what_is_about_us_is_held_against_nobody(person: Person, session: Session, category: Category) -> None:
    bounces.refuse(session, {person.last.id: category})
    assert person.reason() is None
    assert session.scalars(select(MailEvent)).all() == []


def test_a_refusal_that_is_settled_twice_counts_once(person: Person, session: Session) -> None:
    for _ in range(2):
        bounces.refuse(session, {person.last.id: FULL})
    assert len(session.scalars(select(MailEvent)).all()) == 1


def test_who_has_just_moved_was_written_to_where_they_were(person: Person, session: Session) -> None:
    person.subscriber.moved_on = utcnow()
    session.flush()
    bounces.refuse(session, {person.last.id: Category.NO_MAILBOX})
    assert person.reason() is None


def test_what_is_sent_again_is_not_held_against_anybody_any_more(person: Person, session: Session) -> None:
    bounces.refuse(session, {person.last.id: FULL})
    returned.take_back(session, [person.last.id])
    assert session.scalars(select(MailEvent)).all() == []


def test_refusals_are_told_by_the_ledger_and_become_no_numbers(person: Person, session: Session) -> None:
    bounces.refuse(session, {person.last.id: FULL})
    subscribers.erase(session, person.subscriber.email)
    assert session.scalars(select(MailEvent)).all() == []
    assert session.scalars(select(MailEventCount)).all() == []
