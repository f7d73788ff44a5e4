"""What goes wrong in the middle costs nobody their message, gives nobody two, and is accounted for."""

import itertools
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from tests.acceptance.account import require_completion, require_exact
from tests.acceptance.system import LEASE_SECONDS, System
from tests.support.waiting import wait_until

PEOPLE = 1_000


def test_redis_flushed_in_the_middle(system: System, campaign: Callable[[int], str], valkey_url: str) -> None:
    slug = campaign(PEOPLE)
    system.server.behaviour.delay = 0.02
    system.start_worker()
    system.mailer("campaigns", "send", slug)
    system.server.wait_for(100)
    with redis.Redis.from_url(valkey_url) as connection:
        connection.flushdb()
    system.wait_until_sent(slug)
    require_exact(system, slug, unknown_at_most=0)
    require_completion(system, slug)


# --- what a mail server may do --------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before the dot", "after the dot"])
def test_a_connection_that_drops_makes_one_unknown(system: System, campaign: Callable[[int], str], when: str) -> None:
    slug, dropped = campaign(400), {"p17@example.net", "p180@example.net", "p399@example.net"}
    if when == "before the dot":
        system.server.behaviour.within_body = lambda recipient: None if recipient in dropped else "read on"
    else:
        system.server.behaviour.dot = lambda recipient: None if recipient in dropped else "250 ok"
    system.start_worker()
    system.mailer("campaigns", "send", slug)
    system.wait_until_sent(slug)
    require_exact(system, slug, unknown_at_most=len(dropped))
    assert {row["email"] for row in system.recipients(slug, "unknown")} == dropped
    assert dropped.isdisjoint(system.server.copies()) is (when == "before the dot")
    system.server.behaviour.within_body = lambda _: "read on"
    system.server.behaviour.dot = lambda _: "250 ok"
    require_completion(system, slug)


def test_a_server_that_closes_down_now_and_then(system: System, campaign: Callable[[int], str]) -> None:
    slug, asked = campaign(400), itertools.count(1)
    system.server.behaviour.mail = lambda _: "421 4.3.2 closing" if next(asked) % 50 == 0 else "250 ok"
    system.start_worker()
    system.mailer("campaigns", "send", slug)
    system.wait_until_sent(slug)
    require_exact(system, slug, unknown_at_most=0)
    require_completion(system, slug)


def test_refusals_of_some_recipients_touch_nobody_else(system: System, campaign: Callable[[int], str]) -> None:
    slug, seed = campaign(600), random.Random(3)
    answers = {f"p{number}@example.net": seed.choice(_ANSWERS) for number in range(600)}
    at_dot = {address for address in answers if seed.random() < 0.3}
    system.server.behaviour.rcpt = lambda to: "250 ok" if to in at_dot else answers[to]
    system.server.behaviour.dot = lambda to: answers[to] if to in at_dot else "250 ok"
    system.start_worker()
    system.mailer("campaigns", "send", slug)
    expected = Counter(_STATES[answer] for answer in answers.values())
    wait_until(lambda: system.states(slug) == expected)
    require_exact(system, slug, unknown_at_most=0)
    assert {row["email"] for row in system.recipients(slug, "sent")} == set(system.server.copies())
    assert system.status(slug)["status"] == "sending"  # those refused for now are tried again


_STATES = {"250 ok": "sent", "451 4.3.0 later": "deferred", "550 5.2.1 closed": "failed", "552 5.2.2 full": "failed"}
_ANSWERS = ("250 ok", "250 ok", *_STATES)


def test_a_stalled_server_is_waited_for_and_nobody_steals_what_is_begun(
    system: System, campaign: Callable[[int], str]
) -> None:
    slug = campaign(12)
    system.server.behaviour.delay = 4 * LEASE_SECONDS
    for _ in range(2):
        system.start_worker()
    system.mailer("campaigns", "send", slug)
    wait_until(lambda: system.states(slug)["sending"] > 0)
    seen: set[str] = set()
    while system.status(slug)["status"] == "sending":
        seen |= system.states(slug).keys()
        time.sleep(LEASE_SECONDS / 4)
    assert seen <= {"pending", "sending", "sent"}
    require_exact(system, slug, unknown_at_most=0)
    require_completion(system, slug)


# --- what a machine may do ------------------------------------------------------------------------------------------

_OWN_DISK = 'mkdir -p "$0" && mount -t tmpfs -o size=64k none "$0" && exec "$@"'


def test_a_full_disk_stops_sending_and_room_on_it_lets_it_go_on(system: System, campaign: Callable[[int], str]) -> None:
    slug = campaign(PEOPLE)
    system.server.behaviour.delay = 0.01
    journals = Path(system.environment["MAILER_DATA_DIR"]) / "journals"
    in_own_namespace = ("unshare", "--map-root-user", "--mount", "sh", "-c", _OWN_DISK, str(journals))
    _require_to_work(*in_own_namespace, "true")
    worker = system.start_worker_through(*in_own_namespace)
    system.mailer("campaigns", "send", slug)
    system.server.wait_for(40)
    filler = Path(f"/proc/{worker.pid}/root{journals}/filler")
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    wait_until(lambda: "cannot be written" in system.logged())
    taken = len(system.server.received)
    assert taken < PEOPLE
    require_exact(system, slug, unknown_at_most=0)

    filler.unlink()
    system.wait_until_sent(slug)
    require_exact(system, slug, unknown_at_most=0)
    require_completion(system, slug)


def _require_to_work(*command: str) -> None:
    try:
        problem = subprocess.run(command, capture_output=True, text=True).stderr
    except FileNotFoundError as missing:
        problem = str(missing)
    if problem:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say(f"no small disk can be had here: {problem.strip()}")


def test_without_redis_workers_find_the_work_in_the_database(system: System, campaign: Callable[[int], str]) -> None:
    slug = campaign(60)
    system.environment["MAILER_REDIS_URL"] = "redis://127.0.0.1:1"
    system.start_worker()
    assert "starts" not in system.mailer("campaigns", "send", slug)
    status = system.wait_until_sent(slug)
    assert status["states"]["sent"] == status["audience"]
    assert set(system.server.copies().values()) == {1}


def test_a_worker_told_to_stop_ends_within_seconds_and_leaves_nothing_unknown(
    system: System, campaign: Callable[[int], str]
) -> None:
    slug = campaign(400)
    system.server.behaviour.delay = 0.02
    worker = system.start_worker()
    system.mailer("campaigns", "send", slug)
    system.server.wait_for(40)
    worker.terminate()
    assert worker.wait(30) == 0
    time.sleep(0.5)
    taken = len(system.server.received)
    assert taken < 400
    assert system.states(slug) == {"sent": taken, "pending": 400 - taken}
    require_exact(system, slug, unknown_at_most=0)


def test_a_mail_server_that_is_away_is_waited_for(system: System, campaign: Callable[[int], str]) -> None:
    slug = campaign(50)
    system.server.behaviour.greeting = "421 4.3.2 back soon"
    system.start_worker()
    system.mailer("campaigns", "send", slug)
    time.sleep(2)
    assert system.status(slug)["states"]["sent"] == 0
    system.server.behaviour.greeting = "220 here again"
    system.wait_until_sent(slug)
    require_exact(system, slug, unknown_at_most=0)
    require_completion(system, slug)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)  # none of them gets as far as to open it
def test_a_worker_without_its_services_says_what_is_missing_in_one_line(system: System) -> None:
    for variable, value, exit_code, word in (
        ("MAILER_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none", 3, "database"),
        ("MAILER_SMTP_URL", "", 1, "MAILER_SMTP_URL"),
        ("MAILER_SENDER", "", 1, "MAILER_SENDER"),
        ("MAILER_SECRET_KEYS", "k1:AAAA", 1, "MAILER_SECRET_KEYS"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "workers"],
            env=system.environment | {variable: value},
            capture_output=True,
            text=True,
            timeout=60,
            cwd=system.folder,
        )
        assert (done.returncode, word in done.stderr) == (exit_code, True), done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
