"""Waiting for what another process or thread does. The limits are for what hangs; nothing is measured."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LONG = 180  # seconds that a busy machine may take


def wait_for(find: Callable[[], T | None], *, seconds: float = LONG) -> T:
    """Ask again and again until there is an answer."""
    end = time.monotonic() + seconds
    while (found := find()) is None:
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)
    return found


def wait_until(is_so: Callable[[], object], *, seconds: float = LONG) -> None:
    """Ask again and again until it is so."""
    wait_for(lambda: is_so() or None, seconds=seconds)
