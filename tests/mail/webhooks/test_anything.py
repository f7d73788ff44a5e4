"""Whatever a provider posts, or somebody in its name, it is read, refused, or no JSON: nothing else is raised."""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.feedback.types import Kind
from mailer.mail.webhooks.brevo import Brevo
from mailer.mail.webhooks.mailgun import Mailgun
from mailer.mail.webhooks.postmark import Postmark
from mailer.mail.webhooks.sendgrid import SendGrid
from mailer.mail.webhooks.ses import Ses
from mailer.mail.webhooks.sns import Topics
from mailer.mail.webhooks.sparkpost import SparkPost
from mailer.mail.webhooks.types import Hook, Malformed, Post, Report, Unproven
from tests.support.webhooks import (
    BREVO_TOKEN,
    LOGIN,
    MAILGUN_KEY,
    NOW,
    TOPIC,
    Amazon,
    as_json,
    basic,
    brevo,
    confirmation,
    mailgun,
    mailgun_signature,
    post,
    postmark,
    postmark_change,
    sendgrid,
    sendgrid_headers,
    sendgrid_key,
    ses_bounce,
    ses_complaint,
    sns,
    sparkpost,
)

HOOKS: dict[str, Hook] = {
    "ses": Ses(Topics([TOPIC], Amazon())),
    "sendgrid": SendGrid([sendgrid_key("sendgrid").public_key()]),
    "mailgun": Mailgun([MAILGUN_KEY]),
    "postmark": Postmark([LOGIN]),
    "brevo": Brevo([BREVO_TOKEN]),
    "sparkpost": SparkPost([LOGIN]),
}
EVENTS: dict[str, list[Any]] = {
    "ses": [ses_bounce("x"), ses_complaint("x")],
    "sendgrid": [[sendgrid("t"), sendgrid("t", "dropped")]],
    "mailgun": [mailgun("t"), mailgun("t", "complained")],
    "postmark": [postmark("t"), postmark_change("t")],
    "brevo": [brevo("t"), [brevo("t", "spam")]],
    "sparkpost": [[sparkpost("t")], [sparkpost("t", "list_unsubscribe")]],
}
#: what makes an event, and fields of it that do not say what kind of event it is
FIELDS: dict[str, tuple[Callable[..., Any], list[str]]] = {
    "sendgrid": (
        lambda **changes: [sendgrid("t", **changes)],
        ["type", "reason", "status", "sg_event_id", "tocsin", "unique_args", "smtp-id"],
    ),
    "mailgun": (
        partial(mailgun, "t"),
        ["severity", "reason", "delivery-status", "user-variables", "message", "id"],
    ),
    "postmark": (partial(postmark, "t"), ["ID", "Type", "Details", "Metadata", "MessageID", "Origin"]),
    "brevo": (partial(brevo, "t"), ["reason", "X-Mailin-custom", "message-id", "email", "ts_epoch"]),
    "sparkpost": (
        lambda **changes: [sparkpost("t", **changes)],
        ["bounce_class", "raw_reason", "error_code", "event_id", "rcpt_meta"],
    ),
}
WRONG: list[object] = [
    *(None, True, 1, 1.5, 10**100, "x", "x" * 100_000, "\ud800"),
    *([], {}, {"tocsin": 1}, {"tocsin": ["x"]}, {"code": []}, {"headers": 7}),
]
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


def proved(provider: str, document: object) -> Post:
    """A post with a proof, whatever it says."""
    if provider == "ses":
        return post(sns(json.dumps(document)))
    if provider == "mailgun":
        return post({"signature": mailgun_signature(), "event-data": document})
    body = as_json(document)
    headers = {
        "sendgrid": lambda: sendgrid_headers(body),
        "brevo": lambda: {"Authorization": f"Bearer {BREVO_TOKEN}"},
    }.get(provider, basic)()
    return post(body, headers)


def changed(document: Any, draw: Callable[..., Any]) -> Any:
    """A document with something else at some place in it."""
    if not isinstance(document, dict | list) or not document or draw(st.integers(0, 3)) == 0:
        return draw(VALUES)
    if isinstance(document, list):
        place = draw(st.integers(0, len(document) - 1))
        return [changed(each, draw) if number == place else each for number, each in enumerate(document)]
    name = draw(st.sampled_from(sorted(document)))
    return document | {name: changed(document[name], draw)}


def read(provider: str, post: Post) -> list[Report]:
    found = list(HOOKS[provider].read(post, now=NOW))
    assert all(isinstance(each, Report) and each.key is not None for each in found)
    return found


@pytest.mark.parametrize("provider", HOOKS)
@given(data=st.data())
def test_an_event_with_anything_at_any_place_is_read(provider: str, data: st.DataObject) -> None:
    event = data.draw(st.sampled_from(EVENTS[provider]))
    read(provider, proved(provider, changed(event, data.draw)))


@pytest.mark.parametrize(
    ("provider", "field"), [(name, each) for name, (_, fields) in FIELDS.items() for each in fields]
)
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong)[:20])
def test_an_event_with_anything_in_a_field_stays_the_event_that_it_is(provider: str, field: str, wrong: object) -> None:
    make, _ = FIELDS[provider]
    [report] = read(provider, proved(provider, make(**{field: wrong})))
    assert report.feedback.kind in (Kind.BOUNCE, Kind.DELAYED) or field == "Type"  # which says what kind it is


@pytest.mark.parametrize("provider", HOOKS)
@given(document=VALUES)
def test_any_document_is_read(provider: str, document: object) -> None:
    read(provider, proved(provider, document))


@pytest.mark.parametrize("provider", HOOKS)
@given(body=st.binary(max_size=300), headers=st.dictionaries(st.sampled_from(["authorization", "x"]), st.text()))
def test_any_bytes_are_refused_or_read(provider: str, body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises((Unproven, Malformed)):
        read(provider, Post(body, headers))


@given(data=st.data())
def test_a_message_of_sns_with_anything_at_any_place_is_refused_or_read(data: st.DataObject) -> None:
    message = data.draw(st.sampled_from([sns(json.dumps(ses_bounce("x"))), confirmation()]))
    with suppress(Unproven, Malformed):
        read("ses", post(changed(message, data.draw)))
