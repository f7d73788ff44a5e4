"""Signing in: who gets in, what everybody else is told, and that nobody is signed in as somebody else."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from mailer.app import create_app
from mailer.organisers import attempts, passwords
from mailer.settings import Settings
from mailer.store.db import utcnow
from mailer.store.models import Account, AuditEntry, DeskSession, Role
from tests.support.accounts import PASSWORD, code, make_account
from tests.support.desk import come_in, words

WRONG = "five calm green boats"


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what signing in does in a database is tested with the domain


@pytest.fixture
def rosa(session: Session) -> Account:
    rosa = make_account(session, "rosa@example.org", Role.WRITER)
    session.commit()
    return rosa


class Browser:
    """Somebody's browser, with the form to sign in."""

    def __init__(self, app: Flask, rosa: Account) -> None:
        self.app, self.rosa = app, rosa
        self.client = app.test_client()
        self.base_url = app.extensions["site"].settings.base_url

    def get(self, path: str = "/desk/sign-in", **more: Any) -> TestResponse:
        return self.client.get(path, base_url=self.base_url, **more)

    def send(self, path: str = "/desk/sign-in", **fields: str) -> TestResponse:
        headers = {"Sec-Fetch-Site": "same-origin", "User-Agent": "Mozilla/5.0 (Android 14) Gecko Firefox/130.0"}
        return self.client.post(path, base_url=self.base_url, data=fields, headers=headers)

    def sign_in(self, **changes: str) -> TestResponse:
        usual = hidden(self.get()) | {"address": self.rosa.email, "password": PASSWORD}
        return self.send(**(usual | {"code": code(self.rosa, utcnow())} | changes))


def hidden(page: TestResponse) -> dict[str, str]:
    """What the form to sign in holds unseen."""
    main = page.text[page.text.index("<main") :]
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', main)
    return {name: unescape(value) for name, value in fields}


@pytest.fixture
def browser(app: Flask, rosa: Account) -> Browser:
    return Browser(app, rosa)


def test_password_and_code_let_somebody_in_to_the_page_that_they_wanted(browser: Browser, session: Session) -> None:
    form = hidden(browser.get("/desk/sign-in?to=/desk/?day=1"))
    answer = browser.sign_in(**form)
    assert (answer.status_code, answer.location) == (303, "/desk/?day=1")
    assert "Rosa" in browser.get("/desk/").text
    begun = session.scalars(select(DeskSession)).one()
    assert begun.browser == "Firefox, Android"
    assert session.scalars(select(AuditEntry.action)).one() == "accounts.sign_in"
    assert browser.get("/desk/sign-in").location == "/desk/", "who is signed in needs no form"


def test_whoever_does_not_get_in_is_told_the_same_whatever_is_wrong(browser: Browser, session: Session) -> None:
    gone = make_account(session, "gone@example.org", Role.WRITER)
    gone.disabled_at = utcnow()
    make_account(session, "invited@example.org", Role.WRITER, has_joined=False)
    session.commit()
    answers = {
        (answer.status_code, re.sub(r"\w*@example.org", "", words(answer)))
        for answer in (
            browser.sign_in(password=WRONG),
            browser.sign_in(code="000000"),
            browser.sign_in(code=""),
            browser.sign_in(address="nobody@example.org"),
            browser.sign_in(address="no address"),
            browser.sign_in(address="gone@example.org"),
            browser.sign_in(address="invited@example.org"),
        )
    }
    ((status, text),) = answers
    assert status == 403 and "That did not work. Check the address, the password and the code" in text
    assert session.scalars(select(DeskSession)).first() is None


def test_no_page_holds_a_password_or_a_code(browser: Browser) -> None:
    number = code(browser.rosa, utcnow())
    for answer in (browser.sign_in(password=WRONG), browser.sign_in(form_token="old")):
        assert WRONG not in answer.text and PASSWORD not in answer.text and number not in answer.text
        assert 'value="rosa@example.org"' in answer.text, "but what is no secret need not be typed again"


def test_who_fails_too_often_is_told_how_long_to_wait(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, app: Flask
) -> None:
    monkeypatch.setattr(attempts, "FROM_ONE_PLACE", attempts.Limit(free=1, first_wait=timedelta(minutes=8)))
    browser.sign_in(password=WRONG)
    answer = browser.sign_in()
    assert answer.status_code == 403 and "Try again in 8 min." in words(answer)
    nobody = Browser(app, browser.rosa)
    for _ in range(2):
        answer = nobody.sign_in(address="nobody@example.org")
    assert "Try again in 8 min." in words(answer), "that does not tell who has an account"


def test_another_site_signs_nobody_in_as_somebody_else(browser: Browser, app: Flask, session: Session) -> None:
    """Whoever is signed in without noticing would write into the attacker's account."""
    attacker = Browser(app, browser.rosa)
    theirs = hidden(attacker.get())["form_token"]
    browser.get()
    for token in (theirs, "", "0" * 32):
        answer = browser.sign_in(form_token=token)
        assert answer.status_code == 400 and "Please try once more" in words(answer)
    fresh = Browser(app, browser.rosa)  # its browser keeps no cookies, or never saw the form
    assert fresh.send(**hidden(attacker.get()), address="rosa@example.org", password=PASSWORD).status_code == 400
    assert session.scalars(select(DeskSession)).first() is None


def test_a_form_with_a_mark_that_is_none_is_shown_again(browser: Browser) -> None:
    assert browser.sign_in(form_token="\u0661").status_code == 400


def test_a_session_that_a_browser_had_before_ends_when_another_begins(
    browser: Browser, app: Flask, session: Session
) -> None:
    """Else whoever put their own cookie into it would share what begins now."""
    form = hidden(browser.get())
    mallory = come_in(app, Role.WRITER, email="mallory@example.org")
    browser.client.set_cookie("__Secure-desk", mallory.secret, path="/desk", domain="act.example.org", secure=True)
    answer = browser.send(**form, address="rosa@example.org", password=PASSWORD, code=code(browser.rosa, utcnow()))
    assert answer.status_code == 303
    assert mallory.get("/").status_code == 303, "the old secret opens nothing"
    assert session.scalars(select(DeskSession)).one().account_id == browser.rosa.id


def test_each_sign_in_has_a_secret_of_its_own(browser: Browser, app: Flask, session: Session) -> None:
    secrets = set()
    for number in range(2):
        session.execute(update(Account).values(totp_step=None))  # the next code would come in half a minute
        session.commit()
        each = Browser(app, browser.rosa)
        each.client.set_cookie("__Secure-desk", f"{number}" * 43, path="/desk", domain="act.example.org", secure=True)
        assert each.sign_in().status_code == 303
        cookie = each.client.get_cookie("__Secure-desk", domain="act.example.org", path="/desk")
        assert cookie is not None and cookie.value != f"{number}" * 43
        secrets.add(cookie.value)
    assert len(secrets) == 2


def test_what_was_typed_before_a_session_ended_stands_in_the_form_after_signing_in(
    browser: Browser, app: Flask, session: Session
) -> None:
    asked = browser.send("/desk/sign-out", form_token="of a session that has ended", words="Free them", password=WRONG)
    assert asked.status_code == 403 and "What you typed is kept" in words(asked)
    assert WRONG not in asked.text
    failed = browser.sign_in(**hidden(asked), password=WRONG)
    answer = browser.sign_in(**hidden(failed))
    assert (answer.status_code, answer.location) == (303, "/desk/?again=1")
    kept = session.scalars(select(DeskSession)).one().kept
    assert (kept["page"], kept["fields"]["words"]) == ("/desk/", "Free them")
    assert WRONG not in str(kept)


@pytest.mark.parametrize(
    "kept",
    [
        "{",
        "[]",
        '{"page": "/desk/"}',
        '{"page": 1, "fields": 1}',
        '{"page": "//example.net/", "fields": {}}',
        '{"page": "/", "fields": {}}',
        pytest.param("[" * 5000, id="deep"),
    ],
)
def test_a_form_that_nobody_of_ours_kept_is_forgotten(browser: Browser, kept: str) -> None:
    assert browser.sign_in(kept=kept).location == "/desk/"


@pytest.mark.parametrize(
    ("base_url", "is_https"), [("https://act.example.org", True), ("http://127.0.0.1:8000", False)]
)
def test_cookies_are_out_of_reach_of_scripts_other_sites_and_plain_wires(
    settings: Callable[..., Settings], database_url: str, rosa: Account, base_url: str, is_https: bool
) -> None:
    app = create_app(settings(MAILER_DATABASE_URL=database_url, MAILER_BASE_URL=base_url))
    cookies = Browser(app, rosa).sign_in().headers.getlist("Set-Cookie")
    assert len(cookies) == 3  # the session, the browser, and the form that is done with
    for cookie in cookies:
        assert cookie.startswith("__Secure-") == is_https and ("; Secure" in cookie) == is_https
        assert all(part in cookie for part in ("; HttpOnly", "; Path=/desk", "; SameSite=Lax"))
        assert "Domain" not in cookie
    assert "Expires" not in cookies[0] and "Max-Age" not in cookies[0], "a session ends with the browser"
    app.extensions["site"].engine.dispose()


def test_what_is_longer_than_anybody_types_costs_no_more_than_a_wrong_password(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []
    monkeypatch.setattr(passwords, "verify", lambda _kept, password: compared.append(len(password)))
    assert browser.sign_in(address="a" * 20_000, password="b" * 20_000, code="1" * 20_000).status_code == 403
    assert max(compared) <= 1001


def test_the_form_is_in_four_languages_and_for_readers_of_others_in_english(browser: Browser) -> None:
    assert 'dir="rtl"' in browser.get(headers={"Accept-Language": "ar"}).text
    assert 'lang="en"' in browser.get(headers={"Accept-Language": "kk"}).text
