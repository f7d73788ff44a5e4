"""The ledger under anything that can happen, in any order: a model of what was transmitted says what must hold."""

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, Engine, event, select

from mailer.campaigns import lifecycle
from mailer.campaigns.lifecycle import Move, WrongStatus
from mailer.delivery import control, ledger, recipients, recovery
from mailer.delivery.journal import Journal
from mailer.delivery.ledger import Batch, Claimed, Settlement
from mailer.mail.types import Outcome, OutcomeKind
from mailer.people import subscribers
from mailer.store.crypto import Keyring
from mailer.store.db import open_engine, session_scope, utcnow
from mailer.store.models import (
    Campaign,
    CampaignStatus,
    Claim,
    Delivery,
    DeliveryState,
    Reason,
    Subscriber,
    Subscription,
    SubscriptionStatus,
)
from tests.support.factories import make_campaign, make_list, make_subscriber

S = DeliveryState
LEASE = timedelta(hours=1)
HOSTS = NEARER, FARTHER = "quay", "lighthouse"
_AWAY = "unreachable"
#: steps of an example that a campaign goes on for at least
_CANCEL_AFTER = 30
_CODES = {OutcomeKind.SENT: 250, OutcomeKind.DEFERRED: 451, OutcomeKind.FAILED: 550}


@dataclass
class Hold:
    """A claim of a worker that lives."""

    batch: Batch
    waiting: list[Claimed]
    begun: list[int] = field(default_factory=list)  # and not answered
    known: list[Settlement] = field(default_factory=list)  # and not settled
    stale: bool = False  # the lease ran out


def _is_in_time(hold: Hold) -> bool:
    return not hold.stale


def _may_begin(hold: Hold) -> bool:
    return bool(hold.waiting) and not hold.stale


def _is_begun(hold: Hold) -> bool:
    return bool(hold.begun)


def _is_unsettled(hold: Hold) -> bool:
    return bool(hold.known)


def _may_close(hold: Hold) -> bool:
    return not hold.begun


@dataclass
class Process:
    """A worker that lives."""

    host: str
    journal: Journal
    holds: list[Hold] = field(default_factory=list)
    lost_a_claim: bool = False


@dataclass(frozen=True)
class Seen:
    """What stands in the database between two steps."""

    status: CampaignStatus
    rows: dict[DeliveryState, set[int]]
    fences: dict[int, int | None]  # delivery → the claim it was last under
    claims: set[int]


def _draw_lots_again(connection: sqlite3.Connection, _record: object) -> None:
    """Have SQLite draw lots from Python's generator, which Hypothesis sets, so that an example can be run again."""
    connection.create_function("random", 0, lambda: random.getrandbits(62))


class Ledger(RuleBasedStateMachine):
    """Workers on two hosts, organisers and supporters at one campaign."""

    template: ClassVar[Path]
    keyring: ClassVar[Keyring]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-"))
        for host in HOSTS:
            (self.folder / host).mkdir()
        shutil.copyfile(self.template, self.folder / "tocsin.db")
        self.engine: Engine = open_engine(f"sqlite:///{self.folder / 'tocsin.db'}", self.keyring)
        event.listen(self.engine, "connect", _draw_lots_again)
        self._last_seen: Seen | None = None
        event.listen(self.engine, "commit", self._look_again)
        self.workers: list[Process] = []
        self.unreachable: set[str] = set()
        self.people = self.steps = 0
        self.person_of: dict[int, int] = {}  # delivery → subscriber
        #: the model: deliveries that may have arrived since a person last asked for them
        self.may_have_arrived: set[int] = set()
        self.accepted: set[int] = set()  # deliveries that a server took, ever
        self.gone: set[int] = set()  # subscribers who left

    def teardown(self) -> None:
        try:
            for worker in list(self.workers):
                self._crash(worker, written=True)
            self.sweep()
            assert not self._rows_in(S.SENDING)
        finally:
            self.engine.dispose()
            shutil.rmtree(self.folder)

    @initialize(people=st.integers(3, 8))
    def plan(self, people: int) -> None:
        with session_scope(self.engine) as session:
            mailing_list = make_list(session)
            for _ in range(people):
                make_subscriber(session, mailing_list)
            campaign = make_campaign(session, mailing_list, status=CampaignStatus.SENDING)
            self.people = ledger.plan(session, campaign)
            rows = session.execute(select(Delivery.id, Delivery.subscriber_id))
            self.person_of = {row: person for row, person in rows if person is not None}

    # --- workers ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._status() is CampaignStatus.SENDING and self._rows_in(S.PENDING, S.DEFERRED))
    @rule(host=st.sampled_from(HOSTS), another=st.booleans(), limit=st.integers(1, 4), count=st.integers(0, 4))
    def claim_and_begin(self, host: str, another: bool, limit: int, count: int) -> None:
        worker = self._worker(NEARER if host in self.unreachable else host, another=another)
        batch = ledger.claim(self.engine, 1, worker="test", journal=worker.journal.name, lease=LEASE, limit=limit)
        if batch is not None:
            worker.holds.append(Hold(batch, list(batch.deliveries)))
            self._begin(worker, worker.holds[-1], count)

    def _worker(self, host: str, *, another: bool) -> Process:
        at_work = [worker for worker in self.workers if worker.host == host]
        if another or not at_work:
            self.workers.append(Process(host, Journal(self.folder / host)))
            return self.workers[-1]
        return at_work[0]

    def _holds(self, which: Callable[[Hold], object] = lambda _: True) -> list[tuple[Process, Hold]]:
        return [(worker, hold) for worker in self.workers for hold in worker.holds if which(hold)]

    @precondition(lambda self: self._holds(_may_begin))
    @rule(data=st.data(), count=st.integers(1, 3))
    def begin(self, data: st.DataObject, count: int) -> None:
        worker, hold = data.draw(st.sampled_from(self._holds(_may_begin)))
        self._begin(worker, hold, count)

    def _begin(self, worker: Process, hold: Hold, count: int) -> None:
        """What a worker does before each message: look whether its recipient may still have it, write down, send."""
        for claimed in hold.waiting[:count]:
            standing = recipients.look_up(self.engine, hold.batch, [claimed])
            who = standing.recipients[claimed.id]
            if not standing.may_send_campaign:
                return
            hold.waiting.remove(claimed)
            if isinstance(who, Reason):
                hold.known.append(Settlement(claimed.id, S.SKIPPED, reason=who, transmitted=False))
            else:
                worker.journal.begin(hold.batch.fence, claimed.id)
                hold.begun.append(claimed.id)
                self._transmitted(claimed.id)

    def _transmitted(self, row: int) -> None:
        assert row not in self.may_have_arrived, "sent twice without anybody's asking"
        assert self.person_of[row] not in self.gone, "sent to somebody who left"
        self.may_have_arrived.add(row)

    @precondition(lambda self: self._holds(_is_begun))
    @rule(data=st.data(), kind=st.sampled_from(list(OutcomeKind)))
    def answer(self, data: st.DataObject, kind: OutcomeKind) -> None:
        worker, hold = data.draw(st.sampled_from(self._holds(_is_begun)))
        row = hold.begun.pop(0)
        worker.journal.answer(hold.batch.fence, Outcome(row, kind, _CODES.get(kind, 0), "words"))
        not_before = utcnow() if kind is OutcomeKind.DEFERRED else None
        hold.known.append(Settlement(row, S(kind.value), smtp_code=_CODES.get(kind), not_before=not_before))
        if kind is OutcomeKind.SENT:
            self.accepted.add(row)
        elif kind is not OutcomeKind.UNKNOWN:
            self.may_have_arrived.discard(row)

    @precondition(lambda self: self._holds(_is_unsettled))
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        worker, hold = data.draw(st.sampled_from(self._holds(_is_unsettled)))
        worker.lost_a_claim |= not ledger.settle(self.engine, hold.batch, hold.known)
        hold.known = []

    @precondition(lambda self: self._holds(_may_close))
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        worker, hold = data.draw(st.sampled_from(self._holds(_may_close)))
        worker.lost_a_claim |= not ledger.close(self.engine, hold.batch, hold.known)
        worker.holds.remove(hold)
        if not worker.holds:
            self.workers.remove(worker)
            (worker.journal.close if worker.lost_a_claim else worker.journal.discard)()

    # --- what befalls them ------------------------------------------------------------------------------------------

    @precondition(lambda self: self._holds())
    @rule(data=st.data(), written=st.booleans())
    def crash(self, data: st.DataObject, written: bool) -> None:
        worker, _ = data.draw(st.sampled_from(self._holds()))
        self._crash(worker, written=written)

    def _crash(self, worker: Process, *, written: bool) -> None:
        if not written:
            worker.journal._unwritten.clear()  # the last answers, which wait for the next message
        worker.journal.close()
        self.workers.remove(worker)

    @precondition(lambda self: any(worker.host == FARTHER and worker.holds for worker in self.workers))
    @rule()
    def lose_the_farther_host(self) -> None:
        for worker in [worker for worker in self.workers if worker.host == FARTHER]:
            self._crash(worker, written=True)
        (self.folder / FARTHER).rename(self.folder / _AWAY)
        self.unreachable.add(FARTHER)

    @precondition(lambda self: FARTHER in self.unreachable)
    @rule()
    def find_it_again(self) -> None:
        (self.folder / _AWAY).rename(self.folder / FARTHER)
        self.unreachable.remove(FARTHER)

    @precondition(lambda self: self._holds())
    @rule(data=st.data(), given_up=st.booleans())
    def stand_still(self, data: st.DataObject, given_up: bool) -> None:
        """A worker stands still for longer than its lease, perhaps with all its host, so that others give it up."""
        _, hold = data.draw(st.sampled_from(self._holds()))
        hold.stale = True
        with session_scope(self.engine) as session:
            for claim in session.scalars(select(Claim).where(Claim.id == hold.batch.fence)):
                claim.expires_at, claim.stalled_until = utcnow() - LEASE, None
        if given_up:
            recovery.give_up_lost(self.engine, grace=timedelta())

    @precondition(lambda self: self._rows_in(S.SENDING) or not self._rows_in(S.PENDING, S.DEFERRED))
    @rule()
    def sweep(self) -> None:
        for host in HOSTS:
            recovery.replay(self.engine, self.folder / host)
            recovery.vouch(self.engine, self.folder / host, interval=LEASE)
        alive = [worker.journal.name for worker in self.workers]
        with session_scope(self.engine) as session:  # time passes for the claims of the dead
            for claim in session.scalars(select(Claim).where(Claim.journal.not_in(alive))):
                claim.expires_at, claim.stalled_until = utcnow() - LEASE, None
        recovery.give_up_lost(self.engine, grace=timedelta())
        with session_scope(self.engine) as session:
            control.finish(session, 1)

    # --- people -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._holds())
    @rule()
    def pause(self) -> None:
        self._move(Move.PAUSE)

    @precondition(lambda self: self._status() is CampaignStatus.PAUSED)
    @rule()
    def resume(self) -> None:
        self._move(Move.RESUME)

    def _status(self) -> CampaignStatus:
        return self._seen().status

    def _move(self, move: Move) -> None:
        with session_scope(self.engine) as session, suppress(WrongStatus):
            lifecycle.move(session, session.get_one(Campaign, 1), move)

    @precondition(lambda self: self.steps > _CANCEL_AFTER)
    @rule()
    def cancel(self) -> None:
        with session_scope(self.engine) as session, suppress(WrongStatus):
            control.cancel(session, session.get_one(Campaign, 1))

    @precondition(lambda self: self._rows_in(S.UNKNOWN, S.FAILED))
    @rule()
    def resend(self) -> None:
        for state in (S.UNKNOWN, S.FAILED):
            before = self._rows_in(state)
            with session_scope(self.engine) as session, suppress(WrongStatus):
                control.resend(session, session.get_one(Campaign, 1), state)
            self.may_have_arrived -= before - self._rows_in(state)

    @precondition(lambda self: self._holds() and 2 * len(self.gone) < self.people)
    @rule(data=st.data(), erased=st.booleans())
    def leave(self, data: st.DataObject, erased: bool) -> None:
        person_id = data.draw(st.sampled_from(sorted(set(self.person_of.values()) - self.gone)))
        self.gone.add(person_id)
        with session_scope(self.engine) as session:
            if erased:
                subscribers.erase(session, session.get_one(Subscriber, person_id).email)
                return
            on_list = session.scalars(select(Subscription).where(Subscription.subscriber_id == person_id)).one()
            on_list.status = SubscriptionStatus.UNSUBSCRIBED
            subscribers.refresh(session, [person_id])

    # --- what always holds ------------------------------------------------------------------------------------------

    def _seen(self) -> Seen:
        """Rules ask for it many times before each step, so it is read once after each change."""
        if self._last_seen is None:
            with session_scope(self.engine, read_only=True) as session:
                status = session.scalars(select(Campaign.status)).one()
                rows: dict[DeliveryState, set[int]] = {state: set() for state in S}
                fences = {}
                for row, state, fence in session.execute(select(Delivery.id, Delivery.state, Delivery.fence)):
                    rows[state].add(row)
                    fences[row] = fence
                claims = set(session.scalars(select(Claim.id)))
            self._last_seen = Seen(status, rows, fences, claims)  # now that this reading has ended its transaction
        return self._last_seen

    def _look_again(self, _connection: Connection) -> None:
        self._last_seen = None

    def _rows_in(self, *states: DeliveryState) -> set[int]:
        return set().union(*(self._seen().rows[state] for state in states))

    @invariant()
    def every_recipient_is_in_one_state(self) -> None:
        self.steps += 1
        assert len(self._rows_in(*S)) == self.people

    @invariant()
    def what_is_sending_is_held_by_a_claim(self) -> None:
        seen = self._seen()
        assert [row for row in seen.rows[S.SENDING] if seen.fences[row] not in seen.claims] == []

    @invariant()
    def what_a_worker_holds_nobody_else_changes(self) -> None:
        seen = self._seen()
        held = {(row, seen.fences[row]) for row in seen.rows[S.SENDING]}
        for _, hold in self._holds(_is_in_time):
            at_work = [*(claimed.id for claimed in hold.waiting), *hold.begun]
            assert {(row, hold.batch.fence) for row in at_work} <= held

    @invariant()
    def what_is_sent_was_taken(self) -> None:
        assert self._rows_in(S.SENT) <= self.accepted

    @invariant()
    def what_is_said_not_to_have_arrived_did_not(self) -> None:
        said = self._rows_in(S.PENDING, S.DEFERRED, S.FAILED, S.SKIPPED)
        assert said.isdisjoint(self.may_have_arrived)

    @invariant()
    def a_campaign_that_is_sent_owes_nothing(self) -> None:
        if self.people and self._status() is CampaignStatus.SENT:
            assert not self._rows_in(S.PENDING, S.SENDING, S.DEFERRED)


def test_the_ledger_is_right_whatever_happens(sqlite_template: Path, keyring: Keyring) -> None:
    Ledger.template, Ledger.keyring = sqlite_template, keyring
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=60,
            stateful_step_count=60,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink what fails takes minutes
        ),
    )
