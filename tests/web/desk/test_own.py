"""One's own account."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.organisers import desk_sessions, recovery_codes
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Account, AuditEntry, DeskSession, Role
from tests.support.accounts import PASSWORD
from tests.support.desk import Organiser, come_in, words

NEW = "seven quiet paper lanterns"


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def rosa(app: Flask) -> Organiser:
    return come_in(app, Role.WRITER)


def account_of(app: Flask, who: Organiser) -> Account:
    with session_scope(app.extensions["site"].engine) as session:
        return session.get_one(Account, who.account_id)


def elsewhere(app: Flask, who: Organiser) -> Organiser:
    """The same person in another browser."""
    return come_in(app, account=account_of(app, who))


def actions(app: Flask) -> list[str]:
    with session_scope(app.extensions["site"].engine) as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def test_somebody_changes_their_name_zone_and_language(app: Flask, rosa: Organiser) -> None:
    answer = rosa.press("/account", name=" Rosa  Díaz ", zone="Asia/Tehran", language="ar")
    assert (answer.status_code, answer.location) == (303, "/desk/account?done=change")
    account = account_of(app, rosa)
    assert (account.name, account.zone, account.language) == ("Rosa Díaz", "Asia/Tehran", "ar")
    assert actions(app) == ["accounts.change"]
    assert 'dir="rtl"' in rosa.get("/account").text


def test_a_zone_that_nobody_knows_is_refused_and_the_rest_stays_typed(rosa: Organiser) -> None:
    answer = rosa.press("/account", name="Rosa Díaz", zone="Europe/Atlantis", language="")
    assert answer.status_code == 422 and "Choose a time zone from the list" in words(answer)
    assert 'value="Rosa Díaz"' in answer.text
    assert rosa.press("/account", name="Rosa", zone="UTC", language="xx").status_code == 400


def test_another_password_takes_the_old_one_and_ends_every_other_session(app: Flask, rosa: Organiser) -> None:
    other = elsewhere(app, rosa)
    wrong = rosa.press("/account/password", password=NEW, new_password=NEW, new_password_again=NEW)
    assert wrong.status_code == 422 and "This is not your password" in words(wrong) and NEW not in wrong.text
    weak = rosa.press("/account/password", password=PASSWORD, new_password="short", new_password_again="short")
    assert weak.status_code == 422 and "too short" in words(weak)
    differs = rosa.press("/account/password", password=PASSWORD, new_password=NEW, new_password_again=NEW + "!")
    assert differs.status_code == 422 and "not the same password" in words(differs)
    assert other.get("/").status_code == 200
    right = rosa.press("/account/password", password=PASSWORD, new_password=NEW, new_password_again=NEW)
    assert (right.status_code, right.location) == (303, "/desk/account?done=password")
    assert other.get("/").status_code == 303 and rosa.get("/").status_code == 200


def test_recovery_codes_can_be_printed_with_whose_they_are(rosa: Organiser) -> None:
    made = rosa.press("/account/recovery-codes")
    assert "They are for rosa@example.org at the desk of Harbour Solidarity" in words(made)
    assert '<button class="button quiet" type="button" hidden data-print>' in made.text


def test_every_mistake_about_a_password_is_told_at_once(rosa: Organiser) -> None:
    answer = rosa.press("/account/password", password="wrong", new_password="short", new_password_again="other")
    assert answer.status_code == 422 and "No page holds a password" in words(answer)
    assert re.findall(r'id="(\w+)-problem"', answer.text) == ["password", "new_password", "new_password_again"]


def test_new_recovery_codes_are_shown_once_and_the_page_says_how_many_are_left(app: Flask, rosa: Organiser) -> None:
    assert "You have 0 recovery codes left" in words(rosa.get("/account"))
    made = rosa.press("/account/recovery-codes")
    assert made.status_code == 200 and made.headers["Cache-Control"] == "no-store"
    assert "You have 10 recovery codes left" in words(rosa.get("/account"))
    code = made.text.partition('id="codes" dir="ltr">')[2].split()[0]
    with session_scope(app.extensions["site"].engine) as session:
        assert recovery_codes.is_one(session, rosa.account_id, code)
    assert code not in rosa.get("/account").text
    assert actions(app) == ["accounts.recovery_codes"]


def test_another_phone_is_set_up_by_a_link_of_ones_own(app: Flask, rosa: Organiser) -> None:
    answer = rosa.press("/account/second-factor")
    assert answer.status_code == 303 and (answer.location or "").startswith("/desk/invitation/")
    page = rosa.get((answer.location or "").removeprefix("/desk"))
    assert "Set up another second factor" in words(page) and "otpauth://" in page.text
    assert actions(app) == ["accounts.invite"]


def test_sessions_are_listed_and_ended_one_by_one_or_all(app: Flask, rosa: Organiser, session: Session) -> None:
    second, third = elsewhere(app, rosa), elsewhere(app, rosa)
    page = words(rosa.get("/account"))
    assert page.count("203.0.113.7") == 3 and page.count("This one") == 1
    ids = {each.label: each.id for each in session.scalars(select(DeskSession)) if each.account_id == rosa.account_id}
    session.rollback()
    assert rosa.press(f"/account/sessions/{ids['2']}/end").status_code == 303
    assert second.get("/").status_code == 303 and third.get("/").status_code == 200
    rosa.press("/account/sessions/end")
    assert third.get("/").status_code == 303 and rosa.get("/").status_code == 200
    assert actions(app) == ["accounts.end_sessions"] * 2


def test_nobody_ends_a_session_of_somebody_else_by_its_number(app: Flask, rosa: Organiser, session: Session) -> None:
    ana = come_in(app, Role.ANALYST, email="ana@example.org")
    theirs = session.scalars(select(DeskSession.id).where(DeskSession.account_id == ana.account_id)).one()
    session.rollback()
    assert rosa.press(f"/account/sessions/{theirs}/end").status_code == 404
    assert ana.get("/").status_code == 200


def test_what_was_typed_before_a_proof_stands_in_the_form_afterwards(app: Flask) -> None:
    later = utcnow() - desk_sessions.FRESH - timedelta(seconds=1)
    admin = come_in(app, Role.ADMIN, at=later)
    asked = admin.press("/accounts/invite", invitee="ben@example.org", **{"role-writer": "yes", "roles-typed": "yes"})
    assert asked.location == "/desk/prove?to=/desk/accounts/invite?again%3D1"
    form = admin.get("/accounts/invite?again=1").text
    assert 'value="ben@example.org"' in form and 'name="role-writer" value="yes" checked' in form
    assert 'name="role-admin" value="yes">' in form
