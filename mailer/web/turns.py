"""When the mail that a sign-up owes has its turn: at once; or, while more people sign up than all together may, later.

Nobody is turned away because others sign up too. What is more than the rates allow goes out at their pace. Counted in
Redis, for all processes; while that is away, each process allows a part of the rates.
"""

import logging
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from flask import Flask, current_app
from redis import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

#: how much later a mail may go. Its link works for a week, and nobody waits that long.
MOST = timedelta(days=1)

#: Each rate is a clock that every mail puts forward by its share of the period (a generic cell rate algorithm). It may
#: run ahead by the period; a mail that would put it further ahead waits until it would not. Times are Redis's own, so
#: that processes on many hosts agree. ARGV: 1 to count this mail, the most seconds that it may wait, then of each rate
#: its period and its number of mails. Returns milliseconds.
_TAKE = """
local clock = redis.call('TIME')
local now, most = clock[1] + clock[2] / 1000000, tonumber(ARGV[2])
local wait, ahead = 0, {}
for number, key in ipairs(KEYS) do
    local period, mails = tonumber(ARGV[2 * number + 1]), tonumber(ARGV[2 * number + 2])
    local kept = tonumber(redis.call('GET', key)) or now
    if kept < now or kept > now + period + most then kept = now end
    ahead[number] = kept - now + period / mails
    wait = math.max(wait, ahead[number] - period)
end
if ARGV[1] == '1' and wait <= most then
    for number, key in ipairs(KEYS) do
        redis.call('SET', key, string.format('%.6f', now + ahead[number]), 'EX', math.ceil(ahead[number]) + 1)
    end
end
return math.ceil(wait * 1000)
"""
#: seconds for which nobody asks a Redis that was away
_LOST_SECONDS = 5.0
_EXTENSION = "turns"

Pace = Sequence[tuple[timedelta, int]]  # periods, and how many mails each may have


class Turns:
    """Hands out turns."""

    def __init__(self, redis: Redis | None, pace: Pace, *, share: int) -> None:
        """Nothing is connected yet.

        :param share: of the pace, the part that a process allows which cannot count together with the others.
        """
        self._redis = redis
        self._script = redis.register_script(_TAKE) if redis is not None else None
        self._ask_redis_at = 0.0  # monotonic seconds
        self._pace = pace
        self._share = share
        self._ahead = [0.0] * len(pace)  # what the script keeps, by this process alone: monotonic seconds
        self._alone = threading.Lock()

    def wait(self, *, counts: bool) -> timedelta:
        """How long a mail has to wait; more than `MOST` if there is no turn for it.

        :param counts: whether it will be sent: the turn is taken then.
        """
        if self._script is not None and time.monotonic() >= self._ask_redis_at:
            terms = [int(counts), MOST.total_seconds()]
            for period, mails in self._pace:
                terms += [period.total_seconds(), mails]
            keys = [f"tocsin:turns:{int(period.total_seconds())}" for period, _ in self._pace]
            try:
                return timedelta(milliseconds=int(self._script(keys=keys, args=terms)))
            except RedisError as problem:
                log.warning("Redis is away: start it; this process counts sign-ups for itself (%s)", problem)
                self._ask_redis_at = time.monotonic() + _LOST_SECONDS
        return self._wait_alone(counts=counts)

    def _wait_alone(self, *, counts: bool) -> timedelta:
        with self._alone:
            now = time.monotonic()
            ahead = [
                max(kept - now, 0.0) + period.total_seconds() / max(mails // self._share, 1)
                for kept, (period, mails) in zip(self._ahead, self._pace, strict=True)
            ]
            behind = (each - period.total_seconds() for each, (period, _) in zip(ahead, self._pace, strict=True))
            wait = timedelta(seconds=max(0.0, *behind))
            if counts and wait <= MOST:
                self._ahead = [now + each for each in ahead]
            return wait


def init(app: Flask, redis: Redis | None, pace: Pace, *, share: int) -> None:
    """Let an app hand out turns; the parameters are those of `Turns`."""
    app.extensions[_EXTENSION] = Turns(redis, pace, share=share)


def wait(*, counts: bool) -> timedelta:
    """As `Turns.wait`, in the app that serves the current request."""
    return cast(Turns, current_app.extensions[_EXTENSION]).wait(counts=counts)
