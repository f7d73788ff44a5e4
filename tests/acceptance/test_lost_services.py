"""Valkey and PostgreSQL killed and started again in mid-campaign: nothing is lost, nothing goes out twice."""

import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis
from redis.exceptions import RedisError

from mailer.bench.postgresql import running_postgresql, url
from tests.acceptance.account import require_completion, require_exact
from tests.acceptance.own_valkey import OwnValkey
from tests.acceptance.system import CONNECTIONS, System, kill_together
from tests.support.waiting import wait_until

KILLS = 3
PEOPLE = 400


def _let_some_out(system: System, seed: random.Random) -> None:
    system.server.wait_for(len(system.server.received) + seed.randrange(5, 40))


def test_valkey_killed_and_started_again(system: System, campaign: Callable[[int], str], own_valkey: OwnValkey) -> None:
    slug, seed = campaign(PEOPLE), random.Random(7)
    system.server.behaviour.delay = 0.05
    system.environment["MAILER_REDIS_URL"] = own_valkey.url
    system.start_worker()
    system.mailer("campaigns", "send", slug)
    for _ in range(KILLS):
        _let_some_out(system, seed)
        own_valkey.kill()
        with pytest.raises(RedisError), Redis.from_url(own_valkey.url) as connection:
            connection.ping()
        time.sleep(seed.uniform(0, 0.5))
        own_valkey.start()
    system.wait_until_sent(slug)
    require_exact(system, slug, unknown_at_most=0)
    require_completion(system, slug)


class OwnPostgreSQL:
    """A PostgreSQL of the test's own."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._started: list[subprocess.Popen[bytes]] = []
        self.url = url(str(home))

    def _process(self) -> psutil.Process:
        return psutil.Process(int((self._home / "data" / "postmaster.pid").read_text().split()[0]))

    def kill_and_start(self) -> None:
        """`kill -9` every process of it, and start it again as it was."""
        command, user = self._process().cmdline(), self._process().username()
        self.kill()
        with (self._home / "log").open("ab") as log:
            again = subprocess.Popen(command, user=user, stdout=log, stderr=log, cwd=self._home)
        self._started.append(again)

    def kill(self) -> None:
        """`kill -9` every process of it."""
        server = self._process()
        kill_together([server, *server.children(recursive=True)])
        for process in self._started:
            process.wait(10)


@pytest.fixture
def own_postgresql(postgresql: object) -> Iterator[OwnPostgreSQL]:
    # Not in tmp_path: PostgreSQL does not run as root, and has to reach it; and a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="tocsin-") as folder:
        Path(folder).chmod(0o711)
        with running_postgresql(Path(folder), {"autovacuum": "off"}) as home:
            server = OwnPostgreSQL(Path(home))
            yield server
            server.kill()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)  # which is not used
def test_postgresql_killed_and_started_again(
    system: System, campaign: Callable[[int], str], own_postgresql: OwnPostgreSQL
) -> None:
    system.environment["MAILER_DATABASE_URL"] = own_postgresql.url
    system.mailer("db", "upgrade")
    slug, seed = campaign(PEOPLE), random.Random(8)
    system.server.behaviour.delay = 0.05
    system.start_worker()
    system.mailer("campaigns", "send", slug)
    for _ in range(KILLS):
        _let_some_out(system, seed)
        own_postgresql.kill_and_start()
    wait_until(lambda: len(system.server.received) >= PEOPLE - KILLS * CONNECTIONS)
    system.wait_until_sent(slug)
    require_exact(system, slug, unknown_at_most=0)
    require_completion(system, slug)
