"""kill -9 at each step of a message's way: what was not begun goes out once, what was answered is known."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.acceptance.account import require_completion, require_exact
from tests.acceptance.system import CONNECTIONS, System
from tests.support.mail_server import MailServer
from tests.support.waiting import wait_until

PEOPLE = 40
_FOR_EVER = 3600.0
_ANSWERED = 12
_ANSWER_SECONDS = 2.0


@dataclass(frozen=True)
class Point:
    """Where a worker is held up, so that it can be killed there."""

    lock_row: Callable[[MailServer], None]
    reached: Callable[[System, str], bool]
    begun: bool  # whether each connection has one that was begun and not answered

    @property
    def unknown_at_most(self) -> int:
        """How many may be unknown afterwards."""
        return CONNECTIONS if self.begun else 0


def _hold_commands(prefix: str) -> Callable[[MailServer], None]:
    def lock_row(server: MailServer) -> None:
        server.behaviour.pause = lambda line: _FOR_EVER if line.startswith(prefix) else 0.0

    return lock_row


def _hold_answers(server: MailServer) -> None:
    server.behaviour.delay = _ANSWER_SECONDS


def _answer_a_few(server: MailServer) -> None:
    def pause(line: str) -> float:
        return _FOR_EVER if line == "DATA" and len(server.received) >= _ANSWERED else 0.0

    server.behaviour.pause = pause


def _said(prefix: str) -> Callable[[System, str], bool]:
    return lambda system, _slug: any(line.startswith(prefix) for line in system.server.commands)


def _body_held(system: System, _slug: str) -> bool:
    return any(line.startswith("DATA") for line in system.server.commands) and _quiet(system)


def _quiet(system: System) -> bool:
    count = len(system.server.commands)
    time.sleep(0.3)
    return count == len(system.server.commands)


AFTER_DOT = "after the dot"
ANSWERED = "before it is settled"
POINTS = {
    "after the claim": Point(
        _hold_commands("EHLO"), lambda system, slug: system.states(slug)["sending"] > 0, begun=False
    ),
    "after DATA": Point(_hold_commands("DATA"), _said("DATA"), begun=False),
    "before the dot is read": Point(_hold_commands("BODY"), _body_held, begun=True),
    AFTER_DOT: Point(_hold_answers, _body_held, begun=True),
    ANSWERED: Point(
        _answer_a_few, lambda system, _: len(system.server.received) >= _ANSWERED and _quiet(system), begun=True
    ),
}


@pytest.mark.parametrize("name", POINTS)
def test_killed(system: System, campaign: Callable[[int], str], name: str) -> None:
    point, server = POINTS[name], system.server
    slug = campaign(PEOPLE)
    normal = server.behaviour.pause
    point.lock_row(server)
    worker = system.start_worker()
    system.mailer("campaigns", "send", slug)
    wait_until(lambda: point.reached(system, slug))
    system.kill(worker)
    server.behaviour.pause = normal
    assert system.states(slug)["sending"] > 0

    if name == AFTER_DOT:
        time.sleep(_ANSWER_SECONDS + 0.5)  # all are taken, and nobody is there to hear of it
    for conversation in list(server.conversations):
        conversation.hang_up()  # what was said on it and not read is never read
    taken = len(server.received)
    server.behaviour.delay = 0.0
    system.start_worker()
    system.wait_until_sent(slug)

    unknown = require_exact(system, slug, unknown_at_most=point.unknown_at_most)["states"]["unknown"]
    assert (unknown > 0) is point.begun or name == ANSWERED
    assert taken == {AFTER_DOT: unknown, ANSWERED: taken}.get(name, 0)
    require_completion(system, slug)
