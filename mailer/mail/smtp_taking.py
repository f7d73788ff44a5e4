"""Taking in messages that come over LMTP or SMTP: has an inbox save each, in threads, and says what is answered.

"Taken" (250) is said only after the inbox has saved a message. Whatever goes wrong is answered with 451: the mail
server keeps the message and tries again. Over SMTP, what is too large is refused for good. Over LMTP nothing is: our
own mail server, which has taken it already, would send it back to whomever it names as its writer. So what nobody wants
is taken and dropped.
"""

import asyncio
import enum
import logging
import secrets
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from mailer.errors import MailerError

#: octets of the largest message that is read to its end (RFC 1870)
LARGEST_MESSAGE = 30 * 1024 * 1024
#: of one message; RFC 5321, 4.5.3.1.8 asks for no fewer
MOST_RECIPIENTS = 100

_TAKEN = "250 2.0.0 Taken as {id}"
_PUT_OFF = "451 4.3.0 Not now, try again later"
_TOO_MANY = "451 4.3.2 Too many messages at once, try again later"
_TOO_LARGE = f"552 5.3.4 Larger than {LARGEST_MESSAGE} octets"
_DROPPED = "250 2.0.0 Dropped as {id}, because "
_NOT_OURS = "no such address is ours"
_LARGE = f"it is larger than {LARGEST_MESSAGE} octets"
_DROPPED_NOTICE_SECONDS = 3600

log = logging.getLogger(__name__)


class Dialect(enum.StrEnum):
    """How a mail server hands over."""

    LMTP = "lmtp"  # RFC 2033: each recipient of a message is answered for
    SMTP = "smtp"  # RFC 5321: one answer for all


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message, and what its envelope says."""

    beginning: bytes  # without transparent dots
    size: int  # octets on the wire
    sender: str  # "" for none
    recipients: Sequence[str]
    dialect: Dialect


class Inbox(Protocol):
    """Whom mail is for. Both may be called in several threads at once."""

    @property
    def reads(self) -> int:
        """Octets of a message that it wants; the rest is dropped."""
        ...

    def expects(self, recipient: str) -> bool:
        """Whether an address is one of its own. It is asked while others wait, so it must not block."""
        ...

    def take(self, message: bytes, *, recipient: str, sender: str, dialect: Dialect) -> None:
        """Save what follows from a message. The same one may come again.

        :param sender: "" for none.
        :raises MailerError: nothing was saved; it must be given again.
        """
        ...


class Taking:
    """Has an inbox take messages, a few at a time."""

    def __init__(self, inbox: Inbox, *, threads: int = 4, most_at_once: int = 50, seconds: float = 240) -> None:
        """:param most_at_once: messages, those that wait for a thread too.
        :param seconds: for one message. A mail server waits 600 for the answer (RFC 5321, 4.5.3.2.6).
        """
        self.inbox = inbox
        self.seconds = seconds
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="inbound")
        # Not a count of waiting connections: a thread goes on with a message after its mail server has hung up.
        self._room = threading.Semaphore(most_at_once)
        self._dropped = _Dropped()

    async def take(self, message: Arrived, *, connection: int) -> Sequence[str]:
        """Have a message saved.

        :param connection: which one it came on, for the log.
        :returns: the answers to the final dot, as many as the dialect wants.
        """
        identifier = secrets.token_hex(4)
        if message.dialect is Dialect.LMTP:
            return await self._take_or_drop(message, identifier, connection)
        answers = await self._answers(message, identifier, connection)
        _say(message, answers, identifier, connection)
        # One that is given again acts once for those for whom it was taken before.
        return [next((answer for answer in answers if not answer.startswith("250")), answers[0])]

    async def _take_or_drop(self, message: Arrived, identifier: str, connection: int) -> Sequence[str]:
        dropped = _DROPPED.format(id=identifier)
        if message.size > LARGEST_MESSAGE:
            answers = [dropped + _LARGE] * len(message.recipients)
            self._dropped.count(too_large=len(answers))
        else:
            wanted = [recipient for recipient in message.recipients if self.inbox.expects(recipient)]
            saved = iter(await self._answers(replace(message, recipients=wanted), identifier, connection))
            ours = set(wanted)
            answers = [next(saved) if each in ours else dropped + _NOT_OURS for each in message.recipients]
            self._dropped.count(not_ours=len(answers) - len(wanted))
        _say(message, answers, identifier, connection)
        return answers

    async def _answers(self, message: Arrived, identifier: str, connection: int) -> Sequence[str]:
        everybody = len(message.recipients)
        if not everybody:
            return []
        if message.size > LARGEST_MESSAGE:
            return [_TOO_LARGE] * everybody
        if not self._room.acquire(blocking=False):
            log.warning("too many messages at once, putting some off", extra={"connection": connection})
            return [_TOO_MANY] * everybody
        until = time.monotonic() + self.seconds
        work = self._threads.submit(self._save, message, identifier, until)
        work.add_done_callback(self._leave_room)
        await asyncio.wait([asyncio.wrap_future(work)], timeout=self.seconds)
        if not work.done():
            work.cancel()  # or, if it has begun, it may be saved all the same: given again, it acts once
            log.warning("a message took too long, putting it off", extra={"transfer": identifier})
            return [_PUT_OFF] * everybody
        return work.result()

    def _leave_room(self, _work: "Future[Sequence[str]]") -> None:
        self._room.release()

    def _save(self, message: Arrived, identifier: str, until: float) -> Sequence[str]:
        return [self._save_for(recipient, message, identifier, until) for recipient in message.recipients]

    def _save_for(self, recipient: str, message: Arrived, identifier: str, until: float) -> str:
        if time.monotonic() > until:
            return _PUT_OFF
        try:
            self.inbox.take(message.beginning, recipient=recipient, sender=message.sender, dialect=message.dialect)
        except MailerError as problem:
            log.warning("a message was put off: %s", problem, extra={"transfer": identifier})
            return _PUT_OFF
        except Exception:
            # A mistake of ours. Any other answer would send the message back, or lose it.
            log.exception("a message could not be taken in", extra={"transfer": identifier})
            return _PUT_OFF
        return _TAKEN.format(id=identifier)

    def close(self) -> None:
        """Wait for what is being saved, and drop what has not begun, which nobody waits for any more."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._dropped.say()


class _Dropped:
    """How many messages were dropped, said at the first and then once an hour: a mail server that is set up as in the
    docs hands none of them over.
    """

    def __init__(self) -> None:
        self._not_ours = self._too_large = 0
        self._silent_until = 0.0

    def count(self, *, not_ours: int = 0, too_large: int = 0) -> None:
        """Count some, by recipients."""
        self._not_ours += not_ours
        self._too_large += too_large
        if time.monotonic() > self._silent_until:
            self.say()

    def say(self) -> None:
        """Say how many since it was last said, if there are any."""
        if self._not_ours or self._too_large:
            self._silent_until = time.monotonic() + _DROPPED_NOTICE_SECONDS
            log.warning(
                "mail that is not for us was dropped: let the mail server refuse other addresses and what is too large;"
                " if mail for us is among it, set the addresses to those that it was sent with",
                extra={"not_ours": self._not_ours, "too_large": self._too_large},
            )
            self._not_ours = self._too_large = 0


def _say(message: Arrived, answers: Sequence[str], identifier: str, connection: int) -> None:
    dropped = sum(answer.startswith(_DROPPED.format(id=identifier)) for answer in answers)
    taken = sum(answer.startswith("250") for answer in answers) - dropped
    facts = {"transfer": identifier, "connection": connection, "taken": taken, "dropped": dropped}
    put_off = {"not_taken": len(answers) - taken - dropped}
    log.info("a message came in", extra={"source": message.dialect.value, **facts, **put_off})
