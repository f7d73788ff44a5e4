"""How many messages are taken in an hour, by all processes together, so that a flood costs us little.

What comes to an address that we signed is taken all the same: bounces of a large campaign, and wishes to leave. Whoever
has such an address, from a mail that was forwarded, can write there as often as events are kept of one mail. What comes
to another is looked into, as long as there are not far too many: reports of providers know no address of ours but the
bare one, and name the mail inside.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
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
#: so many of those that are too many are looked into, in an hour
MOST_LOOKED_INTO = 40_000
_LOOKED_INTO = 2**16  # octets of each: the header of the mail that it is about stands there
_NO_SENDER = re.compile(r"^return-path:[ \t]*<>", re.IGNORECASE | re.MULTILINE)


class TooManyInAnHour(ServiceUnavailable):
    """More messages came within an hour than are taken in. The rest stays in the mailbox, and is read later."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message before it is read, as a mail server hands it over."""

    data: bytes
    recipient: str | None  # whom the envelope names, if that is known
    sender: str | None  # likewise
    may_wait: bool  # whether it stays where it is, and is given again

    @property
    def header(self) -> str:
        """Its beginning, which says where it came to if the envelope does not."""
        return self.data[:_HEADER].replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("latin-1")

    @property
    def is_by_a_person(self) -> bool:
        """Whether it has a sender: programs that return our mail have none."""
        if self.sender is not None:
            return self.sender not in ("", "<>")
        return _NO_SENDER.search(self.header) is None


def must_drop(
    sessions: Sessions, arrival: Arrival, *, addresses: OwnAddresses, now: datetime, is_news: Callable[[bytes], bool]
) -> bool:
    """Whether so many came in this hour that a message is not taken in; then it is counted.

    :param is_news: reads the beginning of a message, and says whether it gives back a mail of ours.
    :raises TooManyInAnHour: of one that may wait.
    """
    hour, taken = tallies.hour_of(now), addresses.taken
    own = taken.unwritten if taken.since == hour else 0
    if taken.since == hour and taken.written + own < MOST_AN_HOUR:
        return False
    with sessions(read_only=True) as session:
        if tallies.number(session, Tally.TAKEN, hour) + own < MOST_AN_HOUR:
            return False
        if _is_awaited(session, addresses, arrival):
            return False
        may_look = tallies.number(session, Tally.DROPPED, hour) < MOST_LOOKED_INTO
    if may_look and is_news(arrival.data[:_LOOKED_INTO]):
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


def _is_awaited(session: Session, addresses: OwnAddresses, arrival: Arrival) -> bool:
    """Whether a message came to an address of ours that may still do something."""
    named = arrival.header if arrival.recipient is None else arrival.recipient
    delivery_id = addresses.delivery(named)
    if delivery_id is not None:
        return returned.has_room(session, delivery_id, is_answer=arrival.is_by_a_person)
    subscription_id = addresses.subscription(named)
    return subscription_id is not None and may_leave(session, subscription_id)


def may_leave(session: Session, subscription_id: int) -> bool:
    """Whether somebody is still on the list that they want to leave."""
    status = session.scalar(select(Subscription.status).where(Subscription.id == subscription_id))
    return status is SubscriptionStatus.ACTIVE
