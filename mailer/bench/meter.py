"""What a piece of work cost the processes that did it."""

import re
import resource
import time
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Cost:
    """What work cost one process."""

    began: float  # seconds by the machine's monotonic clock, which all its processes share
    ended: float
    cpu_seconds: float  # user and system, all threads
    peak_bytes: int  # of resident memory, since the process started


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement: how many messages, and what they cost each process that sent them."""

    messages: int
    costs: tuple[Cost, ...]

    @property
    def rate(self) -> float:
        """Messages a second, from the start of the first process to the end of the last."""
        return self.messages / (max(cost.ended for cost in self.costs) - min(cost.began for cost in self.costs))

    @property
    def cpu_seconds_each(self) -> float:
        """Of processor time for a message; the sink's and the database server's not counted."""
        return sum(cost.cpu_seconds for cost in self.costs) / self.messages

    @property
    def peak_bytes(self) -> int:
        """Of the largest process."""
        return max(cost.peak_bytes for cost in self.costs)


class Meter:
    """Runs from the moment it is made."""

    def __init__(self) -> None:
        self._cpu_before = _cpu_seconds()
        self._began = time.monotonic()

    def read(self) -> Cost:
        """The cost so far."""
        ended = time.monotonic()
        return Cost(self._began, ended, _cpu_seconds() - self._cpu_before, _peak_bytes())


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_bytes() -> int:
    # Not ru_maxrss: a process inherits it from the one that started it.
    found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
