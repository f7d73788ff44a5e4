"""Whatever comes back, in whatever order, however late and however often: mail to an address ends when it must, and
not before. What the rules are is written here a second time, in other words."""

from datetime import UTC, date, datetime, timedelta
from itertools import combinations, count
from typing import ClassVar
from unittest.mock import patch

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from mailer.inbound import acting
from mailer.inbound.acting import Source
from mailer.mail.feedback.types import Category, Effect, Feedback, Identified, Kind, Meaning
from mailer.people import returned, subscribers, suppression
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope
from mailer.store.models import (
    DeliveryState,
    MailEvent,
    MailEventCount,
    MailingList,
    Subscriber,
    Subscription,
    SuppressionReason,
)
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber

_number = count(1)
_COUNTED = [Category.NO_DOMAIN, Category.DISABLED, Category.FULL, Category.TEMPORARY, Category.UNDETERMINED]
_OF_US = [Category.RATE, Category.POLICY, Category.AUTH, Category.US]


class Machine(RuleBasedStateMachine):
    """Somebody who is mailed, and what comes back of that."""

    engine: ClassVar[Engine]

    @initialize()
    def make(self) -> None:
        self.now = datetime(2026, 1, 1, 12, tzinfo=UTC)
        with session_scope(self.engine) as session:
            self.list_id = make_list(session, f"list-{next(_number)}").id
            self.email = f"ana{next(_number)}@example.net"
            person = make_subscriber(session, email=self.email)
            subscribers.put_on(session, person.id, self.list_id, self.now)
            subscribers.refresh(session, [person.id])
            self.person = person.id
        self.mails: dict[int, date] = {}  # when each went out
        self.came_back: set[int] = set()
        self.was_reported: set[int] = set()
        self.counts: list[tuple[date, Category]] = []
        self.given: list[tuple[Feedback, bytes]] = []
        self.moved_on: date | None = None
        self.reason: SuppressionReason | None = None
        self.is_erased = False
        self.recorded_before = self._recorded()

    @property
    def today(self) -> date:
        return self.now.date()

    def act(self, feedback: Feedback, key: bytes) -> Effect:
        with session_scope(self.engine) as session:
            return acting.act(session, feedback, source=Source.PIPE, key=key, now=self.now).effect

    # --- what happens -----------------------------------------------------------------------------------------------

    @rule(days=st.integers(1, 8) | st.integers(9, 100))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)

    @precondition(lambda self: not self.is_erased)
    @rule()
    def somebody_is_mailed(self) -> None:
        with session_scope(self.engine) as session:
            campaign = make_campaign(session, session.get_one(MailingList, self.list_id), slug=f"alert-{next(_number)}")
            person = session.get_one(Subscriber, self.person)
            mail = deliver(session, campaign, person, DeliveryState.SENT, settled_at=self.now)
            self.mails[mail.id] = self.today

    def _subscription(self, session: Session) -> int:
        return session.scalars(select(Subscription.id).where(Subscription.subscriber_id == self.person)).one()

    @precondition(lambda self: self.mails)
    @rule(data=st.data(), category=st.sampled_from([*_COUNTED * 3, *_OF_US, Category.NO_MAILBOX]))
    def a_mail_comes_back(self, data: st.DataObject, category: Category) -> None:
        mail = data.draw(st.sampled_from(list(self.mails)[-3:]))
        meaning = Meaning(category, None, "words")
        feedback = Feedback(Kind.BOUNCE, "", category.effect, meaning, delivery=mail, identified_by=Identified.ENVELOPE)
        key = next(_number).to_bytes(8, "big")
        expected = self._expected_of_bounce(mail, category)
        self.came_back.add(mail)
        self.given.append((feedback, key))
        assert self.act(feedback, key) is expected
        event(f"a bounce {expected}")

    def _expected_of_bounce(self, mail: int, category: Category) -> Effect:
        if mail in self.came_back or not self._may_act(mail) or category in _OF_US:
            return Effect.NONE
        if category is not Category.NO_MAILBOX:
            self.counts.append((self.today, category))
            if not self._is_enough(mail):
                return Effect.COUNT
        self.counts.clear()
        if self.reason not in (SuppressionReason.COMPLAINED, SuppressionReason.ERASED):
            self.reason = SuppressionReason.BOUNCED
        return Effect.SUPPRESS

    def _may_act(self, mail: int) -> bool:
        went_out = self.mails[mail]
        is_theirs = self.moved_on is None or went_out > self.moved_on
        return not self.is_erased and is_theirs and self.today - went_out <= timedelta(days=30)

    def _is_enough(self, mail: int) -> bool:
        arrived = [
            went_out
            for each, went_out in self.mails.items()
            if each != mail and each not in self.came_back and self.today - went_out >= timedelta(days=5)
        ]
        counts = [
            (day, category)
            for day, category in self.counts
            if self.today - day <= timedelta(days=90) and not any(day < each for each in arrived)
        ]
        days = sorted({day for day, _ in counts})
        gone = sorted({day for day, category in counts if category is Category.NO_DOMAIN})

        def has(found: list[date], number: int, span: int) -> bool:
            return any(some[-1] - some[0] >= timedelta(days=span) for some in combinations(found, number))

        return has(days, 3, 14) or has(days, 5, 7) or has(gone, 2, 3)

    @precondition(lambda self: self.mails)
    @rule(data=st.data())
    def somebody_complains(self, data: st.DataObject) -> None:
        mail = data.draw(st.sampled_from(list(self.mails)))
        feedback = Feedback(Kind.COMPLAINT, "", Effect.SUPPRESS, delivery=mail, identified_by=Identified.RETURNED)
        acts = mail not in self.was_reported and self._may_act(mail)
        self.was_reported.add(mail)
        key = next(_number).to_bytes(8, "big")
        self.given.append((feedback, key))
        assert self.act(feedback, key) is (Effect.SUPPRESS if acts else Effect.NONE)
        if acts:
            self.reason = SuppressionReason.COMPLAINED
            self.counts.clear()

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def a_message_is_given_again(self, data: st.DataObject) -> None:
        assert self.act(*data.draw(st.sampled_from(self.given))) is Effect.NONE

    @rule(data=st.data(), number=st.integers(1, 2**40))
    def something_comes_that_nobody_signed(self, data: st.DataObject, number: int) -> None:
        kind = data.draw(st.sampled_from(list(Kind)))
        assert self.act(Feedback(kind, "", Effect.NONE), number.to_bytes(8, "big") + b"!") is Effect.NONE

    @precondition(lambda self: self.reason in (SuppressionReason.BOUNCED, SuppressionReason.COMPLAINED))
    @rule()
    def an_organiser_lifts_it(self) -> None:
        with session_scope(self.engine) as session:
            suppression.lift_by_hand(session, self._index(session), "She rang.")
            subscribers.refresh(session, [self.person])
        self.reason = SuppressionReason.ERASED if self.is_erased else None  # which stayed underneath

    @precondition(lambda self: not self.is_erased and self.reason is not SuppressionReason.COMPLAINED)
    @rule()
    def somebody_moves(self) -> None:
        self.email = f"ana{next(_number)}@example.net"
        with session_scope(self.engine) as session:
            suppression.lift(session, self._index(session))
            person = session.get_one(Subscriber, self.person)
            person.email, person.email_index = self.email, self._index(session)
            person.moved_on = self.now
            subscribers.refresh(session, [self.person])
        self.moved_on, self.reason = self.today, None
        self.counts.clear()

    @rule()
    def the_sweeper_comes(self) -> None:
        with patch.object(returned, "utcnow", lambda: self.now), session_scope(self.engine) as session:
            returned.forget_old(session)

    @precondition(lambda self: not self.is_erased and len(self.mails) > 2)
    @rule()
    def somebody_is_erased(self) -> None:
        with session_scope(self.engine) as session:
            subscribers.erase(session, self.email)
            assert _events(session, self.mails) == 0
        self.is_erased = True
        if self.reason is not SuppressionReason.COMPLAINED:
            self.reason = SuppressionReason.ERASED

    def _index(self, session: Session) -> bytes:
        return keyring_of(session).blind_index(self.email)

    # --- what holds -------------------------------------------------------------------------------------------------

    @invariant()
    def the_address_is_on_the_list_for_what_happened_and_the_person_is_mailed_otherwise(self) -> None:
        with session_scope(self.engine, read_only=True) as session:
            assert suppression.reason(session, self._index(session)) is self.reason
            if not self.is_erased:
                assert session.get_one(Subscription, self._subscription(session)).mailable is (self.reason is None)

    @invariant()
    def every_mail_that_came_back_is_an_event_or_a_number(self) -> None:
        assert self._recorded() - self.recorded_before >= len(self.came_back) + len(self.was_reported)

    def _recorded(self) -> int:
        with session_scope(self.engine, read_only=True) as session:
            kept = select(func.count()).where(MailEvent.kind.in_([Kind.BOUNCE, Kind.COMPLAINT]))
            numbers = select(func.sum(MailEventCount.number)).where(MailEventCount.campaign_id != 0)
            return (session.scalar(kept) or 0) + (session.scalar(numbers) or 0)


def _events(session: Session, mails: dict[int, date]) -> int:
    return session.scalar(select(func.count()).where(MailEvent.delivery_id.in_(mails))) or 0


def test_mail_to_an_address_ends_when_it_must_and_not_before(engine: Engine) -> None:
    class OnEngine(Machine):
        pass

    OnEngine.engine = engine
    run_state_machine_as_test(
        OnEngine,
        settings=settings(
            max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
