"""Sending through a real SMTP conversation: what the ledger says afterwards is what the server saw."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from sqlalchemy import Engine, event, func, select, text, update
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.campaigns.lifecycle import WrongStatus
from mailer.campaigns.readiness import Refused
from mailer.delivery import control, journal, ledger, recovery, sending, sweeping, verdicts
from mailer.delivery.outbox import Outbox
from mailer.delivery.worker import Worker
from mailer.mail.dkim import Signer, SigningKey
from mailer.mail.pipeline import Pipeline
from mailer.mail.smtp import SmtpUnavailable
from mailer.mail.types import Outcome, OutcomeKind
from mailer.people import subscribers
from mailer.store import audit
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    ActKind,
    AuditActor,
    Campaign,
    CampaignStatus,
    Delivery,
    DeliveryState,
    Edition,
    Reason,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
)
from tests.support.factories import SENDER, make_act, make_campaign, make_list, make_subscriber
from tests.support.ledger import in_order
from tests.support.mail_server import MailServer

pytestmark = pytest.mark.usefixtures("unshuffled")

S = DeliveryState


def started(engine: Engine, people: int) -> int:
    """A campaign that has just been sent off, in the order of its people; returns its id."""
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        for number in range(people):
            make_subscriber(session, mailing_list, email=f"p{number}@example.net", name=f"Person {number}")
        campaign = make_campaign(session, mailing_list)
        assert control.start(session, campaign, SENDER) == people
        in_order(session)
        return campaign.id


def rows(engine: Engine) -> Counter[tuple[DeliveryState, str | None]]:
    with session_scope(engine, read_only=True) as session:
        return Counter((row.state, row.reason) for row in session.scalars(select(Delivery)))


def status(engine: Engine, campaign_id: int) -> CampaignStatus:
    with session_scope(engine, read_only=True) as session:
        return session.get_one(Campaign, campaign_id).status


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_postgresql_knows_how_much_there_is_before_the_first_claim(engine: Engine) -> None:
    started(engine, 3)
    with engine.connect() as connection:
        names = ("deliveries", "subscribers", "subscriptions")
        known = connection.execute(text("SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'")).all()
    assert {name: rows for name, rows in known if name in names} == dict.fromkeys(names, 3)


# --- starting -------------------------------------------------------------------------------------------------------


def test_a_campaign_is_sent_once(session: Session) -> None:
    mailing_list = make_list(session)
    make_subscriber(session, mailing_list)
    campaign = make_campaign(session, mailing_list)
    control.start(session, campaign, SENDER)
    with pytest.raises(WrongStatus, match="is sending, so it cannot be started"):
        control.start(session, campaign, SENDER)


def test_nobody_to_send_to_leaves_the_draft_a_draft(engine: Engine) -> None:
    with session_scope(engine) as session:
        make_campaign(session, make_list(session))
    with pytest.raises(Refused, match="nobody would get it"), session_scope(engine) as session:
        control.start(session, lifecycle.get(session, "free-the-five"), SENDER)
    assert status(engine, 1) is CampaignStatus.DRAFT
    with session_scope(engine, read_only=True) as session:
        assert session.scalars(select(Edition)).all() == []


def test_a_late_start_is_refused_and_a_late_schedule_waits_for_a_person(engine: Engine, worker: Worker) -> None:
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        make_subscriber(session, mailing_list)
        campaign = make_campaign(session, mailing_list)
        control.schedule(session, campaign, utcnow() - timedelta(hours=2), SENDER)
        campaign.latest_start = utcnow() - timedelta(hours=1)
        session.flush()
        with pytest.raises(Refused, match="its latest start is"):
            control.schedule(session, campaign, utcnow(), SENDER)
    assert sweeping.sweep(engine, worker) == []
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, 1)
        assert campaign.status is CampaignStatus.PAUSED
        assert "its latest start is" in (campaign.hold_reason or "")
        control.resume(session, campaign, SENDER)
    assert rows(engine) == {(S.PENDING, None): 1}


def test_a_scheduled_campaign_starts_by_itself_when_its_time_has_come(engine: Engine, worker: Worker) -> None:
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        make_subscriber(session, mailing_list)
        campaign = make_campaign(session, mailing_list)
        control.schedule(session, campaign, utcnow() + timedelta(hours=1), SENDER)
    assert sweeping.sweep(engine, worker) == []
    with session_scope(engine) as session:
        control.schedule(session, session.get_one(Campaign, 1), utcnow(), SENDER)
    assert sweeping.sweep(engine, worker) == [1]
    assert rows(engine) == {(S.PENDING, None): 1}
    assert written_by_itself(engine) == [("campaigns.start", "free-the-five")]


def written_by_itself(engine: Engine) -> list[tuple[str, str | None]]:
    with session_scope(engine, read_only=True) as session:
        entries = audit.page(session, limit=50)
        assert {entry.actor for entry in entries} == {AuditActor.ITSELF}
        return [(entry.action, entry.subject) for entry in entries]


def test_a_scheduled_campaign_that_cannot_start_says_why(engine: Engine, worker: Worker) -> None:
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        make_subscriber(session, mailing_list, email="last@example.net")
        control.schedule(session, make_campaign(session, mailing_list), utcnow(), SENDER)
    with session_scope(engine) as session:
        subscribers.erase(session, "last@example.net")
    sweeping.sweep(engine, worker)
    with session_scope(engine, read_only=True) as session:
        campaign = session.get_one(Campaign, 1)
        assert campaign.status is CampaignStatus.PAUSED
        assert "nobody would get it" in (campaign.hold_reason or "")
    assert written_by_itself(engine) == [("campaigns.hold", "free-the-five")]


def test_an_audience_of_nobody_is_not_scheduled(session: Session) -> None:
    campaign = make_campaign(session, make_list(session))
    with pytest.raises(Refused, match="nobody would get it"):
        control.schedule(session, campaign, utcnow() + timedelta(days=1), SENDER)


def test_a_paused_schedule_goes_on_waiting_for_its_time(session: Session) -> None:
    mailing_list = make_list(session)
    make_subscriber(session, mailing_list)
    campaign = make_campaign(session, mailing_list)
    control.schedule(session, campaign, utcnow() + timedelta(hours=1), SENDER)
    control.pause(session, campaign, reason="wait")
    control.resume(session, campaign, SENDER)
    assert campaign.status is CampaignStatus.SCHEDULED


# --- draining -------------------------------------------------------------------------------------------------------


def test_everyone_gets_it_once_and_the_campaign_is_sent(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    campaign_id = started(engine, 45)
    assert not sending.drain(engine, campaign_id, wire, worker)
    assert server.copies() == {f"p{number}@example.net": 1 for number in range(45)}
    assert rows(engine) == {(S.SENT, None): 45}
    assert status(engine, campaign_id) is CampaignStatus.SENT
    assert len({message.message_id for message in server.received}) == 45
    assert b"Person 7" in next(m.data for m in server.received if m.recipient == "p7@example.net")


def test_refusals_are_kept_with_the_servers_words(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    answers = {"p1@example.net": "550 5.1.1 nobody here", "p2@example.net": "451 4.3.0 later"}
    server.behaviour.rcpt = lambda recipient: answers.get(recipient, "250 ok")
    campaign_id = started(engine, 4)
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.SENT, None): 2, (S.FAILED, None): 1, (S.DEFERRED, None): 1}
    with session_scope(engine, read_only=True) as session:
        failed = session.scalars(select(Delivery).where(Delivery.state == S.FAILED)).one()
        assert (failed.smtp_code, failed.smtp_text) == (550, "5.1.1 nobody here")
        deferred = session.scalars(select(Delivery).where(Delivery.state == S.DEFERRED)).one()
        assert deferred.not_before is not None
        assert deferred.not_before > utcnow() + timedelta(seconds=40)
    assert status(engine, campaign_id) is CampaignStatus.SENDING


def test_a_refusal_for_now_becomes_one_for_good_after_two_days(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    server.behaviour.rcpt = lambda _: "451 4.3.0 later"
    campaign_id = started(engine, 1)
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.DEFERRED, None): 1}
    with session_scope(engine) as session:
        session.get_one(Campaign, campaign_id).started_at = utcnow() - timedelta(days=2)
        session.scalars(select(Delivery)).one().not_before = utcnow()
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.FAILED, Reason.GAVE_UP): 1}
    assert status(engine, campaign_id) is CampaignStatus.SENT


def test_a_lost_answer_is_unknown_and_not_tried_again(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    server.behaviour.dot = lambda recipient: None if recipient == "p1@example.net" else "250 ok"
    campaign_id = started(engine, 3)
    sending.drain(engine, campaign_id, wire, worker)
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.SENT, None): 2, (S.UNKNOWN, Reason.CONNECTION_LOST): 1}
    assert server.copies()["p1@example.net"] == 1


def test_resending_the_unknown_keeps_the_message_id(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    server.behaviour.dot = lambda _: None
    campaign_id = started(engine, 1)
    sending.drain(engine, campaign_id, wire, worker)
    server.behaviour.dot = lambda _: "250 ok"
    with session_scope(engine) as session:
        control.resend(session, session.get_one(Campaign, campaign_id), S.UNKNOWN)
    sending.drain(engine, campaign_id, wire, worker)
    first, second = server.received
    assert first.message_id == second.message_id
    assert rows(engine) == {(S.SENT, None): 1}


def test_without_a_mail_server_everything_waits(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    server.behaviour.greeting = "421 not now"
    campaign_id = started(engine, 3)
    with pytest.raises(SmtpUnavailable):
        sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.PENDING, None): 3}
    server.behaviour.greeting = "220 back"
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.SENT, None): 3}
    assert set(server.copies().values()) == {1}


def test_a_server_that_refuses_our_sender_pauses_the_campaign_and_says_so(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    server.behaviour.mail = lambda _: "550 5.7.1 not you"
    campaign_id = started(engine, 3)
    assert not sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.PENDING, None): 3}
    with session_scope(engine, read_only=True) as session:
        campaign = session.get_one(Campaign, campaign_id)
        assert campaign.status is CampaignStatus.PAUSED
        assert "550 5.7.1 not you" in (campaign.hold_reason or "")


# --- refused for what we are ----------------------------------------------------------------------------------------


def resume(engine: Engine, campaign_id: int) -> None:
    with session_scope(engine) as session:
        control.resume(session, session.get_one(Campaign, campaign_id), SENDER)


def held_for(engine: Engine, campaign_id: int) -> str:
    """Why a campaign is paused, as it must be."""
    with session_scope(engine, read_only=True) as session:
        campaign = session.get_one(Campaign, campaign_id)
        assert campaign.status is CampaignStatus.PAUSED
        return campaign.hold_reason or ""


def suppressed(engine: Engine) -> int:
    with session_scope(engine, read_only=True) as session:
        return session.scalar(select(func.count()).select_from(Suppression)) or 0


def test_a_server_that_refuses_our_sender_at_each_recipient_fails_nobody(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    server.behaviour.rcpt = lambda to: f"553 5.1.8 <{to}>... Domain of sender address a@example.org does not exist"
    campaign_id = started(engine, 30)
    for _ in range(2):
        assert not sending.drain(engine, campaign_id, wire, worker)
        assert rows(engine) == {(S.PENDING, None): 30}
        assert held_for(engine, campaign_id) == (
            "the mail server refuses our mail: "
            "553 5.1.8 <[address]>... Domain of sender address [address] does not exist"
        )
        resume(engine, campaign_id)  # too early, the first time
    server.behaviour.rcpt = lambda _: "250 ok"
    sending.drain(engine, campaign_id, wire, worker)
    assert server.copies() == {f"p{number}@example.net": 1 for number in range(30)}
    assert status(engine, campaign_id) is CampaignStatus.SENT


def test_when_a_quota_is_used_up_the_campaign_waits_and_the_rest_goes_out_later(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    quota = 20
    server.behaviour.dot = lambda _: "250 ok" if len(server.received) < quota else "550 5.4.5 Daily limit exceeded"
    campaign_id = started(engine, 45)
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.SENT, None): 20, (S.PENDING, None): 25}
    assert held_for(engine, campaign_id) == "the mail server refuses our mail: 550 5.4.5 Daily limit exceeded"
    quota = 40  # the next day
    resume(engine, campaign_id)
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.SENT, None): 40, (S.PENDING, None): 5}
    quota = 60
    resume(engine, campaign_id)
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.SENT, None): 45}
    assert set(server.copies().values()) == {1}


def test_what_everybody_is_refused_with_fails_nobody_whatever_the_words(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    dead = ("p3@example.net", "p5@example.net")
    server.behaviour.rcpt = lambda to: "550 5.1.1 nobody here" if to in dead else "250 ok"
    server.behaviour.dot = lambda to: f"554 message {len(server.commands)}-4711 for {to} is unwanted"
    campaign_id = started(engine, 45)
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.FAILED, None): 2, (S.PENDING, None): 43}
    assert "for [address] is unwanted" in held_for(engine, campaign_id)
    assert suppressed(engine) == 2
    server.behaviour.dot = lambda _: "250 ok"
    resume(engine, campaign_id)
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.FAILED, None): 2, (S.SENT, None): 43}
    assert set(server.copies().values()) == {1}


def test_what_waits_again_is_as_if_it_had_not_been_tried_but_for_how_often_it_was(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    server.behaviour.dot = lambda _: "554 unwanted"
    campaign_id = started(engine, 20)
    sending.drain(engine, campaign_id, wire, worker)
    with session_scope(engine, read_only=True) as session:
        for row in session.scalars(select(Delivery)):
            assert (row.state, row.attempts, row.put_back, row.draw is None) == (S.PENDING, 1, 1, False)
            assert (row.not_before, row.settled_at, row.smtp_code, row.smtp_text, row.reason) == (None,) * 5


def test_suppressions_that_the_same_words_caused_are_taken_back(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    closed = "550 5.1.1 closed for today"
    server.behaviour.rcpt = lambda to: closed if to < "p15" else "550 5.1.1 nobody here" if to < "p17" else "250 ok"
    server.behaviour.dot = lambda _: closed
    campaign_id = started(engine, 45)
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.FAILED, None): 2, (S.PENDING, None): 43}
    assert suppressed(engine) == 2
    with session_scope(engine, read_only=True) as session:
        assert Counter(session.scalars(select(Subscription.mailable))) == {True: 43, False: 2}


def _nothing() -> None:
    pass


class ScriptedWire:
    """Has some mails refused, and does something before each answer and at the end."""

    def __init__(
        self,
        answer: Outcome,
        mails: int,
        then: Callable[[], object] = _nothing,
        *,
        before: Callable[[], object] = _nothing,
    ) -> None:
        self.answer, self.mails, self.then, self.before = answer, mails, then, before

    def send(self, supply: Outbox) -> None:
        for _ in range(self.mails):
            while (message := supply.take(wait=True)) is None:
                assert not supply.exhausted
            assert supply.begin(message)
            self.before()
            supply.note(self.answer._replace(id=message.id))
        self.then()


UNWANTED = Outcome(0, OutcomeKind.FAILED, 554, "unwanted")


@pytest.mark.parametrize("paused_by", ["another worker", "an organiser"])
def test_no_mail_fails_in_the_words_for_which_a_campaign_pauses_though_two_workers_are_at_it(
    engine: Engine, worker: Worker, monkeypatch: pytest.MonkeyPatch, paused_by: str
) -> None:
    campaign_id = started(engine, 60)
    monkeypatch.setattr(ledger, "claim", partial(ledger.claim, limit=12))

    def another() -> None:
        sending.drain(engine, campaign_id, ScriptedWire(UNWANTED, 20), worker)

    def organiser() -> None:
        with session_scope(engine) as session:
            control.pause(session, session.get_one(Campaign, campaign_id), reason="wait")

    if paused_by == "another worker":
        sending.drain(engine, campaign_id, ScriptedWire(UNWANTED, 7, another), worker)
    else:
        sending.drain(engine, campaign_id, ScriptedWire(UNWANTED, 20, organiser), worker)
    assert rows(engine) == {(S.PENDING, None): 60}
    assert held_for(engine, campaign_id) == (
        "the mail server refuses our mail: 554 unwanted" if paused_by == "another worker" else "wait"
    )


def test_what_a_worker_could_not_take_back_any_more_waits_when_the_campaign_is_resumed(
    engine: Engine, worker: Worker
) -> None:
    campaign_id = started(engine, 45)
    sending.drain(engine, campaign_id, ScriptedWire(UNWANTED, 20), worker)
    with session_scope(engine) as session:
        late = session.scalars(select(Delivery).limit(1)).one()
        late.state, late.smtp_code, late.smtp_text, late.settled_at = S.FAILED, 554, "unwanted", utcnow()
    resume(engine, campaign_id)
    assert rows(engine) == {(S.PENDING, None): 45}


@pytest.mark.parametrize(("put_back", "accepted", "waits"), [(2, 5, True), (3, 5, False), (3, 0, True)])
def test_what_was_put_back_three_times_is_not_taken_back_where_others_were_accepted_but_counts_all_the_same(
    engine: Engine, put_back: int, accepted: int, *, waits: bool
) -> None:
    campaign_id = started(engine, 45)
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        campaign.resumed_at = utcnow() - timedelta(hours=1)
        session.execute(update(Delivery).values(state=S.SENT, fence=1, settled_at=utcnow(), attempts=9))
        refused = {"state": S.FAILED, "put_back": put_back, "smtp_code": 554, "smtp_text": "unwanted"}
        session.execute(update(Delivery).where(Delivery.id > accepted).values(**refused))
        answers = verdicts.latest_answers(session, campaign, 500)
        assert Counter(answer.accepted for answer in answers) == Counter({True: accepted, False: 45 - accepted})
        assert not any(answer.is_first for answer in answers if not answer.accepted)
        control.pause(session, campaign, reason="the mail server refuses our mail: 554 unwanted")
    resume(engine, campaign_id)
    assert rows(engine)[S.PENDING if waits else S.FAILED, None] == 45 - accepted
    with session_scope(engine, read_only=True) as session:
        again = set(session.scalars(select(Delivery.put_back).where(Delivery.state == S.PENDING)))
        assert again == ({put_back + 1} if waits else set())


def test_a_resend_counts_anew_how_often_a_mail_is_put_back(engine: Engine) -> None:
    campaign_id = started(engine, 1)
    with session_scope(engine) as session:
        session.execute(update(Delivery).values(state=S.FAILED, put_back=3, settled_at=utcnow()))
        assert control.resend(session, session.get_one(Campaign, campaign_id), S.FAILED) == 1
    with session_scope(engine, read_only=True) as session:
        assert session.scalars(select(Delivery.put_back)).one() == 0


@pytest.mark.parametrize("words", ["554 unwanted", "550 5.7.1 spam"])
def test_a_campaign_ends_though_its_last_mails_are_refused_in_the_same_words_whenever_it_is_resumed(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker, words: str
) -> None:
    campaign_id = started(engine, 30)
    server.behaviour.dot = lambda _: "250 ok" if len(server.copies()) <= 6 else words
    for resumed in range(150):
        sending.drain(engine, campaign_id, wire, worker)
        if status(engine, campaign_id) is CampaignStatus.SENT:
            break
        held_for(engine, campaign_id)
        assert resumed > 2 or rows(engine).keys() == {(S.SENT, None), (S.PENDING, None)}
        resume(engine, campaign_id)
    assert status(engine, campaign_id) is CampaignStatus.SENT
    assert {state for state, _ in rows(engine)} == {S.SENT, S.FAILED}
    server.behaviour.dot = lambda _: "250 ok"
    with session_scope(engine) as session:
        assert control.resend(session, session.get_one(Campaign, campaign_id), S.FAILED) >= 20
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.SENT, None): 30}


def test_a_campaign_that_another_worker_just_called_sent_pauses_all_the_same(
    engine: Engine, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = ledger.close

    def close_and_sweep(*claim: Any, **how: Any) -> bool:
        closed = close(*claim, **how)
        sweeping.sweep(engine, worker)
        return closed

    campaign_id = started(engine, 20)
    monkeypatch.setattr(ledger, "close", close_and_sweep)
    sending.drain(engine, campaign_id, ScriptedWire(UNWANTED, 20), worker)
    assert rows(engine) == {(S.PENDING, None): 20}
    assert "554 unwanted" in held_for(engine, campaign_id)


def test_whom_a_refusal_names_without_an_address_keeps_no_words_from_being_alike_and_stands_in_no_reason(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    campaign_id = started(engine, 30)
    with session_scope(engine) as session:
        people = {person.email.partition("@")[0]: person for person in session.scalars(select(Subscriber))}
        for number, person in enumerate(people.values()):
            person.name = f"Ana{'bcdefghijklmnopqrstuvwxyzäöüß'[number % 29]} Example"
    names = {login: person.name for login, person in people.items()}
    refused: list[str] = []

    def refuse(to: str) -> str:
        refused.append(to)
        login = to.partition("@")[0]
        return f"554 5.0.0 mail for the mailbox of {names[login]} ({login}) is unwanted"

    def reached(end: int) -> bool:
        return len(refused) >= end

    server.behaviour.dot = refuse
    for end in (8, 16, 45):  # each turn sees only a few
        sending.drain(engine, campaign_id, wire, replace(worker, stopping=partial(reached, end)))
    assert held_for(engine, campaign_id) == (
        "the mail server refuses our mail: 554 5.0.0 mail for the mailbox of [recipient] ([recipient]) is unwanted"
    )
    assert rows(engine) == {(S.PENDING, None): 30}


@pytest.mark.parametrize("begun", [True, False], ids=["while it is sent", "between RCPT and its answer"])
def test_whom_a_refusal_is_about_stays_known_though_they_leave_in_the_middle(
    engine: Engine, worker: Worker, monkeypatch: pytest.MonkeyPatch, *, begun: bool
) -> None:
    class LeftWhileAsked:
        def send(self, supply: Outbox) -> None:
            while (message := supply.take(wait=True)) is None:
                assert not supply.exhausted
            assert not begun or supply.begin(message)
            leave(engine, "p0@example.net")
            supply.pulse()  # the worker looks again
            supply.note(Outcome(message.id, OutcomeKind.FAILED, 550, "5.4.5 Daily limit exceeded by Person 0"))

    campaign_id = started(engine, 1)
    monkeypatch.setattr(sending, "Outbox", partial(Outbox, look_seconds=0))
    sending.drain(engine, campaign_id, LeftWhileAsked(), worker)
    assert held_for(engine, campaign_id) == (
        "the mail server refuses our mail: 550 5.4.5 Daily limit exceeded by [recipient]"
    )


@pytest.mark.parametrize("first", [0, 1])
def test_the_same_words_are_taken_back_though_some_people_are_called_what_is_a_word_of_them(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker, first: int
) -> None:
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        for number in range(60):
            login = "info" if number % 2 == first else f"p{number}"
            make_subscriber(session, mailing_list, email=f"{login}@u{number}.example.net", name=f"Person {number}")
        campaign = make_campaign(session, mailing_list)
        control.start(session, campaign, SENDER)
        in_order(session)
        campaign_id = campaign.id
    server.behaviour.dot = lambda _: "554 mail not wanted, info at example.org"
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.PENDING, None): 60}
    held_for(engine, campaign_id)


def test_personal_domains_keep_no_words_from_being_alike_and_stand_in_no_reason(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        for letter in "abcdefghijklmnopqrstuvwxyz":
            make_subscriber(session, mailing_list, email=f"post@mueller-{letter}.example.net", name="Ana Example")
        campaign = make_campaign(session, mailing_list)
        control.start(session, campaign, SENDER)
        in_order(session)
        campaign_id = campaign.id
    server.behaviour.dot = lambda to: f"554 no mail of yours for {to.partition('@')[2]}, please"
    sending.drain(engine, campaign_id, wire, worker)
    assert (
        held_for(engine, campaign_id)
        == "the mail server refuses our mail: 554 no mail of yours for [recipient], please"
    )
    assert rows(engine) == {(S.PENDING, None): 26}


def test_what_waits_for_a_server_that_takes_nothing_for_now_names_nobody(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    campaign_id = started(engine, 30)
    server.behaviour.dot = lambda to: f"451 4.7.1 daily limit reached, says {to.partition('@')[0]}"
    with pytest.raises(SmtpUnavailable):
        sending.drain(engine, campaign_id, wire, worker)
    with session_scope(engine, read_only=True) as session:
        assert "reached, says [recipient]" in (session.get_one(Campaign, campaign_id).hold_reason or "")


def test_a_refusal_without_a_word_is_taken_back_too(engine: Engine, worker: Worker) -> None:
    campaign_id = started(engine, 45)
    sending.drain(engine, campaign_id, ScriptedWire(UNWANTED._replace(text=""), 20), worker)
    assert rows(engine) == {(S.PENDING, None): 45}


def test_a_server_that_refuses_us_and_then_hangs_up_pauses_the_campaign_all_the_same(
    engine: Engine, worker: Worker
) -> None:
    def hang_up() -> None:
        raise SmtpUnavailable(server="mx", problem="it hung up")

    campaign_id = started(engine, 45)
    with pytest.raises(SmtpUnavailable):
        sending.drain(engine, campaign_id, ScriptedWire(UNWANTED, 20, hang_up), worker)
    assert rows(engine) == {(S.PENDING, None): 45}
    assert "554 unwanted" in held_for(engine, campaign_id)


@pytest.mark.parametrize("stage", ["mail", "dot"])
def test_a_server_that_takes_no_mail_from_us_for_now_is_left_alone_for_a_while(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker, stage: str
) -> None:
    setattr(server.behaviour, stage, lambda _: "451 4.7.1 your daily limit is reached, ask ana@example.org")
    campaign_id = started(engine, 45)
    with pytest.raises(SmtpUnavailable):
        sending.drain(engine, campaign_id, wire, worker)
    with session_scope(engine, read_only=True) as session:
        assert session.get_one(Campaign, campaign_id).status is CampaignStatus.SENDING
        reason = session.get_one(Campaign, campaign_id).hold_reason or ""
        assert "no mail" in reason
        assert "451 4.7.1 your daily limit is reached, ask [address]" in reason
        found = Counter(row.state for row in session.scalars(select(Delivery)))
        assert found.keys() == {S.DEFERRED, S.PENDING}
        assert found[S.DEFERRED] < 30
    setattr(server.behaviour, stage, lambda _: "250 ok")
    with session_scope(engine) as session:
        session.execute(update(Delivery).where(Delivery.state == S.DEFERRED).values(not_before=utcnow()))
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.SENT, None): 45}


def test_at_the_end_of_the_retries_a_server_that_takes_no_mail_from_us_pauses_the_campaign(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    server.behaviour.mail = lambda _: "451 4.7.1 not now"
    campaign_id = started(engine, 3)
    with session_scope(engine) as session:
        session.get_one(Campaign, campaign_id).started_at = utcnow() - timedelta(days=2)
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.PENDING, None): 3}
    assert "451 4.7.1 not now" in held_for(engine, campaign_id)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
@pytest.mark.parametrize("greeting", ["421 not now", "220 back"])
def test_what_keeps_a_campaign_waiting_never_replaces_why_it_was_paused_at_that_moment(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker, greeting: str
) -> None:
    campaign_id = started(engine, 3)
    with session_scope(engine) as session:
        session.get_one(Campaign, campaign_id).hold_reason = "the mail server is away"
    server.behaviour.greeting = greeting
    updates: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def pause_first(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE campaigns"):
            updates.append(statement)
            if len(updates) == 1:
                with session_scope(engine) as session:
                    control.pause(session, session.get_one(Campaign, campaign_id), reason="wait")

    with nullcontext() if greeting == "220 back" else pytest.raises(SmtpUnavailable):
        sending.drain(engine, campaign_id, wire, worker)
    assert len(updates) > 1
    assert held_for(engine, campaign_id) == "wait"


def test_what_was_refused_for_policy_may_be_asked_for_again(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    server.behaviour.dot = lambda to: "550 5.7.1 spam" if to == "p1@example.net" else "250 ok"
    campaign_id = started(engine, 3)
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.SENT, None): 2, (S.FAILED, Reason.POLICY): 1}
    server.behaviour.dot = lambda _: "250 ok"
    with session_scope(engine) as session:
        assert control.resend(session, session.get_one(Campaign, campaign_id), S.FAILED) == 1
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.SENT, None): 3}


def test_no_address_stands_in_the_reason_when_our_sender_is_refused(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    server.behaviour.mail = lambda sender: f"550 5.7.1 <{sender}> may not send"
    campaign_id = started(engine, 3)
    sending.drain(engine, campaign_id, wire, worker)
    assert "550 5.7.1 <[address]> may not send" in held_for(engine, campaign_id)
    assert "@" not in held_for(engine, campaign_id)


@pytest.mark.parametrize("words", ["550 5.7.1 spam", "554 unwanted", "451 4.2.2 later"])
def test_refusals_pause_a_campaign_though_each_turn_sees_only_a_few(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker, words: str
) -> None:
    campaign_id = started(engine, 45)
    refused: list[str] = []

    def refuse(recipient: str) -> str:
        refused.append(recipient)
        return words

    def drain_eight() -> None:
        """One turn, which ends after about eight messages."""
        end = len(refused) + 8
        sending.drain(engine, campaign_id, wire, replace(worker, stopping=lambda: len(refused) >= end))

    with session_scope(engine) as session:  # what is refused for now is given up at once
        session.get_one(Campaign, campaign_id).started_at = utcnow() - timedelta(days=2)
    server.behaviour.dot = refuse
    for _ in range(2):
        drain_eight()
    assert status(engine, campaign_id) is CampaignStatus.SENDING
    drain_eight()
    assert words in held_for(engine, campaign_id)
    assert rows(engine) == {(S.PENDING, None): 45}
    resume(engine, campaign_id)
    with session_scope(engine) as session:
        session.get_one(Campaign, campaign_id).deadline = utcnow()  # again, what is refused for now is given up at once
    server.behaviour.dot = lambda of: words if of == "p30@example.net" else "250 ok"
    sending.drain(engine, campaign_id, wire, worker)
    assert status(engine, campaign_id) is CampaignStatus.SENT  # a person has decided: the count began anew


def test_all_that_was_refused_for_policy_waits_again_whatever_the_words(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    server.behaviour.dot = lambda to: "550 5.7.1 spam" if to < "p2" else "554 5.7.26 who are you"
    campaign_id = started(engine, 30)
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.PENDING, None): 30}
    assert "5.7" in held_for(engine, campaign_id)


def test_what_waits_for_a_resume_ends_with_a_campaign_that_is_cancelled_meanwhile(
    engine: Engine, worker: Worker
) -> None:
    campaign_id = started(engine, 1)

    def cancel() -> None:
        with session_scope(engine) as session:
            control.cancel(session, session.get_one(Campaign, campaign_id))

    quota = Outcome(0, OutcomeKind.FAILED, 550, "5.4.5 Daily limit exceeded")
    sending.drain(engine, campaign_id, ScriptedWire(quota, 1, before=cancel), worker)
    assert rows(engine) == {(S.SKIPPED, Reason.CANCELLED): 1}


# --- reminders ------------------------------------------------------------------------------------------------------


def reminder(engine: Engine, people: int) -> int:
    """A reminder of an alert on which nobody has acted yet, that has just been sent off in the order of its people."""
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        for number in range(people):
            make_subscriber(session, mailing_list, email=f"p{number}@example.net")
        alert = make_campaign(session, mailing_list, slug="alert", status=CampaignStatus.SENT)
        alert.started_at, alert.targets = utcnow(), [{"name": "The embassy"}]
        campaign = make_campaign(session, mailing_list, audience={"not_acted": ["alert"]})
        assert control.start(session, campaign, SENDER) == people
        in_order(session)
        return campaign.id


def act(engine: Engine, slug: str, *emails: str) -> None:
    with session_scope(engine) as session:
        for email in emails:
            person = subscribers.find(session, email)
            assert person is not None
            make_act(session, lifecycle.get(session, slug), person, ActKind.SIGNED)


def test_a_reminder_spares_who_has_acted_after_it_was_sent_off(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    campaign_id = reminder(engine, 4)
    act(engine, "alert", "p0@example.net")
    act(engine, "free-the-five", "p1@example.net")  # the reminder itself asks for the same
    with session_scope(engine) as session:
        other = make_campaign(session, lifecycle.get(session, "alert").mailing_list, slug="other")
        make_act(session, other, subscribers.find(session, "p2@example.net"))
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.SKIPPED, Reason.ACTED): 2, (S.SENT, None): 2}
    assert {message.recipient for message in server.received} == {"p2@example.net", "p3@example.net"}
    assert status(engine, campaign_id) is CampaignStatus.SENT


def test_no_reminder_is_sent_again_to_who_has_acted_since(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    campaign_id = reminder(engine, 3)
    server.behaviour.dot = lambda of: "250 ok" if of == "p2@example.net" else "554 5.6.0 no"
    sending.drain(engine, campaign_id, wire, worker)
    server.behaviour.dot = lambda _of: "250 ok"
    act(engine, "alert", "p0@example.net", "p2@example.net")
    with session_scope(engine) as session:
        assert control.resend(session, session.get_one(Campaign, campaign_id), S.FAILED) == 2
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.SENT, None): 2, (S.SKIPPED, Reason.ACTED): 1}


# --- in the middle --------------------------------------------------------------------------------------------------


def in_the_middle(server: MailServer, recipient: str, action: Callable[[], None]) -> None:
    """Do something while the server reads the message to a recipient, and keep the answer for over a second."""

    def dot(of: str) -> str:
        if of == recipient:
            action()
            time.sleep(1.1)  # longer than a look at who has left is good for
        return "250 ok"

    server.behaviour.dot = dot


def leave(engine: Engine, email: str) -> None:
    with session_scope(engine) as session:
        person = subscribers.find(session, email)
        assert person is not None
        subscription = session.scalars(select(Subscription).where(Subscription.subscriber_id == person.id)).one()
        subscription.status = SubscriptionStatus.UNSUBSCRIBED
        subscribers.refresh(session, [person.id])


def test_who_leaves_in_the_middle_gets_nothing_more(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    campaign_id = started(engine, 6)

    in_the_middle(server, "p1@example.net", lambda: leave(engine, "p4@example.net"))
    sending.drain(engine, campaign_id, wire, worker)
    assert "p4@example.net" not in server.copies()
    assert rows(engine) == {(S.SENT, None): 5, (S.SKIPPED, Reason.LEFT): 1}


def test_a_pause_takes_hold_in_the_middle_of_a_claim_and_resume_goes_on(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    campaign_id = started(engine, 6)

    def pause() -> None:
        with session_scope(engine) as session:
            control.pause(session, session.get_one(Campaign, campaign_id), reason="wait")

    in_the_middle(server, "p1@example.net", pause)
    sending.drain(engine, campaign_id, wire, worker)
    assert rows(engine) == {(S.SENT, None): 2, (S.PENDING, None): 4}
    server.behaviour.dot = lambda _: "250 ok"
    with session_scope(engine) as session:
        control.resume(session, session.get_one(Campaign, campaign_id), SENDER)
    sending.drain(engine, campaign_id, wire, worker)
    assert server.copies() == {f"p{number}@example.net": 1 for number in range(6)}


def test_a_wish_to_stop_lets_the_message_at_work_finish_and_gives_back_the_rest(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    campaign_id = started(engine, 6)
    assert sending.drain(engine, campaign_id, wire, replace(worker, stopping=lambda: len(server.received) >= 2))
    assert rows(engine) == {(S.SENT, None): 2, (S.PENDING, None): 4}


def test_a_worker_whose_lease_ran_out_begins_no_further_message(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    campaign_id = started(engine, 6)

    def give_it_up() -> None:
        recovery.give_up_lost(engine, grace=timedelta(days=-1))  # as another host does after the lease

    in_the_middle(server, "p1@example.net", give_it_up)
    sending.drain(engine, campaign_id, wire, replace(worker, lease=timedelta(seconds=0.9)))
    assert len(server.received) == 2
    assert rows(engine) == {(S.UNKNOWN, Reason.WORKER_LOST): 6}
    # It may settle nothing by itself any more; its journal, which turns up late, proves what became of two.
    sweeping.sweep(engine, worker)
    assert rows(engine) == {(S.SENT, None): 2, (S.UNKNOWN, Reason.WORKER_LOST): 4}
    assert journal.names(worker.journals) == []


def test_one_unusable_address_does_not_hold_up_the_rest(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        make_subscriber(session, mailing_list, email="a=?b@example.net")
        make_subscriber(session, mailing_list, email="fine@example.net")
        control.start(session, make_campaign(session, mailing_list), SENDER)
    sending.drain(engine, 1, wire, worker)
    assert rows(engine) == {(S.SENT, None): 1, (S.FAILED, Reason.UNUSABLE): 1}


def test_erasing_in_mid_campaign_reaches_what_is_claimed(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    campaign_id = started(engine, 4)

    def erase() -> None:
        with session_scope(engine) as session:
            subscribers.erase(session, "p3@example.net")

    in_the_middle(server, "p1@example.net", erase)
    sending.drain(engine, campaign_id, wire, worker)
    assert "p3@example.net" not in server.copies()
    assert rows(engine) == {(S.SENT, None): 3, (S.SKIPPED, Reason.ERASED): 1}
    with session_scope(engine, read_only=True) as session:
        assert subscribers.find(session, "p3@example.net") is None
        assert session.scalar(select(Subscriber.id).limit(1)) is not None


def test_a_signed_campaign_which_is_composed_ahead_is_sent_like_any_other(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    campaign_id = started(engine, 6)
    with session_scope(engine) as session:
        mailing_list = session.get_one(Campaign, campaign_id).mailing_list
        unusable = make_subscriber(session, mailing_list, email="a=?b@example.net")
        session.execute(update(Delivery).where(Delivery.id == 4).values(subscriber_id=unusable.id))
    in_the_middle(server, "p1@example.net", lambda: leave(engine, "p4@example.net"))
    key = SigningKey("s1", generate_private_key(65537, 2048))
    signing = replace(worker, sender=replace(SENDER, signer=Signer("example.org", (key,))))
    assert sending.drain(engine, campaign_id, wire, signing) is False
    assert rows(engine) == {(S.SENT, None): 4, (S.FAILED, Reason.UNUSABLE): 1, (S.SKIPPED, Reason.LEFT): 1}
    assert server.copies() == Counter(f"p{number}@example.net" for number in (0, 1, 2, 5))
    assert all(message.data.startswith(b"DKIM-Signature:") for message in server.received)


# --- sweeping -------------------------------------------------------------------------------------------------------


def test_the_sweeper_finds_work_that_no_ring_told_of(engine: Engine, worker: Worker) -> None:
    campaign_id = started(engine, 2)
    assert sweeping.sweep(engine, worker) == [campaign_id]


def test_the_sweeper_finishes_a_campaign_whose_last_worker_was_lost(engine: Engine, worker: Worker) -> None:
    campaign_id = started(engine, 2)
    ledger.claim(engine, campaign_id, worker="lost", journal="lost.journal", lease=timedelta(minutes=-5))
    assert sweeping.sweep(engine, worker) == []
    assert status(engine, campaign_id) is CampaignStatus.SENT
    assert rows(engine) == {(S.UNKNOWN, Reason.WORKER_LOST): 2}
