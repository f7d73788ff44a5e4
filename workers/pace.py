"""The rate limit that all workers share: a token bucket in Redis, or each its share when Redis is away."""

import logging
import time
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

_KEY = "tocsin:rate"
#: Takes up to ARGV[3] tokens from a bucket that fills at ARGV[1] a second and holds ARGV[2]. By Redis's own clock, so
#: that workers on many hosts agree. Returns how many it gave, and milliseconds until there is one.
_TAKE = """
local rate, size, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(size, (tonumber(kept[1]) or 1) + math.max(0, now - (tonumber(kept[2]) or now)) * rate)
local given = math.min(wanted, math.floor(tokens))
redis.call('HSET', KEYS[1], 'tokens', tokens - given, 'at', now)
redis.call('EXPIRE', KEYS[1], 60)
local wait = 0
if given == 0 then wait = math.ceil((1 - tokens) / rate * 1000) end
return {given, wait}
"""
_SHARE_SECONDS = 1.0


class Pace:
    """Says how long to wait before the next message."""

    def __init__(self, redis: Redis, rate: float, workers_sending: Callable[[], int]) -> None:
        """:param rate: messages a second, all workers together.
        :param workers_sending: how many hold a claim now, from the database.
        """
        self._take = redis.register_script(_TAKE)
        self._rate = rate
        self._workers_sending = workers_sending
        # What is fetched at once may go out at once: a tenth of a second's worth, so that any second keeps the limit.
        self._chunk = max(1, int(rate / 10))
        self._tokens = 0
        self._next = 0.0  # when the next message may go, without Redis
        self._share = 0.0
        self._share_until = 0.0
        self._alone_since: float | None = None

    def __call__(self) -> float:
        """Take one message's allowance and return 0, or return the seconds to wait for one."""
        if self._tokens > 0:
            self._tokens -= 1
            return 0.0
        try:
            given, wait = self._take(keys=[_KEY], args=[self._rate, self._chunk, self._chunk])
        except RedisError:
            return self._without_redis()
        self._alone_since = None
        self._tokens = int(given) - 1 if given else 0
        return 0.0 if given else max(int(wait), 1) / 1000

    def _without_redis(self) -> float:
        """Never more than an equal share, counted anew every second; and nothing until the others have counted too."""
        now = time.monotonic()
        if self._alone_since is None:
            log.warning("Redis is away: each worker keeps to its share of the rate")
            self._alone_since = now
            self._next = now + 2 * _SHARE_SECONDS
        if now >= self._share_until:
            self._share = self._rate / max(self._workers_sending(), 1)
            self._share_until = now + _SHARE_SECONDS
        if now < self._next:
            return self._next - now
        self._next = max(self._next + 1 / self._share, now)
        return 0.0
