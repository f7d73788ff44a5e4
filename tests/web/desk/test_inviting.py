"""Links to an account: to join, and to choose another password or second factor."""

import re
from html import unescape
from typing import Any

import pyotp
import pytest
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from mailer.organisers import invitations
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Account, AuditEntry, Delivery, DeskSession, Invitation, InvitationKind, Role
from tests.support.accounts import PASSWORD, make_account
from tests.support.desk import come_in, words

NEW = "seven quiet paper lanterns"


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what links do in a database is tested with the domain


class Invited:
    """Somebody with a link, in a browser of theirs."""

    def __init__(self, app: Flask, engine: Engine, kind: InvitationKind, *roles: Role) -> None:
        self.client = app.test_client()
        with session_scope(engine) as session:
            has_joined = kind is not InvitationKind.JOIN
            account = make_account(session, "rosa@example.org", *roles, has_joined=has_joined)
            self.token = invitations.invite(session, account, kind, by=None, at=utcnow())
        self.path = f"/desk/invitation/{self.token}"

    def get(self, path: str = "") -> TestResponse:
        return self.client.get(path or self.path, base_url="https://act.example.org")

    def send(self, **fields: str) -> TestResponse:
        headers = {"Sec-Fetch-Site": "same-origin"}
        return self.client.post(self.path, base_url="https://act.example.org", data=fields, headers=headers)

    def secret(self) -> str:
        typed = re.search(r'<code class="secret" dir="ltr">([A-Z2-7 ]+)</code>', self.get().text)
        assert typed is not None
        return typed[1].replace(" ", "")

    def accept(self, **changes: str) -> TestResponse:
        """Fill in the form rightly, but for the changes."""
        page = self.get()
        found = re.search(r'name="form_token" value="(\w+)"', page.text)
        assert found is not None
        fields: dict[str, Any] = {"form_token": found[1]}
        for name in ("new_password", "new_password_again"):
            if f'name="{name}"' in page.text:
                fields[name] = NEW
        if 'name="password"' in page.text:
            fields["password"] = PASSWORD
        if 'name="name"' in page.text:
            fields |= {"name": "Rosa", "zone": "Europe/Berlin", "language": "fr"}
        if 'name="code"' in page.text:
            fields["code"] = pyotp.TOTP(self.secret()).now()
        return self.send(**(fields | changes))


def codes_in(page: TestResponse) -> list[str]:
    found = re.search(r'<pre class="card codes" id="codes" dir="ltr">(.*?)</pre>', page.text, re.DOTALL)
    return unescape(found[1]).split() if found else []


def test_somebody_joins_in_one_form_and_is_signed_in(app: Flask, engine: Engine, session: Session) -> None:
    rosa = Invited(app, engine, InvitationKind.JOIN, Role.PUBLISHER)
    page = rosa.get()
    assert page.status_code == 200 and "rosa@example.org" in page.text and "Approves, sends" in words(page)
    assert '<svg class="qr"' in page.text or 'class="qr"' in page.text
    assert "otpauth://totp/" in page.text
    answer = rosa.accept()
    assert answer.status_code == 200 and len(set(codes_in(answer))) == 10
    assert 'lang="fr"' in answer.text, "in the language that was just chosen"
    assert answer.headers["Cache-Control"] == "no-store"
    home = rosa.get("/desk/")
    assert home.status_code == 200 and "Rosa" in home.text
    account = session.scalars(select(Account)).one()
    assert (account.zone, account.language) == ("Europe/Berlin", "fr")
    actions = set(session.scalars(select(AuditEntry.action)))
    assert actions == {"accounts.join", "accounts.sign_in"}
    assert session.scalars(select(Delivery)).all() == [], "no mail about a browser: they join in it"


def test_an_analyst_needs_no_second_factor_and_may_have_one(app: Flask, engine: Engine) -> None:
    rosa = Invited(app, engine, InvitationKind.JOIN, Role.ANALYST)
    assert "You need none for what you do" in words(rosa.get())
    answer = rosa.accept(code="")
    assert (answer.status_code, answer.location) == (303, "/desk/")
    assert rosa.get("/desk/").status_code == 200


@pytest.mark.parametrize(
    ("changes", "field", "advice"),
    [
        ({"new_password": "short", "new_password_again": "short"}, "new_password", "too short"),
        ({"new_password_again": "another one, longer"}, "new_password_again", "not the same password"),
        ({"code": "000000"}, "code", "not the code that your app shows"),
        ({"code": ""}, "code", "Type the six digits that your app shows"),
        ({"zone": "Europe/Atlantis"}, "zone", "Choose a time zone"),
        ({"name": "R" * 201}, "name", "too long"),
    ],
)
def test_a_mistake_is_told_at_its_field_and_nothing_else_has_to_be_typed_again(
    app: Flask, engine: Engine, changes: dict[str, str], field: str, advice: str
) -> None:
    rosa = Invited(app, engine, InvitationKind.JOIN, Role.WRITER)
    secret = rosa.secret()
    answer = rosa.accept(**changes)
    assert answer.status_code == 422
    assert advice in words(answer) and f'id="{field}-problem"' in answer.text
    assert NEW not in answer.text
    assert "name" in changes or 'value="Rosa"' in answer.text
    assert rosa.secret() == secret, "what was scanned still holds"
    assert rosa.accept().status_code == 200


def test_all_mistakes_are_told_at_once_and_why_a_password_has_to_be_typed_again(app: Flask, engine: Engine) -> None:
    rosa = Invited(app, engine, InvitationKind.JOIN, Role.WRITER)
    assert "No page holds a password" not in words(rosa.get())
    answer = rosa.accept(name="R" * 201, zone="Nowhere", new_password="short", new_password_again="shorter", code="")
    assert answer.status_code == 422 and "No page holds a password" in words(answer)
    told = re.findall(r'id="(\w+)-problem"', answer.text)
    assert told == ["name", "zone", "new_password", "new_password_again", "code"]
    summary = answer.text.partition('class="error-summary"')[2].partition("</div>")[0]
    assert re.findall(r'href="#(\w+)"', summary) == told


def test_the_page_says_until_when_the_link_works_and_has_the_name_that_an_admin_gave(
    app: Flask, engine: Engine, session: Session
) -> None:
    page = Invited(app, engine, InvitationKind.JOIN, Role.WRITER).get()
    until = session.scalars(select(Invitation.expires_at)).one()
    assert f'<time datetime="{until:%Y-%m-%dT%H:%M:%S}+00:00" data-here>' in page.text
    assert re.search(r"It works once, until [^.]*\d:\d\d.[ap]m.UTC", words(page))
    assert re.search(r'name="name"[^>]* value="Rosa"', page.text)


def test_another_password_keeps_the_second_factor_and_signs_nobody_in(
    app: Flask, engine: Engine, session: Session
) -> None:
    rosa = Invited(app, engine, InvitationKind.PASSWORD, Role.WRITER)
    assert "otpauth" not in rosa.get().text
    answer = rosa.accept()
    assert (answer.status_code, answer.location) == (303, "/desk/sign-in?changed=1")
    assert "Your password is changed" in words(rosa.get("/desk/sign-in?changed=1"))
    assert session.scalars(select(DeskSession)).first() is None


def test_another_second_factor_takes_the_password(app: Flask, engine: Engine) -> None:
    rosa = Invited(app, engine, InvitationKind.SECOND_FACTOR, Role.WRITER)
    both = rosa.accept(password=NEW, code="000000")
    assert re.findall(r'id="(\w+)-problem"', both.text) == ["password", "code"]
    refused = rosa.accept(password=NEW)
    assert refused.status_code == 422 and "This is not your password" in words(refused)
    assert len(codes_in(rosa.accept())) == 10
    assert rosa.get("/desk/").status_code == 200


def test_a_link_that_does_not_work_says_why_and_what_to_do(app: Flask, engine: Engine) -> None:
    rosa = Invited(app, engine, InvitationKind.PASSWORD, Role.WRITER)
    assert rosa.accept().status_code == 303
    used = rosa.get()
    assert used.status_code == 410 and "It was used already" in words(used)
    with session_scope(engine) as session:
        account = session.scalars(select(Account)).one()
        old = invitations.invite(session, account, InvitationKind.PASSWORD, by=None, at=utcnow())
        invitations.invite(session, account, InvitationKind.PASSWORD, by=None, at=utcnow())
    replaced = rosa.get(f"/desk/invitation/{old}")
    assert replaced.status_code == 410 and "until there is a newer one" in words(replaced)
    unknown = rosa.get(f"/desk/invitation/{'0' * 40}")
    assert unknown.status_code == 404 and "Part of it may be missing" in words(unknown)
    assert rosa.send(form_token="x").status_code == 410


def test_no_other_site_and_no_earlier_session_has_a_part_in_it(app: Flask, engine: Engine, session: Session) -> None:
    rosa = Invited(app, engine, InvitationKind.JOIN, Role.ANALYST)
    stranger = rosa.accept(form_token="0" * 32)
    assert stranger.status_code == 400 and "Please try once more" in words(stranger)
    mallory = come_in(app, Role.WRITER, email="mallory@example.org")
    rosa.client.set_cookie("__Secure-desk", mallory.secret, path="/desk", domain="act.example.org", secure=True)
    page = rosa.get()
    token = re.findall(r'name="form_token" value="(\w+)"', page.text)[-1]
    fields = {"name": "Rosa", "zone": "UTC", "language": "", "new_password": NEW, "new_password_again": NEW}
    assert rosa.send(form_token=token, code="", **fields).status_code == 303
    assert mallory.get("/").status_code == 303, "that session has ended"
    assert session.scalars(select(DeskSession)).one().account.email == "rosa@example.org"


def test_a_link_survives_the_sign_that_follows_it_in_a_sentence(app: Flask, engine: Engine) -> None:
    rosa = Invited(app, engine, InvitationKind.PASSWORD, Role.WRITER)
    for sign in (".", ")", "…"):
        assert rosa.get(rosa.path + sign).status_code == 200
