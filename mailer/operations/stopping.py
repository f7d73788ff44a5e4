"""The wish that a process stops, as SIGTERM and SIGINT bring it."""

import signal
import time
from types import FrameType

_STEP_SECONDS = 0.1


class Stop:
    """Becomes true when the process is told to end, so that what was begun can be finished first.

    A handler does nothing but set it: it runs in the middle of whatever the main thread does, and would wait for ever
    for a lock, as of an event, that this holds.
    """

    def __init__(self) -> None:
        self._asked = False

    def __call__(self) -> bool:
        return self._asked

    def listen(self) -> "Stop":
        """Take SIGTERM and SIGINT as the wish to stop."""
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)
        return self

    def wait(self, seconds: float) -> None:
        """Let time go by, until told to stop."""
        end = time.monotonic() + seconds
        while not self._asked and time.monotonic() < end:
            time.sleep(_STEP_SECONDS)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self._asked = True
