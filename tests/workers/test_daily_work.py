"""Workers write to the organisers each morning, whoever is away."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from redis import Redis
from sqlalchemy import Engine

from mailer.delivery.worker import Worker
from mailer.mail.pipeline import Pipeline
from mailer.operations.queue import connect
from mailer.people.organisers import Organisers
from mailer.settings import Settings
from mailer.store import db
from mailer.store.db import session_scope
from mailer.store.models import Application
from tests.support.mail_server import MailServer
from workers import sweeper
from workers.runtime import Runtime


@pytest.fixture
def away() -> Iterator[Redis]:
    redis = connect("unix:///nowhere/valkey.sock")
    yield redis
    redis.close()


def test_each_sweep_asks_whether_it_is_morning_and_one_mail_goes_out(
    engine: Engine,
    away: Redis,
    wire: Pipeline,
    worker: Worker,
    settings: Callable[..., Settings],
    server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = replace(worker, organisers=Organisers(("desk@example.org",)))
    runtime = Runtime(settings(), engine, away, wire, told)
    with session_scope(engine) as session:
        session.add(Application(name="Dockers", languages=["en"], is_named=True))
    for day in (1, 2):
        monkeypatch.setattr(db, "now", lambda _session, day=day: datetime(2035, 3, day, 8, tzinfo=UTC))
        for _ in range(2):
            sweeper.sweep(runtime)
    (mail,) = server.received
    assert mail.recipient == "desk@example.org"
    assert b"Subject: What happened on 1 March 2035" in mail.data
