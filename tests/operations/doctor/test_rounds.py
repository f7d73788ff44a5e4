"""Checks run side by side, and end in time."""

import threading

import pytest

from mailer.operations.doctor import rounds
from mailer.operations.doctor.findings import Level
from mailer.operations.doctor.rounds import Check, Seen


def test_checks_run_at_the_same_time_and_are_told_in_order() -> None:
    both = threading.Barrier(2)

    def meet() -> Seen:
        both.wait(30)
        return Seen("met")

    found = rounds.run([Check("one", meet), Check("two", meet)], seconds=30)
    assert [(each.name, each.seen.says) for each in found] == [("one", "met"), ("two", "met")]


def test_what_does_not_end_is_left_alone_and_said() -> None:
    hangs = threading.Event()

    def hang() -> Seen:
        hangs.wait(60)
        return Seen("too late")

    found = rounds.run([Check("slow", hang), Check("quick", lambda: Seen("well"))], seconds=0.2)
    hangs.set()
    assert [(finding.level, finding.code) for finding in found[0].seen.findings] == [
        (Level.UNKNOWN, "check-unfinished")
    ]
    assert found[1].seen.says == "well"


def test_a_mistake_of_ours_is_not_hidden() -> None:
    def fail() -> Seen:
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        rounds.run([Check("wrong", fail)], seconds=30)
