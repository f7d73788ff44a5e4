"""What SendGrid tells of mails, and that nothing is believed that it did not sign."""

import json
from datetime import timedelta

import pytest

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.mail.webhooks.sendgrid import SendGrid
from mailer.mail.webhooks.types import Malformed, Report, Unproven
from tests.support.webhooks import NOW, as_json, judged, reports, sendgrid, sendgrid_headers, sendgrid_key


def read(
    posted: object, headers: dict[str, str] | None = None, *, keys: tuple[str, ...] = ("sendgrid",)
) -> list[Report]:
    body = posted if isinstance(posted, bytes) else as_json(posted)
    hook = SendGrid([sendgrid_key(key).public_key() for key in keys])
    return reports(hook, body, sendgrid_headers(body) if headers is None else headers)


@pytest.mark.parametrize(
    ("changes", "category", "effect"),
    [
        ({}, Category.NO_MAILBOX, Effect.SUPPRESS),
        ({"reason": "", "status": ""}, Category.NO_MAILBOX, Effect.SUPPRESS),
        ({"reason": "552 5.2.2 the mailbox is full", "status": "5.2.2"}, Category.FULL, Effect.COUNT),
        ({"reason": "550 5.7.1 listed in our blocklist", "status": "5.7.1"}, Category.POLICY, Effect.NONE),
        ({"type": "blocked"}, Category.UNDETERMINED, Effect.COUNT),
        ({"type": None}, Category.UNDETERMINED, Effect.COUNT),
        ({"event": "dropped", "reason": "Bounced Address"}, Category.UNDETERMINED, Effect.NONE),
    ],
)
def test_the_words_decide_and_the_type_only_without_them(
    changes: dict[str, str | None], category: Category, effect: Effect
) -> None:
    [report] = read([sendgrid("t", **changes)])
    assert judged(report) == (category, effect)
    assert report.token == "t"


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("deferred", Kind.DELAYED),
        ("spamreport", Kind.COMPLAINT),
        ("unsubscribe", Kind.UNSUBSCRIBE),
        ("group_unsubscribe", Kind.UNSUBSCRIBE),
    ],
)
def test_other_events_say_what_they_are(event: str, kind: Kind) -> None:
    assert [report.feedback.kind for report in read([sendgrid("t", event)])] == [kind]


@pytest.mark.parametrize("event", ["processed", "delivered", "open", "click", "group_resubscribe", "new", ""])
def test_who_reads_a_mail_is_nothing_that_we_want_to_know(event: str) -> None:
    assert read([sendgrid("t", event)]) == []


def test_a_batch_is_read_whole() -> None:
    events: list[object] = [sendgrid("1"), sendgrid("2", "open"), None, 7, [], sendgrid("3", sg_event_id="another")]
    assert [report.token for report in read(events)] == ["1", "3"]


def test_the_token_may_stand_among_unique_arguments() -> None:
    assert read([sendgrid("t", tocsin=None, unique_args={"tocsin": "u"})])[0].token == "u"


@pytest.mark.parametrize("body", [json.dumps([sendgrid("t")], indent=1).encode() + b"\r\n", b"[]\r\n"])
def test_what_is_signed_is_every_octet_as_it_came(body: bytes) -> None:
    read(body)
    for changed in (body[:-2], body[:-1], body + b" ", body.replace(b"[", b" [", 1)):
        with pytest.raises(Unproven):
            read(changed, sendgrid_headers(body))


SIGNATURE, TIMESTAMP = "X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp"


@pytest.mark.parametrize(
    "changes",
    [
        {SIGNATURE: ""},
        {SIGNATURE: "!"},
        {SIGNATURE: "ä"},
        {SIGNATURE: "AAAA"},
        {TIMESTAMP: ""},
        {TIMESTAMP: "-1"},
        {TIMESTAMP: "٣"},
        {TIMESTAMP: "9" * 400},
        {TIMESTAMP: "99999999999"},
        {TIMESTAMP: "0"},
        {TIMESTAMP: str(int(NOW.timestamp()) + 1)},
    ],
)
def test_without_its_signature_nothing_is_believed(changes: dict[str, str]) -> None:
    body = as_json([sendgrid("t")])
    with pytest.raises(Unproven):
        read(body, sendgrid_headers(body) | changes)


def test_what_another_key_signed_or_long_ago_is_not_believed() -> None:
    body = as_json([sendgrid("t")])
    for options in ({"key": "another"}, {"now": NOW - timedelta(hours=49)}, {"now": NOW + timedelta(hours=49)}):
        with pytest.raises(Unproven):
            read(body, sendgrid_headers(body, **options))
    with pytest.raises(Unproven):
        read(body, keys=())
    assert read(body, sendgrid_headers(body, now=NOW - timedelta(hours=47)))
    assert read(body, sendgrid_headers(body, key="another"), keys=("sendgrid", "another"))


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 2**20])
def test_what_is_no_json_is_no_event(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body)
