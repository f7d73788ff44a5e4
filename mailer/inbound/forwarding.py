"""What people write to us goes on to an organiser, so many a day, and never twice around."""

import re
from datetime import datetime
from itertools import islice

from sqlalchemy import update
from sqlalchemy.orm import Session

from mailer import links
from mailer.inbound.acting import Source
from mailer.links import ForgedToken, Link
from mailer.mail.feedback import reading
from mailer.mail.feedback.types import Effect, Feedback
from mailer.people import replies, subscribers, tallies
from mailer.people.organisers import Organisers
from mailer.store.crypto import Keyring, keyring_of
from mailer.store.models import MailEvent, Tally

_MOST_MARKS = 20  # that are looked at in one message
_MARK = re.compile(rb"^X-Tocsin-Forwarded[ \t]*:[ \t]*([0-9a-f]{40})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
#: a line that begins a message in a mailbox file, and is no part of it
_MAILBOX_LINE = re.compile(rb"\A>?From [^\r\n]*\r?\n")


def forward(
    session: Session,
    message: bytes,
    feedback: Feedback,
    *,
    source: Source,
    key: bytes,
    to: Organisers,
    now: datetime,
) -> str | None:
    """Have what somebody wrote handed on, in the transaction in which it is noted; once for each key.

    :param feedback: what the message is: a reply.
    :param to: to whom; where nobody is named, it is only counted.
    :returns: why it goes nowhere, in words of ours; None if it goes on.
    """
    if not to.addresses:
        return "nobody is named whom answers go to"
    if source.is_mailbox and feedback.delivery is None:
        return "it is about no mail of ours, and is left in its mailbox"
    keyring = keyring_of(session)
    if was_forwarded(keyring, message):
        return "it was forwarded by us before"
    digest = keyring.mail_digest(source.value, key)
    if replies.came_before(session, digest):
        return "it came before"
    subscriber_id = subscribers.lock_addressee(
        session, feedback.delivery
    )  # first, as whoever erases somebody locks them
    today = tallies.day_of(now)
    if tallies.count(session, Tally.FORWARDED, today, most=replies.MOST_A_DAY) is None:
        tallies.count(session, Tally.NOT_FORWARDED, today)
        return "so many were forwarded today that it is only counted"
    is_cut = len(message) >= reading.MAX_BYTES
    kept = _MAILBOX_LINE.sub(b"", message[: reading.MAX_BYTES])
    if not replies.keep(session, kept, key=digest, subscriber_id=subscriber_id, is_cut=is_cut, to=to, now=now):
        return "it came before"
    session.execute(update(MailEvent).where(MailEvent.key == digest).values(effect=Effect.FORWARD))
    return None


def was_forwarded(keyring: Keyring, message: bytes) -> bool:
    """Whether a mail of ours that handed something on stands in a message, in its header or in a part."""
    for found in islice(_MARK.finditer(message[: reading.MAX_BYTES]), _MOST_MARKS):
        try:
            links.verify(keyring, Link.FORWARDED, found[1].decode())
        except ForgedToken:
            continue
        return True
    return False
