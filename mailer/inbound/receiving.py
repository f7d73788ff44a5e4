"""Taking in one message, whatever brought it: what it is, whom it is about, and what follows for them."""

import enum
import logging
from dataclasses import dataclass

from mailer.inbound.addresses import OwnAddresses
from mailer.mail.feedback import reading, wishes
from mailer.mail.feedback.types import Category, Effect, Feedback, Kind
from mailer.selfservice import leaving
from mailer.selfservice.leaving import Method, NotOnList
from mailer.store.db import Sessions

log = logging.getLogger(__name__)

#: bytes that are read of a message; who takes one in may drop the rest
MAX_BYTES = reading.MAX_BYTES


class Source(enum.StrEnum):
    """What brought a message."""

    PIPE = "pipe"  # of a mail server, into `mailer inbound`
    LMTP = "lmtp"
    SMTP = "smtp"
    IMAP = "imap"
    MAILDIR = "maildir"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a message was, and what was done. It names nobody, so it may be logged."""

    kind: Kind
    effect: Effect = Effect.NONE  # what was done
    category: Category | None = None  # of a bounce
    why: str | None = None  # why nothing was, in words of ours

    def facts(self) -> dict[str, str]:
        """What the log may say of it."""
        facts = {"kind": self.kind.value, "category": self.category, "effect": self.effect.value, "why": self.why}
        return {name: value for name, value in facts.items() if value is not None}


def receive(
    sessions: Sessions,
    message: bytes,
    *,
    addresses: OwnAddresses,
    source: Source,
    recipient: str | None = None,
    sender: str | None = None,
) -> Outcome:
    """Take in a message. When this returns, what follows from it is saved, and the message may be let go of. The same
    message may be given again, however often: it acts once.

    :param sessions: opens a transaction on the database.
    :param message: RFC 5322, as a mail server hands it over; the first MiB is read. Any bytes will do.
    :param source: what brought it.
    :param recipient: whom the envelope names, if that is known; else headers say it.
    :param sender: whom the envelope names, which may be empty; if it is not known, Return-Path says it.
    :raises DatabaseUnavailable: nothing was saved: the message must be kept, and given again.
    """
    outcome = _act(sessions, recognise(message, addresses=addresses, recipient=recipient, sender=sender))
    log.info("inbound mail", extra={"source": source.value, **outcome.facts()})
    return outcome


def recognise(
    message: bytes, *, addresses: OwnAddresses, recipient: str | None = None, sender: str | None = None
) -> Feedback:
    """What a message is, and what would follow. It needs no database, and changes nothing.

    :param recipient: as for `receive`, and so is sender.
    """
    found = reading.read(message)
    if found is not None:
        sender = found.mailbox_sender if sender is None else sender
        wish = wishes.read(found, lookup=addresses, recipient=recipient, sender=sender)
        if wish is not None:
            return wish
    # Here: the words of mail servers take longer to load than it takes to leave, which a pipe waits for.
    from mailer.mail.feedback import recognition

    return recognition.of(found, lookup=addresses, recipient=recipient, sender=sender)


def _category(feedback: Feedback) -> Category | None:
    return feedback.meaning.category if feedback.meaning and feedback.kind is Kind.BOUNCE else None


def _act(sessions: Sessions, feedback: Feedback) -> Outcome:
    if feedback.subscription is not None:
        return _leave(sessions, feedback.subscription)
    return Outcome(feedback.kind, category=_category(feedback))


def _leave(sessions: Sessions, subscription_id: int) -> Outcome:
    try:
        with sessions() as session:
            left = leaving.leave(session, leaving.find(session, subscription_id), method=Method.MAIL)
    except NotOnList:
        return Outcome(Kind.UNSUBSCRIBE, why="not on our list")
    if left.already:
        return Outcome(Kind.UNSUBSCRIBE, why="had left before")
    return Outcome(Kind.UNSUBSCRIBE, Effect.LEAVE)
