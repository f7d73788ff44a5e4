"""Sessions of the desk: how long they last, and what ends them."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer.operations import housekeeping
from mailer.organisers import accounts, desk_sessions
from mailer.store.audit import Who
from mailer.store.db import utcnow
from mailer.store.models import AuditActor, DeskSession, Role
from tests.support.accounts import make_account, make_session
from tests.support.factories import WHEN

MINUTE = timedelta(minutes=1)


def test_a_session_is_found_by_what_the_cookie_holds_and_by_nothing_else(session: Session) -> None:
    rosa = make_account(session, "rosa@example.org", Role.WRITER)
    secret = make_session(session, rosa, at=WHEN)
    found = desk_sessions.find(session, secret, at=WHEN)
    assert found is not None
    assert (found.account, found.network, found.browser) == (rosa, "192.0.2.7", "Firefox")
    assert secret.encode() not in found.secret_hash
    for other in ("", secret + "x", secret.lower(), found.secret_hash.hex(), "x" * 10_000, "ü"):
        assert desk_sessions.find(session, other, at=WHEN) is None


def test_a_session_ends_after_half_an_hour_without_a_press(session: Session) -> None:
    secret = make_session(session, make_account(session), at=WHEN)
    found = desk_sessions.find(session, secret, at=WHEN + 29 * MINUTE)  # a look extends nothing
    assert found is not None
    assert desk_sessions.find(session, secret, at=WHEN + 30 * MINUTE) is None
    desk_sessions.touch(session, found.id, at=WHEN + 29 * MINUTE)
    assert desk_sessions.find(session, secret, at=WHEN + 58 * MINUTE) is not None
    assert desk_sessions.find(session, secret, at=WHEN + 59 * MINUTE) is None
    desk_sessions.touch(session, found.id, at=WHEN + 60 * MINUTE)  # too late
    assert desk_sessions.find(session, secret, at=WHEN + 60 * MINUTE) is None


def test_a_session_ends_after_twelve_hours_however_much_it_is_used(session: Session) -> None:
    started = desk_sessions.start(session, make_account(session).id, at=WHEN)
    for minutes in range(20, 12 * 60, 20):
        desk_sessions.touch(session, started.desk_session.id, at=WHEN + minutes * MINUTE)
    assert desk_sessions.find(session, started.secret, at=WHEN + timedelta(hours=11, minutes=59)) is not None
    assert desk_sessions.find(session, started.secret, at=WHEN + timedelta(hours=12)) is None


def test_that_a_session_is_used_is_written_down_once_a_minute_at_most(session: Session) -> None:
    desk_session = desk_sessions.start(session, make_account(session).id, at=WHEN).desk_session
    for seconds, noted in ((59, 0), (60, 60), (61, 60), (30, 60)):
        desk_sessions.touch(session, desk_session.id, at=WHEN + timedelta(seconds=seconds))
        session.refresh(desk_session)
        assert desk_session.used_at == WHEN + timedelta(seconds=noted)


def test_sessions_are_listed_and_ended_one_by_one_or_all(session: Session) -> None:
    rosa, ana = (make_account(session, f"{name}@example.org", Role.WRITER) for name in ("rosa", "ana"))
    secrets = [make_session(session, rosa, at=WHEN + number * MINUTE) for number in range(4)]
    make_session(session, ana, at=WHEN)
    at = WHEN + 5 * MINUTE

    def labels() -> list[str]:
        return [each.label for each in desk_sessions.of_account(session, rosa.id, at=at)]

    assert labels() == ["4", "3", "2", "1"]
    second = desk_sessions.find(session, secrets[1], at=at)
    assert second is not None
    desk_sessions.end(session, second.id)
    assert labels() == ["4", "3", "1"]
    first = desk_sessions.find(session, secrets[0], at=at)
    assert first is not None
    assert desk_sessions.end_all(session, rosa.id, but=first.id) == 2
    assert labels() == ["1"]
    assert desk_sessions.end_all(session, rosa.id) == 1
    assert len(desk_sessions.of_account(session, ana.id, at=at)) == 1


def test_no_two_sessions_of_somebody_are_ever_called_the_same(session: Session) -> None:
    rosa = make_account(session)
    for number in (1, 2, 3):
        started = desk_sessions.start(session, rosa.id, at=WHEN)
        assert started.desk_session.label == str(number)
        desk_sessions.end(session, started.desk_session.id)
    assert desk_sessions.who(started.desk_session) == Who(AuditActor.ACCOUNT, rosa.id, "3")


def test_nobody_whose_account_is_disabled_has_a_session(session: Session) -> None:
    rosa = make_account(session)
    secret = make_session(session, rosa, at=WHEN)
    rosa.disabled_at = WHEN  # as by somebody who did it at that very moment
    session.flush()
    assert desk_sessions.find(session, secret, at=WHEN) is None


def test_after_proving_who_one_is_anew_the_old_secret_opens_nothing(session: Session) -> None:
    rosa = make_account(session)
    secret = make_session(session, rosa, at=WHEN)
    found = desk_sessions.find(session, secret, at=WHEN + 4 * MINUTE)
    assert found is not None
    assert desk_sessions.is_fresh(found, WHEN + 4 * MINUTE)
    assert not desk_sessions.is_fresh(found, WHEN + 5 * MINUTE)
    new = desk_sessions.prove(session, found.id, at=WHEN + 6 * MINUTE)
    assert new is not None
    assert desk_sessions.find(session, secret, at=WHEN + 6 * MINUTE) is None
    session.expire_all()
    proven = desk_sessions.find(session, new, at=WHEN + 6 * MINUTE)
    assert proven is not None
    assert (proven.id, proven.label, proven.created_at) == (found.id, "1", WHEN)
    assert desk_sessions.is_fresh(proven, WHEN + 10 * MINUTE)
    desk_sessions.end(session, found.id)
    assert desk_sessions.prove(session, found.id, at=WHEN) is None


def test_a_form_belongs_to_the_session_that_it_was_made_for() -> None:
    token = desk_sessions.form_token("one")
    assert desk_sessions.is_form_token("one", token)
    assert "one" not in token
    for secret, other in (("two", token), ("one", ""), ("one", token + "0"), ("one", "ü"), ("one", "one")):
        assert not desk_sessions.is_form_token(secret, other)


def test_a_form_is_kept_until_it_was_taken(session: Session) -> None:
    desk_session = desk_sessions.start(session, make_account(session).id, at=WHEN).desk_session
    for form in ({"page": "/desk/", "fields": {"words": "why"}}, None):
        desk_sessions.keep(session, desk_session.id, form)
        session.refresh(desk_session)
        assert desk_session.kept == form


@pytest.mark.parametrize(("age", "is_kept"), [(timedelta(minutes=29), True), (timedelta(minutes=31), False)])
def test_a_session_that_ran_out_is_deleted(engine: Engine, session: Session, age: timedelta, is_kept: bool) -> None:
    at: datetime = utcnow() - age
    make_session(session, make_account(session), at=at)
    session.commit()
    housekeeping.tidy(engine)
    assert bool(session.scalars(select(DeskSession)).all()) is is_kept


def test_who_signs_in_while_they_are_disabled_gets_no_session_that_lasts(session: Session) -> None:
    rosa = make_account(session, "rosa@example.org", Role.WRITER)
    make_session(session, rosa)
    accounts.disable(session, rosa, utcnow())
    assert desk_sessions.of_account(session, rosa.id) == []
