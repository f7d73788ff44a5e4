"""What came back of our mails, kept as events for as long as it may matter, and as numbers after that."""

import enum
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from mailer.mail.feedback.types import Category, Effect, Identified, Kind
from mailer.mail.webhooks.types import Provider
from mailer.people import suppression
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import Delivery, MailEvent, MailEventCount, Purpose

#: then an event becomes a number, and what it counted against an address is forgotten
KEPT = timedelta(days=90)
#: events of one delivery, of those that do nothing, and as many answers: a program that answers each answer must not
#: fill the database
MOST_OF_ONE = 50

#: the source of what was refused when it was given to a server, which the ledger tells
SENDING = "sending"

#: what is kept once of a mail, whatever a program or a stranger sends
COME_ONCE = (Kind.BOUNCE, Kind.COMPLAINT)

#: How many events are kept of a delivery: answers and all others are counted apart, so that neither leave the others no
#: room. Made once, as to put a statement together takes as long as to run it.
_NUMBER = {
    is_answer: select(func.count()).where(
        MailEvent.delivery_id == bindparam("delivery"), (MailEvent.kind == Kind.REPLY) == is_answer
    )
    for is_answer in (True, False)
}

#: whose word is taken for it: a server's that refused our mail, and a provider's that proved who it is
_SURE = (SENDING, *(each.value for each in Provider))

#: what may count for an alarm: who got an answer to a mail of ours could make up the rest
IS_NO_HEARSAY = MailEvent.identified_by.is_distinct_from(Identified.MESSAGE_ID)
#: of that, what nobody can have made up: reports that come by mail can be written by whoever has the mail
IS_SURE = MailEvent.source.in_(_SURE)
#: a complaint that is too late, or of somebody who is gone, tells nothing of now
IS_HEEDED = MailEvent.effect == Effect.SUPPRESS

_NOBODYS = 0  # instead of a campaign, where it is not known of which it is

#: instead of a category, of complaints that no alarm counted while they were events: they came too late, or may be made
#: up by whoever got an answer
UNHEEDED = "unheeded"

#: an event that came to nothing and tells nothing; it is there for its key, or says that somebody left once more
_DID_NOTHING = (MailEvent.effect == Effect.NONE) & or_(
    MailEvent.kind == Kind.UNSUBSCRIBE, MailEvent.delivery_id.is_(None)
)
#: what events count, beside what the ledger tells
COUNTS = (MailEvent.source != SENDING) & ~_DID_NOTHING


class Number(NamedTuple):
    """What is counted together: a row of `mail_event_counts`."""

    campaign_id: int
    month: str
    kind: Kind
    category: str

    @classmethod
    def of(cls, event: MailEvent) -> "Number":
        """What an event counts for, if it is not kept."""
        return cls._of(event.campaign_id, event.day, event.kind, event.category)

    @classmethod
    def _of(cls, campaign_id: int | None, day: date, kind: Kind, category: Category | None) -> "Number":
        return cls(campaign_id or _NOBODYS, day.strftime("%Y-%m"), kind, category.value if category else "")


class Added(enum.Enum):
    """What became of an event."""

    KEPT = enum.auto()
    CAME_BEFORE = enum.auto()  # it is there, or its delivery has come back, or was called spam, before
    TOO_MANY = enum.auto()  # it would have done nothing, and is to be a number at once


def add(session: Session, event: MailEvent) -> Added:
    """Keep an event. What is changed in it afterwards is not saved, but by `did`.

    Of one delivery only so many are kept that do nothing: others whoever calls this has to count. What does something
    is never too much: else whoever writes many harmless messages could have what matters do nothing. A bounce or a
    complaint takes the place of one that is known by a Message-ID alone: else whoever made that up could have this do
    nothing.
    """
    comes_once = event.kind in COME_ONCE
    if event.effect is Effect.NONE and not comes_once and _are_many(session, event):
        return Added.TOO_MANY if session.get(MailEvent, event.key) is None else Added.CAME_BEFORE
    if db.insert_unless_there(session, event):
        return Added.KEPT
    if comes_once and event.identified_by is not Identified.MESSAGE_ID:
        hearsay = delete(MailEvent).where(
            MailEvent.delivery_id == event.delivery_id, MailEvent.kind == event.kind, ~IS_NO_HEARSAY
        )
        if session.execute(hearsay.returning(MailEvent.key)).all() and db.insert_unless_there(session, event):
            return Added.KEPT
    return Added.CAME_BEFORE


def remember(session: Session, event: MailEvent) -> bool:
    """Keep the key of an event that may not have been kept, and nothing of what it said: what comes with that key again
    comes to nothing.

    :returns: False if the key is there, of the event itself or from before.
    """
    key_alone = MailEvent(key=event.key, kind=Kind.OTHER, effect=Effect.NONE, source=event.source, day=event.day)
    return db.insert_unless_there(session, key_alone)


def did(session: Session, event: MailEvent, effect: Effect) -> None:
    """Note that an event that was kept had another effect than it was kept with."""
    event.effect = effect
    session.execute(update(MailEvent).where(MailEvent.key == event.key).values(effect=effect))


def did_nothing(session: Session, event: MailEvent) -> None:
    """Note that an event that was kept did nothing after all. Of one delivery too many such are forgotten."""
    if _are_many(session, event, but=1):
        event.effect = Effect.NONE
        session.execute(delete(MailEvent).where(MailEvent.key == event.key))
    else:
        did(session, event, Effect.NONE)


def _are_many(session: Session, event: MailEvent, *, but: int = 0) -> bool:
    """Whether so many are kept of an event's delivery that no other may be that does nothing.

    :param but: how many of them do not count.
    """
    if event.delivery_id is None:
        return False
    return _number(session, event.delivery_id, is_answer=event.kind is Kind.REPLY) - but >= MOST_OF_ONE


def may_have_more(session: Session, delivery_id: int, *, is_answer: bool) -> bool:
    """Whether there is such a delivery, and another event of it is kept, whatever it is.

    :param is_answer: whether a person wrote it.
    """
    is_there = session.scalar(select(Delivery.id).where(Delivery.id == delivery_id)) is not None
    return is_there and _number(session, delivery_id, is_answer=is_answer) < MOST_OF_ONE


def _number(session: Session, delivery_id: int, *, is_answer: bool) -> int:
    return session.scalar(_NUMBER[is_answer], {"delivery": delivery_id}) or 0


def is_news(session: Session, delivery_id: int, kind: Kind, *, is_hearsay: bool) -> bool:
    """Whether something that comes once of a mail of ours has not come yet.

    :param kind: one of `COME_ONCE`.
    :param is_hearsay: whether only a Message-ID proves it: then any other that came is enough.
    """
    before = [MailEvent.delivery_id == Delivery.id, MailEvent.kind == kind, *([] if is_hearsay else [IS_NO_HEARSAY])]
    mail = select(Delivery.id).where(Delivery.id == delivery_id, ~exists().where(*before))
    return session.scalar(mail) is not None


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
    return db.insert_unless_there(session, event)


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
    count_all(session, {Number._of(campaign_id, on, kind, category): number})


def count_all(session: Session, numbers: Mapping[Number, int]) -> None:
    """Likewise, all that a transaction counts. Others wait for these rows, which everybody takes in the same order and
    after all others: so this is called once, and last but for what waits for nobody. Only whoever has
    `suppression.lock_alone` may count as they like.
    """
    for key, number in sorted(numbers.items()):
        if session.get(MailEventCount, key) is None:
            db.insert_unless_there(session, MailEventCount(**key._asdict(), number=0))
        conditions = [getattr(MailEventCount, name) == value for name, value in key._asdict().items()]
        session.execute(update(MailEventCount).where(*conditions).values(number=MailEventCount.number + number))


def become_numbers(session: Session, which: ColumnElement[bool]) -> None:
    """Have events be numbers from now on: they are old, or those whom they are about are erased. Of test mails nothing
    stays: they are sent to see what comes back.
    """
    is_unheeded = (MailEvent.kind == Kind.COMPLAINT) & ~(IS_HEEDED & IS_NO_HEARSAY)
    told = (MailEvent.delivery_id, MailEvent.kind, MailEvent.category, MailEvent.day, is_unheeded.label("is_unheeded"))
    session.execute(delete(MailEvent).where(which, ~COUNTS))
    gone = session.execute(delete(MailEvent).where(which).returning(*told)).all()
    ids = {row.delivery_id for row in gone}
    campaigns: dict[int | None, int] = {}
    tests: set[int | None] = set()
    if ids:
        about = select(Delivery.id, Delivery.campaign_id, Delivery.purpose).where(Delivery.id.in_(ids))
        for mail in session.execute(about):
            campaigns[mail.id] = mail.campaign_id
            if mail.purpose is Purpose.TEST:
                tests.add(mail.id)
    counted = (each for each in gone if each.delivery_id not in tests)
    count_all(session, Counter(_number_of(each, campaigns.get(each.delivery_id)) for each in counted))


def _number_of(gone: Any, campaign_id: int | None) -> Number:
    number = Number._of(campaign_id, gone.day, gone.kind, gone.category)
    return number._replace(category=UNHEEDED) if gone.is_unheeded else number


_AT_A_TIME = 5_000


def forget_old(session: Session) -> None:
    """Have events that nobody needs any more be numbers; some thousands at a time."""
    suppression.lock_shared(session)  # whoever is erased at this moment has more than once something counted
    until = utcnow().date() - KEPT
    old = select(MailEvent.key).where(MailEvent.day < until).order_by(MailEvent.key).limit(_AT_A_TIME)
    become_numbers(session, MailEvent.key.in_(old))
