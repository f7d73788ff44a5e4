"""Messages of which nobody could tell what they are, kept for some days where an operator wants to write rules."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import LargeBinary, delete, func, select, type_coerce
from sqlalchemy.orm import Session, defer

from mailer.errors import MailerError
from mailer.mail import addresses
from mailer.mail.addresses import Address
from mailer.mail.feedback.types import Category, Kind
from mailer.store import db
from mailer.store.crypto import UnreadableSecret, keyring_of
from mailer.store.db import utcnow
from mailer.store.models import UNREAD_WORDS, UnreadMessage

#: that are kept at a time: a sample shows what is missing
MOST = 500
_ID_DIGITS = 12


class Unread(StrEnum):
    """Why somebody may want to look."""

    NO_MESSAGE = "no message"  # cut off, or no mail at all
    NOT_OURS = "not ours"  # it came back or complains, and nothing proves of which mail of ours
    NO_REASON = "no reason"  # it came back, in words that no rule knows
    FORGED = "forged"  # it would have somebody leave, with a token that nobody signed
    OTHER = "other"  # nothing that is known


_KINDS = {Kind.UNREADABLE: Unread.NO_MESSAGE, Kind.FORGED: Unread.FORGED, Kind.OTHER: Unread.OTHER}
_CAME_BACK = (Kind.BOUNCE, Kind.COMPLAINT)


class NoSuchMessage(MailerError):
    """There is no message {name}, or it is kept no longer. `mailer inbound unread list` shows those that are."""


def why(kind: Kind, category: Category | None, *, is_ours: bool, tells_nothing: bool = False) -> Unread | None:
    """Why somebody may want to look at what came in; None if it is understood.

    :param category: of a bounce.
    :param is_ours: whether it is proved of which mail of ours it is.
    :param tells_nothing: of a message that is nothing of ours, whether that is known.
    """
    if kind in _CAME_BACK and not is_ours:
        return Unread.NOT_OURS
    if kind is Kind.BOUNCE and category in (None, Category.UNDETERMINED):
        return Unread.NO_REASON
    return None if tells_nothing else _KINDS.get(kind)


def keep(
    session: Session, words: str, *, key: bytes, kind: Kind, subscriber_id: int | None, days: int, now: datetime
) -> None:
    """Keep what a message says, unless it is there or so many are.

    :param key: `Keyring.mail_digest`, which tells it from others.
    :param subscriber_id: whose it is, if that is known: whoever is erased takes it along.
    :param days: how long.
    """
    if number_kept(session) >= MOST:
        return
    until = now + timedelta(days=days)
    row = UnreadMessage(key=key, day=now, until=until, kind=kind, subscriber_id=subscriber_id, words=words)
    db.insert_unless_there(session, row)


def number_kept(session: Session) -> int:
    """How many are kept."""
    return session.scalar(select(func.count()).select_from(UnreadMessage)) or 0


def kept(session: Session) -> Sequence[UnreadMessage]:
    """Those that are kept, the newest first. Their words are read when somebody asks for them: of some they may be
    damaged, or the key lost."""
    newest_first = select(UnreadMessage).order_by(UnreadMessage.day.desc(), UnreadMessage.key)
    return session.scalars(newest_first.options(defer(UnreadMessage.words))).all()


def find(session: Session, name: str) -> UnreadMessage:
    """One of them.

    :param name: as `name_of` gives it.
    :raises NoSuchMessage: it is not there.
    """
    found = next((each for each in kept(session) if name_of(each) == name.lower()), None)
    if found is None:
        raise NoSuchMessage(name=name)
    return found


def name_of(message: UnreadMessage) -> str:
    """By what an operator names it: it has no order, as the rows have none."""
    return message.key.hex()[:_ID_DIGITS]


def forget_of(session: Session, address: Address) -> None:
    """Forget those that name an address, also where it is not proved of which mail they are."""
    kept = session.execute(select(UnreadMessage.key, type_coerce(UnreadMessage.words, LargeBinary)))
    keyring, theirs = keyring_of(session), []
    for key, secret in kept:
        try:
            words = keyring.decrypt(bytes(secret), UNREAD_WORDS)
        except UnreadableSecret:  # nothing may keep somebody from being erased
            continue
        if addresses.stands_in(address, words):
            theirs.append(key)
    session.execute(delete(UnreadMessage).where(UnreadMessage.key.in_(theirs)))


def forget(session: Session) -> None:
    """Forget those whose days are over."""
    session.execute(delete(UnreadMessage).where(UnreadMessage.until < utcnow().date()))
