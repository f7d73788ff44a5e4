"""The doorbell: rings carry ids only, wait once, and may fail without losing anything."""

import json
import logging
import pickle
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from redis.exceptions import NoPermissionError
from rq import Queue
from rq.serializers import JSONSerializer, PickleSerializer

from mailer.errors import ConfigurationError
from mailer.operations import queue
from mailer.operations.queue import NoRing, RedisUnavailable, Ring, Rings, connect, open_queue, ring, ring_kits
from mailer.trial.valkey import embedded_valkey

_SOON = 0.05  # seconds that nothing comes


@pytest.fixture
def connection(valkey_url: str) -> Iterator[redis.Redis]:
    with connect(valkey_url) as connection:
        yield connection


def test_a_ring_carries_an_id_as_json_and_nothing_else(connection: redis.Redis) -> None:
    ring(connection, 7)
    (job_id,) = open_queue(connection).get_job_ids()
    stored = cast(dict[bytes, bytes], connection.hgetall(f"rq:job:{job_id}"))
    assert json.loads(zlib.decompress(stored[b"data"])) == ["workers.jobs.drain", None, [7], {}]
    assert b"@" not in b"".join(stored.values())


def test_one_waiting_ring_for_a_campaign_is_enough(connection: redis.Redis) -> None:
    for campaign_id in (7, 7, 70, 7):
        ring(connection, campaign_id)
    assert len(open_queue(connection).get_job_ids()) == 2


def test_a_ring_that_somebody_waits_for_goes_first(connection: redis.Redis) -> None:
    ring(connection, 7)
    ring(connection, 8)
    ring(connection, 8, first=True)
    first, *others = open_queue(connection).get_job_ids()
    assert (first.startswith("campaign-8-"), len(others)) == (True, 2)
    ring(connection, 8, first=True)
    assert open_queue(connection).get_job_ids() == [first, *others]  # it is there already


def test_a_ring_that_reaches_nobody_says_that_nothing_is_lost() -> None:
    with connect("redis://127.0.0.1:1") as nowhere, pytest.raises(RedisUnavailable, match="Nothing is lost"):
        ring(nowhere, 7)


def test_the_embedded_valkey_is_for_this_user_only_and_ends_with_its_block(tmp_path: Path) -> None:
    socket = tmp_path / "valkey.sock"
    with embedded_valkey(socket) as url:
        assert socket.stat().st_mode & 0o077 == 0
        with connect(url) as connection:
            assert connection.ping()
            assert connection.config_get("port") == {"port": "0"}
    assert not socket.exists()


def test_a_data_directory_too_deep_for_a_socket_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MAILER_DATA_DIR"), embedded_valkey(tmp_path / ("x" * 100) / "v.sock"):
        pass


# --- what a worker reads --------------------------------------------------------------------------------------------


def left(connection: redis.Redis) -> list[bytes]:
    """Keys of jobs and of the queue."""
    return sorted(cast(list[bytes], connection.keys("rq:job:*")) + cast(list[bytes], connection.keys("rq:queue:*")))


def put(connection: redis.Redis, fields: Mapping[Any, Any], *, entry: bytes = b"campaign-7-abc") -> None:
    """As somebody might who reaches Redis."""
    connection.hset(b"rq:job:" + entry, mapping=fields)
    connection.rpush("rq:queue:deliveries", entry)


def said(function: str = "workers.jobs.drain", arguments: str = "[7]", kwargs: str = "{}") -> bytes:
    return f'["{function}", null, {arguments}, {kwargs}]'.encode()


def test_a_ring_is_read_as_it_was_rung_and_is_gone_then(connection: redis.Redis) -> None:
    ring(connection, 7)
    ring_kits(connection, 123_456_789)
    rings = Rings(connection)
    for function, campaign_id in (("workers.jobs.drain", 7), ("workers.jobs.make_kits", 123_456_789)):
        taken = rings.wait(_SOON)
        assert taken is not None
        assert (taken.func_name, taken.args, taken.kwargs, taken.instance) == (function, (campaign_id,), {}, None)
    assert rings.wait(_SOON) is None
    assert left(connection) == []


def test_a_ring_of_an_older_version_is_read_too(connection: redis.Redis) -> None:
    older = Queue("deliveries", connection=connection, serializer=JSONSerializer)
    older.enqueue("workers.jobs.drain", 7, job_timeout=-1, result_ttl=0, failure_ttl=86400)
    taken = Rings(connection).wait(_SOON)
    assert taken is not None
    assert taken.args == (7,)


_OTHER_JOBS = {
    "another function": said("os.mkdir", '["ran"]'),
    "another of ours": said("workers.jobs._wait"),
    "a method": b'["drain", "workers.jobs", [7], {}]',
    "a word": said(arguments='["7"]'),
    "a fraction": said(arguments="[7.5]"),
    "yes": said(arguments="[true]"),
    "none": said(arguments="[]"),
    "two": said(arguments="[7, 8]"),
    "a negative number": said(arguments="[-7]"),
    "zero": said(arguments="[0]"),
    "a number for no database": said(arguments=f"[{'9' * 19}]"),
    "digits of another script": said(arguments="[٧]"),
    "a named argument": said(arguments="[]", kwargs='{"campaign_id": 7}'),
    "one more": said(kwargs='{"first": true}'),
    "something behind it": said() + b" ",
    "nothing": b"",
    "no json": b"{",
    "deep json": b"[" * 100_000,
    "a pickle": pickle.dumps(("workers.jobs.drain", None, (7,), {})),
    "other bytes": bytes(range(256)),
    "wide characters": said().decode().encode("utf-16"),
    "another length": said().ljust(10_000_000),
}


@pytest.mark.parametrize("data", _OTHER_JOBS.values(), ids=_OTHER_JOBS.keys())
@pytest.mark.parametrize("is_packed", [True, False])
def test_a_job_that_is_not_ours_to_the_letter_is_dropped(connection: redis.Redis, data: bytes, is_packed: bool) -> None:
    put(connection, {"data": zlib.compress(data) if is_packed else data})
    ring(connection, 8)
    rings = Rings(connection)
    taken = rings.wait(_SOON)
    assert taken is not None
    assert taken.args == (8,)
    assert left(connection) == []


@pytest.mark.parametrize("packed", [zlib.compress(said())[:-1], b"x" + zlib.compress(said()), said()])
def test_a_ring_that_is_packed_otherwise_is_dropped(connection: redis.Redis, packed: bytes) -> None:
    put(connection, {"data": packed})
    assert Rings(connection).wait(_SOON) is None
    assert left(connection) == []


@pytest.mark.parametrize("field", queue._NOT_IN_A_RING)
def test_a_ring_with_something_that_rq_would_import_or_follow_is_dropped(connection: redis.Redis, field: str) -> None:
    put(connection, {"data": zlib.compress(said()), field: "os.mkdir"})
    assert Rings(connection).wait(_SOON) is None
    assert left(connection) == []


_NAMES = [b"", b"campaign-7-none", b"\xff\xfe", "ü".encode(), b"a:b", b"a\nb", b"\0", b"../x", b"x" * 1_000_000]


@pytest.mark.parametrize("entry", _NAMES, ids=lambda entry: ascii(entry[:20]))
def test_an_entry_that_names_no_job_is_dropped(connection: redis.Redis, entry: bytes) -> None:
    connection.rpush("rq:queue:deliveries", entry)
    assert Rings(connection).wait(_SOON) is None
    assert left(connection) == []


def test_a_name_that_is_none_leads_to_no_job_though_one_stands_there(connection: redis.Redis) -> None:
    for entry in (b"\xff\xfe", "ü".encode(), b"a:b", b"a\nb", b"\0", b"../x"):
        put(connection, {"data": zlib.compress(said())}, entry=entry)
    assert Rings(connection).wait(_SOON) is None
    assert left(connection) == []


@pytest.mark.parametrize("key", ["rq:job:campaign-7-abc", "rq:queue:deliveries"])
def test_something_else_that_stands_in_a_keys_place_is_removed(connection: redis.Redis, key: str) -> None:
    if "job" in key:
        connection.rpush("rq:queue:deliveries", "campaign-7-abc")
    connection.set(key, "something else")
    rings = Rings(connection)
    assert rings.wait(_SOON) is None
    assert left(connection) == []
    ring(connection, 7)
    assert rings.wait(_SOON) is not None


def test_what_is_dropped_is_counted_and_said_once_a_minute(
    connection: redis.Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("mailer.operations.queue.time.monotonic", lambda: now)
    rings = Rings(connection)
    counts: list[list[int]] = []
    for later in (0, 59, 1, 60):
        now += later
        caplog.clear()
        connection.rpush("rq:queue:deliveries", *[b"\xff"] * 3)
        assert rings.wait(_SOON) is None
        assert all("\xff" not in record.getMessage() for record in caplog.records)
        counts.append([record.__dict__["entries"] for record in caplog.records])
    assert counts == [[1], [], [6], [3]]  # of the twelve, two wait for the next minute


def test_what_is_dropped_is_said_at_the_latest_when_nothing_comes(
    connection: redis.Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("mailer.operations.queue.time.monotonic", lambda: now)
    rings = Rings(connection)
    connection.rpush("rq:queue:deliveries", "one", "two", "three")
    assert rings.wait(_SOON) is None
    now += 60
    assert rings.wait(_SOON) is None
    assert [record.__dict__["entries"] for record in caplog.records] == [1, 2]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_a_redis_that_does_not_let_us_read_is_no_empty_queue(tmp_path: Path) -> None:
    with embedded_valkey(tmp_path / "valkey.sock") as url, connect(url) as connection:
        connection.acl_setuser("default", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-blpop"])
        ring(connection, 7)
        with pytest.raises(NoPermissionError):
            Rings(connection).wait(_SOON)
        assert len(open_queue(connection).get_job_ids()) == 1


def test_whichever_way_rq_reads_a_job_it_reads_a_ring_or_nothing(connection: redis.Redis) -> None:
    put(connection, {"data": zlib.compress(said("os.mkdir", '["ran"]'))}, entry=b"bad")
    for fetch in (
        lambda: Ring.fetch("bad", connection=connection, serializer=JSONSerializer),
        lambda: Ring.fetch("bad", connection=connection, serializer=PickleSerializer),
        lambda: Ring.fetch_many(["bad"], connection=connection, serializer=JSONSerializer),
    ):
        with pytest.raises(NoRing):
            fetch()


def test_strange_entries_keep_nobody_from_ringing(connection: redis.Redis) -> None:
    connection.rpush("rq:queue:deliveries", *_NAMES, *[b"\xff"] * 2_000)
    ring(connection, 8)
    ring(connection, 9, first=True)
    rings = Rings(connection)
    taken = [rings.wait(_SOON), rings.wait(_SOON)]
    assert [each.args for each in taken if each is not None] == [(9,), (8,)]
