"""The rate limit that all workers share: a token bucket in Redis, or each its share when Redis is away.

No second sees more than the limit, whatever becomes of Redis, because nobody begins on one of the two while somebody
may still be on the other: who loses Redis waits until the rest must have noticed, and a bucket that is new, or that
somebody comes back to, gives nothing for as long.
"""

import logging
import time
from collections.abc import Callable

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from mailer.errors import ServiceUnavailable

log = logging.getLogger(__name__)

_KEY = "tocsin:rate"
#: Takes up to ARGV[3] tokens from a bucket that fills at ARGV[1] a second and holds ARGV[2]. A new one starts to fill
#: after ARGV[4] seconds, and so does one that a worker comes back to (ARGV[5] is 1). By Redis's own clock, so that
#: workers on many hosts agree. Returns how many it gave, and milliseconds until there is one.
_TAKE = """
local rate, size, wanted, quiet = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(kept[1]), tonumber(kept[2])
if not at or at > now + quiet or ARGV[5] == '1' then
    tokens, at = 0, now + quiet
elseif now > at then
    tokens, at = math.min(size, tokens + (now - at) * rate), now
end
local given = math.min(wanted, math.floor(tokens))
redis.call('HSET', KEYS[1], 'tokens', tokens - given, 'at', at)
local wait = 0
if given == 0 then wait = math.ceil((at - now + (1 - tokens) / rate) * 1000) end
return {given, wait}
"""
#: seconds for which the bucket keeps what was not fetched: a worker may ask so late and lose nothing
_BUCKET_SECONDS = 0.04
#: seconds' worth of tokens that are fetched at once, and for which they are good
_CHUNK_SECONDS = 0.01
#: by how much one message may take longer than another from here to the server
_WIRE_SECONDS = 0.02
#: seconds between two attempts to reach a Redis that is away, and that one attempt may take
_TRY_SECONDS = 1.0
_ANSWER_SECONDS = 0.5
#: by then every worker has noticed that Redis went or came back, and has counted who else is sending
_QUIET_SECONDS = 2.0


class Pace:
    """Says how long to wait before the next message."""

    def __init__(
        self,
        redis_url: str,
        rate: float,
        workers_sending: Callable[[], int],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is connected yet.

        :param rate: messages a second, all workers together.
        :param workers_sending: how many hold a claim now, from the database.
        :param clock: seconds that only grow; what counts while Redis is away, and how long what was fetched is good.
        """
        # A client of its own, since the usual one sleeps for seconds between its retries: the wire waits for this one.
        self._redis = Redis.from_url(
            redis_url,
            socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._take = self._redis.register_script(_TAKE)
        # What is saved up or held up comes on top of what a second brings in, so it brings in that much less.
        self._rate = rate / (1 + _BUCKET_SECONDS + _CHUNK_SECONDS + _WIRE_SECONDS)
        self._size = 1 + self._rate * _BUCKET_SECONDS
        self._chunk = max(1, int(self._rate * _CHUNK_SECONDS))
        self._tokens = 0
        self._clock = clock
        self._tokens_until = 0.0  # by that clock, as all that follow
        self._ask_redis_at = 0.0
        self._workers_sending = workers_sending
        self._alone = False
        self._on_share = False  # something was sent without Redis
        self._share = 0.0  # messages a second; 0 when it was never counted
        self._share_until = 0.0
        self._next = 0.0  # when the next message may go, without Redis

    def __call__(self) -> float:
        """Take one message's allowance and return 0, or return the seconds to wait for one."""
        now = self._clock()
        if self._tokens and now < self._tokens_until:
            self._tokens -= 1
            return 0.0
        if now < self._ask_redis_at:
            return self._without_redis(now)
        terms = [self._rate, self._size, self._chunk, _QUIET_SECONDS, int(self._on_share)]
        try:
            given, wait = self._take(keys=[_KEY], args=terms)
        except RedisError:
            now = self._clock()
            self._ask_redis_at = now + _TRY_SECONDS
            return self._without_redis(now)
        self._alone = self._on_share = False
        if not given:
            return float(wait) / 1000
        self._tokens = int(given) - 1
        self._tokens_until = now + _CHUNK_SECONDS
        return 0.0

    def close(self) -> None:
        """Hang up."""
        self._redis.close()

    def _without_redis(self, now: float) -> float:
        """An equal share, counted anew every second; and nothing until the others have counted too."""
        if not self._alone:
            log.warning("Redis is away: start it; until then, each worker keeps to its share of the rate")
            self._alone = True
            self._next = now + _QUIET_SECONDS
        if now >= self._share_until:
            self._count_share()
            self._share_until = now + _TRY_SECONDS
        if now < self._next or not self._share:
            return max(self._next - now, 0.01)
        self._next = max(self._next, now - _BUCKET_SECONDS) + 1 / self._share
        self._on_share = True
        return 0.0

    def _count_share(self) -> None:
        """Without the database the share stays as it was: nobody can claim, so nobody has joined."""
        try:
            self._share = self._rate / max(self._workers_sending(), 1)
        except ServiceUnavailable as problem:
            log.warning("%s The share of the rate stays as it was.", problem)
