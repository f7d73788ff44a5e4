"""What decides a campaign's mails is put in words, and each has its name."""

from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from mailer.organisers import content
from mailer.organisers.content import Difference
from mailer.web.desk import contents
from tests.support.factories import SENDER, make_campaign, make_list


@pytest.fixture
def backend() -> str:
    return "sqlite"  # nothing is read


def test_all_that_is_shown_of_the_sender_has_a_label(app: Flask, session: Session) -> None:
    sender = replace(
        SENDER,
        reply_to="us@example.org",
        bounce_address="bounce+{token}@example.org",
        unsubscribe_address="leave+{token}@example.org",
        answers_are_read=False,
    )
    value = content.of(session, make_campaign(session, make_list(session)), sender).parts["sender"]
    assert None not in value.values()
    with app.test_request_context("/desk/"):
        shown = {line.label: line.words for line in contents.place("sender").lines(value)}
    assert len(shown) == len(value) and not set(shown) & set(value)
    assert shown["Somebody reads answers"] == "No"


def test_that_somebody_reads_answers_is_no_change_to_what_did_not_say_so(app: Flask) -> None:
    before, after = {"organisation": "Us"}, {"organisation": "Us", "answers_are_read": False}
    with app.test_request_context("/desk/"):
        assert contents.changes([Difference("sender", before, {**before, "answers_are_read": True})]) == []
        (change,) = contents.changes([Difference("sender", before, after)])
    assert change.label == "Somebody reads answers"
    assert [(each.words.strip(), each.of) for each in change.pieces] == [("Yes", "before"), ("No", "after")]
