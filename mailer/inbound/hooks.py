"""Events that a mail provider posts: whose mail each is about, and what follows."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.delivery import alarms
from mailer.inbound import acting
from mailer.inbound.acting import Source
from mailer.inbound.addresses import OwnAddresses
from mailer.mail.feedback.types import Effect, Feedback, Identified, Kind
from mailer.mail.webhooks.types import Report
from mailer.people import suppression
from mailer.store.db import Sessions
from mailer.store.models import Campaign, Delivery, Subscription

log = logging.getLogger(__name__)

#: Events in one transaction. A provider may post two thousand, and while they are taken in, people are locked, and on
#: SQLite everybody waits.
_AT_A_TIME = 200


def take(
    sessions: Sessions, reports: Iterable[Report], *, addresses: OwnAddresses, source: Source, now: datetime
) -> None:
    """Take in the events of one post. When this returns, what follows from all of them is saved. The same post may come
    again, however often: each event acts once. A post of 200 events or fewer is saved as a whole or not at all.

    :param reports: proved to come from the provider.
    :raises DatabaseUnavailable: not all is saved, and the provider must post them again.
    """
    about = [(_identified(report, addresses), report) for report in reports]
    # People are locked in this order, so that two posts at the same time do not wait for each other.
    about.sort(key=lambda each: each[0].delivery or 0)
    for start in range(0, len(about), _AT_A_TIME):
        _take(sessions, about[start : start + _AT_A_TIME], source=source, now=now)


def _take(sessions: Sessions, about: Sequence[tuple[Feedback, Report]], *, source: Source, now: datetime) -> None:
    with sessions() as session:
        if any(feedback.leaves_all for feedback, _ in about):
            suppression.lock_alone(session)  # who holds it with others can no longer have it alone
        outcomes = []
        for feedback, report in about:
            whole = _with_what_to_leave(session, feedback)
            key = report.key.encode("utf-8", "surrogatepass")
            outcomes.append(
                acting.act(session, whole, source=source, key=key, now=now, is_always_kept=report.must_be_kept)
            )
        held = acting.heed(session, outcomes)
    for campaign_id, refused in held.items():
        with sessions() as session:
            alarms.look(session, campaign_id, refused=refused)
    for outcome in outcomes:
        log.info("inbound mail", extra={"source": source.value, **outcome.facts()})


def _identified(report: Report, addresses: OwnAddresses) -> Feedback:
    """What an event says, with the delivery that it is about: the first that is found counts. That the provider tells
    of it proves that it is that mail and no answer to it, so a Message-ID will do too.
    """
    delivery, proof = addresses.given_back(report.token), Identified.RETURNED
    if delivery is None:
        delivery, proof = addresses.delivery(report.sender), Identified.ENVELOPE
    if delivery is None:
        delivery, proof = addresses.message(report.message_id), Identified.MESSAGE_ID
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
