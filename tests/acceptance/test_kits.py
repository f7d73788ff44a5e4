"""Kits as workers make them: all of them, in time, each union told once, also when a worker is killed on the way."""

import logging
import time
from collections import Counter
from datetime import timedelta

import psutil
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from mailer.store.db import utcnow
from mailer.store.models import Campaign, Kit, KitEdition, UnionStatus
from tests.acceptance.system import System
from tests.support.factories import add_text, make_campaign, make_contact, make_list, make_subscriber, make_union
from tests.support.waiting import wait_until

log = logging.getLogger(__name__)

LANGUAGES = ("fr", "de", "ru", "ar")  # and English
BODY = "Dear {{ name or 'supporter' }},\n\n" + "\n\n".join(["Write to the embassy; say what you know. " * 6] * 6) + "\n"
READER = "reader@example.net"


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """A draft in five languages, to one person."""
    mailing_list = make_list(session)
    make_subscriber(session, mailing_list, email=READER)
    campaign = make_campaign(session, mailing_list, body=BODY)
    campaign.forwardable, campaign.deadline = True, utcnow() + timedelta(days=30)
    for language in LANGUAGES:
        add_text(session, campaign, language, BODY)
    session.commit()
    return campaign


def affiliate(session: Session, unions: int) -> list[str]:
    """So many unions with a contact each; returns their addresses."""
    people = [f"officer{number}@example.net" for number in range(unions)]
    for number, email in enumerate(people):
        union = make_union(session, f"union-{number}", status=UnionStatus.AFFILIATED, languages=["fr", "en"])
        make_contact(session, union, make_subscriber(session, email=email))
    session.commit()
    return people


def count(session: Session, *which: object) -> int:
    found = session.scalar(select(func.count(KitEdition.id)).where(*which))  # type: ignore[arg-type]
    session.rollback()
    return found or 0


def are_ready(session: Session) -> bool:
    waiting = session.scalar(select(func.count(Kit.id)).where(Kit.ready_at.is_(None)))
    session.rollback()
    return waiting == 0


def recipients(system: System) -> Counter[str]:
    return Counter(message.recipient for message in system.server.received)


def test_a_worker_that_is_killed_costs_no_kit_and_tells_nobody_twice(
    system: System, session: Session, campaign: Campaign
) -> None:
    people = affiliate(session, 20)
    victim = system.start_worker()
    system.mailer("campaigns", "send", campaign.slug)
    wait_until(lambda: count(session, KitEdition.made_at.is_not(None)) > 0)
    system.kill(victim)
    assert 0 < count(session, KitEdition.made_at.is_not(None)) < 105
    # As if its lease were over: else the test would take that minute.
    session.execute(update(KitEdition).values(taken_until=utcnow() - timedelta(seconds=1)))
    session.commit()
    for _ in range(2):
        system.start_worker()
    wait_until(lambda: are_ready(session))
    assert count(session, KitEdition.archive.is_not(None)) == 105
    wait_until(lambda: len(system.server.received) >= 21)
    assert recipients(system) == Counter([READER, *people])


@pytest.mark.soak
def test_kits_for_500_unions_in_5_languages_are_made_by_two_workers_within_three_minutes(
    system: System, session: Session, campaign: Campaign
) -> None:
    people = affiliate(session, 500)
    workers = [system.start_worker() for _ in range(2)]
    processes = [psutil.Process(worker.pid) for worker in workers] + [system.queue_process(each) for each in workers]
    began = time.monotonic()
    system.mailer("campaigns", "send", campaign.slug)
    wait_until(lambda: are_ready(session))
    wall = time.monotonic() - began
    wait_until(lambda: len(system.server.received) >= 501)
    assert recipients(system) == Counter([READER, *people])
    cpu = sum(sum(process.cpu_times()[:4]) for process in processes)
    size = session.scalar(select(func.avg(func.length(KitEdition.archive)))) or 0
    # Shown with: pytest -m soak -o log_cli=true -o log_cli_level=INFO
    log.info("2505 editions in %.0f s, %.0f ms of CPU and %.0f bytes each", wall, 1000 * cpu / 2505, size)
    assert count(session, KitEdition.archive.is_not(None)) == 2505
