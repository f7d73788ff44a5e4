"""A standstill: everything is paused, whatever else happens to it, and nothing that was at rest is touched."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.delivery import control, standstill, stopping
from mailer.store.db import DatabaseUnavailable, session_scope
from mailer.store.models import Campaign, CampaignStatus, DeliveryState, MailingList
from tests.support.concurrency import Beside
from tests.support.factories import SENDER, deliver, make_campaign, make_list, make_subscriber

S = CampaignStatus


@pytest.fixture
def people(session: Session) -> MailingList:
    """A list with somebody on it."""
    people = make_list(session)
    make_subscriber(session, people)
    return people


def found(engine: Engine) -> dict[str, CampaignStatus]:
    with Session(engine) as other:
        return {each.slug: each.status for each in lifecycle.all_campaigns(other)}


def test_what_is_under_way_or_scheduled_is_paused_with_who_did_it_and_what_is_at_rest_stays(
    session: Session, engine: Engine, people: MailingList
) -> None:
    for status in (S.SENDING, S.SCHEDULED, S.DRAFT, S.PAUSED, S.SENT, S.CANCELLED):
        make_campaign(session, people, slug=status.value, status=status)
    session.commit()
    noted: list[str] = []

    def note(_session: Session, slugs: Sequence[str]) -> None:
        noted.extend(slugs)

    paused = standstill.pause_everything(
        partial(session_scope, engine), reason="everything was paused", account_id=7, note=note
    )
    assert paused == noted == ["scheduled", "sending"]
    assert found(engine) == {
        "sending": S.PAUSED,
        "scheduled": S.PAUSED,
        "draft": S.DRAFT,
        "paused": S.PAUSED,
        "sent": S.SENT,
        "cancelled": S.CANCELLED,
    }
    session.expire_all()
    sending, before = lifecycle.get(session, "sending"), lifecycle.get(session, "paused")
    assert (sending.hold_reason, sending.held_by) == ("everything was paused", 7)
    assert sending.held_at is not None
    assert (before.hold_reason, before.held_by) == (None, None)  # somebody paused it before, for another reason


def test_a_second_press_changes_nothing(session: Session, engine: Engine, people: MailingList) -> None:
    make_campaign(session, people, status=S.SENDING)
    session.commit()
    sessions = partial(session_scope, engine)
    assert standstill.pause_everything(sessions, reason="once", account_id=7) == ["free-the-five"]
    assert standstill.pause_everything(sessions, reason="twice", account_id=8) == []
    assert session.get_one(Campaign, 1, populate_existing=True).held_by == 7


def test_a_database_that_is_busy_is_asked_again(
    session: Session, engine: Engine, people: MailingList, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_campaign(session, people, status=S.SENDING)
    session.commit()
    monkeypatch.setattr(stopping, "_PAUSE_SECONDS", 0)
    opened: list[bool] = []
    retries: list[DatabaseUnavailable] = []

    @contextmanager
    def sessions(*, read_only: bool = False) -> Iterator[Session]:
        opened.append(read_only)
        if len(opened) < 3:
            raise DatabaseUnavailable(problem="database is locked")
        with session_scope(engine, read_only=read_only) as other:
            yield other

    assert standstill.pause_everything(sessions, reason="stop", on_retry=retries.append) == ["free-the-five"]
    assert len(retries) == 2


def test_what_is_free_is_paused_at_once_and_what_is_just_being_started_as_soon_as_it_is(
    session: Session, engine: Engine, people: MailingList
) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    for slug, status in (("a", S.SENDING), ("b", S.DRAFT), ("c", S.PAUSED), ("d", S.SENDING), ("e", S.SENT)):
        make_campaign(session, people, slug=slug, status=status)
    deliver(session, lifecycle.get(session, "e"), make_subscriber(session), DeliveryState.UNKNOWN)
    session.commit()
    control.start(session, lifecycle.get(session, "b"), SENDER)
    control.resume(session, lifecycle.get(session, "c"), SENDER)
    session.refresh(lifecycle.get(session, "d"), with_for_update=True)
    control.resend(session, lifecycle.get(session, "e"), DeliveryState.UNKNOWN)
    paused: list[str] = []
    beside = Beside(lambda: paused.extend(standstill.pause_everything(partial(session_scope, engine), reason="stop")))
    beside.must_wait()
    assert found(engine) == {"a": S.PAUSED, "b": S.DRAFT, "c": S.PAUSED, "d": S.SENDING, "e": S.SENT}
    session.commit()
    beside.result()
    assert paused == ["a", "b", "c", "d", "e"]
    assert set(found(engine).values()) == {S.PAUSED}
