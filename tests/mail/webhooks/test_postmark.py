"""What Postmark tells of a mail, and what it means."""

from typing import Any

import pytest

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.mail.webhooks.postmark import Postmark
from mailer.mail.webhooks.types import Report, Unproven
from tests.support.webhooks import LOGIN, basic, judged, postmark, postmark_change, reports


def read(event: object, headers: dict[str, str] | None = None, *, logins: tuple[str, ...] = (LOGIN,)) -> list[Report]:
    return reports(Postmark(logins), event, basic() if headers is None else headers)


@pytest.mark.parametrize(
    ("type_", "words", "category", "effect"),
    [
        ("HardBounce", "smtp;550 5.1.1 no such user here", Category.NO_MAILBOX, Effect.SUPPRESS),
        ("HardBounce", "", Category.NO_MAILBOX, Effect.SUPPRESS),
        ("HardBounce", "smtp;550 5.7.1 listed in our blocklist", Category.POLICY, Effect.NONE),
        ("HardBounce", "smtp;550 5.0.0 rejected", Category.UNDETERMINED, Effect.COUNT),
        ("BadEmailAddress", "", Category.NO_MAILBOX, Effect.SUPPRESS),
        ("SoftBounce", "smtp;550 5.1.1 no such user here", Category.UNDETERMINED, Effect.COUNT),
        ("SoftBounce", "", Category.TEMPORARY, Effect.COUNT),
        ("Blocked", "", Category.POLICY, Effect.NONE),
        ("SpamNotification", "", Category.CONTENT, Effect.NONE),
        ("DMARCPolicy", "", Category.AUTH, Effect.NONE),
        ("ManuallyDeactivated", "", Category.UNDETERMINED, Effect.NONE),
    ],
)
def test_the_words_decide_and_the_type_only_without_them(
    type_: str, words: str, category: Category, effect: Effect
) -> None:
    [report] = read(postmark("t", type_, Details=words))
    assert judged(report) == (category, effect)
    assert report.token == "t"


@pytest.mark.parametrize(
    ("event", "kind", "effect"),
    [
        (postmark("t", "AutoResponder"), Kind.AUTO_REPLY, Effect.NONE),
        (postmark("t", "ChallengeVerification"), Kind.OTHER, Effect.NONE),
        (postmark("t", "Unsubscribe"), Kind.UNSUBSCRIBE, Effect.LEAVE),
        (postmark("t", "SpamComplaint", RecordType="SpamComplaint"), Kind.COMPLAINT, Effect.SUPPRESS),
        (postmark("t", "SpamComplaint"), Kind.COMPLAINT, Effect.SUPPRESS),
        (postmark_change("t"), Kind.UNSUBSCRIBE, Effect.LEAVE),
    ],
)
def test_other_events_say_what_they_are(event: dict[str, Any], kind: Kind, effect: Effect) -> None:
    [report] = read(event)
    assert (report.feedback.kind, report.feedback.effect) == (kind, effect)


@pytest.mark.parametrize(
    "event",
    [
        postmark_change("t", SuppressionReason="HardBounce"),
        postmark_change("t", Origin="Customer"),
        postmark_change("t", SuppressSending=False),
        postmark("t", RecordType="Open"),
        postmark("t", RecordType="Click"),
        postmark("t", RecordType="Delivery"),
        postmark("t", RecordType="New"),
        postmark("t", RecordType=None),
        [],
        None,
        "text",
    ],
)
def test_what_tells_nothing_of_a_mailbox_is_dropped(event: object) -> None:
    assert read(event) == []


def test_an_event_is_known_by_its_number_and_a_change_by_its_time() -> None:
    assert read(postmark("t"))[0].key == read(postmark("t"))[0].key
    keys = {read(event)[0].key for event in (postmark("t"), postmark("t", ID=4712), postmark_change("t"))}
    keys.add(read(postmark_change("t", ChangedAt="2026-11-30T12:00:01Z"))[0].key)
    assert len(keys) == 4


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("postmark:another-password"),
        basic("postmark"),
        basic(":"),
        basic(""),
        {"Authorization": "Basic"},
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic Zä"},
        {"Authorization": f"Bearer {LOGIN}"},
        {"Authorization": f"Basic {LOGIN}"},
    ],
)
def test_without_its_login_nothing_is_believed(headers: dict[str, str]) -> None:
    with pytest.raises(Unproven):
        read(postmark("t"), headers)


def test_without_a_login_set_nothing_is_believed() -> None:
    for login in (LOGIN, "", ":"):
        with pytest.raises(Unproven):
            read(postmark("t"), basic(login), logins=())


def test_while_a_login_is_changed_both_count() -> None:
    for login in (LOGIN, "postmark:the-password-to-come"):
        assert read(postmark("t"), basic(login), logins=(LOGIN, "postmark:the-password-to-come"))
