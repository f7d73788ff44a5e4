"""Numbers of messages that come in, by hour or day, shared by all processes: no table has to be counted for them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Integer, bindparam, delete, select, update
from sqlalchemy.orm import Session

from mailer.store import db
from mailer.store.db import utcnow
from mailer.store.models import InboundTally, Tally

# Made once, as in `inbound.acting`.
_ROW = (InboundTally.what == bindparam("tally"), InboundTally.since == bindparam("beginning"))
_NUMBER = select(InboundTally.number).where(*_ROW)
_ONE_MORE = (
    update(InboundTally)
    .where(*_ROW, InboundTally.number < bindparam("most"))
    .values(number=InboundTally.number + bindparam("more", type_=Integer))
    .returning(InboundTally.number)
    .execution_options(synchronize_session=False)
)
_NO_LIMIT = 2**31 - 1
#: how long numbers are kept that nobody has to act on
_KEPT = timedelta(days=90)


@dataclass(slots=True)
class Known:
    """What a process knows of a number without asking. Threads may share it: where two count at once and one is lost,
    that does no harm."""

    since: datetime | None = None  # of which hour or day; None before it has asked
    written: int = 0  # how many there were, in all processes, when it last wrote
    unwritten: int = 0  # of its own, since then


def hour_of(moment: datetime) -> datetime:
    """When the hour of a moment began."""
    return moment.replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> datetime:
    """When the day of a moment began, in UTC."""
    return hour_of(moment).replace(hour=0)


def number(session: Session, what: Tally, since: datetime) -> int:
    """How many there have been."""
    return session.scalar(_NUMBER, {"tally": what, "beginning": since}) or 0


def count(session: Session, what: Tally, since: datetime, *, number: int = 1, most: int | None = None) -> int | None:
    """Count one more, or some, last in a transaction: others wait for the same row.

    :param most: so many are counted at most.
    :returns: how many there are now; None where it would be one too many.
    """
    values = {"tally": what, "beginning": since, "more": number, "most": _NO_LIMIT if most is None else most}
    counted: int | None = session.scalar(_ONE_MORE, values)
    if counted is None and session.scalar(_NUMBER, values) is None:
        db.insert_unless_there(session, InboundTally(what=what, since=since, number=0))
        counted = session.scalar(_ONE_MORE, values)
    return counted


def take(session: Session, what: Tally, *, before: datetime) -> dict[datetime, int]:
    """Numbers of what is over, by its beginning; they are forgotten, so that nobody else takes them."""
    over = (InboundTally.what == what, InboundTally.since < before)
    gone = delete(InboundTally).where(*over).returning(InboundTally.since, InboundTally.number)
    numbers: dict[datetime, int] = dict(session.execute(gone).all())
    return numbers


def forget_old(session: Session) -> None:
    """Forget numbers that nobody asks for any more."""
    session.execute(delete(InboundTally).where(InboundTally.since < utcnow() - _KEPT))
