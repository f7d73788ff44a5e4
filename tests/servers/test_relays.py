"""Campaigns through the mail servers that organisations have, driven by the real worker. Run by `make test-servers`.

What each offers, and what its limits are, is in docs/reference/mail-servers.md. To add one, describe it in a module
beside this one and name it in `RELAYS`.
"""

import multiprocessing
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from mailer.delivery import sweeping
from mailer.store.db import session_scope, utcnow
from mailer.store.models import CampaignStatus, Delivery, DeliveryState
from tests.servers.courier import COURIER
from tests.servers.drive import CONNECTIONS, LEASE, PEOPLE, Drive, send_until_killed, start, worker_of
from tests.servers.exim import EXIM
from tests.servers.haraka import HARAKA
from tests.servers.opensmtpd import OPENSMTPD
from tests.servers.postfix import POSTFIX, POSTGREY
from tests.support.ledger import by_id, states
from tests.support.mail_server import MailServer
from tests.support.relays import Relay, running

RELAYS = (POSTFIX, EXIM, OPENSMTPD, COURIER, HARAKA)

S = DeliveryState
#: for a relay to hand on what it took
HAND_ON_SECONDS = 120

pytestmark = [pytest.mark.servers, pytest.mark.parametrize("backend", ["sqlite"], indirect=True)]


def among(*relays: Relay) -> pytest.MarkDecorator:
    """Run a test once with each."""
    return pytest.mark.parametrize("relay", relays, ids=[relay.name for relay in relays], indirect=True)


@pytest.fixture
def relay(request: pytest.FixtureRequest, tmp_path: Path, server: MailServer) -> Iterator[int]:
    """A relay's port; what it takes, it hands on to `server`."""
    own = tmp_path / "relay"
    own.mkdir()
    with running(request.param, own, sink=server.port) as port:
        yield port
    with socket.socket() as again:
        assert again.connect_ex(("127.0.0.1", port)) != 0, "it has not ended"


def require_sent(drive: Drive, server: MailServer, *, gone: int = 0) -> None:
    """All that can have it have it, each once."""
    require_settled(drive, people=PEOPLE, gone=gone)
    server.wait_for(PEOPLE - gone, seconds=HAND_ON_SECONDS)
    assert len(server.copies()) == len(server.received) == PEOPLE - gone


def require_settled(drive: Drive, *, people: int, gone: int = 0) -> None:
    """The campaign is over, and what became of each is known."""
    assert states(drive.engine) == +Counter({S.SENT: people - gone, S.FAILED: gone}), drive.words
    assert drive.status == (CampaignStatus.SENT, None)


@among(*RELAYS)
def test_everybody_gets_a_campaign_once(engine: Engine, relay: int, server: MailServer, tmp_path: Path) -> None:
    drive = start(engine, tmp_path, relay)
    drive.go_on()
    require_sent(drive, server)


@among(POSTFIX, OPENSMTPD)
def test_one_connection_is_enough_for_thousands(engine: Engine, relay: int, server: MailServer, tmp_path: Path) -> None:
    drive = start(engine, tmp_path, relay, people=5_000)
    drive.go_on(connections=1)
    require_settled(drive, people=5_000)
    assert set(server.copies().values()) == {1}  # of those that it has handed on by now


@among(*RELAYS)
def test_who_is_unknown_fails_and_the_others_get_their_mail(
    engine: Engine, relay: int, server: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.delivery.ledger.shuffle", by_id)  # by lot, twenty could follow each other
    drive = start(engine, tmp_path, relay, gone=2)
    drive.go_on()
    require_sent(drive, server, gone=200)


@among(*RELAYS)
def test_a_worker_that_is_told_to_stop_leaves_the_rest_to_another(
    engine: Engine, relay: int, server: MailServer, tmp_path: Path
) -> None:
    drive = start(engine, tmp_path, relay)
    asked = count()
    replace(drive, worker=worker_of(tmp_path / "journals", lambda: next(asked) > PEOPLE / 3)).go_on()
    assert 0 < states(engine)[S.SENT] < PEOPLE
    drive.go_on()
    require_sent(drive, server)


@among(*RELAYS)
def test_a_worker_that_is_killed_leaves_the_rest_to_another_and_nobody_gets_it_twice(
    engine: Engine, environment: dict[str, str], relay: int, server: MailServer, tmp_path: Path
) -> None:
    drive = start(engine, tmp_path, relay)
    arguments = (environment, drive.campaign, tmp_path / "journals", relay)
    process = multiprocessing.get_context("spawn").Process(target=send_until_killed, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    while states(engine)[S.SENDING]:
        sweeping.sweep(engine, drive.worker)
        time.sleep(LEASE.total_seconds() / 10)
    drive.go_on()
    unknown = states(engine)[S.UNKNOWN]
    assert unknown <= CONNECTIONS
    assert states(engine) == +Counter({S.SENT: PEOPLE - unknown, S.UNKNOWN: unknown}), drive.words
    server.wait_for(PEOPLE - unknown, seconds=HAND_ON_SECONDS)
    assert set(server.copies().values()) == {1}


@among(POSTGREY)
def test_who_is_put_off_by_greylisting_gets_the_mail_at_another_attempt(
    engine: Engine, relay: int, server: MailServer, tmp_path: Path
) -> None:
    drive = start(engine, tmp_path, relay)
    drive.go_on()
    assert states(engine)[S.DEFERRED] > 0
    while states(engine)[S.DEFERRED]:
        with session_scope(engine) as session:
            session.execute(update(Delivery).where(Delivery.state == S.DEFERRED).values(not_before=utcnow()))
        drive.go_on()
    require_sent(drive, server)
