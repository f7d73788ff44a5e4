"""A whole installation as its operator runs it: commands and workers as processes, a mail server that records."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.mail_server import MailServer

LEASE_SECONDS = 1.0


class System:
    """One installation under test. Everything it starts is ended by `stop`."""

    def __init__(self, environment: dict[str, str], server: MailServer, folder: Path) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")}
        self.environment = inherited | environment
        self.server = server
        self.folder = folder
        self._workers: list[subprocess.Popen[bytes]] = []

    def mailer(self, *arguments: str | Path, exit_code: int = 0) -> str:
        """Run a command to its end; returns what it printed."""
        command = [sys.executable, "-m", "mailer.cli", *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == exit_code, f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start_worker(self) -> "subprocess.Popen[bytes]":
        """Start `mailer worker`."""
        log = (self.folder / f"worker{len(self._workers)}.log").open("wb")
        with log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "workers"], env=self.environment, cwd=self.folder, stdout=log, stderr=log
            )
        self._workers.append(worker)
        return worker

    def kill(self, worker: "subprocess.Popen[bytes]") -> None:
        """`kill -9` a worker and everything it started, at once: as when its machine is lost."""
        family = [*psutil.Process(worker.pid).children(recursive=True), psutil.Process(worker.pid)]
        for process in family:
            process.suspend()
        for process in family:
            process.kill()
        worker.wait(10)
        psutil.wait_procs(family, timeout=10)

    def stop(self) -> None:
        """End every worker that still runs."""
        for worker in self._workers:
            if worker.poll() is None:
                self.kill(worker)

    def status(self, slug: str) -> dict[str, Any]:
        """`campaigns status --json`."""
        found: dict[str, Any] = json.loads(self.mailer("campaigns", "status", slug, "--json"))
        assert sum(found["states"].values()) == found["audience"]
        assert len(found["states"]) == 7
        return found

    def recipients(self, slug: str, state: str) -> list[dict[str, Any]]:
        """`campaigns recipients --json`."""
        lines = self.mailer("campaigns", "recipients", slug, "--state", state, "--json").splitlines()
        return [json.loads(line) for line in lines]

    def wait_until_sent(self, slug: str, *, seconds: float = 120) -> dict[str, Any]:
        """Wait for a campaign to end by itself; returns its status."""
        return wait_for(lambda: self._if_sent(slug), seconds=seconds)

    def _if_sent(self, slug: str) -> dict[str, Any] | None:
        found = self.status(slug)
        return found if found["status"] == "sent" else None


def wait_for(find: "Callable[[], dict[str, Any] | None]", *, seconds: float) -> dict[str, Any]:
    """Ask again and again until there is an answer."""
    end = time.monotonic() + seconds
    while (found := find()) is None:
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.2)
    return found
