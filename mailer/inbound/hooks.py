"""Events that a mail provider posts: whose mail each is about, and what follows."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.inbound import acting
from mailer.inbound.addresses import OwnAddresses
from mailer.mail.feedback.types import Effect, Feedback, Identified, Kind
from mailer.mail.webhooks.types import Provider, Report
from mailer.people import subscribers, suppression
from mailer.store.db import Deadlock, Sessions
from mailer.store.models import Campaign, Delivery, Subscription

log = logging.getLogger(__name__)

#: Events in one transaction. A provider may post two thousand, and while they are taken in, people are locked, and on
#: SQLite everybody waits.
_AT_A_TIME = 200


def take(
    sessions: Sessions, reports: Iterable[Report], *, addresses: OwnAddresses, source: Provider, now: datetime
) -> None:
    """Take in the events of one post. When this returns, what follows from all of them is saved. The same post may come
    again, however often: each event acts once. A post of 200 events or fewer is saved as a whole or not at all.

    :param reports: proved to come from the provider.
    :raises DatabaseUnavailable: not all is saved, and the provider must post them again.
    """
    about = [(_identified(report, addresses), report) for report in reports]
    about.sort(key=lambda each: (each[0].delivery or 0, each[1].key))
    for start in range(0, len(about), _AT_A_TIME):
        some = about[start : start + _AT_A_TIME]
        try:
            _take(sessions, some, source=source, now=now)
        except Deadlock:  # with somebody who locks people in another order, and has ended by now
            _take(sessions, some, source=source, now=now)


def _take(sessions: Sessions, about: Sequence[tuple[Feedback, Report]], *, source: Provider, now: datetime) -> None:
    with sessions() as session:
        _lock(session, [feedback for feedback, _ in about])
        outcomes = []
        for feedback, report in about:
            whole = _with_what_to_leave(session, feedback)
            key = report.key.encode("utf-8", "surrogatepass")
            outcomes.append(
                acting.act(session, whole, source=source, key=key, now=now, is_always_kept=report.must_be_kept)
            )
        held = acting.heed(session, outcomes)
    acting.look_again(sessions, held)
    for outcome in outcomes:
        log.info("inbound mail", extra={"source": source.value, **outcome.facts()})


def _lock(session: Session, feedbacks: Sequence[Feedback]) -> None:
    """Take all that two posts at the same moment could wait for each other for, in the order that stands in
    `people.suppression`. What is left are events, which are kept in the order of their deliveries, and numbers, which
    `acting.heed` counts last.
    """
    if any(feedback.leaves_all for feedback in feedbacks) or _is_of_form(session, feedbacks):
        suppression.lock_alone(session)  # who holds it with others can no longer have it alone
    else:
        suppression.lock_shared(session)
    deliveries = {feedback.delivery for feedback in feedbacks if feedback.delivery is not None}
    if deliveries:
        subscribers.lock_addressees(session, deliveries)


def _is_of_form(session: Session, feedbacks: Sequence[Feedback]) -> bool:
    """Whether somebody complains of what a form had us send: whom that is about is told by nothing but the address."""
    complained = {feedback.delivery for feedback in feedbacks if feedback.kind is Kind.COMPLAINT and feedback.delivery}
    addressed = (Delivery.id.in_(complained), Delivery.subscriber_id.is_(None), Delivery.address.is_not(None))
    return bool(complained) and session.scalar(select(Delivery.id).where(*addressed).limit(1)) is not None


def _identified(report: Report, addresses: OwnAddresses) -> Feedback:
    """What an event says, with the delivery that it is about: the first that is found counts. That the provider tells
    of it proves that it is that mail and no answer to it, so a Message-ID will do too.
    """
    delivery, proof = addresses.given_back(report.token), Identified.RETURNED
    if delivery is None:
        delivery, proof = addresses.delivery(report.sender), Identified.ENVELOPE
    if delivery is None:
        delivery = addresses.message(report.message_id)
        proof = Identified.RETURNED
    if delivery is None:
        effect = Effect.NONE if report.feedback.kind is not Kind.UNSUBSCRIBE else report.feedback.effect
        return replace(report.feedback, effect=effect)
    return replace(report.feedback, delivery=delivery, identified_by=proof)


def _with_what_to_leave(session: Session, feedback: Feedback) -> Feedback:
    """A wish to leave with a subscription of the person whose mail it is about. A token that leads to a delivery takes
    nobody off a list; but this wish does not rest on it: the provider heard it, and mails that person no more.
    """
    if feedback.kind is not Kind.UNSUBSCRIBE or feedback.delivery is None:
        return feedback
    theirs = (
        select(Subscription.id)
        .join(Delivery, Delivery.subscriber_id == Subscription.subscriber_id)
        .join(Campaign, Campaign.id == Delivery.campaign_id)
        .where(Delivery.id == feedback.delivery)
        .order_by((Subscription.list_id == Campaign.list_id).desc(), Subscription.id)
        .limit(1)
    )
    return replace(feedback, subscription=session.scalar(theirs))
