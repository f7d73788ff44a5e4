"""Which messages are kept because nobody could tell what they are."""

from datetime import datetime

from sqlalchemy.orm import Session

from mailer.inbound.acting import Source
from mailer.mail.feedback import excerpts, reading
from mailer.mail.feedback.types import Category, Feedback, Kind
from mailer.people import subscribers, unread
from mailer.store.crypto import keyring_of


def is_one(feedback: Feedback) -> bool:
    """Whether a rule may be missing: it is nothing that we know, a bounce that does not say why, or it came back and
    nothing proves of which mail of ours."""
    if feedback.kind in (Kind.BOUNCE, Kind.COMPLAINT):
        says_nothing = feedback.meaning is not None and feedback.meaning.category is Category.UNDETERMINED
        return says_nothing or feedback.delivery is None
    return feedback.kind is Kind.UNREADABLE or (feedback.kind is Kind.OTHER and feedback.rule == "nothing known")


def keep(
    session: Session, message: bytes, feedback: Feedback, *, source: Source, key: bytes, days: int, now: datetime
) -> None:
    """Keep such a message, encrypted, without the body of a mail that it gives back."""
    words = excerpts.of(reading.read(message), message[: reading.MAX_BYTES])
    unread.keep(
        session,
        words,
        key=keyring_of(session).mail_digest(source.value, key),
        kind=feedback.kind,
        subscriber_id=subscribers.lock_addressee(session, feedback.delivery),
        days=days,
        now=now,
    )
