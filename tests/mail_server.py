"""An SMTP server for tests, independent of the code under test: it records, and misbehaves on request."""

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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
    """How the server answers. A reply of None hangs up without a word."""

    extensions: tuple[str, ...] = _EXTENSIONS
    greeting: str = "220 test.example.org ESMTP"
    mail: Callable[[str], str | None] = lambda _: "250 2.1.0 ok"
    rcpt: Callable[[str], str | None] = lambda _: "250 2.1.5 ok"
    #: asked before the body is read
    data: Callable[[str], str | None] = lambda _: "354 go on"
    #: asked after the body was read; what starts with 2 or is None counts as taken
    dot: Callable[[str], str | None] = lambda _: "250 2.0.0 queued"
    #: seconds between the dot and its answer
    delay: float = 0.0


@dataclass
class MailServer:
    """A running server. `received` grows at each final dot, before the answer is sent."""

    port: int
    behaviour: Behaviour
    received: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """As MAILER_SMTP_URL."""
        return f"smtp://127.0.0.1:{self.port}"

    def copies(self) -> Counter[str]:
        """How often each recipient's message was taken."""
        return Counter(message.recipient for message in list(self.received))

    def wait_for(self, count: int, *, seconds: float = 30) -> None:
        """Wait until so many messages were taken."""
        end = time.monotonic() + seconds
        while len(self.received) < count:
            assert time.monotonic() < end, f"{len(self.received)} of {count} messages after {seconds} s"
            time.sleep(0.005)


@contextmanager
def running(behaviour: Behaviour | None = None) -> Iterator[MailServer]:
    """A server on a free port of this machine, in a thread of its own, for the length of the block."""
    state = MailServer(port=0, behaviour=behaviour or Behaviour())
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(_Conversation.starter(state), "127.0.0.1", 0, limit=2**22))
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

    @classmethod
    def starter(cls, state: MailServer) -> "Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]":
        async def start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            state.connections += 1
            try:
                await cls(state, reader, writer).run()
            except (_HangUp, ConnectionError, asyncio.IncompleteReadError):
                return
            finally:
                writer.close()

        return start

    async def run(self) -> None:
        self._say(self._behaviour.greeting)
        while line := (await self._reader.readline()).decode("utf-8", "replace").rstrip("\r\n"):
            self._state.commands.append(line)
            verb = line[:4].upper()
            if verb == "QUIT":
                self._say("221 bye")
                return
            if verb == "DATA":
                await self._data()
            else:
                self._say(self._answer(verb, line))

    def _answer(self, verb: str, line: str) -> str | None:
        match verb:
            case "EHLO":
                lines = ["test.example.org", *self._behaviour.extensions]
                return "\r\n".join([*(f"250-{text}" for text in lines[:-1]), f"250 {lines[-1]}"])
            case "HELO" | "NOOP":
                return "250 ok"
            case "RSET":
                self._sender = self._recipient = ""
                return "250 ok"
            case "MAIL":
                self._sender = _path(line)
                return self._behaviour.mail(self._sender)
            case "RCPT":
                answer = self._behaviour.rcpt(_path(line))
                if answer and answer.startswith("2"):
                    self._recipient = _path(line)
                return answer
        return "502 what?"

    async def _data(self) -> None:
        recipient = self._recipient
        if not recipient:
            self._say("503 no recipient")
            return
        answer = self._behaviour.data(recipient)
        self._say(answer)
        if answer is None or not answer.startswith("354"):
            return
        body = b""
        while (line := await self._reader.readuntil(b"\n")) != b".\r\n":
            body += line[1:] if line.startswith(b".") else line
        if self._behaviour.delay:
            await asyncio.sleep(self._behaviour.delay)
        answer = self._behaviour.dot(recipient)
        if answer is None or answer.startswith("2"):
            found = re.search(rb"(?im)^message-id:\s*(\S+)", body)
            message_id = found[1].decode() if found else ""
            self._state.received.append(Received(message_id, self._sender, recipient, body))
        self._sender = self._recipient = ""
        self._say(answer)

    def _say(self, answer: str | None) -> None:
        if answer is None:
            raise _HangUp
        self._writer.write(answer.encode() + b"\r\n")
        if answer.startswith("421"):
            raise _HangUp


def _path(line: str) -> str:
    found = re.search(r"<([^>]*)>", line)
    return found[1] if found else ""
