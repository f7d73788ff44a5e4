"""What is said with a mail server that hands messages over: aiosmtpd's side of LMTP and SMTP, with what it leaves open.

aiosmtpd reads the commands. Ours is who may come in, how long they may take, reading the text of a message, and one
answer for each recipient over LMTP.
"""

import asyncio
import logging
import re
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import count
from typing import Any, cast

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from mailer.mail import smtp_bodies
from mailer.mail.smtp import is_loopback
from mailer.mail.smtp_taking import LARGEST_MESSAGE, MOST_RECIPIENTS, Arrived, Dialect, Taking

_NO_SENDER = "<>"  # aiosmtpd takes "" for an address that is missing
_PATH = re.compile(r"\s*<([^<>\x00-\x1f\x7f]*)>\s*(.*)")  # RFC 5321, 4.1.2; the only form that mail servers use
_ANY_PATH = re.compile(r"\s*<(.*)>([^>]*)", re.DOTALL)
_LONGEST_COMMAND = 2048  # octets: the longest address, and the parameters of the extensions
_FULL_NOTICE_SECONDS = 60

_FULL = b"421 4.3.2 Too many connections, try again later\r\n"
_CLOSING = b"421 4.3.2 Closing, try again later\r\n"
_TOO_SLOW = b"421 4.4.2 That took too long\r\n"
_NOT_OURS = "550 5.1.1 No such address here, and no mail is passed on"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many may come in, and for how long."""

    connections: int = 50
    of_a_network: int = 20  # save this machine's own; as many as Postfix opens to one place
    idle_seconds: float = 120
    message_seconds: float = 600  # from DATA to the final dot
    connection_seconds: float = 3600
    farewell_seconds: float = 5  # for reading the last answers, once we hang up


class Room:
    """The conversations that are going on."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.conversations: set[Conversation] = set()
        self._numbers = count(1)
        self._networks = Counter[str]()
        self._silent_until = 0.0

    def enter(self, conversation: "Conversation", network: str | None) -> int | None:
        """Let somebody in; returns the number of the connection, None if there is no room."""
        if len(self.conversations) >= self.patience.connections or (
            network is not None and self._networks[network] >= self.patience.of_a_network
        ):
            if time.monotonic() > self._silent_until:
                self._silent_until = time.monotonic() + _FULL_NOTICE_SECONDS
                log.warning("too many connections, refusing some", extra={"open": len(self.conversations)})
            return None
        self.conversations.add(conversation)
        if network is not None:
            self._networks[network] += 1
        return next(self._numbers)

    def leave(self, conversation: "Conversation", network: str | None) -> None:
        """Make room."""
        self.conversations.discard(conversation)
        if network is not None:
            self._networks -= Counter([network])  # which drops what comes to nothing


class Conversation(SMTP):
    """One connection, over SMTP."""

    line_length_limit = 64 * 1024  # of the stream's buffer; lines of a message may be longer
    dialect = Dialect.SMTP
    path = _PATH
    largest: int | None = LARGEST_MESSAGE  # that is not refused, in octets

    def __init__(self, room: Room, taking: Taking, *, name: str, loop: asyncio.AbstractEventLoop) -> None:
        """:param name: what this machine calls itself."""
        self._room, self._taking = room, taking
        self._number: int | None = None
        self._network: str | None = None
        self._life: asyncio.TimerHandle | None = None
        self._cut: asyncio.TimerHandle | None = None
        self._is_reading = False  # the text of a message
        self._is_busy = False  # with a message, from the answer to DATA to that to the final dot
        self._is_to_end = False
        super().__init__(
            _Desk(taking),
            data_size_limit=self.largest,
            enable_SMTPUTF8=True,
            hostname=name,
            ident="Tocsin",
            loop=loop,
            timeout=room.patience.idle_seconds,
        )
        # In aiosmtpd all connections share the limits, and each changes them for the others.
        self.command_size_limits = defaultdict(lambda: _LONGEST_COMMAND)

    @property
    def number(self) -> int:
        """Which connection this is, for the log."""
        return self._number or 0

    # --- coming and going -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._network = _network(transport.get_extra_info("peername"))
        self._number = self._room.enter(self, self._network)
        if self._number is None:
            self._close(cast(asyncio.WriteTransport, transport), _FULL)
            return
        super().connection_made(transport)
        self._life = self.loop.call_later(self._room.patience.connection_seconds, self.end)

    def connection_lost(self, error: Exception | None) -> None:
        if self._cut is not None:
            self._cut.cancel()
        if self._number is None:
            return
        self._room.leave(self, self._network)
        if self._life is not None:
            self._life.cancel()
        super().connection_lost(error)

    def eof_received(self) -> bool | None:
        return None if self._number is None else super().eof_received()

    def data_received(self, data: bytes) -> None:
        if self._number is None:
            return
        if self._is_reading:
            self._reset_timeout()
        super().data_received(data)

    def end(self) -> None:
        """End it: at once, or after the message that is being taken."""
        self._is_to_end = True
        if not self._is_busy:
            self._hang_up(_CLOSING)

    def _timeout_cb(self) -> None:
        """End it without a word: too long nothing came, or nothing was read."""
        self._hang_up()

    def _hang_up(self, words: bytes = b"") -> None:
        if self.transport is None or self._cut is not None:
            return
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()  # else it would go on with commands that have come already
        self._close(cast(asyncio.WriteTransport, self.transport), words)

    def _close(self, transport: asyncio.WriteTransport, words: bytes) -> None:
        """Close it, without the words if nobody reads them: else it would stay open until all is read."""
        if not transport.is_closing():
            transport.write(words)
            transport.close()
        self._cut = self.loop.call_later(self._room.patience.farewell_seconds, transport.abort)

    # --- a message --------------------------------------------------------------------------------------------------

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Part a path from its parameters."""
        found = self.path.fullmatch(arg)
        return (found[1] or _NO_SENDER, found[2]) if found else (None, None)

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - the name aiosmtpd calls
        """Take one message (RFC 5321, 4.1.1.4; RFC 2033, 4.2)."""
        if await self.check_helo_needed():
            return
        envelope = cast(Envelope, self.envelope)  # there from the greeting on
        if not envelope.rcpt_tos:
            await self.push("503 5.5.1 RCPT first")
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        self._is_busy = True
        try:
            answers = await self._take(envelope)
        finally:
            self._is_busy = False  # before the answers: whoever does not read them is not waited for
        if answers:
            await self.push("\r\n".join(answers))
        if self._is_to_end:
            self._hang_up(_CLOSING)

    async def smtp_VRFY(self, _arg: str | None) -> None:  # noqa: N802
        """Say nothing of anybody (RFC 5321, 7.3)."""
        await self.push("252 2.5.0 Nobody is told who is known here")

    async def _take(self, envelope: Envelope) -> Sequence[str]:
        """Take the text; returns the answers, none if it was not waited for."""
        self._is_reading = True
        try:
            async with asyncio.timeout(self._room.patience.message_seconds):
                body = await smtp_bodies.read(self._reader, keep=self._taking.inbox.reads)
        except TimeoutError:
            self._hang_up(_TOO_SLOW)
            return []
        finally:
            self._is_reading = False
        self._reset_timeout(self._taking.seconds + self._room.patience.idle_seconds)  # it is we who take long now
        sender = "" if envelope.mail_from == _NO_SENDER else str(envelope.mail_from)
        arrived = Arrived(body.beginning, body.size, sender, tuple(envelope.rcpt_tos), self.dialect)
        answers = await self._taking.take(arrived, connection=self.number)
        self.envelope = self._create_envelope()
        self._reset_timeout()
        return answers


class LmtpConversation(Conversation, LMTP):
    """One connection, over LMTP. Whatever a stranger may have written is taken: see `smtp_taking`."""

    dialect = Dialect.LMTP
    path = _ANY_PATH
    largest = None


def _network(peer: Any) -> str | None:
    """Whose connections are counted together; None for this machine's own."""
    host = peer[0] if isinstance(peer, tuple) else "localhost"  # a socket in the file system has no peer
    if is_loopback(host):
        return None
    address = ip_address(host)
    return str(ip_network((host, 24 if address.version == 4 else 64), strict=False))


class _Desk:
    """What aiosmtpd asks between the commands. None of it changes or looks up anything."""

    def __init__(self, taking: Taking) -> None:
        self._inbox = taking.inbox

    async def handle_EHLO(  # noqa: N802 - the name aiosmtpd calls, as the others here
        self, server: Conversation, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer what RFC 2033 (5) wants too: commands are answered one by one, in order, from one buffer."""
        session.host_name = hostname
        size = ["250-SIZE"] if server.largest is None else []  # RFC 1870, 3: no limit; aiosmtpd names one by itself
        return [*responses[:-1], *size, "250-PIPELINING", "250 ENHANCEDSTATUSCODES"]

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Conversation, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if server.dialect is Dialect.SMTP and not self._inbox.expects(address):
            log.info("a recipient was refused", extra={"source": server.dialect.value, "connection": server.number})
            return _NOT_OURS
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_RSET(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        return "250 2.0.0 OK"

    async def handle_NOOP(self, _server: SMTP, _session: Session, _envelope: Envelope, _arg: str) -> str:  # noqa: N802
        return "250 2.0.0 OK"

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        return "221 2.0.0 Bye"

    async def handle_exception(self, _error: Exception) -> str:
        """A mistake of ours, where aiosmtpd would refuse for good."""
        log.exception("a conversation with a mail server failed")
        return "451 4.3.0 Not now, try again later"
