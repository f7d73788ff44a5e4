"""kill -9 of anything at any moment loses no message, sends none twice, and leaves few unknown."""

import random
import time
from collections.abc import Callable

import psutil
import pytest

from tests.acceptance.account import require_completion, require_exact
from tests.acceptance.system import CONNECTIONS, System, kill_together
from tests.support.waiting import wait_for, wait_until

KILLS = 15  # in one campaign
_RUNS = 2  # on each database
_SOAK_RUNS = 36

#: what is killed → how many processes that have connections to the mail server it may be
_VICTIMS = {"work-horse": 1, "queue process": 1, "supervisor": 1, "worker": 2, "all workers": 4}
_WEIGHTS = (8, 3, 2, 2, 1)


class Killer:
    """Keeps two workers going and kills, by a seed, one thing after another."""

    def __init__(self, system: System, seed: int) -> None:
        self._system = system
        self._random = random.Random(seed)
        self._goal = 0
        self.unknown_at_most = 0
        self._workers = [system.start_worker(), system.start_worker()]
        system.server.behaviour.delay = 0.01
        system.server.behaviour.pause = self._pause

    def _pause(self, line: str) -> float:
        """Once the moment of the next kill has come the server is slow, so that the campaign outlives all kills."""
        return 0.5 if line.startswith("MAIL") and len(self._system.server.received) >= self._goal else 0.0

    def kill(self) -> None:
        """Let a few messages go out, then kill something, and start again what has to be."""
        server = self._system.server
        self._goal = len(server.received) + self._random.randrange(1, 40)
        server.wait_for(self._goal)
        time.sleep(self._random.uniform(0, 0.03))
        [what] = self._random.choices(list(_VICTIMS), _WEIGHTS)
        self._kill(what)
        self.unknown_at_most += _VICTIMS[what] * CONNECTIONS
        self._workers = [worker if worker.poll() is None else self._system.start_worker() for worker in self._workers]

    def _kill(self, what: str) -> None:
        worker = self._random.choice(self._workers)
        match what:
            case "work-horse":
                kill_together(self._random.choices(self._system.horses()))
            case "queue process":
                kill_together([self._system.queue_process(worker)])
            case "supervisor":
                worker.kill()
                worker.wait(10)
            case "worker":
                self._system.kill(worker)
            case "all workers":
                self._system.kill_everything()


def _runs(count: int) -> list[int]:
    return [1_000 + number for number in range(count)]


@pytest.mark.parametrize(
    "seed",
    [*_runs(_RUNS), *(pytest.param(seed, marks=pytest.mark.soak) for seed in _runs(_SOAK_RUNS)[_RUNS:])],
)
def test_kills_at_random_moments(system: System, campaign: Callable[[int], str], seed: int) -> None:
    slug = campaign(KILLS * 60)
    killer = Killer(system, seed)
    system.mailer("campaigns", "send", slug)
    for _ in range(KILLS):
        killer.kill()
    system.server.behaviour.pause = lambda _: 0.0
    assert system.status(slug)["status"] == "sending"
    system.wait_until_sent(slug)
    require_exact(system, slug, unknown_at_most=killer.unknown_at_most)
    require_completion(system, slug)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_queue_process_that_is_started_again_inherits_no_open_database(system: System) -> None:
    """SQLite's locks end at a fork, and its memory of them does not: another program's last close would take the
    write-ahead log away from under a child that inherited a connection, with all that it commits from then on."""
    worker = system.start_worker()
    first = system.queue_process(worker)
    wait_until(lambda: bool(_databases_open(psutil.Process(worker.pid))))
    kill_together([first])
    again = wait_for(lambda: _if_another(system.queue_process(worker), first))
    assert _databases_open(again) == []


def _databases_open(process: psutil.Process) -> list[str]:
    return [file.path for file in process.open_files() if "tocsin.db" in file.path]


def _if_another(process: psutil.Process, first: psutil.Process) -> psutil.Process | None:
    return process if process.pid != first.pid else None
