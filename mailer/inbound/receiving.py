"""Taking in one message, whatever brought it: what it is, whom it is about, and what follows for them."""

import hashlib
import logging
import re
from dataclasses import replace
from datetime import datetime
from functools import partial

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from mailer.inbound import acting, forwarding, limits, trying, unread
from mailer.inbound.acting import Outcome, Source
from mailer.inbound.addresses import OwnAddresses
from mailer.inbound.limits import Arrival
from mailer.inbound.received import Received
from mailer.mail.feedback import reading, sameness, wishes
from mailer.mail.feedback.types import Effect, Feedback, Identified, Kind
from mailer.store.crypto import UnreadableSecret
from mailer.store.db import Sessions, utcnow
from mailer.store.models import Delivery, Subscriber

log = logging.getLogger(__name__)

#: what BATV puts in front of an address
_BATV = re.compile(r"^prvs=[^=@\s]{1,40}=")

#: what a person may have written, or nobody knows what it is
_TO_BE_READ = (Kind.REPLY, Kind.OTHER, Kind.FORGED, Kind.UNREADABLE)

#: what says only whether a mail arrived
_OF_PROGRAMS = (Kind.AUTO_REPLY, Kind.DELIVERED, Kind.DELAYED)

#: to whom a delivery was; made once, as to put a statement together takes as long as to run it
_ADDRESS = (
    select(Subscriber.email, Delivery.address)
    .select_from(Delivery)
    .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
    .where(Delivery.id == bindparam("delivery"))
)

#: bytes that are read of a message; who takes one in may drop the rest
MAX_BYTES = reading.MAX_BYTES


def receive(
    sessions: Sessions,
    message: bytes,
    *,
    addresses: OwnAddresses,
    source: Source,
    recipient: str | None = None,
    sender: str | None = None,
    came_at: datetime | None = None,
) -> Outcome:
    """Take in a message. When this returns, what follows from it is saved, and the message may be let go of. The same
    message may be given again, however often: it acts once. All that is written is written in one transaction.
    What a person wrote is handed on by a delivery, for which the session rings if it can.

    :param sessions: opens a transaction on the database.
    :param message: RFC 5322, as a mail server hands it over; the first MiB is read. Any bytes will do.
    :param source: what brought it.
    :param recipient: whom the envelope names, if that is known; else headers say it.
    :param sender: whom the envelope names, which may be empty; if it is not known, Return-Path says it.
    :param came_at: when it came into the mailbox where it lies, if that is known.
    :raises DatabaseUnavailable: nothing was saved: the message must be kept, and given again.
    :raises TooManyInAnHour: likewise, of what lies in a mailbox.
    """
    now = utcnow()
    look = partial(recognise, addresses=addresses, recipient=recipient, sender=sender)
    arrival = Arrival(message, recipient, may_wait=source.is_mailbox)
    if limits.must_drop(sessions, arrival, addresses=addresses, now=now, look=look):
        return Outcome(Kind.OTHER, why="too many came within an hour")
    if (number := trying.number_in(message, addresses)) is not None:
        with sessions() as session:
            outcome = trying.note(session, number, source=source, now=now)
        log.info("inbound mail", extra={"source": source.value, **outcome.facts()})
        return outcome
    # Read before anything is locked: a message that is made to take long holds nobody up.
    asking = addresses.asking(partial(_address_of, sessions))
    feedback = recognise(message, addresses=asking, recipient=recipient, sender=sender)
    is_unread = addresses.keep_unread_days > 0 and unread.is_one(feedback, source)
    received = Received(
        message,
        feedback,
        source,
        key=_digest(message, recipient, sender),
        now=now,
        came_at=came_at,
        content=sameness.digest(message) if feedback.kind is Kind.REPLY else b"",
        words=unread.words_of(message) if is_unread else None,
    )
    with sessions() as session:
        outcome = _follow(session, received, addresses)
        held = acting.heed(session, [outcome])
        limits.note_taken(session, addresses.taken, now)
    acting.look_again(sessions, held)
    log.info("inbound mail", extra={"source": source.value, **outcome.facts()})
    return replace(outcome, is_done_with=_nobody_need_read(feedback))


def _follow(session: Session, received: Received, addresses: OwnAddresses) -> Outcome:
    """Do what follows for people."""
    feedback = received.feedback
    outcome = acting.act(session, feedback, source=received.source, key=received.key, now=received.now)
    if feedback.kind is Kind.REPLY and outcome.why is None:
        why = forwarding.forward(session, received, addresses)
        outcome = replace(outcome, effect=Effect.NONE if why else Effect.FORWARD, why=why)
    elif feedback.kind is Kind.REPLY and outcome.number is not None:
        forwarding.note_too_many(session, received, addresses)
    unread.keep(session, received, days=addresses.keep_unread_days)
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


def _nobody_need_read(feedback: Feedback) -> bool:
    """Whether a message may be taken out of a mailbox that may be somebody's own: a token of ours proves what it is
    about, and no person wrote it to be read. What only says that it answers a mail of ours may be an answer to it, and
    what a program wrote may be about anything, with a mail of ours attached, unless it came to an address of ours.
    """
    is_about_us = feedback.delivery is not None or feedback.subscription is not None
    if feedback.kind in _OF_PROGRAMS:
        return feedback.identified_by is Identified.ENVELOPE
    return is_about_us and not feedback.is_unproven and feedback.kind not in _TO_BE_READ


def _digest(message: bytes, recipient: str | None, sender: str | None) -> bytes:
    """What tells a message from every other: all that there is of it. One that comes to several spellings of one
    address is one. Nothing that a mailbox calls it by, as that changes when the mailbox is moved or put back.
    """
    digest = hashlib.sha256()
    address = _BATV.sub("", (recipient or "").strip("<> \t").casefold())
    for part in (address.encode("utf-8", "replace"), (sender or "").encode("utf-8", "replace"), message):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _address_of(sessions: Sessions, delivery_id: int) -> str | None:
    """To whom a delivery was; None if nobody knows that any more."""
    with sessions(read_only=True) as session:
        try:
            found = session.execute(_ADDRESS, {"delivery": delivery_id}).first()
        except UnreadableSecret:
            return None
    return (found[0] or found[1]) if found else None
