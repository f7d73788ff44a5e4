"""When mail to an address ends because it came back: at once, or when several such add up."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import bindparam, exists, func, or_, select, update
from sqlalchemy.orm import Session

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.people import returned, subscribers, suppression
from mailer.store.db import utcnow
from mailer.store.models import Delivery, DeliveryState, MailEvent, Subscriber, SuppressionReason

#: So many counts end mail to an address, if so long a time lies between the first and the last: a mailbox may be full
#: for a week, and a server away for days.
_ENOUGH = ((3, timedelta(days=14)), (5, timedelta(days=7)))
#: likewise where the domain does not exist; that may be the mistake of a day as well
_NO_DOMAIN = (2, timedelta(days=3))
#: how long a mail that was taken must not have come back, to show that the address works
_ARRIVED_AFTER = timedelta(days=5)
#: how long after a mail was made it may still be refused
_JUST = timedelta(days=1)


# Made once: to put a statement together takes as long as to run it.
_COUNTED = select(MailEvent.day, MailEvent.category).where(
    MailEvent.email_index == bindparam("index"),
    MailEvent.effect == Effect.COUNT,
    MailEvent.day >= bindparam("since"),
)
_ARRIVED = select(func.max(Delivery.settled_at)).where(
    Delivery.subscriber_id == bindparam("subscriber"),
    Delivery.state == DeliveryState.SENT,
    Delivery.settled_at < bindparam("until"),
    ~exists().where(MailEvent.delivery_id == Delivery.id, MailEvent.kind == Kind.BOUNCE),
)
_USED_UP = (
    update(MailEvent)
    .where(MailEvent.email_index == bindparam("index"))
    .values(email_index=None)
    .execution_options(synchronize_session=False)
)


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
    counted = session.execute(_COUNTED, {"index": email_index, "since": since})
    counts = [(day, category) for day, category in counted if category is not None]
    if not adds_up(counts):
        return False
    arrived = _last_that_arrived(session, subscriber_id, today)
    return arrived is None or adds_up([count for count in counts if count[0] >= arrived])


def _last_that_arrived(session: Session, subscriber_id: int, today: date) -> date | None:
    """The day of the last mail to somebody that was taken and has not come back for long enough."""
    until = datetime.combine(today - _ARRIVED_AFTER + timedelta(days=1), time(tzinfo=UTC))
    moment = session.scalar(_ARRIVED, {"subscriber": subscriber_id, "until": until})
    return moment.date() if moment else None


def lock(session: Session, delivery_ids: Collection[int]) -> None:
    """Lock those to whom mails were, in the order that stands in `suppression`. This comes before anything of the mails
    is changed, as whoever removes somebody for good has locked them when they come to their mails.

    :param delivery_ids: of what `refuse` is to be told; a few hundred at most.
    """
    if delivery_ids:
        suppression.lock_shared(session)
        subscribers.lock_addressees(session, delivery_ids)


def refuse(session: Session, refused: Mapping[int, Category]) -> None:
    """Have what servers said when they were given mails count as if the mails had come back: some end mail to their
    address at once.

    What a form had us send is no subscriber's here: a suppression has the same hash as the person's row, so it would
    tell whoever fills in the form which row that is.

    :param refused: delivery → what a server had against its address; a few hundred at most, of which `lock` was told.
    """
    today = utcnow().date()
    people = session.execute(
        select(Delivery.id, Subscriber.id, Subscriber.email_index)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Delivery.id.in_(refused))
        # Who has just moved may have been written to at the address that they left.
        .where(or_(Subscriber.moved_on.is_(None), Subscriber.moved_on < today - _JUST))
        .order_by(Subscriber.id, Delivery.id)
    ).all()
    counted: list[tuple[int, bytes, Category]] = []
    for delivery_id, subscriber_id, email_index in people:
        category = refused[delivery_id]
        if category.effect is Effect.SUPPRESS:
            suppress(session, subscriber_id, email_index, SuppressionReason.BOUNCED, category)
        elif category.effect is Effect.COUNT and returned.add_refusal(session, delivery_id, category, email_index):
            counted.append((subscriber_id, email_index, category))
    for subscriber_id, email_index, category in _counted_before(session, counted):
        if have_added_up(session, subscriber_id, email_index, today=today):
            suppress(session, subscriber_id, email_index, SuppressionReason.BOUNCED, category)


def _counted_before(
    session: Session, counted: Sequence[tuple[int, bytes, Category]]
) -> list[tuple[int, bytes, Category]]:
    """Those who have another count beside the one of now: few, and all others cost no more."""
    if not counted:
        return []
    indexes = [email_index for _, email_index, _ in counted]
    several = select(MailEvent.email_index).where(MailEvent.email_index.in_(indexes)).group_by(MailEvent.email_index)
    found = set(session.scalars(several.having(func.count() > 1)))
    return [each for each in counted if each[1] in found]


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
    session.execute(_USED_UP, {"index": email_index})
    if subscriber_id is not None:
        subscribers.refresh(session, [subscriber_id])
