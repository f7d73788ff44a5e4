"""Stopping, closing, reopening and withdrawing: what goes out afterwards, what everybody is told, and what is kept."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, LargeBinary, literal, select, type_coerce, update
from sqlalchemy.orm import Session

from mailer.campaigns import asking, gate, lifecycle, telling
from mailer.campaigns.lifecycle import WrongStatus
from mailer.campaigns.readiness import Refused
from mailer.cases import cases
from mailer.cases.dossier import Consent, ConsentBy
from mailer.cases.sayable import Words
from mailer.delivery import control, stopping, sweeping
from mailer.delivery.stopping import NO_WORDS, Decided, IsWithdrawn, NotEnded, Reopened, Withdrawn
from mailer.delivery.worker import Worker
from mailer.reports import progress
from mailer.store import db, scope
from mailer.store.db import DatabaseUnavailable, Sessions, session_scope
from mailer.store.models import (
    Asking,
    Campaign,
    CampaignStatus,
    Case,
    CaseEvent,
    CaseEventKind,
    CaseStatus,
    Delivery,
    DeliveryState,
)
from tests.support.concurrency import Beside
from tests.support.factories import SENDER, make_campaign, make_case, make_list, make_subscriber, make_union

S = CampaignStatus
WHY = {"en": "Letters now put her in danger.", "fr": "Des lettres la mettent en danger."}


@pytest.fixture
def case(session: Session) -> Case:
    """A case of which we may speak."""
    case = make_case(session, "leila", never=["Amal Odeh"])
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5)))
    return case


@pytest.fixture
def about(session: Session, case: Case) -> Callable[..., Campaign]:
    """Makes a campaign about it, to the same two people."""
    people = make_list(session)
    for _ in range(2):
        make_subscriber(session, people)

    def make(slug: str = "free-leila", *, status: CampaignStatus = S.DRAFT, **columns: object) -> Campaign:
        campaign = make_campaign(session, people, slug=slug, status=status)
        campaign.case = case
        for column, value in columns.items():
            setattr(campaign, column, value)
        session.flush()
        return campaign

    return make


Decision = Callable[[Session, Campaign], object]


def sessions_of(session: Session) -> Sessions:
    """What opens others on the same database, once everything that is done in this one is committed."""
    session.commit()
    session.expire_all()
    return partial(session_scope, session.get_bind().engine)


def decide_on_case(session: Session, campaign: Campaign) -> object:
    """The step of a stop that decides, not yet committed."""
    return stopping._decide_on_case(session, "leila", CaseStatus.STOPPED, WHY)


def stop_case(session: Session, campaign: Campaign) -> object:
    return stopping.stop_case(sessions_of(session), "leila", WHY)


def close_case(session: Session, campaign: Campaign) -> object:
    return stopping.close_case(sessions_of(session), "leila", NO_WORDS)


def withdraw(session: Session, campaign: Campaign) -> object:
    slug = campaign.slug
    return stopping.withdraw(sessions_of(session), slug)


def stop(session: Session, campaign: Campaign) -> object:
    return stopping.stop(session, campaign, WHY)


each_decision = pytest.mark.parametrize("decide", [stop_case, close_case, stop, stopping.close, withdraw])


def history(session: Session) -> list[tuple[CaseEventKind, Mapping[str, str], bool]]:
    """What was decided, in what words, and whether it was about the whole case."""
    decided = select(CaseEvent).where(CaseEvent.kind != CaseEventKind.CONSENT).order_by(CaseEvent.id)
    return [(line.kind, line.words, line.campaign_id is None) for line in session.scalars(decided)]


# --- what goes out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "word"), [(stop_case, "stopped"), (close_case, "closed")])
def test_the_end_of_a_case_pauses_what_asks_people_to_act_on_it_and_nothing_else(
    session: Session, about: Callable[..., Campaign], end: Decision, word: str
) -> None:
    sending, scheduled = about("a", status=S.SENDING), about("b", status=S.SCHEDULED)
    others = [
        about("held", status=S.PAUSED, hold_reason="paused by an organiser"),
        about("news", status=S.SENDING, kind="update"),
        about("notice", status=S.SCHEDULED, kind="stop"),
        about("over", status=S.SENT),
        about("elsewhere", status=S.SENDING, case=make_case(session, "another")),
    ]
    was = [(each.status, each.hold_reason) for each in others]
    decided: Any = end(session, sending)
    assert decided.paused == ["a", "b"]
    for campaign in (sending, scheduled):
        session.refresh(campaign)
        assert (campaign.status, campaign.hold_reason) == (S.PAUSED, f'its case "leila" was {word}')
    assert [(each.status, each.hold_reason) for each in others] == was


@each_decision
def test_after_it_nothing_that_asks_people_to_act_starts_goes_on_or_goes_again(
    session: Session, about: Callable[..., Campaign], decide: Decision
) -> None:
    draft, scheduled = about("draft"), about("scheduled", status=S.SCHEDULED, scheduled_at=db.now(session))
    sending, sent = about("sending", status=S.SENDING), about("sent", status=S.SENT)
    for campaign in (draft, scheduled, sending, sent):
        decide(session, campaign)
    session.commit()
    moves: list[Callable[[], object]] = [
        lambda: control.start(session, draft, SENDER),
        lambda: control.schedule(session, draft, db.now(session) + timedelta(hours=1), SENDER),
        lambda: control.resume(session, scheduled, SENDER),
        lambda: control.resume(session, sending, SENDER),
        lambda: control.resend(session, sent, DeliveryState.FAILED),
    ]
    for move in moves:
        with pytest.raises((Refused, WrongStatus), match=r"stopped|closed|withdrawn|cancelled"):
            move()
        session.rollback()
    assert session.scalars(select(Campaign.slug).where(Campaign.status.in_([S.SENDING, S.SCHEDULED]))).all() == []


@each_decision
def test_a_campaign_goes_on_no_more_whatever_is_decided_about_it(
    session: Session, about: Callable[..., Campaign], decide: Decision
) -> None:
    campaign = about(status=S.SENDING)
    decide(session, campaign)
    session.refresh(campaign)
    assert campaign.status is (S.CANCELLED if decide is withdraw else S.PAUSED)
    assert asking.of(campaign) is not Asking.OPEN


def test_what_is_stopped_alone_leaves_other_campaigns_on_its_case_alone(
    session: Session, about: Callable[..., Campaign]
) -> None:
    one, other = about("one", status=S.SENDING), about("other", status=S.SENDING)
    stopping.stop(session, one, WHY)
    session.refresh(other)
    assert (one.status, one.hold_reason) == (S.PAUSED, "it was stopped")
    assert (other.status, asking.of(other)) == (S.SENDING, Asking.OPEN)


def test_what_a_campaign_that_is_withdrawn_still_owes_is_skipped_and_what_was_sent_stays(
    session: Session, about: Callable[..., Campaign]
) -> None:
    draft, sent, campaign = about("draft"), about("sent", status=S.SENT), about("sending")
    control.start(session, campaign, SENDER)
    sessions = sessions_of(session)
    withdrawn = [stopping.withdraw(sessions, slug) for slug in ("draft", "sent", "sending")]
    assert withdrawn == [Withdrawn(was_already=False, is_cancelled=was_open) for was_open in (True, False, True)]
    assert stopping.withdraw(sessions, "sending") == Withdrawn(was_already=True, is_cancelled=False)
    assert [each.status for each in (draft, sent, campaign)] == [S.CANCELLED, S.SENT, S.CANCELLED]
    assert set(session.scalars(select(Delivery.state))) == {DeliveryState.SKIPPED}


def test_a_withdrawal_is_saved_before_what_may_take_a_while(
    session: Session, about: Callable[..., Campaign], monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = about(status=S.SENDING)

    def cancel(*_: object) -> None:
        raise DatabaseUnavailable(problem="it is gone")

    monkeypatch.setattr(control, "cancel", cancel)
    monkeypatch.setattr(stopping, "_PAUSE_SECONDS", 0)
    with pytest.raises(DatabaseUnavailable):
        withdraw(session, campaign)
    assert (campaign.status, campaign.asking) == (S.PAUSED, Asking.WITHDRAWN)


# --- at the same moment ---------------------------------------------------------------------------------------------


@pytest.fixture
def two_writers(engine: Engine) -> Engine:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    return engine


def in_another_session(engine: Engine, act: Callable[[Session], object]) -> None:
    with Session(engine) as other:
        act(other)
        other.commit()


class CaseStop:
    """A stop of the case beside the test, of which each step is seen once it is saved."""

    def __init__(self, engine: Engine, stop: Callable[..., Decided[CaseStatus]] = stopping.stop_case) -> None:
        self._open = partial(session_scope, engine)
        self._saved = {step: Event() for step in ("what is free is paused", "decided", "the rest is paused")}
        self._ended: list[Decided[CaseStatus]] = []
        self._beside = Beside(lambda: self._ended.append(stop(self._sessions, "leila", WHY)))

    @contextmanager
    def _sessions(self, *, read_only: bool = False) -> Iterator[Session]:
        with self._open(read_only=read_only) as session:
            yield session
        next(saved for saved in self._saved.values() if not saved.is_set()).set()

    def wait_until(self, step: str) -> None:
        assert self._saved[step].wait(20), f"not saved: {step}"

    def result(self) -> Decided[CaseStatus]:
        self._beside.result()
        return self._ended[0]


@pytest.mark.parametrize("decide", [stop, stopping.close, withdraw])
def test_who_stops_a_campaign_while_it_starts_waits_and_then_pauses_it(
    two_writers: Engine,
    session: Session,
    about: Callable[..., Campaign],
    decide: Decision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    campaign = about()
    session.commit()
    stops: list[Beside] = []
    planning = control._plan

    def plan(*arguments: Any) -> int:
        def act(other: Session) -> object:
            return decide(other, lifecycle.get(other, campaign.slug))

        stops.append(Beside(lambda: in_another_session(two_writers, act)))
        stops[0].must_wait()
        return planning(*arguments)

    monkeypatch.setattr(control, "_plan", plan)
    control.start(session, campaign, SENDER)
    session.commit()
    stops[0].result()
    session.refresh(campaign)
    assert campaign.status is (S.CANCELLED if decide is withdraw else S.PAUSED)
    assert campaign.started_at is not None


@pytest.mark.parametrize("end", [stopping.stop_case, stopping.close_case])
@pytest.mark.parametrize("status", [S.DRAFT, S.SCHEDULED])
def test_who_stops_a_case_does_not_wait_for_a_campaign_that_starts_and_it_does_not_start(
    two_writers: Engine,
    session: Session,
    about: Callable[..., Campaign],
    end: Callable[..., Decided[CaseStatus]],
    status: CampaignStatus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    campaign = about(status=status)
    session.commit()
    planning, stops = control._plan, []

    def plan(*arguments: Any) -> int:
        stops.append(CaseStop(two_writers, end))
        stops[0].wait_until("decided")
        return planning(*arguments)

    monkeypatch.setattr(control, "_plan", plan)
    with pytest.raises(Refused, match="the case is"):
        control.start(session, campaign, SENDER)
    session.rollback()
    assert stops[0].result().paused == ([campaign.slug] if status is S.SCHEDULED else [])


def test_who_stops_a_case_right_before_a_start_is_done_waits_for_that_and_pauses_it(
    two_writers: Engine, session: Session, about: Callable[..., Campaign]
) -> None:
    campaign = about()
    session.commit()
    control.start(session, campaign, SENDER)
    stops = Beside(lambda: in_another_session(two_writers, lambda other: stop_case(other, campaign)))
    stops.must_wait()
    session.commit()
    stops.result()
    session.refresh(campaign)
    assert (campaign.status, campaign.started_at is not None) == (S.PAUSED, True)


def test_a_scheduled_start_that_a_stop_refuses_and_pauses_first_is_no_failure(
    two_writers: Engine,
    session: Session,
    about: Callable[..., Campaign],
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    campaign = about(status=S.SCHEDULED, scheduled_at=db.now(session))
    session.commit()

    def start(*_: object) -> None:
        in_another_session(two_writers, lambda other: stop_case(other, campaign))
        raise Refused(campaign="It", found=[])

    monkeypatch.setattr(control, "start_scheduled", start)
    sweeping.sweep(two_writers, worker)
    session.refresh(campaign)
    assert (campaign.status, campaign.hold_reason) == (S.PAUSED, 'its case "leila" was stopped')


def test_what_somebody_held_while_its_case_was_stopped_is_paused_once_they_let_go(
    two_writers: Engine, session: Session, about: Callable[..., Campaign]
) -> None:
    held = about(status=S.SCHEDULED)
    session.commit()
    session.refresh(held, with_for_update=True)
    stops = CaseStop(two_writers)
    stops.wait_until("decided")
    session.commit()
    assert stops.result().paused == [held.slug]
    session.refresh(held)
    assert held.status is S.PAUSED


@pytest.mark.parametrize("decide", [decide_on_case, stop, stopping.close])
def test_who_starts_a_campaign_while_it_is_stopped_waits_and_is_refused(
    two_writers: Engine, session: Session, about: Callable[..., Campaign], decide: Decision
) -> None:
    campaign = about()
    session.commit()
    decide(session, campaign)

    def start(other: Session) -> None:
        control.start(other, lifecycle.get(other, campaign.slug), SENDER)

    late = Beside(lambda: in_another_session(two_writers, start))
    late.must_wait()
    session.commit()
    with pytest.raises(Refused, match=r"stopped|closed"):
        late.result()


def test_what_is_under_way_is_paused_without_waiting_for_what_somebody_holds_or_just_starts(
    two_writers: Engine, session: Session, about: Callable[..., Campaign]
) -> None:
    under_way, starting, held = about("a", status=S.SENDING), about("b"), about("c", status=S.SENDING)
    session.commit()
    control.start(session, starting, SENDER)
    session.refresh(held, with_for_update=True)
    stops = CaseStop(two_writers)
    stops.wait_until("what is free is paused")
    with Session(two_writers) as other:
        found = {each.slug: each.status for each in lifecycle.all_campaigns(other)}
    assert found == {"a": S.PAUSED, "b": S.DRAFT, "c": S.SENDING}
    session.commit()
    assert stops.result().paused == ["a", "b", "c"]
    for each in (under_way, starting, held):
        session.refresh(each)
        assert (each.status, each.hold_reason) == (S.PAUSED, 'its case "leila" was stopped')


# --- nothing keeps a stop from happening ----------------------------------------------------------------------------


def test_a_case_of_which_nothing_can_be_read_is_stopped(
    session: Session, case: Case, about: Callable[..., Campaign]
) -> None:
    campaign = about(status=S.SENDING)
    broken = type_coerce(literal(b"broken", LargeBinary), LargeBinary)
    unreadable = {getattr(Case, column): broken for column in ("persons", "consent", "never", "asks", "outcome")}
    session.execute(update(Case).values(unreadable))
    session.commit()
    session.expunge_all()
    decided = stopping.stop_case(sessions_of(session), "leila", WHY)
    assert decided.shown == {}  # nobody knows what must not appear
    found = session.get_one(Campaign, campaign.id)
    assert found.status is S.PAUSED


def test_a_reason_that_cannot_be_read_is_none(session: Session, about: Callable[..., Campaign]) -> None:
    campaign = about()
    stopping.stop(session, campaign, WHY)
    broken = type_coerce(literal(b"broken", LargeBinary), LargeBinary)
    session.execute(update(CaseEvent).values(words=broken), execution_options={"synchronize_session": False})
    session.commit()
    session.expire_all()
    assert telling.of(session, campaign, "en").words is None
    assert asking.of(campaign) is Asking.STOPPED


def test_a_campaign_with_a_text_that_cannot_be_rendered_is_stopped(
    session: Session, about: Callable[..., Campaign]
) -> None:
    campaign = about(status=S.SENDING)
    campaign.texts[0].body = "{{ nonsense }} {% if"
    session.flush()
    stopping.stop(session, campaign, WHY)
    assert campaign.status is S.PAUSED


def test_a_stop_in_words_that_must_not_appear_happens_and_those_are_kept_and_shown_nowhere(
    session: Session, about: Callable[..., Campaign]
) -> None:
    campaign = about(status=S.SENDING)
    words = {"en": "AMAL-ODEH saw the letters.", "fr": WHY["fr"]}
    decided: Any
    for decided in (stopping.stop(session, campaign, words), stopping.stop_case(sessions_of(session), "leila", words)):
        assert decided.shown == {}  # also not the French ones, which may say the same with another name
        assert telling.of(session, campaign, "fr").words is None
    [overview] = progress.overview(session, campaign).to_json()["history"]
    assert overview["words"] == {}
    assert [told for _, told, _ in history(session)] == [words, words]


def test_a_reason_is_hidden_by_a_word_that_must_not_appear_only_since_then(
    session: Session, case: Case, about: Callable[..., Campaign]
) -> None:
    campaign = about()
    stopping.stop_case(sessions_of(session), "leila", WHY)
    assert telling.of(session, campaign, "fr").words == Words("fr", WHY["fr"])
    case.never = ["danger"]
    session.flush()
    assert telling.of(session, campaign, "fr").words is None
    assert stopping.stop_case(sessions_of(session), "leila", WHY).shown == {}


@pytest.mark.parametrize("end", [stop, stop_case])
def test_to_stop_what_is_stopped_replaces_the_reason_and_keeps_both(
    session: Session, about: Callable[..., Campaign], end: Decision
) -> None:
    campaign = about()
    if end is stop:
        stopping.stop(session, campaign, {"en": "First."})
    else:
        stopping.stop_case(sessions_of(session), "leila", {"en": "First."})
    end(session, campaign)
    assert asking.of(campaign) is Asking.STOPPED
    assert telling.reason(session, campaign) == WHY
    assert [words for _, words, _ in history(session)] == [{"en": "First."}, WHY]


def test_a_campaign_that_was_stopped_itself_gives_its_own_reason(
    session: Session, about: Callable[..., Campaign]
) -> None:
    one, other = about("one"), about("other")
    stopping.stop(session, one, {"en": "This alert alone."})
    stopping.stop_case(sessions_of(session), "leila", WHY)
    assert telling.reason(session, one) == {"en": "This alert alone."}
    assert telling.reason(session, other) == WHY


# --- the way back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [stop_case, close_case])
def test_a_case_that_is_reopened_lifts_the_notice_and_its_campaigns_stay_paused_until_somebody_resumes_them(
    session: Session, case: Case, about: Callable[..., Campaign], end: Decision
) -> None:
    campaign = about()
    control.start(session, campaign, SENDER)
    end(session, campaign)
    alone = about("alone")
    stopping.stop(session, alone, WHY)
    alone.status = S.PAUSED
    session.flush()
    assert stopping.reopen_case(session, "leila") == Reopened(paused=["free-leila"], ended=["alone"])
    session.refresh(campaign)
    assert (campaign.status, asking.of(campaign)) == (S.PAUSED, Asking.OPEN)
    control.resume(session, campaign, SENDER)
    assert campaign.status is S.SENDING
    with pytest.raises(NotEnded, match='Case "leila" is open already'):
        stopping.reopen_case(session, "leila")


@pytest.mark.parametrize("end", [stop, stopping.close])
def test_a_campaign_that_is_reopened_stays_paused_until_somebody_resumes_it(
    session: Session, about: Callable[..., Campaign], end: Decision
) -> None:
    campaign = about()
    control.start(session, campaign, SENDER)
    end(session, campaign)
    stopping.reopen(session, campaign)
    assert (campaign.status, asking.of(campaign)) == (S.PAUSED, Asking.OPEN)
    control.resume(session, campaign, SENDER)
    assert campaign.status is S.SENDING
    with pytest.raises(NotEnded, match='Campaign "free-leila" is open already'):
        stopping.reopen(session, campaign)


def test_what_is_withdrawn_stays_so_whatever_else_is_decided(
    session: Session, case: Case, about: Callable[..., Campaign]
) -> None:
    campaign = about()
    withdraw(session, campaign)
    for decide in (stop, stopping.close, withdraw, stop_case):
        decide(session, campaign)
        assert asking.of(campaign) is Asking.WITHDRAWN
    with pytest.raises(IsWithdrawn, match="load it anew under another name"):
        stopping.reopen(session, campaign)
    kinds = [kind for kind, _, is_whole in history(session) if not is_whole]
    assert kinds == [CaseEventKind.WITHDRAWN]


def test_a_close_keeps_the_outcome_that_was_written_before_unless_it_gives_another(
    session: Session, case: Case
) -> None:
    case.outcome = {"en": "She is free."}
    session.flush()
    for outcome, kept in (
        ({}, {"en": "She is free."}),
        ({"en": "Amal Odeh is free."}, {"en": "She is free."}),
        ({"fr": "Elle est libre."}, {"fr": "Elle est libre."}),
    ):
        stopping.close_case(sessions_of(session), "leila", outcome)
        session.refresh(case)
        assert (case.status, case.outcome) == (CaseStatus.CLOSED, kept)


# --- history --------------------------------------------------------------------------------------------------------


def test_each_decision_is_a_line_of_the_history(session: Session, about: Callable[..., Campaign]) -> None:
    campaign = about()
    for decide in (stop, stopping.reopen, stopping.close, withdraw, stop_case):
        decide(session, campaign)
    stopping.reopen_case(session, "leila")
    close_case(session, campaign)
    kinds = [(kind, is_whole) for kind, _, is_whole in history(session)]
    assert kinds == [
        (CaseEventKind.STOPPED, False),
        (CaseEventKind.REOPENED, False),
        (CaseEventKind.CLOSED, False),
        (CaseEventKind.WITHDRAWN, False),
        (CaseEventKind.STOPPED, True),
        (CaseEventKind.REOPENED, True),
        (CaseEventKind.CLOSED, True),
    ]


def test_a_campaign_without_a_case_has_its_own_history_and_is_not_deleted_with_it(session: Session) -> None:
    campaign = make_campaign(session, make_list(session))
    stopping.stop(session, campaign, WHY)
    assert telling.reason(session, campaign) == WHY
    found = progress.overview(session, campaign).to_json()
    assert found["asking"] == "stopped"
    assert found["history"] == [{"on": db.now(session).date().isoformat(), "kind": "stopped", "words": WHY}]
    with pytest.raises(control.HasHistory):
        control.delete(session, campaign)


def test_a_union_sees_no_history_but_that_its_campaign_is_stopped(
    session: Session, about: Callable[..., Campaign]
) -> None:
    owner, campaign = make_union(session, "dockers"), about()
    campaign.mailing_list.owner_id = owner.id
    stopping.stop(session, campaign, WHY)
    decide_on_case(session, campaign)
    session.commit()
    with Session(session.get_bind()) as limited:
        scope.limit(limited, owner.id)
        assert limited.scalars(select(CaseEvent)).all() == []
        found = progress.overview(limited, limited.get_one(Campaign, campaign.id)).to_json()
        assert (found["asking"], found["history"]) == ("stopped", [])


def test_the_gate_says_how_each_is_taken_back(session: Session, about: Callable[..., Campaign]) -> None:
    campaign = about()
    stopping.stop(session, campaign, WHY)
    stop_case(session, campaign)
    found = {finding.code: finding.remedy for finding in gate.findings(session, campaign)}
    assert "mailer campaigns reopen free-leila" in found["campaign-stopped"]
    assert "mailer cases reopen leila" in found["case-stopped"]
