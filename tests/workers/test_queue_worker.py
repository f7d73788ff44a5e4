"""The queue process runs our two jobs and nothing else, whatever stands in Redis, and goes on."""

import json
import multiprocessing
import os
import signal
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from rq import Queue
from rq.callbacks import Callback
from rq.command import send_shutdown_command
from rq.serializers import JSONSerializer, PickleSerializer
from rq.suspension import suspend

from mailer.operations import logs
from mailer.operations.queue import QUEUE, connect, open_queue, ring, ring_kits
from mailer.trial.valkey import embedded_valkey
from tests.support.waiting import LONG, wait_until
from workers import jobs
from workers.queue_worker import QueueWorker


@pytest.fixture
def connection(valkey_url: str) -> Iterator[redis.Redis]:
    with connect(valkey_url) as connection:
        yield connection


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where our two jobs, which do nothing else, leave a folder with their name and number."""
    folder = tmp_path / "ran"
    folder.mkdir()
    monkeypatch.setattr(jobs, "drain", lambda campaign_id: (folder / f"drain-{campaign_id}").mkdir())
    monkeypatch.setattr(jobs, "make_kits", lambda campaign_id: (folder / f"kits-{campaign_id}").mkdir())
    return folder


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@contextmanager
def working(url: str, *, rings: int) -> Iterator[None]:
    """A queue process that takes so many rings; it must have ended by itself by then."""
    process = multiprocessing.get_context("fork").Process(target=_work, args=(url, rings))
    process.start()
    try:
        yield
        process.join(LONG)
        assert process.exitcode == 0
    finally:
        process.kill()
        process.join()


def run(url: str, *, rings: int) -> None:
    with working(url, rings=rings):
        pass


def _work(url: str, rings: int) -> None:
    logs.configure(json=True)
    QueueWorker(connect(url)).work(max_jobs=rings, logging_level="WARNING")


def test_it_runs_what_is_rung_for(connection: redis.Redis, valkey_url: str, ran: Path) -> None:
    ring(connection, 7)
    ring_kits(connection, 7)
    ring(connection, 8)
    run(valkey_url, rings=3)
    assert names(ran) == ["drain-7", "drain-8", "kits-7"]
    assert connection.keys("*") == [b"rq:queues"]  # it leaves no books


def test_nothing_runs_that_somebody_else_wrote_there_and_rings_behind_it_do(
    connection: redis.Redis, valkey_url: str, ran: Path
) -> None:
    for serializer in (JSONSerializer, PickleSerializer):
        theirs = Queue(QUEUE, connection=connection, serializer=serializer)
        theirs.enqueue("os.mkdir", str(ran / "a function"))
        theirs.enqueue(os.mkdir, str(ran / "likewise"))
        for when in ("on_success", "on_failure", "on_stopped"):
            theirs.enqueue("workers.jobs.drain", 1, **{when: Callback("tests.workers.test_queue_worker.call_back")})
        theirs.enqueue("workers.jobs.drain", str(ran))
        theirs.enqueue("workers.jobs.drain", 1, depends_on=theirs.enqueue("os.getpid"))
    connection.rpush(open_queue(connection).key, b"\xff\xfe", b"", b"campaign-1-none", b"a:b", b"\0" * 1_000)
    connection.hset("rq:job:other", mapping={"data": zlib.compress(json.dumps(["os.mkdir", None, ["x"], {}]).encode())})
    connection.rpush(open_queue(connection).key, "other")
    ring(connection, 8)
    run(valkey_url, rings=1)
    assert names(ran) == ["drain-8"]
    assert connection.llen(open_queue(connection).key) == 0


def call_back(*_: object) -> None:
    """What a callback would do."""
    raise AssertionError("somebody's callback was called")


def test_nobody_stops_or_suspends_it_over_redis(connection: redis.Redis, valkey_url: str, ran: Path) -> None:
    suspend(connection)
    worker = QueueWorker(connection)
    worker.bootstrap("WARNING")
    assert connection.pubsub_channels("rq:*") == []
    send_shutdown_command(connection, worker.name)
    ring(connection, 7)
    run(valkey_url, rings=1)
    assert names(ran) == ["drain-7"]


def test_a_job_that_fails_or_is_killed_costs_no_other(
    connection: redis.Redis,
    valkey_url: str,
    ran: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    ways: dict[int, Callable[[], object]] = {
        1: lambda: 1 / 0,
        2: lambda: os.kill(os.getpid(), signal.SIGKILL),
        3: lambda: (ran / "drain-3").mkdir(),
    }
    monkeypatch.setattr(jobs, "drain", lambda campaign_id: ways[campaign_id]())
    for campaign_id in ways:
        ring(connection, campaign_id)
    run(valkey_url, rings=3)
    assert names(ran) == ["drain-3"]
    said = capfd.readouterr().err
    assert "ZeroDivisionError" in said
    assert "a job ended with code -9" in said


def test_it_waits_through_every_loss_of_redis(tmp_path: Path, ran: Path) -> None:
    socket = tmp_path / "valkey.sock"
    with working(f"unix://{socket}", rings=2):  # before there is one
        for number in (1, 2):
            with embedded_valkey(socket) as url, connect(url) as connection:
                ring(connection, number)
                wait_until((ran / f"drain-{number}").exists)


def test_it_waits_while_redis_does_not_let_it_read(tmp_path: Path, ran: Path) -> None:
    with embedded_valkey(tmp_path / "valkey.sock") as url, connect(url) as connection:
        connection.acl_setuser("default", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-blpop"])
        ring(connection, 7)
        with working(url, rings=1):
            wait_until(lambda: refused(connection))
            connection.acl_setuser("default", enabled=True, commands=["+@all"])
        assert names(ran) == ["drain-7"]
        assert refused(connection) < 10  # it asks again, and not all the time


def refused(connection: redis.Redis) -> int:
    """How often somebody was not allowed to wait for a ring."""
    return int(connection.info("commandstats").get("cmdstat_blpop", {}).get("rejected_calls", 0))
