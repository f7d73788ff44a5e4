"""The doorbell: RQ on Redis tells workers that a campaign has work.

Nothing is kept here that the database does not know. A ring may be lost or doubled without harm.
"""

import logging
import re
import secrets
import time
import zlib
from collections.abc import Mapping
from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from mailer.errors import ServiceUnavailable

log = logging.getLogger(__name__)

QUEUE = "deliveries"
_DRAIN = "workers.jobs.drain"
_MAKE_KITS = "workers.jobs.make_kits"
_CONNECT_SECONDS = 5
_LOOKED_AT = 1_000  # waiting entries, before a campaign is rung for once more

#: what a ring says, to the letter, as RQ and its JSON write it: one of our functions and one whole number
_RING = re.compile(rb'\["(workers\.jobs\.(?:drain|make_kits))", null, \[([1-9][0-9]{0,17})\], \{\}\]')
_MOST_BYTES = 200  # of it, unpacked
#: what RQ would import, follow, repeat or send for a job; a ring has nothing of it
_NOT_IN_A_RING = (
    *("success_callback_name", "failure_callback_name", "stopped_callback_name", "webhooks", "meta"),
    *("dependency_id", "dependency_ids", "group_id", "rate_limit_key", "rate_limit_concurrency"),
    *("retries_left", "retry_intervals", "number_of_retries", "repeats_left", "repeat_intervals"),
)
_SAY_SECONDS = 60


class RedisUnavailable(ServiceUnavailable):
    """Redis cannot be reached: {problem}. Nothing is lost: workers find the work in the database by themselves."""


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


class NoRing(NoSuchJobError):
    """What stands in Redis is no ring."""


class Ring(Job):
    """A job that runs one of our functions with one whole number, whatever stands in Redis.

    RQ imports every dotted name that it finds there, as a function or as a callback. JSON instead of pickle does not
    prevent that. So nothing is read but the one text that we write ourselves, and it is compared to the letter.
    """

    def refresh(self) -> None:
        """Read it.

        :raises NoRing: it is something else.
        """
        names = ("data", *_NOT_IN_A_RING)
        try:
            values = cast(list[bytes | None], self.connection.hmget(self.key, names))
        except ResponseError as problem:
            if _is_of_another_type(problem):
                raise NoRing from None
            raise
        self.restore({name.encode(): value for name, value in zip(names, values, strict=True)})

    def restore(self, raw_data: Mapping[Any, Any]) -> None:
        """Take over what was read, whichever way RQ came by it.

        :raises NoRing: it is something else.
        """
        if any(raw_data.get(name.encode()) for name in _NOT_IN_A_RING):
            raise NoRing
        said = _RING.fullmatch(_unpack(raw_data.get(b"data") or b""))
        if said is None:
            raise NoRing
        self._func_name, self._instance = said[1].decode(), None
        self._args, self._kwargs = (int(said[2]),), {}
        self.origin, self.timeout, self.result_ttl = QUEUE, -1, 0


def _unpack(data: bytes) -> bytes:
    """What was compressed, up to the length that a ring has; nothing where it is broken or longer."""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(data, _MOST_BYTES)
    except zlib.error:
        return b""
    return text if unpacking.eof else b""


class Rings:
    """The queue as a worker reads it: what is no ring is dropped and counted."""

    def __init__(self, connection: Redis) -> None:
        """Nothing is read yet."""
        self._connection = connection
        self._key = open_queue(connection).key
        self._dropped = 0  # since it was last said
        self._said_at = -float(_SAY_SECONDS)

    def wait(self, seconds: float) -> Ring | None:
        """Take the next ring; None if nothing came for so long. It is gone from Redis then: rings may be lost.

        :raises RedisError: Redis is away, or does not let us.
        """
        while (entry := self._pop(seconds)) is not None:
            ring = self._take(entry)
            if ring is not None:
                return ring
            self._dropped += 1
            self._say()
        self._say()
        return None

    def _pop(self, seconds: float) -> bytes | None:
        try:
            popped = cast(tuple[bytes, bytes] | None, self._connection.blpop([self._key], timeout=seconds))
        except ResponseError as problem:
            if not _is_of_another_type(problem):
                raise
            self._connection.delete(self._key)
            return b""  # as one entry that names nothing
        return popped[1] if popped else None

    def _take(self, entry: bytes) -> Ring | None:
        """The ring that an entry names, in whatever bytes; None if it names none."""
        try:
            ring = Ring(entry.decode("ascii"), connection=self._connection, serializer=JSONSerializer)
            ring.refresh()
        except (ValueError, NoRing):  # it cannot name a job, or names something else
            ring = None
        self._connection.delete(Ring.redis_job_namespace_prefix.encode() + entry)
        return ring

    def _say(self) -> None:
        """Once a minute: they may come thousandfold. What they hold is nobody's business."""
        now = time.monotonic()
        if self._dropped and now - self._said_at >= _SAY_SECONDS:
            log.warning("dropped what is no job of ours from the queue in Redis", extra={"entries": self._dropped})
            self._dropped, self._said_at = 0, now


def _is_of_another_type(problem: ResponseError) -> bool:
    """Whether Redis refuses because something else than what we keep there stands under a key."""
    return str(problem).startswith("WRONGTYPE")


def open_queue(connection: Redis) -> Queue:
    """The queue that workers listen on, of rings alone."""
    return Queue(QUEUE, connection=connection, job_class=Ring, serializer=JSONSerializer)


def ring(connection: Redis, campaign_id: int, *, first: bool = False) -> None:
    """Tell the workers that a campaign has mail to send. Call it after the commit.

    :param first: before every other: somebody waits for it. One that is at the front already will do.
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
        # As bytes: others than we may have written there.
        waiting = cast(list[bytes], connection.lrange(queue.key, 0, 0 if first else _LOOKED_AT - 1))
        if any(job_id.startswith(prefix.encode()) for job_id in waiting):
            return  # one that waits will do; workers that join ring for the next
        queue.enqueue(
            job,
            campaign_id,
            job_id=prefix + secrets.token_hex(8),
            at_front=first,
            job_timeout=-1,  # RQ's is an exception in the middle of whatever runs; a job ends itself after a minute
            result_ttl=0,
        )
    except RedisError as problem:
        raise RedisUnavailable(problem=problem) from problem
