"""When mail to an address ends because it came back: at once, or when several such add up."""

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.people import returned, subscribers, suppression
from mailer.store.models import Delivery, DeliveryState, MailEvent, SuppressionReason

#: So many counts end mail to an address, if so long a time lies between the first and the last: a mailbox may be full
#: for a week, and a server away for days.
_ENOUGH = ((3, timedelta(days=14)), (5, timedelta(days=7)))
#: likewise where the domain does not exist; that may be the mistake of a day as well
_NO_DOMAIN = (2, timedelta(days=3))
#: how long a mail that was taken must not have come back, to show that the address works
_ARRIVED_AFTER = timedelta(days=5)


def adds_up(counts: Collection[tuple[date, Category]]) -> bool:
    """Whether mails that came back end mail to their address.

    :param counts: the day of each, and why; of one day only one counts.
    """
    days = {day for day, _ in counts}
    without_domain = {day for day, category in counts if category is Category.NO_DOMAIN}
    return any(_are_enough(days, *rule) for rule in _ENOUGH) or _are_enough(without_domain, *_NO_DOMAIN)


def _are_enough(days: Collection[date], number: int, span: timedelta) -> bool:
    return len(days) >= number and max(days) - min(days) >= span


def have_added_up(session: Session, subscriber_id: int, email_index: bytes, *, today: date) -> bool:
    """Whether what is kept of an address ends mail to it. What came back before a later mail arrived is forgotten: that
    is looked up only here, so it costs nothing when a mail is sent.
    """
    since = today - returned.KEPT
    arrived = _last_that_arrived(session, subscriber_id, today)
    counted = select(MailEvent.day, MailEvent.category).where(
        MailEvent.email_index == email_index,
        MailEvent.effect == Effect.COUNT,
        MailEvent.day >= (since if arrived is None else max(since, arrived)),
    )
    return adds_up([(day, category) for day, category in session.execute(counted) if category is not None])


def _last_that_arrived(session: Session, subscriber_id: int, today: date) -> date | None:
    """The day of the last mail to somebody that was taken and has not come back for long enough."""
    until = datetime.combine(today - _ARRIVED_AFTER + timedelta(days=1), time(tzinfo=UTC))
    came_back = exists().where(MailEvent.delivery_id == Delivery.id, MailEvent.kind == Kind.BOUNCE)
    theirs = select(func.max(Delivery.settled_at)).where(
        Delivery.subscriber_id == subscriber_id,
        Delivery.state == DeliveryState.SENT,
        Delivery.settled_at < until,
        ~came_back,
    )
    moment = session.scalar(theirs)
    return moment.date() if moment else None


def suppress(
    session: Session,
    subscriber_id: int | None,
    email_index: bytes,
    reason: SuppressionReason,
    category: Category | None = None,
) -> None:
    """End mail to an address. What was counted against it has been used up: whoever lifts this later begins
    anew.

    :param subscriber_id: whose it is, if anybody's.
    :param category: of what bounced, why.
    """
    suppression.add(session, email_index, reason, category)
    session.execute(update(MailEvent).where(MailEvent.email_index == email_index).values(email_index=None))
    if subscriber_id is not None:
        subscribers.refresh(session, [subscriber_id])
