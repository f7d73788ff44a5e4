"""How many messages are taken in an hour, by all processes together, so that a flood costs us little.

What comes to an address that we signed is taken all the same: bounces of a large campaign, and wishes to leave. Whoever
has such an address, from a mail that was forwarded, can write there as often as events are kept of one mail.
"""

import logging
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.inbound.addresses import OwnAddresses
from mailer.people import returned, tallies
from mailer.store.db import Sessions
from mailer.store.models import Subscription, SubscriptionStatus, Tally

log = logging.getLogger(__name__)

#: that are read; more are counted and dropped
MOST_AN_HOUR = 10_000
_HEADER = 20_000  # octets, in which a mail server notes for whom a message came


def must_drop(
    sessions: Sessions, message: bytes, *, addresses: OwnAddresses, recipient: str | None, now: datetime
) -> bool:
    """Whether so many came in this hour that a message is not even read; then it is counted.

    :param recipient: whom the envelope names, if that is known.
    """
    hour = tallies.hour_of(now)
    with sessions(read_only=True) as session:
        if tallies.number(session, Tally.TAKEN, hour) < MOST_AN_HOUR:
            return False
        named = message[:_HEADER].partition(b"\n\n")[0].decode("latin-1") if recipient is None else recipient
        if _is_awaited(session, addresses, named):
            return False
    with sessions() as session:
        is_first = tallies.count(session, Tally.DROPPED, hour) == 1
    if is_first:
        log.warning("more than %s messages came within an hour: the rest of it is dropped", MOST_AN_HOUR)
    return True


def note_taken(session: Session, now: datetime) -> None:
    """Count a message that was taken, last in its transaction."""
    tallies.count(session, Tally.TAKEN, tallies.hour_of(now))


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
