"""Of the mails that sign-ups owe, as many go at once as all together may have, and the others at that pace."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from mailer.operations.queue import connect
from mailer.trial.valkey import embedded_valkey
from mailer.web import turns
from mailer.web.turns import MOST, Turns

DAY = timedelta(days=1)
NOW = timedelta()
_LATE = timedelta(minutes=10)  # of a test on a busy machine; a turn of one of ten mails a day comes after 144 minutes
TEN_A_DAY = ((DAY, 10),)


@pytest.fixture
def connection(valkey_url: str) -> redis.Redis:
    return connect(valkey_url)


def about(expected: timedelta) -> Callable[[timedelta], bool]:
    return lambda wait: expected - _LATE < wait <= expected


def take(counted: Turns, mails: int) -> list[timedelta]:
    return [counted.wait(counts=True) for _ in range(mails)]


def away() -> redis.Redis:
    return connect("unix:///nowhere/valkey.sock")


def test_what_is_more_than_may_go_at_once_goes_at_that_pace(connection: redis.Redis) -> None:
    waits = take(Turns(connection, TEN_A_DAY, share=4), 15)
    assert waits[:10] == [NOW] * 10
    for number, wait in enumerate(waits[10:], start=1):
        assert about(number * DAY / 10)(wait), number


def test_all_processes_count_together(connection: redis.Redis, valkey_url: str) -> None:
    take(Turns(connection, TEN_A_DAY, share=4), 9)
    other = Turns(connect(valkey_url), TEN_A_DAY, share=4)
    assert other.wait(counts=True) == NOW
    assert about(DAY / 10)(other.wait(counts=True))


def test_each_of_several_rates_holds(connection: redis.Redis) -> None:
    counted = Turns(connection, ((timedelta(days=10), 6), (DAY, 4)), share=4)
    waits = take(counted, 8)
    assert waits[:4] == [NOW] * 4
    for number in (4, 5):
        assert about((number - 3) * DAY / 4)(waits[number])
    assert waits[6] > MOST  # the seventh in ten days


def test_nobody_waits_longer_than_a_day_and_who_cannot_be_served_takes_no_turn(connection: redis.Redis) -> None:
    counted = Turns(connection, TEN_A_DAY, share=4)
    waits = take(counted, 25)
    assert all(wait <= MOST for wait in waits[:20])
    assert {about(11 * DAY / 10)(wait) for wait in waits[20:]} == {True}


@pytest.mark.parametrize("is_there", [True, False])
def test_what_is_not_sent_takes_no_turn(connection: redis.Redis, *, is_there: bool) -> None:
    counted = Turns(connection if is_there else None, TEN_A_DAY, share=1)
    for _ in range(30):
        assert counted.wait(counts=False) == NOW
    take(counted, 10)
    assert about(DAY / 10)(counted.wait(counts=False))  # it is told the same as who is sent one


@pytest.mark.parametrize("lost", [None, away], ids=["none", "away"])
def test_a_process_that_cannot_count_with_others_allows_its_share(lost: Callable[[], redis.Redis] | None) -> None:
    counted = Turns(lost() if lost else None, ((DAY, 12),), share=4)
    waits = take(counted, 7)
    assert waits[:3] == [NOW] * 3
    for number, wait in enumerate(waits[3:6], start=1):
        assert about(number * DAY / 3)(wait), number
    assert waits[6] > MOST


def test_a_redis_that_was_away_is_asked_again_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 1_000.0
    monkeypatch.setattr("mailer.web.turns.time.monotonic", lambda: now)
    socket = tmp_path / "valkey.sock"
    counted = Turns(connect(f"unix://{socket}"), TEN_A_DAY, share=10)
    assert take(counted, 2)[1] > NOW
    with embedded_valkey(socket):
        assert counted.wait(counts=True) > NOW  # not yet
        now += 5
        assert counted.wait(counts=True) == NOW
    assert len(caplog.records) == 1


@pytest.mark.parametrize("strange", ["", "nonsense", "nan", "inf", "-inf", "1e300", "0", "-5", "9" * 400])
def test_whatever_stands_in_redis_nobody_is_kept_waiting_for_it(connection: redis.Redis, strange: str) -> None:
    counted = Turns(connection, TEN_A_DAY, share=4)
    take(counted, 1)
    (key,) = connection.keys("tocsin:turns:*")
    connection.set(key, strange)
    assert counted.wait(counts=True) == NOW
    connection.delete(key)
    connection.rpush(key, "a list")
    assert counted.wait(counts=True) == NOW


def test_what_is_counted_is_forgotten_with_its_period(connection: redis.Redis) -> None:
    take(Turns(connection, TEN_A_DAY, share=4), 20)
    (key,) = connection.keys("tocsin:turns:*")
    assert connection.ttl(key) <= (DAY + turns.MOST).total_seconds() + 1
