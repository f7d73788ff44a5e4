"""What Amazon SES tells of a mail, and what it means."""

import json
from typing import Any

import pytest

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.mail.webhooks.ses import Ses
from mailer.mail.webhooks.sns import Topics
from mailer.mail.webhooks.types import Report
from tests.support.webhooks import TOPIC, Amazon, judged, reports, ses_bounce, ses_complaint, sns

SOURCE = "bounce+token@in.example.org"


def read(event: object) -> list[Report]:
    message = event if isinstance(event, str) else json.dumps(event)
    return reports(Ses(Topics([TOPIC], Amazon())), sns(message))


@pytest.mark.parametrize(
    ("type_", "words", "category", "effect"),
    [
        ("Permanent General", "smtp; 550 5.1.1 user unknown", Category.NO_MAILBOX, Effect.SUPPRESS),
        ("Permanent NoEmail", None, Category.NO_MAILBOX, Effect.SUPPRESS),
        ("Permanent General", "smtp; 550 5.7.1 blocked by our blocklist", Category.POLICY, Effect.NONE),
        ("Permanent General", "smtp; 552 5.2.2 mailbox full", Category.FULL, Effect.COUNT),
        ("Permanent Suppressed", "smtp; 550 5.1.1 user unknown", Category.UNDETERMINED, Effect.NONE),
        ("Permanent OnAccountSuppressionList", "suppressed", Category.UNDETERMINED, Effect.NONE),
        ("Transient General", "smtp; 550 5.1.1 user unknown", Category.UNDETERMINED, Effect.COUNT),
        ("Transient General", "smtp; 451 4.3.0 try later", Category.TEMPORARY, Effect.COUNT),
        ("Transient MailboxFull", None, Category.FULL, Effect.COUNT),
        ("Transient ContentRejected", None, Category.CONTENT, Effect.NONE),
        ("Transient MessageTooLarge", None, Category.SIZE, Effect.NONE),
        ("Undetermined Undetermined", "smtp; 550 5.1.1 user unknown", Category.UNDETERMINED, Effect.COUNT),
        ("Undetermined Undetermined", None, Category.UNDETERMINED, Effect.COUNT),
    ],
)
def test_the_words_decide_and_the_type_only_without_them(
    type_: str, words: str | None, category: Category, effect: Effect
) -> None:
    [report] = read(ses_bounce(SOURCE, words, type_))
    assert judged(report) == (category, effect)
    assert (report.sender, report.key) == (SOURCE, "11111111-2222-3333-4444-555555555555")


@pytest.mark.parametrize(
    ("status", "category", "code"),
    [
        ("5.2.2 (mailbox full, try again later)", Category.FULL, "5.2.2"),
        ("5.1.1 (user unknown)", Category.NO_MAILBOX, "5.1.1"),
        ("5.0.0 (mailbox full)", Category.FULL, "5.0.0"),
        ("4.4.7" + " (expired)" * 400, Category.TEMPORARY, "4.4.7"),
        ("5.7.1" * 800, Category.NO_MAILBOX, None),  # no code, so nothing but the provider's word
        ("5.0.0", Category.NO_MAILBOX, "5.0.0"),
        ("none", Category.NO_MAILBOX, None),
    ],
)
def test_of_a_status_the_code_counts_and_what_it_adds_in_words(
    status: str, category: Category, code: str | None
) -> None:
    bounce = ses_bounce(SOURCE, "")
    bounce["bounce"]["bouncedRecipients"][0]["status"] = status
    [report] = read(bounce)
    assert report.feedback.meaning is not None
    assert (report.feedback.meaning.category, report.feedback.meaning.status) == (category, code)


def test_an_absence_note_that_ses_calls_a_bounce_counts_for_nothing() -> None:
    [report] = read(ses_bounce(SOURCE, None, "Transient General"))
    assert (report.feedback.kind, report.feedback.effect) == (Kind.AUTO_REPLY, Effect.NONE)


@pytest.mark.parametrize(
    ("complaint", "kind", "effect"),
    [
        ({}, Kind.COMPLAINT, Effect.SUPPRESS),
        ({"complaintFeedbackType": "abuse", "complaintSubType": None}, Kind.COMPLAINT, Effect.SUPPRESS),
        ({"complaintFeedbackType": "auth-failure"}, Kind.REPORT, Effect.NONE),
        ({"complaintFeedbackType": "not-spam"}, Kind.OTHER, Effect.NONE),
        ({"complaintSubType": "OnAccountSuppressionList"}, Kind.OTHER, Effect.NONE),
    ],
)
def test_a_complaint_is_heeded_and_what_is_none_is_not(complaint: dict[str, Any], kind: Kind, effect: Effect) -> None:
    [report] = read(ses_complaint(SOURCE, **complaint))
    assert (report.feedback.kind, report.feedback.effect) == (kind, effect)


def test_a_delay_counts_for_nothing() -> None:
    delay = {"delayedRecipients": [{"status": "4.2.2", "diagnosticCode": "smtp; 452 4.2.2 full"}]}
    [report] = read({"eventType": "DeliveryDelay", "mail": {"source": SOURCE}, "deliveryDelay": delay})
    assert (report.feedback.kind, report.feedback.effect) == (Kind.DELAYED, Effect.NONE)


def test_a_mail_that_ses_found_a_virus_in_says_nothing_of_its_recipient() -> None:
    [report] = read({"eventType": "Reject", "mail": {"source": SOURCE}, "reject": {"reason": "Bad content"}})
    assert (report.feedback.kind, report.feedback.effect) == (Kind.BOUNCE, Effect.NONE)


@pytest.mark.parametrize("type_", ["Delivery", "Send", "Open", "Click", "Rendering Failure", "Subscription", "New", ""])
def test_who_reads_a_mail_is_nothing_that_we_want_to_know(type_: str) -> None:
    assert read({"eventType": type_, "mail": {"source": SOURCE}, "open": {"ipAddress": "192.0.2.1"}}) == []


@pytest.mark.parametrize("message", ["Successfully validated SNS topic for Amazon SES.", "{", "[" * 200_000, ""])
def test_a_sentence_in_a_topic_is_no_event(message: str) -> None:
    assert read(message) == []


@pytest.mark.parametrize("message", [[], 1, None, "text", {"notificationType": ["Bounce"]}])
def test_what_is_no_event_of_ses_is_none(message: object) -> None:
    assert read(message) == []


@pytest.mark.parametrize("wrong", [None, 1, "x", [], [[]], {"a": 1}, [{"status": 5, "diagnosticCode": []}], True])
@pytest.mark.parametrize("place", ["bounce", "mail", "bouncedRecipients", "headers"])
def test_an_event_may_hold_anything_anywhere(place: str, wrong: object) -> None:
    event = ses_bounce(SOURCE)
    if place == "bouncedRecipients":
        event["bounce"][place] = wrong
    elif place == "headers":
        event["mail"][place] = wrong
    else:
        event[place] = wrong
    assert [report.feedback.kind for report in read(event)] == [Kind.BOUNCE]


def test_the_message_id_that_our_mail_had_is_found() -> None:
    headers = [{"name": "Subject", "value": "x"}, {"name": "Message-ID", "value": "<1@example.org>"}]
    assert read(ses_bounce(SOURCE, headers=headers))[0].message_id == "<1@example.org>"
    common = {"messageId": "<2@example.org>"}
    assert read(ses_bounce(SOURCE, commonHeaders=common, headers=headers))[0].message_id == "<2@example.org>"
