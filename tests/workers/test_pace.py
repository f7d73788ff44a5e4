"""The rate limit: no second sees more than it, whatever becomes of Redis, and little of it is wasted."""

import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from mailer.store.db import DatabaseUnavailable
from mailer.trial.valkey import embedded_valkey
from tests.support.waiting import wait_for
from workers.pace import Pace

RATE = 50
WORKERS = 3
#: Takes what it is allowed to, and writes down when: by a clock that all processes of a machine share.
_WORKER = f"""
import sys, time
from workers.pace import Pace
pace = Pace(sys.argv[1], {RATE}, lambda: {WORKERS})
with open(sys.argv[2], "w", buffering=1) as times:
    while True:
        if delay := pace():
            time.sleep(min(delay, 0.1))
        else:
            times.write(f"{{time.monotonic()}}\\n")
"""


@contextmanager
def working(redis_url: str, folder: Path) -> Iterator[None]:
    """Several processes that send as much as they may."""
    workers = [
        subprocess.Popen([sys.executable, "-c", _WORKER, redis_url, folder / f"{number}.times"])
        for number in range(WORKERS)
    ]
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def times(folder: Path) -> list[float]:
    """When each message went, in order."""
    lines = [line for file in folder.glob("*.times") for line in file.read_text().split("\n")[:-1]]
    return sorted(map(float, lines))


def busiest_second(sent: Sequence[float]) -> int:
    """The most that went within any second."""
    return max(bisect_left(sent, start + 1) - number for number, start in enumerate(sent))


def asked(redis_url: str) -> int:
    """How often somebody has asked there for what may be sent."""
    with redis.Redis.from_url(redis_url) as connection:
        return int(connection.info("commandstats")["cmdstat_evalsha"]["calls"])


def wait_until_sending(folder: Path, *, since: float) -> float:
    """Wait until something goes; returns when it did."""
    return wait_for(lambda: next((moment for moment in times(folder) if moment > since), None))


def test_several_workers_keep_to_one_rate_while_redis_comes_and_goes(tmp_path: Path) -> None:
    socket = tmp_path / "valkey.sock"
    with working(f"unix://{socket}", tmp_path):
        ends: list[tuple[float, float]] = []
        for there in (True, False, True):
            with embedded_valkey(socket) if there else _nothing():
                begins = wait_until_sending(tmp_path, since=time.monotonic())
                if ends:  # what was allowed before the change is out, and everyone has noticed it
                    begins = wait_until_sending(tmp_path, since=time.monotonic() + 1.2)
                time.sleep(max(0.0, begins + 2 - time.monotonic()))
                ends.append((begins, time.monotonic()))
    sent = times(tmp_path)
    assert busiest_second(sent) <= RATE + WORKERS  # each may be held up between being allowed and writing it down
    for begins, end in ends:
        assert sum(begins <= moment < end for moment in sent) >= 0.5 * RATE * (
            end - begins
        )  # it goes on; how fast, a busy machine says


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def test_a_worker_alone_at_a_high_rate_is_never_over_it(valkey_url: str) -> None:
    pace = Pace(valkey_url, 2000, lambda: 1)
    while pace():
        time.sleep(0.01)
    sent = [time.monotonic()]
    while sent[-1] < sent[0] + 1.5:
        if delay := pace():
            time.sleep(delay)
        else:
            sent.append(time.monotonic())
    pace.close()
    assert busiest_second(sent) <= 2001


def test_what_may_be_sent_is_fetched_for_many_messages_at_once(tmp_path: Path) -> None:
    with embedded_valkey(tmp_path / "valkey.sock") as url:  # its own, since it counts for all its clients together
        pace = Pace(url, 2000, lambda: 1)
        while pace():
            time.sleep(0.01)
        time.sleep(0.1)  # something has gathered
        before = asked(url)
        assert [pace() for _ in range(40)] == [0.0] * 40
        assert asked(url) - before <= 10
        pace.close()


def test_what_was_fetched_is_not_saved_up(valkey_url: str) -> None:
    paces = [Pace(valkey_url, 1000, lambda: 1) for _ in range(10)]
    for pace in paces:
        while pace():
            time.sleep(0.001)
    time.sleep(0.5)
    at_once, began = 0, time.monotonic()
    for pace in paces:
        while not pace():
            at_once += 1
        pace.close()
    assert at_once < 1000 * (0.08 + time.monotonic() - began)  # meanwhile there is more


def test_who_comes_back_to_redis_halts_everyone_until_nobody_keeps_to_a_share(tmp_path: Path) -> None:
    with embedded_valkey(tmp_path / "valkey.sock") as url:
        late = tmp_path / "late.sock"
        cut_off, connected = Pace(f"unix://{late}", 50, lambda: 2), Pace(url, 50, lambda: 2)
        while connected() or cut_off():
            time.sleep(0.01)
        late.symlink_to("valkey.sock")
        time.sleep(1)
        assert cut_off() > 1.5
        assert connected() > 0.5  # of the same two seconds; without a halt it would be a fiftieth
        connected.close()
        cut_off.close()


def test_without_redis_nothing_goes_until_everyone_has_noticed_and_then_a_share(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 100.0
    pace = Pace("redis://127.0.0.1:1", 40, lambda: 4, clock=lambda: now)
    assert pace() == 2
    now += 1.99
    assert pace() == pytest.approx(0.01)
    now += 0.01
    assert pace() == 0
    assert 0.1 <= pace() < 0.11  # a quarter of the rate
    assert [record.message for record in caplog.records] == [
        "Redis is away: start it; until then, each worker keeps to its share of the rate"
    ]


def test_without_redis_and_database_nothing_is_begun_on_a_guess() -> None:
    def away() -> int:
        raise DatabaseUnavailable(problem="it is away")

    now = 100.0
    pace = Pace("redis://127.0.0.1:1", 1000, away, clock=lambda: now)
    for _ in range(60):
        assert pace() > 0
        now += 0.1
