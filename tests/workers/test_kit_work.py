"""What runs in the background about kits: they are planned, made, told of and reminded of, whoever is away."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from redis import Redis
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from mailer.delivery import control
from mailer.delivery.worker import Worker
from mailer.kits import making
from mailer.mail.pipeline import Pipeline
from mailer.operations.queue import connect, open_queue
from mailer.operations.stopping import Stop
from mailer.people import notices
from mailer.settings import Settings
from mailer.store.db import DatabaseUnavailable, session_scope, utcnow
from mailer.store.models import Campaign, Kit, KitEdition, UnionStatus
from tests.support.factories import SENDER, make_campaign, make_contact, make_list, make_subscriber, make_union
from tests.support.mail_server import MailServer
from workers import jobs, sweeper
from workers.runtime import Runtime


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """One that was started, with a kit to make for everybody and one for a union that affiliated afterwards."""
    mailing_list = make_list(session)
    make_subscriber(session, mailing_list, email="reader@example.net")
    campaign = make_campaign(session, mailing_list)
    campaign.forwardable, campaign.deadline = True, utcnow() + timedelta(days=2)
    control.start(session, campaign, SENDER)
    union = make_union(session, status=UnionStatus.AFFILIATED)
    make_contact(session, union, make_subscriber(session, email="officer@example.net"))
    session.commit()
    return campaign


@pytest.fixture
def redis(valkey_url: str) -> Iterator[Redis]:
    with Redis.from_url(valkey_url) as redis:
        yield redis


@pytest.fixture
def runtime(engine: Engine, redis: Redis, wire: Pipeline, worker: Worker, settings: Callable[..., Settings]) -> Runtime:
    """A sweeper's, of which no queue process answers a ring."""
    return Runtime(settings(), engine, redis, wire, worker)


@pytest.fixture
def alone(engine: Engine, wire: Pipeline, worker: Worker, settings: Callable[..., Settings]) -> Iterator[Runtime]:
    """A sweeper's, when Redis is away."""
    redis = connect("unix:///nowhere/valkey.sock")
    yield Runtime(settings(), engine, redis, wire, worker)
    redis.close()


def rung(redis: Redis) -> list[str]:
    return sorted(job_id.rpartition("-")[0] for job_id in open_queue(redis).get_job_ids())


@pytest.fixture
def opened(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run in the test's own process."""

    @contextmanager
    def opened(_stop: Stop) -> Iterator[Runtime]:
        yield runtime

    monkeypatch.setattr(jobs, "open_runtime", opened)
    monkeypatch.setattr(Stop, "listen", lambda stop: stop)  # it keeps its signals


@pytest.mark.usefixtures("opened")
def test_who_sends_a_campaign_has_its_kits_made_at_once(runtime: Runtime, campaign: Campaign) -> None:
    jobs.drain(campaign.id)
    assert f"kits-{campaign.id}" in rung(runtime.redis)
    runtime.redis.flushdb()
    jobs.make_kits(campaign.id)
    assert rung(runtime.redis) == [f"kits-{campaign.id}"]  # for whoever else is idle
    runtime.redis.flushdb()
    jobs.make_kits(campaign.id)
    assert rung(runtime.redis) == []


def test_kits_that_wait_are_rung_for_once(runtime: Runtime, session: Session, campaign: Campaign) -> None:
    sweeper.sweep(runtime)
    sweeper.sweep(runtime)
    assert rung(runtime.redis) == [f"campaign-{campaign.id}", f"kits-{campaign.id}"]
    assert session.scalar(select(func.count(Kit.id))) == 2


@pytest.mark.usefixtures("opened")
def test_a_union_is_told_of_its_kit_as_soon_as_that_is_made(
    runtime: Runtime, session: Session, campaign: Campaign
) -> None:
    sweeper.sweep(runtime)  # plans it
    runtime.redis.flushdb()
    jobs.make_kits(campaign.id)
    assert f"campaign-{notices.campaign(session).id}" in rung(runtime.redis)


def test_while_redis_is_away_kits_are_made_here_and_told_of(
    alone: Runtime, session: Session, campaign: Campaign, server: MailServer
) -> None:
    sweeper.sweep(alone)
    session.expire_all()
    assert all(session.scalars(select(KitEdition.made_at)))
    assert [message.recipient for message in server.received] == ["reader@example.net", "officer@example.net"]
    assert b"Subject: Ready to forward: Free the five" in server.received[1].data
    session.rollback()  # on SQLite nobody else could write
    sweeper.sweep(alone)
    assert len(server.received) == 2


def test_who_said_nothing_is_reminded_without_anybody_asking(
    runtime: Runtime, session: Session, campaign: Campaign
) -> None:
    sweeper.sweep(runtime)
    making.make(partial(session_scope, runtime.engine), campaign.id, SENDER, seconds=60, stopping=lambda: False)
    for kit in session.scalars(select(Kit).where(Kit.union_id.is_not(None))):
        assert kit.sent_at is not None
        kit.sent_at -= timedelta(days=2)
    session.commit()
    runtime.redis.flushdb()
    sweeper.sweep(runtime)
    assert session.scalar(select(Kit.reminded_at).where(Kit.union_id.is_not(None))) is not None
    assert len(rung(runtime.redis)) == 2  # for the campaign's mail and for notices


def test_mail_is_swept_though_no_kit_can_be(
    runtime: Runtime, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_session: Session) -> None:
        raise DatabaseUnavailable(problem="it is busy")

    monkeypatch.setattr(making, "plan_missing", fail)
    sweeper.sweep(runtime)
    assert rung(runtime.redis) == [f"campaign-{campaign.id}"]
