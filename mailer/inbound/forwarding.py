"""What people write to us goes on to an organiser, so many a day, and never twice around."""

import re
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from mailer import links
from mailer.inbound.addresses import OwnAddresses
from mailer.inbound.received import Received
from mailer.links import ForgedToken, Link
from mailer.mail.feedback import notices, reading
from mailer.mail.feedback.reading import Headers
from mailer.mail.feedback.types import Effect, Kind
from mailer.people import replies, returned, subscribers, tallies
from mailer.people.organisers import Organisers
from mailer.people.subscribers import JustErased
from mailer.store.crypto import Keyring, keyring_of
from mailer.store.models import Delivery, MailEvent, Purpose, Tally

#: how long after it came something goes on that stays where it is, and may be given again; shorter than it is known
#: what did
_GOES_ON_FOR = timedelta(days=30)
#: where it stands who wrote a message
_WRITERS = ("from", "sender", "return-path")
_SOURCE = "any"  # of what is known by its content
_MOST_MARKS = 20  # that are looked at in one message
_MARK = re.compile(rb"^X-Tocsin-Forwarded[ \t]*:[ \t]*([0-9a-f]{40})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
#: a line that begins a message in a mailbox file, and is no part of it
_MAILBOX_LINE = re.compile(rb"\A>?From [^\r\n]*\r?\n")


def forward(session: Session, received: Received, addresses: OwnAddresses) -> str | None:
    """Have what somebody wrote handed on, in the transaction in which it is noted; once for each content.

    :param received: a reply.
    :param addresses: say to whom it goes; where nobody is named, it is only counted.
    :returns: why it goes nowhere, in words of ours; None if it goes on.
    """
    message, delivery, now, to = received.data, received.feedback.delivery, received.now, addresses.answers_go_to
    if not to.addresses:
        return "nobody is named whom answers go to"
    if received.source.is_mailbox and delivery is None:
        return "it is about no mail of ours, and is left in its mailbox"
    if received.source.is_mailbox and (received.came_at is None or now - received.came_at > _GOES_ON_FOR):
        return "it came too long ago, or nobody knows when, and is left in its mailbox"
    keyring = keyring_of(session)
    if was_forwarded(keyring, message):
        return "it was forwarded by us before"
    header = reading.header(message)
    if _is_by(to, header):
        return "whoever answers go to wrote it"
    if _answers_what_went_on(session, header, addresses):
        return "it answers a mail that forwarded an answer"
    digest = keyring.mail_digest(_SOURCE, received.content)
    if replies.came_before(session, digest):
        return "it came before"
    event = MailEvent.key == keyring.mail_digest(received.source.value, received.key)
    try:  # first, as whoever erases somebody locks them
        subscriber_id = subscribers.lock_addressee(session, delivery)
    except JustErased:
        returned.become_numbers(session, event)
        return "whose mail it is about was erased at this moment"
    is_kept_room_for = subscriber_id is not None and _have_room_of_theirs(session, subscriber_id, now)
    if not _has_room(session, tallies.day_of(now), is_kept_room_for=is_kept_room_for):
        tallies.count(session, Tally.NOT_FORWARDED, tallies.day_of(now))
        return "so many were forwarded today that it is only counted"
    is_cut = len(message) >= reading.MAX_BYTES
    kept = _MAILBOX_LINE.sub(b"", message[: reading.MAX_BYTES])
    if not replies.keep(session, kept, key=digest, subscriber_id=subscriber_id, is_cut=is_cut, to=to, now=now):
        return "it came before"
    session.execute(update(MailEvent).where(event).values(effect=Effect.FORWARD))
    return None


def note_too_many(session: Session, received: Received, addresses: OwnAddresses) -> None:
    """Count what somebody wrote for the mail that says how much did not go on, as too much came of the mail that it
    answers. Whoever knows that mail may have written the rest, so nobody's answer may be lost without a word.

    :param received: as for `forward`, and so are addresses.
    """
    if addresses.answers_go_to.addresses and not received.source.is_mailbox:
        tallies.count(session, Tally.NOT_FORWARDED, tallies.day_of(received.now))


def _has_room(session: Session, today: datetime, *, is_kept_room_for: bool) -> bool:
    """Whether one more goes on today; then it is counted. Some room is for answers of people on our lists alone: else
    whoever knows our addresses, and writes to them often enough, would keep these from going on.
    """
    most = replies.MOST_A_DAY - replies.KEPT_FOR_ANSWERS
    if not is_kept_room_for and tallies.count(session, Tally.STRANGERS, today, most=most) is None:
        return False
    return tallies.count(session, Tally.FORWARDED, today, most=replies.MOST_A_DAY) is not None


def _have_room_of_theirs(session: Session, subscriber_id: int, now: datetime) -> bool:
    """Whether few answers to mails that somebody got went on today: else one person, or whoever has their mails, could
    take the room of all.
    """
    went_on = (MailEvent.kind == Kind.REPLY, MailEvent.effect == Effect.FORWARD, MailEvent.day == now.date())
    theirs = select(func.count()).join(Delivery, Delivery.id == MailEvent.delivery_id).select_from(MailEvent)
    number = session.scalar(theirs.where(Delivery.subscriber_id == subscriber_id, *went_on)) or 0
    return number < replies.MOST_OF_ONE


def _is_by(to: Organisers, header: Headers) -> bool:
    """Whether it comes from where answers go. What a program writes there for each answer that it gets would go round,
    if it does not say that it is one.
    """
    named = {address.casefold() for value in header.all(*_WRITERS) for address in notices.addresses_in(value)}
    return not named.isdisjoint(address.casefold() for address in to.addresses)


def _answers_what_went_on(session: Session, header: Headers, addresses: OwnAddresses) -> bool:
    """Whether it answers a mail of ours that handed on an answer. Likewise, where the program writes with another
    address.
    """
    answered = addresses.messages(" ".join(header.all("in-reply-to", "references")))
    handing_on = select(Delivery.id).where(Delivery.id.in_(answered), Delivery.purpose == Purpose.REPLY).limit(1)
    return bool(answered) and session.scalar(handing_on) is not None


def was_forwarded(keyring: Keyring, message: bytes) -> bool:
    """Whether a mail of ours that handed something on stands in a message, in its header or in a part."""
    for found in islice(_MARK.finditer(message[: reading.MAX_BYTES]), _MOST_MARKS):
        try:
            links.verify(keyring, Link.FORWARDED, found[1].decode())
        except ForgedToken:
            continue
        return True
    return False
