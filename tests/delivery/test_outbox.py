"""The outbox: what was begun is never put back, whatever fails, and what is known is not forgotten."""

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from mailer.delivery import control, journal, ledger, recipients, recovery, sweeping
from mailer.delivery.composing import CampaignComposer
from mailer.delivery.journal import Journal, JournalUnwritable
from mailer.delivery.outbox import Outbox
from mailer.delivery.verdicts import RefusalWatch, Ruling
from mailer.delivery.worker import Worker
from mailer.mail.types import Outcome, OutcomeKind, Outgoing
from mailer.store.db import DatabaseUnavailable, session_scope, utcnow
from mailer.store.models import Campaign, CampaignStatus, Claim, Delivery, DeliveryState
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber

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
        control.start(session, campaign, SENDER)
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
STILL_NO_DATABASE = DatabaseUnavailable(problem="it is still away")


def test_whatever_ends_the_sending_what_was_begun_is_not_put_back(
    engine: Engine, open_outbox: Callable[..., Outbox], worker: Worker
) -> None:
    with pytest.raises(RuntimeError), open_outbox() as outbox:
        first, second, *_ = take(outbox, 4)
        assert outbox.begin(first)
        assert outbox.begin(second)
        outbox.note(sent(first))
        raise RuntimeError("a mistake of ours")
    sweeping.sweep(engine, worker)
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
    monkeypatch.setattr(ledger, "settle", fail(NO_DATABASE))
    with pytest.raises(DatabaseUnavailable), open_outbox(settle_seconds=-1.0) as outbox:
        first, second, _ = take(outbox, 3)
        assert outbox.begin(first)
        assert outbox.begin(second)
        outbox.note(sent(first))
        outbox.note(sent(second))
    assert states(engine) == {S.SENDING: PEOPLE}
    sweeping.sweep(engine, worker)
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
    sweeping.sweep(engine, worker)
    assert states(engine) == {S.PENDING: PEOPLE}


def test_a_full_disk_at_the_mark_of_a_claim_is_said_and_nothing_is_held(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", fail(OSError(28, "No space left on device")))  # as the mark is written
        with pytest.raises(JournalUnwritable), open_outbox() as outbox:
            while not outbox.exhausted:
                assert outbox.take(wait=True) is None
    sweeping.sweep(engine, worker)
    assert states(engine) == {S.PENDING: PEOPLE}


def test_before_it_claims_what_the_host_left_is_cleared_up(
    engine: Engine, open_outbox: Callable[..., Outbox], worker: Worker
) -> None:
    dead = Journal(worker.journals)
    left = ledger.claim(engine, 1, worker="dead", journal=dead.name, lease=timedelta(days=1), limit=2)
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


# --- how it ends, whatever happens in whatever order ----------------------------------------------------------------


def answer(outbox: Outbox, messages: Sequence[Outgoing]) -> None:
    """Begin messages, and hear that each was taken."""
    for message in messages:
        assert outbox.begin(message)
        outbox.note(sent(message))


def say(*reasons: str | None) -> Callable[..., Ruling]:
    """A `RefusalWatch.judge` that finds one after the other."""
    left, judge = iter(reasons), RefusalWatch.judge
    return lambda *answer, **when: judge(*answer, **when)._replace(pause_because=next(left))


@pytest.mark.parametrize("asked_for_more", [True, False])
def test_what_was_taken_goes_out_though_the_ledger_has_no_more(
    engine: Engine, open_outbox: Callable[..., Outbox], worker: Worker, asked_for_more: bool
) -> None:
    with open_outbox() as outbox:
        taken = take(outbox, PEOPLE)
        while asked_for_more and not outbox.exhausted:
            assert outbox.take(wait=True) is None
        answer(outbox, taken)
    assert outbox.is_drained
    assert outbox.paused_because is None
    assert states(engine) == {S.SENT: PEOPLE}
    assert journal.names(worker.journals) == []


def test_when_others_have_their_turn_what_was_claimed_goes_out_and_it_is_not_drained(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "claim", partial(ledger.claim, limit=3))
    turns = iter([True, False])
    with open_outbox(turn=lambda: next(turns)) as outbox:
        taken = take(outbox, 3)
        while not outbox.exhausted:
            assert outbox.take(wait=True) is None
        answer(outbox, taken)
    assert not outbox.is_drained
    assert outbox.paused_because is None
    assert states(engine) == {S.SENT: 3, S.PENDING: 3}


def test_once_told_to_stop_it_begins_nothing_more_and_is_not_drained(
    engine: Engine, open_outbox: Callable[..., Outbox], worker: Worker
) -> None:
    told = False
    with open_outbox(replace(worker, stopping=lambda: told)) as outbox:
        first, second, third, *_ = take(outbox, PEOPLE)
        assert outbox.begin(first)
        told = True
        assert not outbox.begin(second)
        told = False
        assert not outbox.begin(third)
        assert outbox.exhausted
        outbox.note(sent(first))
    assert not outbox.is_drained  # though the ledger had no more to claim, and says so after the stop
    assert states(engine) == {S.SENT: 1, S.PENDING: 5}


def test_the_last_reason_to_pause_is_told_though_nothing_is_left_and_it_is_told_to_stop(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    monkeypatch.setattr(RefusalWatch, "judge", say(None, None, None, None, "refused", "refused again"))
    told = False
    with open_outbox(replace(worker, stopping=lambda: told)) as outbox:
        taken = take(outbox, PEOPLE)
        while not outbox.exhausted:
            assert outbox.take(wait=True) is None
        assert all(map(outbox.begin, taken))
        for message in taken:
            outbox.note(sent(message))
        told = True
        assert outbox.exhausted
    assert outbox.paused_because == "refused again"
    assert not outbox.is_drained
    assert states(engine) == {S.SENT: PEOPLE}


@pytest.mark.parametrize("first_to_happen", ["a reason to pause", "a missing service"])
def test_a_missing_service_is_raised_whether_or_not_the_campaign_must_be_paused(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, first_to_happen: str
) -> None:
    monkeypatch.setattr(RefusalWatch, "judge", say("refused"))
    with pytest.raises(DatabaseUnavailable, match="it went away"), open_outbox(look_seconds=-1.0) as outbox:
        first, second = take(outbox, 2)
        assert outbox.begin(first)
        monkeypatch.setattr(recipients, "look_up", fail(NO_DATABASE))
        if first_to_happen == "a reason to pause":
            outbox.note(sent(first))
            assert outbox.paused_because == "refused"
            assert not outbox.begin(second)
        else:
            assert not outbox.begin(second)
            outbox.note(sent(first))
    assert states(engine) == {S.SENT: 1, S.PENDING: 5}


def test_of_two_missing_services_the_first_is_raised(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    monkeypatch.setattr(ledger, "settle", fail(STILL_NO_DATABASE))
    with (
        pytest.raises(DatabaseUnavailable, match="it went away"),
        open_outbox(look_seconds=-1.0, settle_seconds=-1.0) as outbox,
    ):
        first, second, _ = take(outbox, 3)
        assert outbox.begin(first)
        monkeypatch.setattr(recipients, "look_up", fail(NO_DATABASE))
        assert not outbox.begin(second)
        outbox.note(sent(first))
    assert states(engine) == {S.SENDING: PEOPLE}  # the second left its mark all the same
    sweeping.sweep(engine, worker)
    assert states(engine) == {S.SENT: 1, S.PENDING: 5}


def test_a_mistake_of_ours_is_raised_and_not_the_missing_service_before_it(
    open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError, match="a mistake of ours"), open_outbox(look_seconds=-1.0) as outbox:
        [message] = take(outbox, 1)
        monkeypatch.setattr(recipients, "look_up", fail(NO_DATABASE))
        assert not outbox.begin(message)
        raise RuntimeError("a mistake of ours")


def test_a_mistake_of_ours_in_claiming_reaches_the_wire_and_puts_nothing_back(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    with monkeypatch.context() as wrong:
        wrong.setattr(recipients, "look_up", fail(RuntimeError("a mistake of ours")))
        with pytest.raises(RuntimeError, match="a mistake of ours"), open_outbox() as outbox:
            while True:
                outbox.take(wait=True)
    assert states(engine) == {S.SENDING: PEOPLE}
    sweeping.sweep(engine, worker)
    assert states(engine) == {S.PENDING: PEOPLE}


def failing_once(problem: Exception, *, when: Event, then: bool = True) -> Callable[..., bool]:
    """A `ledger.settle` that raises the first time, in its own thread.

    :param when: it waits for this.
    :param then: what later ones return if the claim stands.
    """
    settle, problems = ledger.settle, [problem]

    def call(*arguments: Any) -> bool:
        assert when.wait(60)
        if problems:
            raise problems.pop()
        return settle(*arguments) and then

    return call


def test_a_mistake_of_ours_in_settling_reaches_the_wire_and_puts_nothing_back(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    noted = Event()
    monkeypatch.setattr(ledger, "settle", failing_once(RuntimeError("a mistake of ours"), when=noted))
    with pytest.raises(RuntimeError, match="a mistake of ours"), open_outbox(settle_seconds=-1.0) as outbox:
        first, second, *_ = take(outbox, 3)
        answer(outbox, [first])
        noted.set()
        futures.wait(outbox._writes)
        answer(outbox, [second])
    assert states(engine) == {S.SENT: 1, S.SENDING: 5}
    sweeping.sweep(engine, worker)
    assert states(engine) == {S.SENT: 2, S.PENDING: 4}


@pytest.mark.parametrize("stood", [True, False])
def test_after_a_write_that_failed_nothing_is_put_back_whatever_becomes_of_later_ones(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker, stood: bool
) -> None:
    noted = Event()
    monkeypatch.setattr(ledger, "settle", failing_once(NO_DATABASE, when=noted, then=stood))
    with pytest.raises(DatabaseUnavailable), open_outbox(settle_seconds=-1.0) as outbox:
        first, second, *_ = take(outbox, 3)
        answer(outbox, [first, second])
        noted.set()
    assert states(engine) == {S.SENT: 1, S.SENDING: 5}
    sweeping.sweep(engine, worker)
    assert states(engine) == {S.SENT: 2, S.PENDING: 4}


def give_up_claim_of(engine: Engine, message: Outgoing) -> None:
    """Do as another host does when a lease ran out."""
    with session_scope(engine) as session:
        fence = session.scalars(select(Delivery.fence).where(Delivery.id == message.id)).one()
        session.execute(update(Claim).where(Claim.id == fence).values(expires_at=utcnow()))
    recovery.give_up_lost(engine, grace=timedelta())


def test_a_claim_that_others_gave_up_stops_no_other_and_its_journal_stays(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    monkeypatch.setattr(ledger, "claim", partial(ledger.claim, limit=3))
    with open_outbox() as outbox:
        of_first = take(outbox, 3)
        assert all(map(outbox.begin, of_first))
        of_second = take(outbox, 3)
        give_up_claim_of(engine, of_first[0])
        for message in of_first:
            outbox.note(sent(message))
        answer(outbox, of_second)
        while not outbox.exhausted:
            assert outbox.take(wait=True) is None
    assert outbox.is_drained
    assert states(engine) == {S.UNKNOWN: 3, S.SENT: 3}
    assert len(journal.names(worker.journals)) == 1
    sweeping.sweep(engine, worker)
    assert states(engine) == {S.SENT: PEOPLE}


@pytest.mark.parametrize("begun", [2, 3])  # of three: so the claim is settled at the end, or before
def test_when_others_gave_up_a_claim_the_next_one_is_put_back_and_the_journal_stays(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker, begun: int
) -> None:
    monkeypatch.setattr(ledger, "claim", partial(ledger.claim, limit=3))
    with open_outbox() as outbox:
        taken = take(outbox, 3)[:begun]
        assert all(map(outbox.begin, taken))
        give_up_claim_of(engine, taken[0])
        for message in taken:
            outbox.note(sent(message))
    assert states(engine) == {S.UNKNOWN: 3, S.PENDING: 3}
    assert len(journal.names(worker.journals)) == 1
    sweeping.sweep(engine, worker)
    assert states(engine) == Counter({S.SENT: begun, S.UNKNOWN: 3 - begun, S.PENDING: 3})


def test_a_lease_that_ran_out_ends_the_sending_of_other_claims_too(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    monkeypatch.setattr(ledger, "renew", lambda *_, **__: False)
    with open_outbox(replace(worker, lease=timedelta(seconds=0.1))) as outbox:
        message, *_ = take(outbox, PEOPLE - 1)
        time.sleep(0.1)
        assert not outbox.begin(message)
        assert outbox.exhausted  # though one has not been taken
    assert not outbox.is_drained
    assert states(engine) == {S.PENDING: PEOPLE}


def test_what_is_known_is_settled_while_another_answer_is_waited_for(
    engine: Engine, open_outbox: Callable[..., Outbox]
) -> None:
    with open_outbox(settle_seconds=0) as outbox:
        first, second = take(outbox, 2)
        assert outbox.begin(first)
        assert outbox.begin(second)
        outbox.note(sent(first))
        outbox.pulse()
        wait_until(outbox, lambda: states(engine) == {S.SENT: 1, S.SENDING: 5})
        outbox.note(sent(second))


def wait_until(outbox: Outbox, is_so: Callable[[], bool]) -> None:
    """Pulse as the wire does, until something is so: what is just being claimed is dealt with by the next pulse."""
    give_up = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.01)
        outbox.pulse()


@pytest.mark.parametrize("move", [partial(control.pause, reason="wait"), control.cancel])
def test_a_silent_server_holds_only_what_was_begun_once_the_campaign_is_stopped(
    engine: Engine, open_outbox: Callable[..., Outbox], move: Callable[..., object]
) -> None:
    with open_outbox(look_seconds=-1) as outbox:
        begun, announced, *_ = take(outbox, 3)
        assert outbox.begin(begun)
        outbox.pulse()
        assert not outbox.exhausted
        with session_scope(engine) as session:
            move(session, session.scalars(select(Campaign).where(Campaign.started_at.is_not(None))).one())
        outbox.pulse()
        assert outbox.halted
        rest = S.SKIPPED if move is control.cancel else S.PENDING
        wait_until(outbox, lambda: states(engine) == {S.SENDING: 1, rest: 5})
        assert not outbox.begin(announced)
        outbox.note(sent(begun))
    assert states(engine) == {S.SENT: 1, rest: 5}
    with session_scope(engine, read_only=True) as session:
        assert session.scalars(select(Claim)).all() == []


def test_what_was_claimed_at_the_moment_of_a_pause_is_let_go_of_too(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = iter([2, 3])
    is_asked, may_look = Event(), Event()
    real_claim = ledger.claim

    def claim(*args: Any, **named: Any) -> ledger.Batch | None:
        batch = real_claim(*args, **named, limit=next(claims, 1))
        if batch is not None and len(batch.deliveries) == 3:
            is_asked.set()
            may_look.wait(30)
        return batch

    monkeypatch.setattr(ledger, "claim", claim)
    with open_outbox() as outbox:
        (begun,) = take(outbox, 1)
        assert outbox.begin(begun)
        is_asked.wait(30)
        with session_scope(engine) as session:
            control.pause(
                session, session.scalars(select(Campaign).where(Campaign.started_at.is_not(None))).one(), reason="wait"
            )
        may_look.set()
        give_up = time.monotonic() + 30
        while states(engine) != {S.SENDING: 1, S.PENDING: 5}:
            assert time.monotonic() < give_up
            outbox.pulse()
        outbox.note(sent(begun))
    assert states(engine) == {S.SENT: 1, S.PENDING: 5}


def test_a_pause_is_seen_while_a_test_mail_waits_for_its_answer(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "claim", partial(ledger.claim, limit=1))
    with session_scope(engine) as session:
        campaign = session.scalars(select(Campaign).where(Campaign.started_at.is_not(None))).one()
        ledger.add_test(session, campaign, address="t@example.org", language=None, country=None, union_id=None)
    with open_outbox(look_seconds=-1) as outbox:
        test, _ = take(outbox, 2)
        assert outbox.begin(test)
        with session_scope(engine) as session:
            control.pause(session, session.get_one(Campaign, campaign.id), reason="wait")
        outbox.pulse()
        assert outbox.halted
        outbox.note(sent(test))
    assert states(engine) == {S.SENT: 1, S.PENDING: 6}


def test_who_is_to_stop_lets_go_of_what_was_not_begun(
    engine: Engine, open_outbox: Callable[..., Outbox], worker: Worker
) -> None:
    told = False
    with open_outbox(replace(worker, stopping=lambda: told)) as outbox:
        take(outbox, 2)
        told = True
        outbox.pulse()
        wait_until(outbox, lambda: states(engine) == {S.PENDING: 6})
    assert journal.names(worker.journals) == []


@pytest.mark.parametrize("closes", [True, False])
def test_nothing_is_let_go_of_after_a_write_that_failed(
    engine: Engine, open_outbox: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch, worker: Worker, closes: bool
) -> None:
    noted = Event()
    monkeypatch.setattr(ledger, "settle", failing_once(NO_DATABASE, when=noted, then=True))
    told = False
    with (
        pytest.raises(DatabaseUnavailable),
        open_outbox(replace(worker, stopping=lambda: told), settle_seconds=-1.0) as outbox,
    ):
        first, second = take(outbox, 2)
        assert outbox.begin(first)
        assert outbox.begin(second)
        outbox.note(sent(first))
        told = True
        if closes:
            outbox.note(sent(second))
        outbox.pulse()  # the rest of the claim is let go of, or all of it is closed, behind the write that fails
        noted.set()
    assert states(engine)[S.PENDING] == 0
    sweeping.sweep(engine, worker)
    assert states(engine) == ({S.SENT: 2, S.PENDING: 4} if closes else {S.SENT: 1, S.UNKNOWN: 1, S.PENDING: 4})
