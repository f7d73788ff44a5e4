"""What was worked out a moment ago is worked out once, and never shown for longer than it is good."""

from threading import Event

import pytest

from mailer.web.desk.recent import Recent
from tests.support.concurrency import Beside


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_value_is_good_for_two_seconds() -> None:
    clock, made = Clock(), list[float]()
    recent: Recent[int] = Recent(clock=clock)

    def make() -> int:
        made.append(clock.now)
        return len(made)

    assert [recent.get("a", make), recent.get("a", make), recent.get("b", make)] == [1, 1, 2]
    clock.now += 1.9
    assert recent.get("a", make) == 1
    clock.now += 0.2
    assert recent.get("a", make) == 3


def test_who_only_peeks_has_nothing_worked_out_and_is_told_nothing_that_is_old() -> None:
    clock = Clock()
    recent: Recent[int] = Recent(clock=clock)
    assert recent.peek("a", seconds=10) is None
    recent.get("a", lambda: 1)
    clock.now += 9
    assert recent.peek("a", seconds=10) == 1
    clock.now += 2
    assert recent.peek("a", seconds=10) is None


def test_who_comes_while_it_is_worked_out_anew_gets_the_last_one_and_who_comes_first_waits() -> None:
    clock, begun, go_on = Clock(), Event(), Event()
    recent: Recent[str] = Recent(clock=clock)
    got: list[str] = []

    def slowly() -> str:
        begun.set()
        assert go_on.wait(20)
        return "new"

    first = Beside(lambda: got.append(recent.get("a", slowly)))
    assert begun.wait(20)
    second = Beside(lambda: got.append(recent.get("a", lambda: "other")))
    second.must_wait()
    go_on.set()
    first.result()
    second.result()
    assert got == ["new", "new"]
    clock.now += 3
    begun.clear()
    go_on.clear()
    third = Beside(lambda: recent.get("a", slowly))
    assert begun.wait(20)
    assert recent.get("a", lambda: "other") == "new"
    go_on.set()
    third.result()


def test_what_fails_is_tried_again_by_the_next_one() -> None:
    recent: Recent[str] = Recent()

    def fail() -> str:
        raise ValueError("no database")

    with pytest.raises(ValueError, match="no database"):
        recent.get("a", fail)
    assert recent.get("a", lambda: "there") == "there"


def test_not_more_is_kept_than_there_is_room_for() -> None:
    recent: Recent[int] = Recent()
    for number in range(600):
        recent.get(number, lambda: 1)
    assert len(recent._kept) == 500


def test_what_takes_long_is_worked_out_less_often() -> None:
    clock, made = Clock(), list[float]()
    recent: Recent[int] = Recent(clock=clock)

    def slowly() -> int:
        made.append(clock.now)
        clock.now += 0.2
        return len(made)

    assert recent.get("a", slowly) == 1
    clock.now += 11.9
    assert recent.get("a", slowly) == 1
    clock.now += 0.2
    assert recent.get("a", slowly) == 2
