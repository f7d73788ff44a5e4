"""Trying the way in: mails to our own addresses, each known again by a token, which act on nobody."""

import re
import secrets
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parseaddr

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from mailer import links
from mailer.errors import MailerError
from mailer.inbound.acting import Outcome, Source
from mailer.inbound.addresses import OwnAddresses
from mailer.links import Link
from mailer.mail.feedback.types import Effect, Kind
from mailer.mail.pipeline import Pipeline
from mailer.mail.sender import Sender
from mailer.mail.smtp import Server
from mailer.mail.types import Outcome as Sent
from mailer.mail.types import OutcomeKind, Outgoing
from mailer.people import returned
from mailer.store.crypto import Keyring, keyring_of
from mailer.store.models import MailEvent

_HEADER = "X-Tocsin-Try"
_BEGINS = f"{_HEADER}: ".encode()
_LINE = re.compile(rb"^" + re.escape(_BEGINS) + rb"(?P<token>[0-9a-f]{40})\r?$", re.MULTILINE)
_HEAD = 2**14  # octets in which the header stands
_KIND = "try"  # instead of a source, in the key of the event
_SUBJECT = "A try of the way in"
_TEXT = "Tocsin sent this mail to itself, to see whether it comes in. Nobody need do anything.\n"


class NotTaken(MailerError):
    """The mail server {server} does not take mail to {recipient}: {words}. See that it knows where mail to that domain
    goes: docs/how-to/receive-mail.md."""


def make(keyring: Keyring, sender: Sender, address: str, *, at: datetime) -> tuple[int, Outgoing]:
    """A mail that tries whether one to an address comes in, and the number that it is known by.

    :param address: of the settings, with `{token}` or without.
    """
    number = secrets.randbelow(2**47)
    token = links.sign(keyring, Link.TRY, number)
    own = parseaddr(sender.mailbox)[1]
    recipient = address.replace("{token}", token)
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = own, recipient, _SUBJECT
    message["Date"], message["Message-ID"] = format_datetime(at), make_msgid(domain=own.rpartition("@")[2])
    message[_HEADER] = token
    message.set_content(_TEXT)
    return number, Outgoing(number, own, recipient, message.as_bytes())


def send(server: Server, message: Outgoing) -> None:
    """Give a mail to the mail server.

    :raises SmtpUnavailable: it cannot be reached.
    :raises SenderRefused: it takes no mail from our sender.
    :raises NotTaken: it does not take this mail.
    """
    supply = _One(message)
    wire = Pipeline(server, connections=1)
    try:
        wire.send(supply)
    finally:
        wire.close()
    if (outcome := supply.outcome) is None or outcome.kind is not OutcomeKind.SENT:
        words = f"{outcome.code} {outcome.text}" if outcome else "it did not answer"
        raise NotTaken(server=server, recipient=message.recipient, words=words)


class _One:
    """A supply of one mail."""

    halted = False

    def __init__(self, message: Outgoing) -> None:
        self._waiting: Outgoing | None = message
        self.outcome: Sent | None = None

    @property
    def exhausted(self) -> bool:
        return self._waiting is None

    def take(self, *, wait: bool) -> Outgoing | None:
        message, self._waiting = self._waiting, None
        return message

    def begin(self, message: Outgoing) -> bool:
        return True

    def note(self, outcome: Sent) -> None:
        self.outcome = outcome

    def pulse(self) -> None:
        return


def number_in(message: bytes, addresses: OwnAddresses) -> int | None:
    """The number of the try that a message is; None if it is none."""
    head = message[:_HEAD]
    found = _LINE.search(head) if _BEGINS in head else None  # to look for a line takes 16 times as long
    return addresses.tried(found["token"].decode()) if found else None


def note(session: Session, number: int, *, source: Source, now: datetime) -> Outcome:
    """Keep that a try has come in."""
    key = _key(session, number)
    returned.add(session, MailEvent(key=key, kind=Kind.OTHER, effect=Effect.NONE, source=source.value, day=now.date()))
    return Outcome(Kind.OTHER, why="it was a try of the way in", is_done_with=True)


def came_by(session: Session, number: int) -> Source | None:
    """What brought a try; None if it has not come yet."""
    source = session.scalar(select(MailEvent.source).where(MailEvent.key == _key(session, number)))
    return Source(source) if source else None


def forget(session: Session, number: int) -> None:
    """Keep no longer that a try has come in."""
    session.execute(delete(MailEvent).where(MailEvent.key == _key(session, number)))


def _key(session: Session, number: int) -> bytes:
    return keyring_of(session).mail_digest(_KIND, str(number).encode())
