"""The outbox: what was begun is never put back, whatever fails, and what is known is not forgotten."""

import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from mailer import delivery, journal, recipients, sending
from mailer.composing import CampaignComposer
from mailer.db import DatabaseUnavailable, session_scope
from mailer.journal import Journal, JournalUnwritable
from mailer.mail.types import Outcome, OutcomeKind, Outgoing
from mailer.models import Campaign, CampaignStatus, Delivery, DeliveryState
from mailer.outbox import Outbox
from mailer.worker import Worker
from tests.factories import SENDER, make_campaign, make_list, make_subscriber

S = DeliveryState
PEOPLE = 6


@pytest.fixture
def open_outbox(engine: Engine, worker: Worker) -> Callable[..., Outbox]:
    """Makes the outbox of a campaign to six people; takes its options, and another worker."""
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        for _ in range(PEOPLE):
            make_subscriber(session, mailing_list)
        campaign = make_campaign(session, mailing_list)
        sending.start(session, campaign, SENDER)
        campaign_id = campaign.id

    def make(worker: Worker = worker, *, turn: Callable[[], bool] = lambda: True, **seconds: float) -> Outbox:
        with session_scope(engine) as session:
            campaign = session.get_one(Campaign, campaign_id)
            composer = CampaignComposer(session, campaign, SENDER)
            return Outbox(engine, campaign, composer, worker, turn=turn, **seconds)

    return make


def take(outbox: Outbox, count: int) -> list[Outgoing]:
    taken: list[Outgoing] = []
    while len(taken) < count:
        assert not outbox.exhausted, f"it gives {len(taken)} of {count} messages"
        message = outbox.take(wait=True)
        if message is not None:
            taken.append(message)
    return taken


def sent(message: Outgoing) -> Outcome:
    return Outcome(message.id, OutcomeKind.SENT, 250, "ok")


def states(engine: Engine) -> Counter[DeliveryState]:
    with session_scope(engine, read_only=True) as session:
        return Counter(session.scalars(select(Delivery.state)))


def fail(problem: Exception) -> Callable[..., Any]:
    def call(*_: object, **__: object) -> None:
        raise problem

    return call


NO_DATABASE = DatabaseUnavailable(problem="it went away")


def test_whatever_ends_the_sending_what_was_begun_is_not_put_back(
    engine: Engine, open_outbox: Callable[..., Outbox], worker: Worker
) -> None:
    with pytest.raises(RuntimeError), open_outbox() as outbox:
        first, second, *_ = take(outbox, 4)
        assert outbox.begin(first)
        assert outbox.begin(second)
        outbox.note(sent(first))
        raise RuntimeError("a mistake of ours")
    sending.sweep(engine, worker)
    assert states(engine) == {S.SENT: 1, S.UNKNOWN: 1, S.PENDING: 4}


def test_a_full_disk_begins_nothing_more_and_waits_for_the_answers_to_what_was_begun(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    with pytest.raises(JournalUnwritable), open_outbox() as outbox:
        first, second, third = take(outbox, 3)
        assert outbox.begin(first)
        assert outbox.begin(second)
        monkeypatch.setattr(Journal, "_write", fail(OSError(28, "No space left on device")))
        assert not outbox.begin(third)
        assert outbox.exhausted
        outbox.note(sent(first))
        outbox.note(sent(second))
    assert states(engine) == {S.SENT: 2, S.PENDING: 4}
    assert journal.names(worker.journals) == []


def test_a_database_that_fails_at_a_look_up_begins_nothing_more(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DatabaseUnavailable), open_outbox(look_seconds=-1.0) as outbox:
        first, second = take(outbox, 2)
        assert outbox.begin(first)
        monkeypatch.setattr(recipients, "look_up", fail(NO_DATABASE))
        assert not outbox.begin(second)
        outbox.note(sent(first))
    assert states(engine) == {S.SENT: 1, S.PENDING: 5}


def test_an_answer_that_the_database_did_not_take_is_settled_later_and_not_sent_again(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    monkeypatch.setattr(delivery, "settle", fail(NO_DATABASE))
    with pytest.raises(DatabaseUnavailable), open_outbox(settle_seconds=-1.0) as outbox:
        first, second, _ = take(outbox, 3)
        assert outbox.begin(first)
        assert outbox.begin(second)
        outbox.note(sent(first))
        outbox.note(sent(second))
    assert states(engine) == {S.SENDING: PEOPLE}
    sending.sweep(engine, worker)
    assert states(engine) == {S.SENT: 2, S.PENDING: PEOPLE - 2}


def test_a_claim_whose_look_up_failed_waits_again(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    with monkeypatch.context() as away:
        away.setattr(recipients, "look_up", fail(NO_DATABASE))
        with pytest.raises(DatabaseUnavailable), open_outbox() as outbox:
            while not outbox.exhausted:
                assert outbox.take(wait=True) is None
    assert states(engine) == {S.SENDING: PEOPLE}
    sending.sweep(engine, worker)
    assert states(engine) == {S.PENDING: PEOPLE}


def test_a_full_disk_at_the_mark_of_a_claim_is_said_and_nothing_is_held(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", fail(OSError(28, "No space left on device")))  # as the mark is written
        with pytest.raises(JournalUnwritable), open_outbox() as outbox:
            while not outbox.exhausted:
                assert outbox.take(wait=True) is None
    sending.sweep(engine, worker)
    assert states(engine) == {S.PENDING: PEOPLE}


def test_before_it_claims_what_the_host_left_is_cleared_up(
    engine: Engine, open_outbox: Callable[..., Outbox], worker: Worker
) -> None:
    dead = Journal(worker.journals)
    left = delivery.claim(engine, 1, worker="dead", journal=dead.name, lease=timedelta(days=1), limit=2)
    assert left is not None
    dead.begin(left.fence, left.deliveries[0].id)
    dead.close()
    with open_outbox() as outbox:
        taken = take(outbox, PEOPLE - 1)
        assert left.deliveries[0].id not in {message.id for message in taken}
    assert states(engine) == {S.UNKNOWN: 1, S.PENDING: PEOPLE - 1}


def test_from_a_restored_backup_it_claims_nothing(
    engine: Engine, open_outbox: Callable[..., Outbox], worker: Worker
) -> None:
    journal.mark_claim(worker.journals, 1_000)
    with open_outbox() as outbox:
        while not outbox.exhausted:
            assert outbox.take(wait=True) is None
    assert states(engine) == {S.PENDING: PEOPLE}
    with session_scope(engine, read_only=True) as session:
        assert session.get_one(Campaign, 1).status is CampaignStatus.PAUSED
