"""Organisers stay in control while workers run: pace, pauses, priorities, refusals, people who leave."""

import json
import re
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import Engine, select, update

from mailer.delivery.ledger import CLAIM_LIMIT
from mailer.people import subscribers
from mailer.store.db import session_scope
from mailer.store.models import MailingList, Subscriber, Subscription, SubscriptionStatus, Suppression
from tests.acceptance.system import System
from tests.conftest import CommandLine
from tests.support.factories import make_campaign, make_list, make_subscriber
from tests.support.waiting import wait_until

SLOW = 0.02  # seconds between a dot and its answer
#: so slow that what a worker holds would take it well over two seconds
CRAWLING = 0.06


@pytest.fixture
def crowd(engine: Engine) -> Callable[[str, int], str]:
    """Makes a list with so many people and a campaign to them; returns the campaign's slug."""

    def make(slug: str, people: int) -> str:
        with session_scope(engine) as session:
            members = make_list(session, slug)
            for number in range(people):
                make_subscriber(session, members, email=f"{slug}{number}@example.net", name=f"Nomen{slug}{number}")
            make_campaign(session, members, slug=slug)
        return slug

    return make


@pytest.fixture
def arrivals(system: System) -> list[tuple[float, str]]:
    """When each message's dot came, and for whom."""
    came: list[tuple[float, str]] = []

    def note(recipient: str) -> str:
        came.append((time.monotonic(), recipient))
        return "250 2.0.0 queued"

    system.server.behaviour.dot = note
    return came


def received(system: System, slug: str) -> int:
    """How many people of a campaign got it."""
    return sum(recipient.startswith(slug) for recipient in system.server.copies())


def busiest_second(times: Sequence[float]) -> int:
    """The most within any second."""
    return max(bisect_left(times, start + 1) - number for number, start in enumerate(times))


# --- pace -------------------------------------------------------------------------------------------------------------


def test_two_workers_together_keep_to_the_rate(
    system: System, crowd: Callable[[str, int], str], arrivals: list[tuple[float, str]]
) -> None:
    people = 4 * CLAIM_LIMIT  # a worker holds two claims: half of them
    slug, rate = crowd("steady", people), 60
    system.environment["MAILER_SMTP_RATE"] = str(rate)
    for _ in range(2):
        system.start_worker()
    system.mailer("campaigns", "send", slug)
    system.server.wait_for(people)
    times = sorted(moment for moment, _ in arrivals)
    # Exactly at the workers (tests/workers/test_pace.py); a server that is held up for a moment takes some together.
    assert busiest_second(times) <= 1.2 * rate
    assert people / (times[-1] - times[0]) <= 1.05 * rate
    assert system.wait_until_sent(slug)["states"]["sent"] == people


# --- priorities -------------------------------------------------------------------------------------------------------


def test_a_small_campaign_and_test_mails_do_not_wait_for_a_large_one(
    system: System, crowd: Callable[[str, int], str]
) -> None:
    large, small, draft = crowd("large", 4_000), crowd("small", 20), crowd("draft", 1)
    system.server.behaviour.delay = SLOW
    system.start_worker()
    system.mailer("campaigns", "send", large)
    system.server.wait_for(100)

    system.mailer("campaigns", "send", small)
    wait_until(lambda: received(system, small) == 20)
    for slug in (large, draft):
        system.mailer("campaigns", "test", slug, "--to", f"check-{slug}@example.org")
    wait_until(lambda: received(system, "check-") == 2)

    before = received(system, large)
    assert before < 4_000
    wait_until(lambda: received(system, large) > before)


# --- pause, resume, cancel --------------------------------------------------------------------------------------------


def test_a_pause_takes_hold_within_two_seconds_and_ends_when_a_person_says_so(
    system: System, crowd: Callable[[str, int], str]
) -> None:
    slug = crowd("halting", 1_000)
    system.server.behaviour.delay = CRAWLING
    for _ in range(2):
        system.start_worker()
    system.mailer("campaigns", "send", slug)
    system.server.wait_for(60)

    assert _arrived_late(system, lambda: system.mailer("campaigns", "pause", slug)) == 0
    held = system.status(slug)
    assert (held["status"], held["hold_reason"]) == ("paused", "paused by an organiser")
    wait_until(lambda: system.status(slug)["states"]["sending"] == 0)
    assert system.status(slug)["states"]["sent"] == len(system.server.received)

    system.mailer("campaigns", "resume", slug)
    system.server.wait_for(len(system.server.received) + 60)
    assert _arrived_late(system, lambda: system.mailer("campaigns", "cancel", slug)) == 0
    wait_until(lambda: system.status(slug)["states"]["sending"] == 0)
    states = system.states(slug)
    assert states == {"sent": len(system.server.received), "skipped": 1_000 - len(system.server.received)}
    assert max(system.server.copies().values()) == 1


def test_pausing_all_halts_every_campaign_at_once(system: System, crowd: Callable[[str, int], str]) -> None:
    slugs = [crowd("first", 400), crowd("second", 400)]
    system.server.behaviour.delay = CRAWLING
    for _ in range(2):
        system.start_worker()
    for slug in slugs:
        system.mailer("campaigns", "send", slug)
    wait_until(lambda: all(received(system, slug) for slug in slugs))

    assert _arrived_late(system, lambda: system.mailer("campaigns", "pause", "--all")) == 0
    assert {system.status(slug)["status"] for slug in slugs} == {"paused"}
    for slug in slugs:
        system.mailer("campaigns", "resume", slug)
    for slug in slugs:
        assert system.wait_until_sent(slug)["states"]["sent"] == 400
    assert set(system.server.copies().values()) == {1}


def _arrived_late(system: System, halt: Callable[[], object]) -> int:
    """How many messages came later than two seconds after something that should stop them."""
    halt()
    time.sleep(2)
    count = len(system.server.received)
    time.sleep(1.5)
    return len(system.server.received) - count


# --- people who leave -------------------------------------------------------------------------------------------------


def test_who_leaves_in_the_middle_gets_nothing_from_two_seconds_later_on(
    system: System, engine: Engine, crowd: Callable[[str, int], str], arrivals: list[tuple[float, str]]
) -> None:
    slug, people = crowd("leaving", 400), 400
    system.server.behaviour.delay = CRAWLING
    system.start_worker()
    system.mailer("campaigns", "send", slug)
    system.server.wait_for(100)
    left = _leave(engine, every=3)
    gone = time.monotonic()
    status = system.wait_until_sent(slug)
    late = {recipient for moment, recipient in arrivals if moment > gone + 2}
    assert not late & left
    skipped = {row["email"] for row in system.recipients(slug, "skipped") if row["reason"] == "left"}
    assert skipped
    assert skipped == left - set(system.server.copies())
    assert status["states"]["sent"] + len(skipped) == people


def _leave(engine: Engine, *, every: int) -> set[str]:
    """Unsubscribe some, as the page will; returns their addresses."""
    leaving = Subscription.subscriber_id % every == 0
    with session_scope(engine) as session:
        session.execute(
            update(Subscription).where(leaving).values(status=SubscriptionStatus.UNSUBSCRIBED),
            execution_options={"synchronize_session": False},
        )
        people = session.execute(select(Subscriber.id, Subscriber.email).where(Subscriber.id % every == 0)).all()
        subscribers.refresh(session, [subscriber_id for subscriber_id, _ in people])
    return {email for _, email in people}


# --- refusals ---------------------------------------------------------------------------------------------------------


def _refuse_some(recipient: str) -> str:
    """Every tenth address does not exist, every tenth is refused for now, and one is taken for spam."""
    number = int(re.sub(r"\D", "", recipient))
    match number % 10:
        case 1:
            return f"550 5.1.1 <{recipient}>: user {recipient.partition('@')[0]} unknown"
        case 2:
            return f"450 4.2.2 {recipient} is over quota"
        case _ if number == 5:
            return f"550 5.7.1 {recipient} takes this for spam"
    return "250 2.1.5 ok"


def test_refusals_are_settled_shown_suppressed_and_name_nobody(
    system: System, engine: Engine, crowd: Callable[[str, int], str]
) -> None:
    slug = crowd("refused", 100)
    system.server.behaviour.rcpt = _refuse_some
    worker = system.start_worker()
    system.mailer("campaigns", "send", slug)
    wait_until(lambda: system.states(slug) == {"sent": 79, "failed": 11, "deferred": 10})

    status = system.status(slug)
    kinds = {(kind["smtp_code"], kind["enhanced_code"], kind["state"]): kind["count"] for kind in status["refusals"]}
    assert kinds == {(550, "5.1.1", "failed"): 10, (450, "4.2.2", "deferred"): 10, (550, "5.7.1", "failed"): 1}
    assert status["next_retry"] is not None
    assert status["give_up_at"] is not None
    shown = system.mailer("campaigns", "status", slug)
    assert "Deferred mails are tried again from" in shown
    failed = system.recipients(slug, "failed")
    assert {"550 5.1.1", "550 5.7.1"} == {f"{row['smtp_code']} {row['smtp_text'].split()[0]}" for row in failed}
    assert all(row["email"] in row["smtp_text"] for row in failed)

    with session_scope(engine) as session:
        assert session.query(Suppression).count() == 10
        members = session.scalars(select(MailingList).where(MailingList.slug == slug)).one()
        make_campaign(session, members, slug="again")
    assert json.loads(system.mailer("campaigns", "check", "again", "--json"))["audience"] == 90

    worker.terminate()
    worker.wait(15)
    for text in (json.dumps(status), shown, system.logged()):
        assert not re.search(r"@example\.net|refused\d|Nomen", text)


def test_a_server_that_refuses_us_pauses_the_campaign_and_says_why(
    system: System, crowd: Callable[[str, int], str]
) -> None:
    slug = crowd("blocked", 500)
    system.server.behaviour.dot = lambda recipient: f"554 5.7.1 <{recipient}>: your network is on our list"
    worker = system.start_worker()
    refused = CommandLine(system.environment)("campaigns", "send", slug, "--wait", exit_code=1).stderr
    status = system.status(slug)
    assert status["status"] == "paused"
    assert (
        status["hold_reason"] == "the mail server refuses our mail: 554 5.7.1 <[address]>: your network is on our list"
    )
    assert "your network is on our list" in refused
    assert "your network is on our list" in system.mailer("campaigns", "status", slug)
    wait_until(lambda: system.status(slug)["states"]["sending"] == 0)
    assert system.states(slug) == {"pending": 500}

    system.server.behaviour.dot = lambda _: "250 ok"
    system.mailer("campaigns", "resume", slug)
    assert system.wait_until_sent(slug)["states"]["sent"] == 500
    assert set(system.server.copies().values()) == {1}

    worker.terminate()
    worker.wait(15)
    problems = [json.loads(line) for line in system.logged().splitlines() if '"ERROR"' in line]
    assert problems
    assert all("campaigns status" in problem["message"] for problem in problems)
    assert not re.search(r"@example\.net|blocked\d", system.logged())
