"""The doorbell: RQ on Redis tells workers that a campaign has work.

Nothing is kept here that the database does not know. A ring may be lost or doubled without harm.
"""

import secrets

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from mailer.errors import ServiceUnavailable

QUEUE = "deliveries"
_DRAIN = "workers.jobs.drain"
_MAKE_KITS = "workers.jobs.make_kits"
_CONNECT_SECONDS = 5


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


def open_queue(connection: Redis) -> Queue:
    """The queue that workers listen on. JSON, because reading a pickle from Redis runs what it says."""
    return Queue(QUEUE, connection=connection, serializer=JSONSerializer)


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
        waiting = queue.get_job_ids(0, 1) if first else queue.get_job_ids()
        if any(job_id.startswith(prefix) for job_id in waiting):
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
