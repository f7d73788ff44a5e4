"""Proving again who one is, before what weighs more."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.organisers import desk_sessions
from mailer.store.db import utcnow
from mailer.store.models import Account, DeskSession, Role
from mailer.web.desk.routes import ROUTES
from tests.support.accounts import PASSWORD, code
from tests.support.desk import Organiser, come_in, words

LATER = desk_sessions.FRESH + timedelta(seconds=1)


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what a proof does in a database is tested with the domain


@pytest.fixture
def rosa(app: Flask) -> Organiser:
    """Rosa, who signed in some minutes ago."""
    return come_in(app, Role.ADMIN, Role.PUBLISHER, at=utcnow() - LATER)


def prove(rosa: Organiser, session: Session, **changes: str) -> str:
    """What Rosa's browser keeps after she gave what is asked for."""
    account = session.scalars(select(Account).where(Account.id == rosa.account_id)).one()
    usual = {"password": PASSWORD, "code": code(account, utcnow()), "to": "/desk/?day=1"}
    session.rollback()
    answer = rosa.press("/prove", **(usual | changes))
    assert answer.status_code == 303, words(answer)
    assert answer.location == changes.get("to", "/desk/?day=1")
    cookie = rosa.client.get_cookie("__Secure-desk", domain="act.example.org", path="/desk")
    assert cookie is not None
    return cookie.value


def test_a_proof_changes_the_secret_so_that_whoever_has_the_old_one_is_out(rosa: Organiser, session: Session) -> None:
    old = rosa.secret
    new = prove(rosa, session)
    assert new != old and rosa.get("/").status_code == 200
    rosa.cookie = old
    assert rosa.get("/").status_code == 303


@pytest.mark.parametrize("changes", [{"password": "five calm green boats"}, {"code": "000000"}, {"code": ""}])
def test_who_cannot_prove_it_gets_no_further(rosa: Organiser, session: Session, changes: dict[str, str]) -> None:
    account = session.scalars(select(Account)).one()
    fields = {"password": PASSWORD, "code": code(account, utcnow())} | changes
    session.rollback()
    answer = rosa.press("/prove", **fields)
    assert answer.status_code == 403 and "That did not work" in words(answer)
    assert "five calm" not in answer.text
    began = session.scalars(select(DeskSession.proven_at)).one()
    assert began < utcnow() - desk_sessions.FRESH


def test_nobody_is_led_elsewhere_by_it(rosa: Organiser) -> None:
    assert 'name="to" value="/desk/"' in rosa.get("/prove", query_string={"to": "https://example.net"}).text


def test_each_press_that_weighs_more_asks_first(app: Flask, rosa: Organiser) -> None:
    """Neither who finds a browser open nor who stole its cookie gets through them."""
    for route in ROUTES:
        if route.is_weighty:
            path = re.sub(r"<[^>]+>", "0", route.path)
            answer = rosa.press(path, roles="publisher")
            assert answer.status_code == 303 and (answer.location or "").startswith("/desk/prove?to="), path
