"""How many messages are taken in an hour, by all processes together, so that a flood costs us little.

The rest is looked into, and taken if it is about a mail of ours and may still do something: bounces of a large
campaign, wishes to leave, answers. Whoever has such a mail, as one that was forwarded, can so write as often as events
are kept of it. What came to no address that we signed is looked into only as long as there are not far too many:
reports of providers know no address of ours but the bare one, and people answer to that of the sender.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.errors import ServiceUnavailable
from mailer.inbound.addresses import OwnAddresses
from mailer.mail.feedback.types import Feedback, Identified, Kind
from mailer.people import returned, tallies
from mailer.people.tallies import Known
from mailer.store.db import Sessions
from mailer.store.models import Subscription, SubscriptionStatus, Tally

log = logging.getLogger(__name__)

#: that are read; more are counted and dropped
MOST_AN_HOUR = 10_000
_TOGETHER = 10  # that a process writes down at once
_HEADER = 20_000  # octets, in which a mail server notes for whom a message came
#: so many are dropped in an hour before only what came to an address that we signed is looked into
MOST_LOOKED_INTO = 40_000
_LOOKED_INTO = 2**16  # octets of each: the header of the mail that it is about stands there


class TooManyInAnHour(ServiceUnavailable):
    """More messages came within an hour than are taken in. The rest stays in the mailbox, and is read later."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message before it is read, as a mail server hands it over."""

    data: bytes
    recipient: str | None  # whom the envelope names, if that is known
    may_wait: bool  # whether it stays where it is, and is given again

    @property
    def header(self) -> str:
        """Its beginning, which says where it came to if the envelope does not."""
        return self.data[:_HEADER].replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("latin-1")


def must_drop(
    sessions: Sessions, arrival: Arrival, *, addresses: OwnAddresses, now: datetime, look: Callable[[bytes], Feedback]
) -> bool:
    """Whether so many came in this hour that a message is not taken in; then it is counted.

    :param look: reads the beginning of a message, and says what it is.
    :raises TooManyInAnHour: of one that may wait.
    """
    hour, taken = tallies.hour_of(now), addresses.taken
    own = taken.unwritten if taken.since == hour else 0
    if taken.since == hour and taken.written + own < MOST_AN_HOUR:
        return False
    named = arrival.header if arrival.recipient is None else arrival.recipient
    delivery_id = addresses.delivery(named)
    with sessions(read_only=True) as session:
        if tallies.number(session, Tally.TAKEN, hour) + own < MOST_AN_HOUR:
            return False
        is_signed = delivery_id is not None or _may_leave(session, addresses.subscription(named))
        may_look = is_signed or tallies.number(session, Tally.DROPPED, hour) < MOST_LOOKED_INTO
    if may_look and _is_awaited(sessions, look(arrival.data[:_LOOKED_INTO]), came_to=delivery_id):
        return False
    if arrival.may_wait:
        raise TooManyInAnHour
    with sessions() as session:
        is_first = tallies.count(session, Tally.DROPPED, hour) == 1
    if is_first:
        log.warning("more than %s messages came within an hour: the rest of it is dropped", MOST_AN_HOUR)
    return True


def note_taken(session: Session, taken: Known, now: datetime) -> None:
    """Count a message that was taken, last in its transaction. To write down each would take a third longer, so what
    runs for long writes some together; all together may take a few more than they should.

    It waits for whoever counts in the same hour, and its transaction may hold people and a campaign meanwhile. No ring
    comes of that: who has counted has nothing left to do but to commit, and waits for nobody.

    :param taken: of this process.
    """
    hour = tallies.hour_of(now)
    own = taken.unwritten + 1 if taken.since == hour else 1
    if taken.since == hour and own < _TOGETHER:
        taken.unwritten = own
        return
    written = tallies.count(session, Tally.TAKEN, hour, number=own)
    taken.since, taken.written, taken.unwritten = hour, written or 0, 0


def _is_awaited(sessions: Sessions, feedback: Feedback, *, came_to: int | None) -> bool:
    """Whether a message may still do something: end mail, end a subscription, or be kept as an event.

    :param came_to: the delivery whose address it came to; else only answers, and what gives back a mail of ours, do.
    """
    with sessions(read_only=True) as session:
        if feedback.subscription is not None:
            return _may_leave(session, feedback.subscription)
        delivery_id, is_answer = feedback.delivery, feedback.kind is Kind.REPLY
        if delivery_id is None or feedback.tells_nothing:
            return False
        if is_answer or (delivery_id == came_to and feedback.kind not in returned.COME_ONCE):
            return returned.may_have_more(session, delivery_id, is_answer=is_answer)
        if feedback.is_unproven or feedback.kind not in returned.COME_ONCE:
            return False
        is_hearsay = feedback.identified_by is Identified.MESSAGE_ID
        return returned.is_news(session, delivery_id, feedback.kind, is_hearsay=is_hearsay)


def _may_leave(session: Session, subscription_id: int | None) -> bool:
    """Whether somebody is still on the list that they want to leave."""
    if subscription_id is None:
        return False
    status = session.scalar(select(Subscription.status).where(Subscription.id == subscription_id))
    return status is SubscriptionStatus.ACTIVE
