"""What SparkPost tells of mails, and what it means."""

import pytest

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.mail.webhooks.sparkpost import SparkPost
from mailer.mail.webhooks.types import Report, Unproven
from tests.support.webhooks import LOGIN, basic, judged, reports, sparkpost


def read(posted: object, login: str = LOGIN, *, logins: tuple[str, ...] = (LOGIN,)) -> list[Report]:
    return reports(SparkPost(logins), posted, basic(login))


@pytest.mark.parametrize(
    ("class_", "words", "category", "effect"),
    [
        ("10", "550 5.1.1 no such user here", Category.NO_MAILBOX, Effect.SUPPRESS),
        ("10", "", Category.NO_MAILBOX, Effect.SUPPRESS),
        ("30", "550 5.7.1 listed in our blocklist", Category.POLICY, Effect.NONE),
        ("90", "550 5.1.1 no such user here", Category.NO_MAILBOX, Effect.SUPPRESS),
        ("1", "550 5.1.1 no such user here", Category.UNDETERMINED, Effect.COUNT),
        ("22", "", Category.FULL, Effect.COUNT),
        ("24", "", Category.TEMPORARY, Effect.COUNT),
        ("25", "550 5.1.1 no such user here", Category.UNDETERMINED, Effect.NONE),
        ("26", "", Category.UNDETERMINED, Effect.NONE),
        ("40", "550 5.1.1 no such user here", Category.UNDETERMINED, Effect.COUNT),
        ("50", "", Category.POLICY, Effect.NONE),
        ("52", "", Category.CONTENT, Effect.NONE),
        ("54", "", Category.RELAY, Effect.NONE),
        ("70", "550 5.1.1 no such user here", Category.UNDETERMINED, Effect.COUNT),
        ("999", "", Category.UNDETERMINED, Effect.COUNT),
    ],
)
@pytest.mark.parametrize("type_", ["bounce", "out_of_band"])
def test_the_words_decide_and_the_class_only_without_them(
    type_: str, class_: str, words: str, category: Category, effect: Effect
) -> None:
    [report] = read([sparkpost("t", type_, bounce_class=class_, raw_reason=words, reason="")])
    assert judged(report) == (category, effect)
    assert report.token == "t"


def test_without_any_word_of_a_server_a_hard_class_is_taken() -> None:
    [report] = read([sparkpost("t", raw_reason="", reason="", error_code="")])
    assert report.feedback.effect is Effect.SUPPRESS


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (sparkpost("t", bounce_class="60"), Kind.AUTO_REPLY),
        (sparkpost("t", bounce_class="100"), Kind.OTHER),
        (sparkpost("t", "delay"), Kind.DELAYED),
        (sparkpost("t", "spam_complaint"), Kind.COMPLAINT),
        (sparkpost("t", "spam_complaint", fbtype="not-spam"), Kind.OTHER),
        (sparkpost("t", "list_unsubscribe"), Kind.UNSUBSCRIBE),
        (sparkpost("t", "link_unsubscribe"), Kind.UNSUBSCRIBE),
        (sparkpost("t", "policy_rejection"), Kind.BOUNCE),
    ],
)
def test_other_events_say_what_they_are(event: object, kind: Kind) -> None:
    assert [report.feedback.kind for report in read([event, {"msys": {}}, None, 7])] == [kind]


@pytest.mark.parametrize("event", ["injection", "delivery", "open", "initial_open", "click", "new", ""])
def test_who_reads_a_mail_is_nothing_that_we_want_to_know(event: str) -> None:
    assert read([sparkpost("t", event)]) == []


@pytest.mark.parametrize("posted", [{}, [], [{"msys": {}}], [{"msys": []}], None, "x", 7])
def test_what_sparkpost_tries_an_address_with_is_taken(posted: object) -> None:
    assert read(posted) == []


def test_without_its_login_nothing_is_believed() -> None:
    for login, logins in (("postmark:another-password", (LOGIN,)), (LOGIN, ()), ("", ())):
        with pytest.raises(Unproven):
            read([sparkpost("t")], login, logins=logins)
