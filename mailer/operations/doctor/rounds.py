"""Checks that run side by side, and all end in time, whatever network or disk do."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from mailer.operations.doctor.findings import Finding, Level


@dataclass(frozen=True, slots=True)
class Seen:
    """What one check came to."""

    says: str = ""  # what was seen that is as it should be, in a few words
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at."""

    name: str
    look: Callable[[], Seen]


@dataclass(frozen=True, slots=True)
class Checked:
    """A check, and what it came to."""

    name: str
    seen: Seen


def run(checks: Sequence[Check], *, seconds: float) -> list[Checked]:
    """Do all checks at the same time; what has not ended by then is left alone, and said so.

    :param seconds: until when all have to have ended.
    """
    end = time.monotonic() + seconds
    done: SimpleQueue[tuple[str, Seen | Exception]] = SimpleQueue()
    for check in checks:
        # The process does not wait for these at its end: one may hang in the system.
        threading.Thread(target=_look, args=(check, done), name=f"check {check.name}", daemon=True).start()
    ended: dict[str, Seen | Exception] = {}
    while len(ended) < len(checks):
        try:
            name, seen = done.get(timeout=max(0.0, end - time.monotonic()))
        except Empty:
            break
        ended[name] = seen
    return [Checked(check.name, _taken(check, ended.get(check.name), seconds)) for check in checks]


def _look(check: Check, done: "SimpleQueue[tuple[str, Seen | Exception]]") -> None:
    try:
        done.put((check.name, check.look()))
    except Exception as problem:  # noqa: BLE001  # the one who waits raises it
        done.put((check.name, problem))


def _taken(check: Check, ended: Seen | Exception | None, seconds: float) -> Seen:
    """:raises Exception: what a check raised: a mistake of ours."""
    if isinstance(ended, Exception):
        raise ended
    if ended is not None:
        return ended
    what = f"this check had not ended after {seconds:g} seconds"
    remedy = "See whether what it asks answers at all: its server, the disk, or the network in between."
    return Seen(findings=(Finding(Level.UNKNOWN, "check-unfinished", check.name, what, remedy),))
