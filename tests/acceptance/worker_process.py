"""Starts `mailer worker` from a process that has read the program in already: that alone takes a processor a second.

What is started is a process of its own as any other, with children of its own, and can be killed like any other.
"""

import subprocess
import sys
from pathlib import Path

from tests.acceptance import forked
from workers.__main__ import main


class WorkerProcess:
    """A `mailer worker` that runs, with what tests use of `subprocess.Popen`.

    :param environment: all its variables.
    :param folder: where it is to be.
    :param log: gets what it says.
    """

    def __init__(self, environment: dict[str, str], folder: Path, log: Path) -> None:
        self._process = forked.context(__name__).Process(target=_work, args=(environment, folder, log))
        self._process.start()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """How it ended, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for its end; returns how it ended.

        :param timeout: seconds.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("mailer worker", timeout)
        return self._process.exitcode

    def terminate(self) -> None:
        """Tell it to stop."""
        self._process.terminate()

    def kill(self) -> None:
        """`kill -9`."""
        self._process.kill()


def _work(environment: dict[str, str], folder: Path, log: Path) -> None:
    forked.become(environment, folder, log)
    sys.exit(main())
