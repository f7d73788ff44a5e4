"""Why a mail was not delivered, in words."""

import pytest
from flask import Flask

from mailer.mail.feedback.types import Category
from mailer.store.models import Reason
from mailer.web.desk import refusal_words


@pytest.fixture
def backend() -> str:
    return "sqlite"  # it asks no database


def test_every_meaning_and_every_reason_has_words() -> None:
    assert refusal_words._MEANINGS.keys() == set(Category)
    assert refusal_words._REASONS.keys() == set(Reason)


@pytest.mark.parametrize(
    ("code", "reply", "reason", "said"),
    [
        (550, "5.1.1 No such user here", None, "Nobody has this address"),
        (550, "5.1.1", None, "Nobody has this address"),  # as a report has it, without the words
        (452, "4.2.2 mailbox full", None, "The mailbox is full"),
        (554, "5.7.1 listed by a blocklist", Reason.POLICY, "A rule or a blocklist of that server keeps us out"),
        (554, "no", Reason.POLICY, "The server refuses us, not this address"),
        (451, "try later", Reason.GAVE_UP, "Given up after many attempts (The server asks to try again later)"),
        (None, None, Reason.CONNECTION_LOST, "The connection to the mail server broke off"),
        (None, None, None, ""),
    ],
)
def test_what_a_server_means_stands_before_what_it_says(
    app: Flask, code: int | None, reply: str | None, reason: str | None, said: str
) -> None:
    with app.test_request_context("/desk/"):
        assert refusal_words.why(code, reply, reason) == said
