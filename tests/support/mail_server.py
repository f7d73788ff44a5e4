"""An SMTP server for tests, independent of the code under test: it records, and misbehaves on request."""

import asyncio
import re
import socket
import ssl
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.waiting import LONG

_EXTENSIONS = ("PIPELINING", "SIZE 26214400", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True)
class Received:
    """One message that was taken: the server answered 250 to its dot, or hung up instead of answering."""

    message_id: str
    sender: str
    recipient: str
    data: bytes


@dataclass
class Behaviour:
    """How the server answers. A reply of None hangs up without a word, one with a 421 in it after its words."""

    extensions: tuple[str, ...] = _EXTENSIONS
    greeting: str = "220 test.example.org ESMTP"
    #: connections at a time; further ones get a 421
    most_connections: int = 1000
    mail: Callable[[str], str | None] = lambda _: "250 2.1.0 ok"
    rcpt: Callable[[str], str | None] = lambda _: "250 2.1.5 ok"
    #: asked before the body is read
    data: Callable[[str], str | None] = lambda _: "354 go on"
    #: asked after the body was read; what starts with 2 or is None counts as taken
    dot: Callable[[str], str | None] = lambda _: "250 2.0.0 queued"
    #: seconds between the dot and its answer
    delay: float = 0.0
    #: seconds before a command is answered, asked with its line; before a body is read, with "BODY recipient"
    pause: Callable[[str], float] = lambda _: 0.0
    #: instead of the answer with the extensions
    ehlo: str | None = None
    #: to DATA when no recipient was taken
    data_for_nobody: str = "503 no recipient"
    #: said after the first line of a body, with what then hangs up; the message is not taken
    within_body: Callable[[str], str | None] = lambda _: "read on"
    #: offers STARTTLS, or is spoken from the start
    tls: ssl.SSLContext | None = None
    tls_from_the_start: bool = False
    #: sent in the clear behind the answer to STARTTLS, as someone in between would
    injected: str = ""
    #: user name and password that AUTH PLAIN and LOGIN accept
    login: tuple[str, str] = ("", "")
    #: to a command that came before the one ahead of it was answered: "take" it, "drop" it, or this answer
    ahead: str | None = "take"
    #: transactions that it takes on a connection, and what MAIL gets from then on
    most_transactions: int = 1_000_000
    enough: str | None = "452 4.5.3 Too many messages in this session"
    #: octets that a connection and the system read ahead, each at most twice as many; as many as they like if None
    read_ahead: int | None = None


@dataclass
class MailServer:
    """A running server. `received` grows at each final dot, before the answer is sent."""

    port: int
    behaviour: Behaviour
    received: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    #: connections that are open now
    conversations: "set[_Conversation]" = field(default_factory=set)
    #: commands that came before the one ahead of them was answered
    said_ahead: int = 0
    #: transactions that it did not take because of `most_transactions`
    turned_away: int = 0
    #: bodies behind which the next commands lay already
    bodies_with_more: int = 0
    #: bodies for nobody
    empty: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """As MAILER_SMTP_URL."""
        return f"smtp://127.0.0.1:{self.port}"

    def copies(self) -> Counter[str]:
        """How often each recipient's message was taken."""
        return Counter(message.recipient for message in list(self.received))

    def hang_up_on_everyone(self) -> None:
        """Close every connection without a word, and wait until that is done."""
        for conversation in list(self.conversations):
            conversation.hang_up()
        while self.conversations:
            time.sleep(0.005)

    def wait_for(self, count: int, *, seconds: float = LONG) -> None:
        """Wait until so many messages were taken."""
        end = time.monotonic() + seconds
        while len(self.received) < count:
            assert time.monotonic() < end, f"{len(self.received)} of {count} messages after {seconds} s"
            time.sleep(0.005)


@contextmanager
def running(behaviour: Behaviour | None = None) -> Iterator[MailServer]:
    """A server on a free port of this machine, in a thread of its own, for the length of the block."""
    behaviour = behaviour or Behaviour()
    state = MailServer(port=0, behaviour=behaviour)
    loop = asyncio.new_event_loop()
    tls = behaviour.tls if behaviour.tls_from_the_start else None
    starting = asyncio.start_server(_Conversation.starter(state), "127.0.0.1", 0, limit=2**22, ssl=tls)
    server = loop.run_until_complete(starting)
    state.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    for _ in range(10):  # who was taken in a moment ago gets as far as where a cancel closes the connection
        await asyncio.sleep(0)
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _HangUp(Exception):
    """End the conversation without a word."""


class _Conversation:
    def __init__(self, state: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._state = state
        self._behaviour = state.behaviour
        self._reader = reader
        self._writer = writer
        self._sender = self._recipient = ""
        self._in_transaction = False
        self._transactions = 0
        self._loop = asyncio.get_running_loop()
        if self._behaviour.read_ahead is not None:
            self._read_ahead_at_most(self._behaviour.read_ahead)

    def _read_ahead_at_most(self, octets: int) -> None:
        # Left alone, the system's buffer grows to what it pleases, on some machines beyond every mail of the tests;
        # asyncio has no public way to set its own once the connection stands.
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
        self._reader._limit = octets  # type: ignore[attr-defined]

    def hang_up(self) -> None:
        """End it from another thread."""
        self._loop.call_soon_threadsafe(self._writer.transport.abort)

    @classmethod
    def starter(cls, state: MailServer) -> "Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]":
        async def start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            state.connections += 1
            conversation = cls(state, reader, writer)
            state.conversations.add(conversation)
            try:
                await conversation.run()
            except (_HangUp, OSError, asyncio.IncompleteReadError):
                return
            finally:
                writer.close()
                state.conversations.discard(conversation)

        return start

    async def run(self) -> None:
        crowded = len(self._state.conversations) > self._behaviour.most_connections
        self._say("421 4.7.0 too many connections" if crowded else self._behaviour.greeting)
        is_ahead = False
        while line := (await self._reader.readline()).decode("utf-8", "replace").rstrip("\r\n"):
            was_ahead, is_ahead = is_ahead, self._has_more
            self._state.commands.append(line)
            self._state.said_ahead += is_ahead
            if was_ahead and self._behaviour.ahead != "take":
                if self._behaviour.ahead != "drop":
                    self._say(self._behaviour.ahead)
                continue
            await asyncio.sleep(self._behaviour.pause(line))
            match line[:4].upper():
                case "QUIT":
                    self._say("221 bye")
                    return
                case "DATA":
                    await self._data()
                case "STAR" if self._behaviour.tls:
                    self._say("220 go ahead" + self._behaviour.injected)
                    await self._writer.start_tls(self._behaviour.tls)
                case "AUTH":
                    await self._auth(line.split()[1:])
                case verb:
                    self._say(self._answer(verb, line))

    @property
    def _has_more(self) -> bool:
        """Whether something has come that was not looked at; asyncio has no public way to tell."""
        return bool(self._reader._buffer)  # type: ignore[attr-defined]

    @property
    def _encrypted(self) -> bool:
        return self._writer.get_extra_info("ssl_object") is not None

    async def _auth(self, arguments: list[str]) -> None:
        match arguments:
            case ["PLAIN", response]:
                _, user, password = b64decode(response).decode().split("\0")
            case ["LOGIN"]:
                self._say("334 VXNlcm5hbWU6")
                user = b64decode(await self._reader.readline()).decode()
                self._say("334 UGFzc3dvcmQ6")
                password = b64decode(await self._reader.readline()).decode()
        good = (user, password) == self._behaviour.login
        self._say("235 welcome" if good else f"535 5.7.8 {user} may not come in with {password}")

    def _answer(self, verb: str, line: str) -> str | None:
        match verb:
            case "EHLO":
                if self._behaviour.ehlo is not None:
                    return self._behaviour.ehlo
                lines = ["test.example.org", *self._behaviour.extensions]
                if self._behaviour.tls and not self._encrypted:
                    lines.append("STARTTLS")
                return "\r\n".join([*(f"250-{text}" for text in lines[:-1]), f"250 {lines[-1]}"])
            case "HELO" | "NOOP":
                return "250 ok"
            case "RSET":
                self._reset()
                return "250 ok"
            case "MAIL" if self._in_transaction:
                return "503 nested MAIL"
            case "MAIL":
                self._sender = _path(line)
                is_enough = self._transactions >= self._behaviour.most_transactions
                self._state.turned_away += is_enough
                answer = self._behaviour.enough if is_enough else self._behaviour.mail(self._sender)
                self._transactions += 1
                self._in_transaction = bool(answer and answer.startswith("2"))
                return answer
            case "RCPT" if not self._in_transaction:
                return "503 MAIL first"
            case "RCPT":
                answer = self._behaviour.rcpt(_path(line))
                if answer and answer.startswith("2"):
                    self._recipient = _path(line)
                return answer
        return "502 what?"

    async def _data(self) -> None:
        recipient = self._recipient
        answer = self._behaviour.data(recipient) if recipient else self._behaviour.data_for_nobody
        self._say(answer)
        if answer is None or not answer.startswith("354"):
            return
        await asyncio.sleep(self._behaviour.pause(f"BODY {recipient}"))
        if (words := self._behaviour.within_body(recipient)) != "read on":
            await self._reader.readuntil(b"\n")
            self._say(words)
            raise _HangUp
        body = await self._body()
        self._state.bodies_with_more += self._has_more
        if not recipient:
            self._state.empty.append(body)
            self._reset()
            self._say("554 5.5.1 for nobody")
            return
        if self._behaviour.delay:
            await asyncio.sleep(self._behaviour.delay)
        answer = self._behaviour.dot(recipient)
        if answer is None or answer.startswith("2"):
            found = re.search(rb"(?im)^message-id:\s*(\S+)", body)
            message_id = found[1].decode() if found else ""
            self._state.received.append(Received(message_id, self._sender, recipient, body))
        self._reset()
        self._say(answer)

    async def _body(self) -> bytes:
        # A mail has a thousand lines: waiting for each of them would cost more than sending it.
        body = bytearray()
        while body != b".\r\n" and not body.endswith(b"\r\n.\r\n"):
            try:
                body += await self._reader.readuntil(b".\r\n")
            except asyncio.LimitOverrunError as overrun:
                body += await self._reader.readexactly(overrun.consumed)
        return bytes(b"\r\n" + body[:-3]).replace(b"\r\n.", b"\r\n")[2:]

    def _reset(self) -> None:
        self._sender = self._recipient = ""
        self._in_transaction = False

    def _say(self, answer: str | None) -> None:
        if answer is None:
            raise _HangUp
        self._writer.write(answer.encode() + b"\r\n")
        if re.search("^421", answer, re.MULTILINE):
            raise _HangUp


def _path(line: str) -> str:
    found = re.search(r"<([^>]*)>", line)
    return found[1] if found else ""
