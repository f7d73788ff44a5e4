"""Which messages are kept because nobody could tell what they are."""

from sqlalchemy.orm import Session

from mailer.inbound.acting import Source
from mailer.inbound.received import Received
from mailer.mail.feedback import excerpts, reading
from mailer.mail.feedback.types import Feedback
from mailer.people import subscribers, unread
from mailer.people.subscribers import JustErased
from mailer.people.unread import Unread
from mailer.store.crypto import keyring_of


def is_one(feedback: Feedback, source: Source) -> bool:
    """Whether a rule may be missing, so that an operator may want the words. Of what has a forged token none is. What
    lies in a mailbox and is not proved to be about us may be somebody's own.
    """
    is_ours = feedback.delivery is not None and not feedback.is_unproven
    if source.is_mailbox and not is_ours:
        return False
    why = unread.why(feedback.kind, feedback.category, is_ours=is_ours, tells_nothing=feedback.tells_nothing)
    return why not in (None, Unread.FORGED)


def words_of(message: bytes) -> str:
    """What is kept of such a message: all but the body of a mail that it gives back. To be asked for before anything is
    locked, as a message may be made to take long."""
    return excerpts.of(reading.read(message), message[: reading.MAX_BYTES])


def keep(session: Session, received: Received, *, days: int) -> None:
    """Keep such a message, encrypted; unless it is known about which mail it is, and not any more whose: nothing could
    erase it with that person.

    :param received: with its words, if it is one.
    :param days: how long.
    """
    feedback = received.feedback
    if received.words is None:
        return
    try:
        subscriber_id = subscribers.lock_addressee(session, feedback.delivery)
    except JustErased:
        return
    if subscriber_id is None and feedback.delivery is not None:
        return
    unread.keep(
        session,
        received.words,
        key=keyring_of(session).mail_digest(received.source.value, received.key),
        kind=feedback.kind,
        subscriber_id=subscriber_id,
        days=days,
        now=received.now,
    )
