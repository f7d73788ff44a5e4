"""Mail servers on loopback that throw away what they get: Postfix's smtp-sink, and one that answers late.

`python -m mailer.bench.sinks SECONDS` runs the second and prints its port.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mailer.errors import ServiceUnavailable

HOST = "127.0.0.1"
_PATH = os.pathsep.join((*os.get_exec_path(), "/usr/sbin"))  # the last is where Debian puts smtp-sink
_START_SECONDS = 60
_BACKLOG = "100"


class SinkBroken(ServiceUnavailable):
    """A server that is measured or sent to did not start: {command}"""


def smtp_sink() -> str | None:
    """The path of Postfix's smtp-sink, if this machine has it."""
    return shutil.which("smtp-sink", path=_PATH)


@contextmanager
def running_sink(*, answer_seconds: float = 0.0) -> Iterator[int]:
    """A sink in a process of its own, until the end of the block. Yields its port.

    :param answer_seconds: between a message's final dot and the answer to it, the other connections not held up. Only
        our own sink can wait for less than a second; without waiting, smtp-sink is taken where there is one.
    :raises SinkBroken: it does not start.
    """
    found = smtp_sink()
    if found is not None and not answer_seconds:
        # As root it wants to be told whom to run as.
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        port = free_port()
        command = [found, *user, f"{HOST}:{port}", _BACKLOG]
        with _running(command):
            wait_for(port, command)
            yield port
    else:
        command = [sys.executable, "-m", __name__, str(answer_seconds)]
        with _running(command) as process:
            line = process.stdout.readline() if process.stdout else b""
            if not line.strip().isdigit():
                raise SinkBroken(command=" ".join(command))
            yield int(line)


@contextmanager
def _running(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - ours
        try:
            yield process
        finally:
            process.terminate()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_for(port: int, command: list[str]) -> None:
    """Wait until a server answers.

    :raises SinkBroken: it does not, within a minute.
    """
    give_up = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection((HOST, port)).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > give_up:
                raise SinkBroken(command=" ".join(command)) from None
            time.sleep(0.02)


# --- our own ----------------------------------------------------------------------------------------------------------

_EHLO = b"250-sink.example.org\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n"
_REPLIES = {
    b"EHLO": _EHLO,
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}
_END = b"\r\n.\r\n"


class _Conversation(asyncio.Protocol):
    """One connection. What follows a final dot is heard when that dot has been answered, as by a real server."""

    def __init__(self, answer_seconds: float) -> None:
        self._answer_seconds = answer_seconds
        self._received = bytearray()
        self._in_body = False
        self._answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a socket
        self._transport = transport
        transport.write(b"220 sink.example.org ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._go_on()

    def _go_on(self) -> None:
        replies = []
        while not self._answering and (end := self._received.find(_END if self._in_body else b"\r\n")) >= 0:
            if self._in_body:
                del self._received[: end + len(_END)]
                self._in_body = False
                if self._answer_seconds:
                    self._answering = True
                    asyncio.get_running_loop().call_later(self._answer_seconds, self._answer)
                else:
                    replies.append(b"250 2.0.0 Ok\r\n")
            else:
                verb = bytes(self._received[:4]).upper()
                del self._received[: end + 2]
                self._in_body = verb == b"DATA"
                replies.append(b"354 Go on\r\n" if self._in_body else _REPLIES.get(verb, b"502 5.5.1 Unknown\r\n"))
        if replies:
            self._transport.write(b"".join(replies))

    def _answer(self) -> None:
        self._transport.write(b"250 2.0.0 Ok\r\n")
        self._answering = False
        self._go_on()


async def _serve(answer_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Conversation(answer_seconds), HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - for who started it
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
