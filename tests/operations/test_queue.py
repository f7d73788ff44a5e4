"""The doorbell: rings carry ids only, wait once, and may fail without losing anything."""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import redis

from mailer.errors import ConfigurationError
from mailer.operations.queue import RedisUnavailable, connect, open_queue, ring
from mailer.trial.valkey import embedded_valkey


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
