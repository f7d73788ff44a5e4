"""Why something was not done at the desk: in words that say what to do, and at a field where there is one."""

import pytest
from flask import Flask

from mailer.errors import MailerError, ServiceUnavailable
from mailer.organisers import approvals, passwords
from mailer.web.desk import refusing


class Unforeseen(MailerError):
    """{what} is odd."""


@pytest.fixture
def backend() -> str:
    return "sqlite"  # it asks no database


def test_what_is_refused_is_said_at_its_field_or_above_the_form(app: Flask) -> None:
    with app.test_request_context("/desk/"):
        short = refusing.at_field(passwords.ShortPassword(shortest=12))
        assert short.keys() == {"new_password"} and "at least 12 characters" in short["new_password"]
        assert refusing.at_field(approvals.OwnRequest(slug="free")).keys() == {"form"}
        assert "Somebody else has to give it." in refusing.advice(approvals.OwnRequest(slug="free"))


def test_what_nobody_foresaw_is_said_as_it_is(app: Flask) -> None:
    with app.test_request_context("/desk/"):
        assert refusing.at_field(Unforeseen(what="This")) == {"form": "This is odd."}
        assert refusing.advice(Unforeseen(what="This")) == "This is odd."


@pytest.mark.parametrize("said", [refusing.at_field, refusing.advice])
def test_what_cannot_be_reached_is_nobodys_mistake(app: Flask, said: object) -> None:
    away = ServiceUnavailable(service="The database", problem="no route", remedy="Start it")
    with app.test_request_context("/desk/"), pytest.raises(ServiceUnavailable):
        said(away)  # type: ignore[operator]
