"""Campaigns that a mail server refuses for days, sent by several workers at once: nobody fails for what is about us,
nobody gets two copies, and each campaign ends that can."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from mailer.delivery import control, sending
from mailer.delivery.worker import Worker
from mailer.errors import ServiceUnavailable
from mailer.mail.pipeline import Pipeline
from mailer.mail.smtp import Server
from mailer.store.db import session_scope
from mailer.store.models import Campaign, CampaignStatus, Claim, Delivery, DeliveryState, Reason, Subscriber
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber
from tests.support.ledger import let_pass
from tests.support.mail_server import MailServer

S = DeliveryState
QUOTA = "550 5.4.5 Daily user sending limit exceeded"
RELAYING = "554 5.7.1 Relay access denied"

# What counts here is time, which takes as long on either database.
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
on_both = pytest.mark.parametrize(
    "backend", ["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)], indirect=True
)


@dataclass
class Days:
    """A campaign, several workers, and time that passes when it is told to."""

    engine: Engine
    server: MailServer
    campaign_id: int
    workers: list[tuple[Worker, Pipeline]]
    passed: timedelta = timedelta()
    resumed: int = 0
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4))

    def work(self) -> None:
        """Have every worker send what is due."""
        for turn in [self.pool.submit(self._drain, *each) for each in self.workers]:
            turn.result()

    def _drain(self, worker: Worker, wire: Pipeline) -> None:
        with suppress(ServiceUnavailable):  # the server takes nothing for now
            sending.drain(self.engine, self.campaign_id, wire, worker)

    def let_pass(self, time: timedelta) -> None:
        """Let time pass in which nobody works."""
        let_pass(self.engine, time)
        self.passed += time

    @property
    def status(self) -> CampaignStatus:
        """Where the campaign stands."""
        with session_scope(self.engine, read_only=True) as session:
            return session.get_one(Campaign, self.campaign_id).status

    def resume(self) -> bool:
        """Have the campaign go on if it is paused. Returns whether it was."""
        if self.status is not CampaignStatus.PAUSED:
            return False
        with session_scope(self.engine) as session:
            control.resume(session, session.get_one(Campaign, self.campaign_id), SENDER)
        self.resumed += 1
        return True

    def resend(self) -> int:
        """Ask again for what failed."""
        with session_scope(self.engine) as session:
            return control.resend(session, session.get_one(Campaign, self.campaign_id), S.FAILED)

    def rows(self) -> Counter[tuple[DeliveryState, str | None]]:
        """How many deliveries are in each state, by reason. Nobody got two, and none is held or sent unseen."""
        with session_scope(self.engine, read_only=True) as session:
            deliveries = session.scalars(select(Delivery)).all()
            people = {person.id: person.email for person in session.scalars(select(Subscriber))}
            assert not session.scalars(select(Claim)).all()
        copies = self.server.copies()
        assert set(copies.values()) <= {1}
        assert set(copies) == {people[row.subscriber_id or 0] for row in deliveries if row.state is S.SENT}
        found = Counter((row.state, row.reason) for row in deliveries)
        assert all(state is not S.SENDING for state, _ in found)
        if self.status is CampaignStatus.SENT:
            assert not {S.PENDING, S.DEFERRED} & {state for state, _ in found}
        return found


@contextmanager
def under_way(engine: Engine, server: MailServer, folder: Path, *, people: int, workers: int = 1) -> Iterator[Days]:
    """A campaign that has just been sent off."""
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        for number in range(people):
            make_subscriber(session, mailing_list, email=f"p{number}@example.net", name=f"Person {number}")
        campaign = make_campaign(session, mailing_list)
        control.start(session, campaign, SENDER)
        campaign_id = campaign.id
    worker = Worker(name="test", lease=timedelta(seconds=30), journals=folder / "journals", sender=SENDER)
    wires = [Pipeline(Server("127.0.0.1", server.port), connections=2) for _ in range(workers)]
    days = Days(engine, server, campaign_id, [(replace(worker, name=f"w{n}"), wire) for n, wire in enumerate(wires)])
    try:
        with days.pool:
            yield days
    finally:
        for wire in wires:
            wire.close()


def quota_of(number: int, words: str = QUOTA) -> tuple[Callable[[str], str], Callable[[], None]]:
    """What a server says that takes so many mails, and what makes its quota fresh."""
    left = [number]

    def dot(_: str) -> str:
        left[0] -= 1
        return "250 ok" if left[0] >= 0 else words

    def refresh() -> None:
        left[0] = number

    return dot, refresh


@on_both
@pytest.mark.parametrize(("workers", "every"), [(2, 1), (3, 24)], ids=["each hour", "each day"])
def test_a_daily_quota_fails_nobody_however_often_the_campaign_is_resumed(
    engine: Engine, server: MailServer, tmp_path: Path, workers: int, every: int
) -> None:
    server.behaviour.dot, refresh = quota_of(8)
    with under_way(engine, server, tmp_path, people=20, workers=workers) as days:
        for hour in range(24 * 4):
            if hour % 24 == 0:
                refresh()
            if hour % every == 0:
                days.resume()
            if days.status is CampaignStatus.SENDING:
                days.work()
            if days.status is CampaignStatus.SENT:
                break
            days.let_pass(timedelta(hours=1))
        assert days.rows() == {(S.SENT, None): 20}


@on_both
def test_the_tail_of_a_daily_quota_waits_by_itself_until_the_quota_is_fresh(
    engine: Engine, server: MailServer, tmp_path: Path
) -> None:
    server.behaviour.dot, refresh = quota_of(0)
    with under_way(engine, server, tmp_path, people=15) as days:
        for _ in range(40):  # resumed too early, until most have been refused more than three times
            days.work()
            assert days.resume()
        server.behaviour.dot, refresh = quota_of(13)
        for _ in range(22):
            days.work()
            days.resume()
            assert days.rows()[S.SENT, None] == 13
            days.let_pass(timedelta(hours=1))
        refresh()
        days.let_pass(timedelta(hours=2))
        days.work()
        assert days.rows() == {(S.SENT, None): 15}
        assert days.status is CampaignStatus.SENT


@on_sqlite
def test_a_quota_that_is_small_for_what_is_left_fails_nobody_though_nobody_has_to_resume_the_campaign(
    engine: Engine, server: MailServer, tmp_path: Path
) -> None:
    server.behaviour.dot, refresh = quota_of(3)
    with under_way(engine, server, tmp_path, people=14) as days:
        days.work()
        with session_scope(engine) as session:
            session.execute(update(Delivery).where(Delivery.state == S.PENDING).values(put_back=3))
        for hour in range(0, 24 * 7, 2):
            if hour % 24 == 0:
                refresh()
            days.resume()
            days.work()
            days.let_pass(timedelta(hours=2))
        assert days.rows() == {(S.SENT, None): 14}
        assert days.resumed <= 3


@pytest.mark.parametrize("words", [QUOTA, "554 unwanted", "550 5.7.1 spam", RELAYING])
def test_what_was_put_off_for_another_reason_pays_for_no_refusal_of_us(
    engine: Engine, server: MailServer, tmp_path: Path, words: str
) -> None:
    good = {f"p{number}@example.net" for number in range(10)}
    greylisted = "451 4.7.1 Greylisting in action, please come back later"
    server.behaviour.rcpt = lambda to: "250 ok" if to in good else greylisted
    with under_way(engine, server, tmp_path, people=60, workers=2) as days:
        with session_scope(engine) as session:
            control.pause(session, session.get_one(Campaign, days.campaign_id), reason="lunch")
        assert days.resume()
        for _ in range(4):
            days.work()
            days.let_pass(timedelta(minutes=90))  # longer than any wait
        assert days.rows() == {(S.SENT, None): 10, (S.DEFERRED, None): 50}
        server.behaviour.rcpt = lambda _: "250 ok"
        server.behaviour.dot = lambda _: words
        days.work()
        assert days.status is CampaignStatus.PAUSED
        assert days.rows().keys() <= {(S.SENT, None), (S.DEFERRED, None), (S.PENDING, None)}


@on_both
@pytest.mark.parametrize("words", ["550 5.4.4 no route to domain", "550 5.7.1 domain blocked"])
def test_half_a_list_that_is_always_refused_in_words_that_no_rule_knows_costs_twenty_a_resume_and_ends(
    engine: Engine, server: MailServer, tmp_path: Path, words: str
) -> None:
    said = "451 4.7.1 Greylisting in action"
    server.behaviour.rcpt = lambda to: said if int(to[1:].partition("@")[0]) % 2 else "250 ok"
    with under_way(engine, server, tmp_path, people=120, workers=3) as days:
        days.work()
        said, failed = words, 0
        while True:
            days.let_pass(timedelta(hours=2))
            days.work()
            before, failed = failed, sum(count for (state, _), count in days.rows().items() if state is S.FAILED)
            assert days.resumed > 2 or not failed
            assert failed - before < 3 * 20 + 6  # each worker counts what it hears itself; six connections
            if not days.resume():
                break
        assert days.status is CampaignStatus.SENT
        assert {state: count for (state, _), count in days.rows().items()} == {S.SENT: 60, S.FAILED: 60}
        server.behaviour.rcpt = lambda _: "250 ok"
        assert days.resend() == 60
        days.work()
        assert days.rows() == {(S.SENT, None): 120}


@on_both
@pytest.mark.parametrize("words", [RELAYING, "454 4.7.1 Relay access denied"])
def test_half_a_list_that_is_refused_for_what_we_are_waits_however_often_the_campaign_is_resumed(
    engine: Engine, server: MailServer, tmp_path: Path, words: str
) -> None:
    server.behaviour.rcpt = lambda to: words if int(to[1:].partition("@")[0]) % 2 else "250 ok"
    with under_way(engine, server, tmp_path, people=30, workers=3) as days:
        for _ in range(30):
            days.work()
            days.resume()
            days.let_pass(timedelta(hours=1))
        assert days.rows()[S.SENT, None] == 15
        assert not any(state is S.FAILED for state, _ in days.rows())
        server.behaviour.rcpt = lambda _: "250 ok"
        for _ in range(3):
            days.work()
            days.resume()
            days.let_pass(timedelta(hours=2))
        assert days.rows() == {(S.SENT, None): 30}


@on_sqlite
@pytest.mark.parametrize(
    "words", [QUOTA, RELAYING, pytest.param("454 4.7.1 Relay access denied", marks=pytest.mark.soak)]
)
def test_a_campaign_ends_two_days_after_its_last_few_mails_were_put_back_for_the_third_time(
    engine: Engine, server: MailServer, tmp_path: Path, words: str
) -> None:
    bad = {f"p{number}@example.net" for number in range(5)}
    server.behaviour.rcpt = lambda to: words if to in bad else "250 ok"
    with under_way(engine, server, tmp_path, people=30, workers=2) as days:
        while days.status is not CampaignStatus.SENT:
            assert days.passed < timedelta(days=60)
            days.work()
            days.resume()
            days.let_pass(timedelta(hours=2))
        assert days.rows() == {(S.SENT, None): 25, (S.FAILED, Reason.GAVE_UP): 5}
        assert 3 <= days.resumed <= 40
        assert days.passed > timedelta(days=2)
        server.behaviour.rcpt = lambda _: "250 ok"
        assert days.resend() == 5
        days.work()
        assert days.rows() == {(S.SENT, None): 30}


@on_sqlite
def test_a_resend_begins_anew_with_those_who_were_put_back_before(
    engine: Engine, server: MailServer, tmp_path: Path
) -> None:
    server.behaviour.dot = lambda _: "250 ok" if len(server.copies()) <= 6 else "554 unwanted"
    with under_way(engine, server, tmp_path, people=60) as days:
        while days.status is not CampaignStatus.SENT:
            assert days.resumed < 150
            days.work()
            days.resume()
        before = days.rows()
        assert days.resend() == before[S.FAILED, None] > 40
        for refuse, _ in (quota_of(0, "554 unwanted"), quota_of(0)):
            server.behaviour.dot = refuse
            days.work()
            assert days.rows() == {(S.SENT, None): before[S.SENT, None], (S.PENDING, None): before[S.FAILED, None]}
            assert days.resume()


def test_a_resend_after_three_days_has_two_days_for_retries(engine: Engine, server: MailServer, tmp_path: Path) -> None:
    server.behaviour.dot = lambda _: "550 5.0.0 no"
    with under_way(engine, server, tmp_path, people=3) as days:
        days.work()
        assert days.rows() == {(S.FAILED, None): 3}
        days.let_pass(timedelta(days=3))
        assert days.resend() == 3
        server.behaviour.dot = lambda _: "451 4.7.1 Greylisted"
        days.work()
        assert days.rows() == {(S.DEFERRED, None): 3}
        days.let_pass(timedelta(days=2))
        days.work()
        assert days.rows() == {(S.FAILED, Reason.GAVE_UP): 3}


@on_sqlite
@pytest.mark.parametrize("words", ["454 4.7.1 Relay access denied", "451 4.7.0 Daily sending limit exceeded"])
@pytest.mark.parametrize("people", [2, 12])
def test_the_few_that_a_server_refuses_for_now_are_asked_less_and_less_often(
    engine: Engine, server: MailServer, tmp_path: Path, words: str, people: int
) -> None:
    asked: list[str] = []

    def rcpt(to: str) -> str:
        is_bad = to in ("p0@example.net", "p1@example.net")
        asked.extend([to] * is_bad)
        return words if is_bad else "250 ok"

    server.behaviour.rcpt = rcpt
    with under_way(engine, server, tmp_path, people=people) as days:
        for _ in range(36):
            days.work()
            days.let_pass(timedelta(minutes=20))
        assert set(Counter(asked).values()) <= set(range(10, 20))


def test_after_any_mix_of_answers_nobody_got_two_and_nobody_is_left(
    engine: Engine, server: MailServer, tmp_path: Path
) -> None:
    chance = random.Random(7)
    refusals = ["451 4.3.0 later", "554 unwanted", "550 5.7.1 spam", "421 4.7.0 bye", "452 4.2.2 full", QUOTA]
    at_rcpt = [*refusals, "550 5.1.1 nobody", "450 4.7.1 Relay access denied", *["250 ok"] * 18]
    at_dot = [*refusals, *["250 ok"] * 18]
    server.behaviour.rcpt = lambda _: chance.choice(at_rcpt)
    server.behaviour.dot = lambda _: chance.choice(at_dot)
    with under_way(engine, server, tmp_path, people=120, workers=3) as days:
        while days.status is not CampaignStatus.SENT:
            assert days.passed < timedelta(days=60)
            days.work()
            days.resume()
            days.let_pass(timedelta(hours=2))
        # Which answer comes to whom hangs on how the workers take turns.
        assert sum(count for (state, _), count in days.rows().items() if state is S.SENT) > 60
