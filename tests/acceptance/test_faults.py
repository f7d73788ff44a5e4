"""What goes wrong in the middle costs nobody their message, gives nobody two, and is accounted for."""

import subprocess
import sys
import time
from collections.abc import Callable

import redis

from mailer.delivery import CLAIM_LIMIT
from tests.acceptance.system import System

PEOPLE = 1_500


def test_redis_flushed_and_a_worker_killed_in_the_middle(
    system: System, loaded: Callable[[int], str], valkey_url: str
) -> None:
    slug = loaded(PEOPLE)
    victim = system.start_worker()
    system.mailer("campaigns", "send", slug)
    system.server.wait_for(100)
    with redis.Redis.from_url(valkey_url) as connection:
        connection.flushdb()
    system.kill(victim)
    system.start_worker()
    status = system.wait_until_sent(slug)

    copies = system.server.copies()
    assert max(copies.values()) == 1
    assert status["states"]["unknown"] <= CLAIM_LIMIT
    assert status["states"]["sent"] + status["states"]["unknown"] == status["audience"]
    sent = {row["message_id"] for row in system.recipients(slug, "sent")}
    assert sent <= {message.message_id for message in system.server.received}

    if status["states"]["unknown"]:
        system.mailer("campaigns", "resend", slug, "--state", "unknown")
        status = system.wait_until_sent(slug)
    assert status["states"]["sent"] == status["audience"] == len(system.server.copies())
    ids = {(message.recipient, message.message_id) for message in system.server.received}
    assert len(ids) == status["audience"]  # what went out twice did so under the same Message-ID


def test_without_redis_workers_find_the_work_in_the_database(system: System, loaded: Callable[[int], str]) -> None:
    slug = loaded(60)
    system.environment["MAILER_REDIS_URL"] = "redis://127.0.0.1:1"
    system.start_worker()
    assert "starts" not in system.mailer("campaigns", "send", slug)
    status = system.wait_until_sent(slug)
    assert status["states"]["sent"] == status["audience"]
    assert set(system.server.copies().values()) == {1}


def test_a_worker_told_to_stop_ends_within_seconds_and_leaves_nothing_unknown(
    system: System, loaded: Callable[[int], str]
) -> None:
    slug = loaded(400)
    worker = system.start_worker()
    system.mailer("campaigns", "send", slug)
    system.server.wait_for(40)
    asked = time.monotonic()
    worker.terminate()
    assert worker.wait(15) == 0
    assert time.monotonic() - asked < 10
    time.sleep(0.5)
    count = len(system.server.received)
    status = system.status(slug)
    assert status["states"]["sent"] == count
    assert status["states"]["unknown"] == status["states"]["sending"] == 0


def test_a_mail_server_that_is_away_is_waited_for(system: System, loaded: Callable[[int], str]) -> None:
    slug = loaded(50)
    system.server.behaviour.greeting = "421 4.3.2 back soon"
    system.start_worker()
    system.mailer("campaigns", "send", slug)
    time.sleep(2)
    assert system.status(slug)["states"]["sent"] == 0
    system.server.behaviour.greeting = "220 here again"
    status = system.wait_until_sent(slug)
    assert status["states"]["sent"] == status["audience"]


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
