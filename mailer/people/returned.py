"""What came back of our mails, kept as events for as long as it may matter, and as numbers after that."""

from collections.abc import Collection
from datetime import date, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import Delivery, MailEvent, MailEventCount

#: then an event becomes a number, and what it counted against an address is forgotten
KEPT = timedelta(days=90)
#: events of one delivery; a program that answers each answer must not fill the database
MOST_OF_ONE = 50

#: the source of what was refused when it was given to a server, which the ledger tells
SENDING = "sending"

_NOBODYS = 0  # instead of a campaign, where it is not known of which it is


def add(session: Session, event: MailEvent) -> bool:
    """Keep an event. Of one delivery too many become numbers at once.

    :returns: False if it is there already, or its delivery has come back, or was called spam, before.
    """
    if event.delivery_id is not None:
        theirs = select(func.count()).where(MailEvent.delivery_id == event.delivery_id)
        if (session.scalar(theirs) or 0) >= MOST_OF_ONE:
            campaign_id = session.scalar(select(Delivery.campaign_id).where(Delivery.id == event.delivery_id))
            count(session, event.kind, event.category, on=event.day, campaign_id=campaign_id)
            return False
    return db.add_unique(session, event)


def add_refusal(session: Session, delivery_id: int, category: Category, email_index: bytes) -> bool:
    """Keep that a server refused a mail when it was given to it, which counts against an address. The ledger has the
    refusal itself, so it becomes no number.

    :returns: False if it is there already.
    """
    event = MailEvent(
        key=keyring_of(session).mail_digest(SENDING, str(delivery_id).encode()),
        delivery_id=delivery_id,
        kind=Kind.BOUNCE,
        category=category,
        effect=Effect.COUNT,
        source=SENDING,
        day=utcnow(),
        email_index=email_index,
    )
    return db.add_unique(session, event)


def take_back(session: Session, delivery_ids: Collection[int]) -> None:
    """Forget that mails were refused: they are given to a server again.

    :param delivery_ids: a few thousand at most.
    """
    refused = (MailEvent.source == SENDING, MailEvent.delivery_id.in_(delivery_ids))
    session.execute(delete(MailEvent).where(*refused))


def count(
    session: Session,
    kind: Kind,
    category: Category | None = None,
    *,
    on: date,
    campaign_id: int | None = None,
    number: int = 1,
) -> None:
    """Count something that came back, and keep no event of it.

    :param campaign_id: None where nothing says of which campaign it is.
    """
    key = (campaign_id or _NOBODYS, on.strftime("%Y-%m"), kind, category.value if category else "")
    names = ("campaign_id", "month", "kind", "category")
    if session.get(MailEventCount, key) is None:
        db.add_unique(session, MailEventCount(**dict(zip(names, key, strict=True)), number=0))
    conditions = [getattr(MailEventCount, name) == value for name, value in zip(names, key, strict=True)]
    session.execute(update(MailEventCount).where(*conditions).values(number=MailEventCount.number + number))


def become_numbers(session: Session, which: ColumnElement[bool]) -> None:
    """Have events be numbers from now on: they are old, or those whom they are about are erased."""
    told = (MailEvent.delivery_id, MailEvent.kind, MailEvent.category, MailEvent.day)
    # Neither what the ledger tells, nor that somebody left who had left before.
    did_nothing = (MailEvent.kind == Kind.UNSUBSCRIBE) & (MailEvent.effect == Effect.NONE)
    session.execute(delete(MailEvent).where(which, or_(MailEvent.source == SENDING, did_nothing)))
    gone = session.execute(delete(MailEvent).where(which).returning(*told)).all()
    ids = {row.delivery_id for row in gone}
    campaigns: dict[int | None, int] = {}
    if ids:
        rows = session.execute(select(Delivery.id, Delivery.campaign_id).where(Delivery.id.in_(ids)))
        campaigns.update((delivery_id, campaign_id) for delivery_id, campaign_id in rows)
    numbers: dict[tuple[int, str, Kind, Category | None], tuple[date, int]] = {}
    for delivery_id, kind, category, day in gone:
        key = (campaigns.get(delivery_id, _NOBODYS), day.strftime("%Y-%m"), kind, category)
        numbers[key] = (day, numbers.get(key, (day, 0))[1] + 1)
    # Always in the same order, in which others wait for these rows too.
    for (campaign_id, _, kind, category), (day, number) in sorted(numbers.items(), key=lambda item: str(item[0])):
        count(session, kind, category, on=day, campaign_id=campaign_id, number=number)


_AT_A_TIME = 5_000


def forget_old(session: Session) -> None:
    """Have events that nobody needs any more be numbers; some thousands at a time."""
    until = utcnow().date() - KEPT
    old = select(MailEvent.key).where(MailEvent.day < until).order_by(MailEvent.key).limit(_AT_A_TIME)
    become_numbers(session, MailEvent.key.in_(old))
