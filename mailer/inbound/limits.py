"""How many messages are taken in an hour, by all processes together, so that a flood costs us little.

What comes to an address that we signed is taken all the same: bounces of a large campaign, and wishes to leave. Whoever
has such an address, from a mail that was forwarded, can write there as often as events are kept of one mail.
"""

import logging
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.errors import ServiceUnavailable
from mailer.inbound.addresses import OwnAddresses
from mailer.people import returned, tallies
from mailer.people.tallies import Known
from mailer.store.db import Sessions
from mailer.store.models import Subscription, SubscriptionStatus, Tally

log = logging.getLogger(__name__)

#: that are read; more are counted and dropped
MOST_AN_HOUR = 10_000
_TOGETHER = 10  # that a process writes down at once
_HEADER = 20_000  # octets, in which a mail server notes for whom a message came


class TooManyInAnHour(ServiceUnavailable):
    """More messages came within an hour than are taken in. The rest stays in the mailbox, and is read later."""


def must_drop(
    sessions: Sessions,
    message: bytes,
    *,
    addresses: OwnAddresses,
    recipient: str | None,
    now: datetime,
    may_wait: bool = False,
) -> bool:
    """Whether so many came in this hour that a message is not even read; then it is counted.

    :param recipient: whom the envelope names, if that is known.
    :param may_wait: whether it stays where it is, and is given again.
    :raises TooManyInAnHour: of one that may wait.
    """
    hour, taken = tallies.hour_of(now), addresses.taken
    own = taken.unwritten if taken.since == hour else 0
    if taken.since == hour and taken.written + own < MOST_AN_HOUR:
        return False
    with sessions(read_only=True) as session:
        if tallies.number(session, Tally.TAKEN, hour) + own < MOST_AN_HOUR:
            return False
        named = message[:_HEADER].partition(b"\n\n")[0].decode("latin-1") if recipient is None else recipient
        if _is_awaited(session, addresses, named):
            return False
    if may_wait:
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


def _is_awaited(session: Session, addresses: OwnAddresses, named: str) -> bool:
    """Whether a message came to an address of ours that may still do something."""
    delivery_id = addresses.delivery(named)
    if delivery_id is not None:
        return returned.has_room(session, delivery_id)
    subscription_id = addresses.subscription(named)
    if subscription_id is None:
        return False
    status = session.scalar(select(Subscription.status).where(Subscription.id == subscription_id))
    return status is SubscriptionStatus.ACTIVE
