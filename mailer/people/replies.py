"""What people write to us, kept encrypted until a delivery of the ledger has handed it on to an organiser."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Engine, LargeBinary, delete, or_, select, type_coerce, update
from sqlalchemy.orm import Session

from mailer.locale import languages
from mailer.mail import addresses
from mailer.mail.addresses import Address
from mailer.mail.feedback import reading
from mailer.people import notices, tallies
from mailer.people.notices import Notice, NoticeKind
from mailer.people.organisers import Organisers, tell
from mailer.store import db
from mailer.store.crypto import UnreadableSecret, keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import ANSWER, Delivery, DeliveryState, Purpose, Reply, Tally

log = logging.getLogger(__name__)

#: so many are handed on in a day: whoever floods an address of ours does not flood a mailbox
MOST_A_DAY = 200
#: of these, so many must be answers of people on our lists: what strangers write does not take their place
KEPT_FOR_ANSWERS = 100
#: of these, so many about the mails of one person; what is more counts as a stranger's
MOST_OF_ONE = 10
#: how long what has not been handed on is kept
KEPT = timedelta(days=7)
#: how long it is known what was: longer than something in a mailbox may still go on
KNOWN = timedelta(days=32)
#: header fields that name who wrote a message
_WRITERS = ("from", "sender", "reply-to", "return-path")
_AT_A_TIME = 20  # messages that are in memory, of up to a MiB each
_UNDER_WAY = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEFERRED)


def keep(
    session: Session,
    message: bytes,
    *,
    key: bytes,
    subscriber_id: int | None,
    is_cut: bool,
    to: Organisers,
    now: datetime,
) -> bool:
    """Keep what somebody wrote, and owe the mail that hands it on, in one transaction.

    :param message: as it came.
    :param key: `Keyring.mail_digest`, which tells it from others.
    :param subscriber_id: whose it is, if that is known: whoever is erased takes it along.
    :param is_cut: whether the message goes on where this ends.
    :param to: whom it goes to.
    :returns: False if it came before.
    """
    reply = Reply(key=key, day=now, subscriber_id=subscriber_id, message=message)
    if not db.add_unique(session, reply):
        return False
    notice = Notice(NoticeKind.REPLY, words={"is_cut": "yes"} if is_cut else {})
    (address,) = to.addresses
    reply.delivery_id = notices.owe(session, notice, language=to.language, address=address, purpose=Purpose.REPLY)
    session.flush()
    return True


def came_before(session: Session, key: bytes) -> bool:
    """Whether a message was kept in the last month."""
    return session.scalar(select(Reply.key).where(Reply.key == key)) is not None


def read(engine: Engine, delivery_id: int) -> bytes | None:
    """What a delivery hands on; None if it is kept no longer.

    :raises UnreadableSecret: it was damaged, or its key is gone.
    """
    with session_scope(engine, read_only=True) as session:
        return session.scalar(select(Reply.message).where(Reply.delivery_id == delivery_id))


def that_are_kept(session: Session, delivery_ids: Collection[int]) -> set[int]:
    """Those of some deliveries whose message is still there."""
    kept = select(Reply.delivery_id).where(Reply.delivery_id.in_(delivery_ids), Reply.message.is_not(None))
    return {delivery_id for delivery_id in session.scalars(kept) if delivery_id is not None}


def forget_of(session: Session, address: Address) -> None:
    """Drop what came from an address, whatever it answers: of a confirmation mail, or another that a form had us send,
    no row says whose it was, nor before long to whom it went.
    """
    kept = select(Reply.key, type_coerce(Reply.message, LargeBinary)).where(Reply.message.is_not(None))
    keyring, theirs = keyring_of(session), []
    for key, secret in session.execute(kept.execution_options(yield_per=_AT_A_TIME)):
        try:
            message = keyring.decrypt_bytes(bytes(secret), ANSWER)
        except UnreadableSecret:  # nothing may keep somebody from being erased
            continue
        if addresses.stands_in(address, " ".join(reading.header(message).all(*_WRITERS))):
            theirs.append(key)
    session.execute(delete(Reply).where(Reply.key.in_(theirs)))


def forget(session: Session) -> None:
    """Drop what has been handed on, or can no longer be: nothing of it is left but that it came."""
    under_way = select(Delivery.id).where(Delivery.id == Reply.delivery_id, Delivery.state.in_(_UNDER_WAY)).exists()
    today = utcnow().date()
    is_old = Reply.day < today - KEPT
    session.execute(
        update(Reply)
        .where(Reply.delivery_id.is_not(None), or_(~under_way, is_old))
        .values(message=None, subscriber_id=None, delivery_id=None)
        .execution_options(synchronize_session=False)
    )
    session.execute(delete(Reply).where(Reply.day < today - KNOWN, Reply.delivery_id.is_(None)))


def tell_of_too_many(session: Session, to: Organisers) -> None:
    """Owe the one mail of each day that is over, and on which more came than are handed on: it has only numbers."""
    today = tallies.day_of(utcnow())
    too_many = tallies.take(session, Tally.NOT_FORWARDED, before=today)
    for day, dropped in sorted(too_many.items()):
        words = {
            "day": languages.day(day.date(), to.language),
            "forwarded": str(tallies.number(session, Tally.FORWARDED, day)),
            "dropped": str(dropped),
        }
        tell(session, to, Notice(NoticeKind.REPLIES, words=words))
