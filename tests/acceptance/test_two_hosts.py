"""Hosts that share PostgreSQL and Redis only: one that is lost costs a claim at most, and what it knew is kept."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mailer.delivery.ledger import CLAIM_LIMIT
from tests.acceptance.account import require_completion, require_exact
from tests.acceptance.system import CONNECTIONS, System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)

PEOPLE = 500
ANSWERED = 30
#: a worker holds two claims at a time
MOST_LOST = 2 * CLAIM_LIMIT


@pytest.fixture
def other(system: System, tmp_path: Path) -> Iterator[Path]:
    """The data directory of another host."""
    folder = tmp_path / "other-host"
    yield folder
    system.kill_everything()


def _answer_some_then_stall(system: System) -> None:
    """Take some messages and then keep everyone waiting for the answer to DATA."""
    server = system.server
    server.behaviour.pause = lambda line: 3600.0 if line == "DATA" and len(server.received) >= ANSWERED else 0.0


def _go_on(system: System) -> None:
    system.server.behaviour.pause = lambda _: 0.0
    for conversation in list(system.server.conversations):
        conversation.hang_up()


def _known_to_nobody(system: System, slug: str) -> int:
    """How many received it and are unknown."""
    received = {message.message_id for message in list(system.server.received)}
    return sum(row["message_id"] in received for row in system.recipients(slug, "unknown"))


def test_a_host_lost_for_good_and_its_journal_that_turns_up_late(
    system: System, campaign: Callable[[int], str], other: Path
) -> None:
    slug = campaign(PEOPLE)
    _answer_some_then_stall(system)
    lost = system.start_worker(MAILER_DATA_DIR=str(other))
    system.mailer("campaigns", "send", slug)
    system.server.wait_for(ANSWERED)
    states = system.states(slug)  # a slow machine may have settled the answers by now
    held, claimed = states["sending"], states["sending"] + states["sent"]
    assert ANSWERED < claimed <= MOST_LOST

    system.kill(lost)
    away = other.rename(other.with_name("unreachable"))
    _go_on(system)
    system.start_worker()
    system.wait_until_sent(slug)
    status = require_exact(system, slug, unknown_at_most=MOST_LOST)
    assert 0 < status["states"]["unknown"] <= held
    assert {row["reason"] for row in system.recipients(slug, "unknown")} == {"worker lost"}

    away.rename(other)
    system.start_worker(MAILER_DATA_DIR=str(other))
    wait_until(lambda: _known_to_nobody(system, slug) <= CONNECTIONS)
    require_exact(system, slug, unknown_at_most=claimed - ANSWERED + CONNECTIONS)
    require_completion(system, slug)


def test_a_host_that_stood_still_begins_nothing_after_it_was_given_up(
    system: System, campaign: Callable[[int], str], other: Path
) -> None:
    slug = campaign(PEOPLE)
    _answer_some_then_stall(system)
    stopped = system.start_worker(MAILER_DATA_DIR=str(other))
    system.mailer("campaigns", "send", slug)
    system.server.wait_for(ANSWERED)
    family = [psutil.Process(stopped.pid), *psutil.Process(stopped.pid).children(recursive=True)]
    for process in family:
        process.suspend()
    _go_on(system)
    system.start_worker()
    system.wait_until_sent(slug)
    require_exact(system, slug, unknown_at_most=MOST_LOST)
    taken = len(system.server.received)

    for process in family:
        process.resume()
    wait_until(lambda: _known_to_nobody(system, slug) == 0)
    assert len(system.server.received) == taken
    require_exact(system, slug, unknown_at_most=MOST_LOST - ANSWERED)
    require_completion(system, slug)


def test_a_stalled_worker_is_left_alone_while_its_host_vouches_for_it(
    system: System, campaign: Callable[[int], str], other: Path
) -> None:
    slug = campaign(PEOPLE)
    _answer_some_then_stall(system)
    system.start_worker(MAILER_DATA_DIR=str(other))
    system.mailer("campaigns", "send", slug)
    system.server.wait_for(ANSWERED)
    [horse] = system.horses()
    horse.suspend()
    held = system.states(slug)["sending"]
    _go_on(system)
    system.start_worker()
    wait_until(lambda: system.states(slug)["sent"] == PEOPLE - held)
    wait_until(lambda: "stalled" in system.logged())
    assert system.states(slug)["unknown"] == 0
    assert system.states(slug)["sending"] > 0

    horse.resume()
    system.wait_until_sent(slug)
    require_exact(system, slug, unknown_at_most=0)
    require_completion(system, slug)
