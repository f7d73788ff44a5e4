"""A mail carries what its provider gives back, and has it count nobody's reading."""

import json
from email import message_from_bytes, policy

import pytest

from mailer.mail.webhooks import marks
from mailer.mail.webhooks.types import Provider

TOKEN = "0123456789abcdef0123456789abcdef01234567"


def fields(*providers: Provider) -> dict[str, str]:
    raw = marks.fill(marks.template(providers), TOKEN)
    assert all(len(line) < 200 for line in raw.split(b"\r\n"))
    message = message_from_bytes(raw + b"\r\n", policy=policy.default)
    assert not message.defects
    return {name: str(value) for name, value in message.items()}


def test_sendgrid_is_given_json() -> None:
    [(name, value)] = fields(Provider.SENDGRID).items()
    given = json.loads(value)
    assert (name, given["unique_args"]) == ("X-SMTPAPI", {"tocsin": TOKEN})
    assert {name: each["settings"]["enable"] for name, each in given["filters"].items()} == {
        "opentrack": 0,
        "clicktrack": 0,
        "subscriptiontrack": 0,
    }


def test_sparkpost_is_given_json() -> None:
    [(name, value)] = fields(Provider.SPARKPOST).items()
    options = {"open_tracking": False, "click_tracking": False}
    assert (name, json.loads(value)) == ("X-MSYS-API", {"metadata": {"tocsin": TOKEN}, "options": options})


def test_mailgun_is_given_json() -> None:
    given = fields(Provider.MAILGUN)
    assert json.loads(given.pop("X-Mailgun-Variables")) == {"tocsin": TOKEN}
    assert given == {"X-Mailgun-Track": "no"}


def test_postmark_and_brevo_are_given_the_token() -> None:
    assert fields(Provider.POSTMARK) == {
        "X-PM-Metadata-tocsin": TOKEN,
        "X-PM-TrackLinks": "None",
    }
    assert fields(Provider.BREVO) == {"X-Mailin-custom": f"tocsin:{TOKEN}"}


def test_ses_needs_nothing() -> None:
    assert marks.template([Provider.SES]) == b""


@pytest.mark.parametrize("first", Provider)
def test_those_of_several_stand_beside_each_other(first: Provider) -> None:
    assert fields(first, Provider.POSTMARK) == fields(first) | fields(Provider.POSTMARK)
