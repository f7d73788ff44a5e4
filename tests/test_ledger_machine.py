"""The ledger under anything that can happen, in any order: a model of what was transmitted says what must hold."""

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, select

from mailer import campaigns, delivery, recipients, recovery, subscribers
from mailer.campaigns import WrongStatus
from mailer.crypto import Keyring
from mailer.db import open_engine, session_scope, utcnow
from mailer.delivery import Batch, Claimed, Reason, Settlement
from mailer.journal import Journal
from mailer.mail.types import Outcome, OutcomeKind
from mailer.models import (
    Campaign,
    CampaignStatus,
    Claim,
    Delivery,
    DeliveryState,
    Subscriber,
    Subscription,
    SubscriptionStatus,
)
from tests.factories import make_campaign, make_list, make_subscriber

S = DeliveryState
LEASE = timedelta(hours=1)
HOSTS = ("quay", "mole")
_CODES = {OutcomeKind.SENT: 250, OutcomeKind.DEFERRED: 451, OutcomeKind.FAILED: 550}


@dataclass
class Hold:
    """A claim of a worker that lives."""

    batch: Batch
    waiting: list[Claimed]
    begun: list[int] = field(default_factory=list)  # and not answered
    known: list[Settlement] = field(default_factory=list)  # and not settled
    stale: bool = False  # the lease ran out


@dataclass
class Process:
    """A worker that lives."""

    host: str
    journal: Journal
    holds: list[Hold] = field(default_factory=list)
    lost_a_claim: bool = False


class Ledger(RuleBasedStateMachine):
    """Workers on two hosts, organisers and supporters at one campaign."""

    template: ClassVar[Path]
    keyring: ClassVar[Keyring]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-"))
        shutil.copyfile(self.template, self.folder / "tocsin.db")
        self.engine: Engine = open_engine(f"sqlite:///{self.folder / 'tocsin.db'}", self.keyring)
        self.workers: list[Process] = []
        self.unreachable: set[str] = set()
        self.people = 0
        self.person_of: dict[int, int] = {}  # delivery → subscriber
        #: the model: deliveries that may have arrived since a person last asked for them
        self.may_have_arrived: set[int] = set()
        self.accepted: set[int] = set()  # deliveries that a server took, ever
        self.gone: set[int] = set()  # subscribers who left

    def teardown(self) -> None:
        for worker in self.workers:
            worker.journal.close()
        self.engine.dispose()
        shutil.rmtree(self.folder)

    @initialize(people=st.integers(1, 8))
    def plan(self, people: int) -> None:
        with session_scope(self.engine) as session:
            mailing_list = make_list(session)
            for _ in range(people):
                make_subscriber(session, mailing_list)
            campaign = make_campaign(session, mailing_list, status=CampaignStatus.SENDING)
            self.people = delivery.plan(session, campaign)
            rows = session.execute(select(Delivery.id, Delivery.subscriber_id))
            self.person_of = {row: person for row, person in rows if person is not None}

    # --- workers ----------------------------------------------------------------------------------------------------

    @rule(host=st.sampled_from(HOSTS), limit=st.integers(1, 4), data=st.data())
    def claim(self, host: str, limit: int, data: st.DataObject) -> None:
        if host in self.unreachable:
            return
        at_work = [worker for worker in self.workers if worker.host == host]
        worker = data.draw(st.sampled_from([None, *at_work]))
        if worker is None:
            worker = Process(host, Journal(self.folder / host))
            self.workers.append(worker)
        batch = delivery.claim(self.engine, 1, worker="test", journal=worker.journal.name, lease=LEASE, limit=limit)
        if batch is not None:
            worker.holds.append(Hold(batch, list(batch.deliveries)))

    def _a_hold(self, data: st.DataObject) -> tuple[Process, Hold] | None:
        held = [(worker, hold) for worker in self.workers for hold in worker.holds]
        return data.draw(st.sampled_from(held)) if held else None

    @rule(data=st.data())
    def look_up_and_begin(self, data: st.DataObject) -> None:
        match self._a_hold(data):
            case (worker, hold) if hold.waiting and not hold.stale:
                claimed = hold.waiting.pop(0)
                standing = recipients.look_up(self.engine, hold.batch, [claimed])
                who = standing.recipients[claimed.id]
                if isinstance(who, Reason):
                    hold.known.append(Settlement(claimed.id, S.SKIPPED, reason=who, transmitted=False))
                elif standing.may_send_campaign:
                    worker.journal.begin(hold.batch.fence, claimed.id)
                    hold.begun.append(claimed.id)
                    self._transmitted(claimed.id)

    def _transmitted(self, row: int) -> None:
        assert row not in self.may_have_arrived, "sent twice without anybody's asking"
        assert self.person_of[row] not in self.gone, "sent to somebody who left"
        self.may_have_arrived.add(row)

    @rule(data=st.data(), kind=st.sampled_from(list(OutcomeKind)))
    def answer(self, data: st.DataObject, kind: OutcomeKind) -> None:
        match self._a_hold(data):
            case (worker, hold) if hold.begun:
                row = hold.begun.pop(0)
                worker.journal.answer(hold.batch.fence, Outcome(row, kind, _CODES.get(kind, 0), "words"))
                not_before = utcnow() if kind is OutcomeKind.DEFERRED else None
                hold.known.append(Settlement(row, S(kind.value), smtp_code=_CODES.get(kind), not_before=not_before))
                if kind is OutcomeKind.SENT:
                    self.accepted.add(row)
                elif kind is not OutcomeKind.UNKNOWN:
                    self.may_have_arrived.discard(row)

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        match self._a_hold(data):
            case (worker, hold):
                worker.lost_a_claim |= not delivery.settle(self.engine, hold.batch, hold.known)
                hold.known = []

    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        match self._a_hold(data):
            case (worker, hold) if not hold.begun:
                worker.lost_a_claim |= not delivery.close(self.engine, hold.batch, hold.known)
                worker.holds.remove(hold)

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        idle = [worker for worker in self.workers if not worker.holds]
        if idle:
            worker = data.draw(st.sampled_from(idle))
            self.workers.remove(worker)
            (worker.journal.close if worker.lost_a_claim else worker.journal.discard)()

    # --- what befalls them ------------------------------------------------------------------------------------------

    @rule(data=st.data(), written=st.booleans())
    def crash(self, data: st.DataObject, written: bool) -> None:
        if self.workers:
            self._crash(data.draw(st.sampled_from(self.workers)), written=written)

    def _crash(self, worker: Process, *, written: bool) -> None:
        if not written:
            worker.journal._unwritten.clear()  # the last answers, which wait for the next message
        worker.journal.close()
        self.workers.remove(worker)

    @rule(host=st.sampled_from(HOSTS))
    def lose(self, host: str) -> None:
        if host not in self.unreachable and (self.folder / host).exists():
            for worker in [worker for worker in self.workers if worker.host == host]:
                self._crash(worker, written=True)
            (self.folder / host).rename(self.folder / f"{host}-away")
            self.unreachable.add(host)

    @rule(host=st.sampled_from(HOSTS))
    def find(self, host: str) -> None:
        if host in self.unreachable:
            (self.folder / f"{host}-away").rename(self.folder / host)
            self.unreachable.remove(host)

    @rule(data=st.data())
    def run_out(self, data: st.DataObject) -> None:
        """A worker stands still for longer than its lease."""
        match self._a_hold(data):
            case (_, hold):
                hold.stale = True
                self._expire(Claim.id == hold.batch.fence)

    def _expire(self, which: Any) -> None:
        with session_scope(self.engine) as session:
            for claim in session.scalars(select(Claim).where(which)):
                claim.expires_at = utcnow() - LEASE

    @rule(host=st.sampled_from(HOSTS))
    def sweep(self, host: str) -> None:
        if host in self.unreachable:
            return
        recovery.replay(self.engine, self.folder / host)
        for each in HOSTS:
            recovery.vouch(self.engine, self.folder / each, interval=LEASE)
        alive = [worker.journal.name for worker in self.workers]
        self._expire(Claim.journal.not_in(alive))
        recovery.give_up_lost(self.engine, grace=timedelta())

    @rule()
    def cut_off(self) -> None:
        """No host can vouch for its workers, and those whose lease ran out are given up by others."""
        with session_scope(self.engine) as session:
            for claim in session.scalars(select(Claim)):
                claim.stalled_until = None
        recovery.give_up_lost(self.engine, grace=timedelta())

    # --- people -----------------------------------------------------------------------------------------------------

    @rule(move=st.sampled_from(["pause", "resume"]))
    def decide(self, move: str) -> None:
        with session_scope(self.engine) as session:
            try:
                campaigns.move(session, session.get_one(Campaign, 1), move)
            except WrongStatus:
                return

    @rule()
    def cancel(self) -> None:
        with session_scope(self.engine) as session:
            try:
                delivery.cancel(session, session.get_one(Campaign, 1))
            except WrongStatus:
                return

    @rule(state=st.sampled_from([S.UNKNOWN, S.FAILED]))
    def resend(self, state: DeliveryState) -> None:
        again = self._rows_in(state)
        with session_scope(self.engine) as session:
            try:
                delivery.resend(session, session.get_one(Campaign, 1), state)
            except WrongStatus:
                return
        self.may_have_arrived -= again

    @rule()
    def finish(self) -> None:
        with session_scope(self.engine) as session:
            delivery.finish(session, 1)

    @precondition(lambda self: len(self.gone) < self.people)
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

    def _rows_in(self, *states: DeliveryState) -> set[int]:
        with session_scope(self.engine, read_only=True) as session:
            return set(session.scalars(select(Delivery.id).where(Delivery.state.in_(states))))

    @invariant()
    def every_recipient_is_in_one_state(self) -> None:
        assert len(self._rows_in(*S)) == self.people

    @invariant()
    def what_is_sending_is_held_by_a_claim(self) -> None:
        with session_scope(self.engine, read_only=True) as session:
            held = select(Claim.id)
            loose = select(Delivery.id).where(Delivery.state == S.SENDING, Delivery.fence.not_in(held))
            assert session.scalars(loose).all() == []

    @invariant()
    def what_is_sent_was_taken(self) -> None:
        assert self._rows_in(S.SENT) <= self.accepted

    @invariant()
    def what_is_said_not_to_have_arrived_did_not(self) -> None:
        said = self._rows_in(S.PENDING, S.DEFERRED, S.FAILED, S.SKIPPED)
        assert said.isdisjoint(self.may_have_arrived)

    @invariant()
    def a_campaign_that_is_sent_owes_nothing(self) -> None:
        with session_scope(self.engine, read_only=True) as session:
            is_sent = session.get_one(Campaign, 1).status is CampaignStatus.SENT if self.people else False
        assert not is_sent or not self._rows_in(S.PENDING, S.SENDING, S.DEFERRED)


def test_the_ledger_is_right_whatever_happens(sqlite_template: Path, keyring: Keyring) -> None:
    Ledger.template, Ledger.keyring = sqlite_template, keyring
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=40, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
