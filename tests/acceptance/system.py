"""A whole installation as its operator runs it: commands and workers as processes, a mail server that records."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from click.testing import CliRunner

from mailer.cli import main
from tests.acceptance.worker_process import WorkerProcess
from tests.support.mail_server import MailServer
from tests.support.waiting import wait_for

LEASE_SECONDS = 1.0
CONNECTIONS = 4  # open ones per sending process


class System:
    """One installation under test. Everything it starts is ended by `stop`."""

    def __init__(self, environment: dict[str, str], server: MailServer, folder: Path) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")}
        self.environment = inherited | environment
        self.server = server
        self.folder = folder / "workers"  # where all its processes are, and nothing else
        self.folder.mkdir()
        self.workers: list[subprocess.Popen[bytes] | WorkerProcess] = []

    def mailer(self, *arguments: str | Path, exit_code: int = 0) -> str:
        """Run a command to its end, in this process; returns what it printed."""
        done = CliRunner().invoke(main, [str(argument) for argument in arguments], env=self.environment)
        assert done.exit_code == exit_code, f"{arguments} ended with {done.exit_code}:\n{done.output}{done.exception}"
        return done.stdout

    def start_worker(self, **changes: str) -> WorkerProcess:
        """Start `mailer worker`.

        :param changes: variables that are different for it.
        """
        worker = WorkerProcess(self.environment | changes, self.folder, self._log(len(self.workers)))
        self.workers.append(worker)
        return worker

    def start_worker_through(self, *command: str) -> "subprocess.Popen[bytes]":
        """Start `mailer worker` as an argument of a command that runs it."""
        with self._log(len(self.workers)).open("wb") as log:
            worker = subprocess.Popen(
                [*command, sys.executable, "-m", "workers"],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        self.workers.append(worker)
        return worker

    def _log(self, number: int) -> Path:
        return self.folder / f"worker{number}.log"

    def logged(self) -> str:
        """What all workers said."""
        return "".join(self._log(number).read_text() for number in range(len(self.workers)))

    def queue_process(self, worker: WorkerProcess) -> psutil.Process:
        """The process of a worker that takes jobs from Redis; waits until there is one."""
        return wait_for(lambda: _child(psutil.Process(worker.pid)))

    def horses(self) -> list[psutil.Process]:
        """The processes that do jobs, also those that lost their queue process; waits until there is one."""
        return wait_for(lambda: self._connected_processes() or None)

    def _connected_processes(self) -> list[psutil.Process]:
        return [process for process in self.processes() if self._is_connected(process)]

    def _is_connected(self, process: psutil.Process) -> bool:
        with suppress(psutil.NoSuchProcess):
            return any(
                connection.raddr and connection.raddr.port == self.server.port
                for connection in process.net_connections("tcp")
            )
        return False

    def processes(self) -> list[psutil.Process]:
        """Everything of this installation that runs, also what lost its parent."""
        return [process for process in psutil.process_iter() if _folder(process) == str(self.folder)]

    def kill(self, worker: WorkerProcess) -> None:
        """`kill -9` a worker and everything it started, at once: as when its machine is lost."""
        kill_together([psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)])
        worker.wait(10)

    def kill_everything(self) -> None:
        """`kill -9` all workers at once."""
        # A worker that was started a moment ago is not in its folder yet.
        started = [psutil.Process(worker.pid) for worker in self.workers if worker.poll() is None]
        kill_together([*{*self.processes(), *started}])
        for worker in self.workers:
            worker.wait(10)

    def stop(self) -> None:
        """End everything that still runs."""
        self.kill_everything()

    def status(self, slug: str) -> dict[str, Any]:
        """`campaigns status --json`."""
        found: dict[str, Any] = json.loads(self.mailer("campaigns", "status", slug, "--json"))
        assert sum(found["states"].values()) == found["audience"]
        assert len(found["states"]) == 7
        return found

    def states(self, slug: str) -> Counter[str]:
        """How many are in each state that somebody is in."""
        return +Counter(self.status(slug)["states"])

    def recipients(self, slug: str, state: str) -> list[dict[str, Any]]:
        """`campaigns recipients --json`."""
        lines = self.mailer("campaigns", "recipients", slug, "--state", state, "--json").splitlines()
        return [json.loads(line) for line in lines]

    def wait_until_sent(self, slug: str, *, seconds: float = 120) -> dict[str, Any]:
        """Wait for a campaign to end by itself; returns its status.

        :param seconds: how long nothing may happen: a busy machine is slow, but not at a standstill.
        """
        last: dict[str, int] = {}
        while (found := self.status(slug))["status"] != "sent":
            if found["states"] != last:
                last, end = found["states"], time.monotonic() + seconds
            assert time.monotonic() < end, f"at a standstill for {seconds} s: {found}"
            time.sleep(0.5)
        return found


def kill_together(processes: list[psutil.Process]) -> None:
    """`kill -9`, so that none of them sees another one gone."""
    for action in (psutil.Process.suspend, psutil.Process.kill):
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                action(process)
    psutil.wait_procs(processes, timeout=10)


def _child(process: psutil.Process) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        # The other one, which imports files, stands behind all else on the machine.
        return next((child for child in process.children() if child.nice() <= process.nice()), None)
    return None


def _folder(process: psutil.Process) -> str | None:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        folder: str = process.cwd()
        return folder
    return None
