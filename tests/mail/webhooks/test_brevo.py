"""What Brevo tells of a mail, and what it means."""

import pytest

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.mail.webhooks.brevo import Brevo
from mailer.mail.webhooks.types import Report, Unproven
from tests.support.webhooks import BREVO_TOKEN, brevo, judged, reports


def read(
    posted: object, authorization: str = f"Bearer {BREVO_TOKEN}", *, tokens: tuple[str, ...] = (BREVO_TOKEN,)
) -> list[Report]:
    return reports(Brevo(tokens), posted, {"Authorization": authorization})


@pytest.mark.parametrize(
    ("event", "words", "category", "effect"),
    [
        ("hard_bounce", "550 5.1.1 no such user here", Category.NO_MAILBOX, Effect.SUPPRESS),
        ("hard_bounce", "", Category.NO_MAILBOX, Effect.SUPPRESS),
        ("hard_bounce", "550 5.7.1 listed in our blocklist", Category.POLICY, Effect.NONE),
        ("invalid_email", "", Category.NO_MAILBOX, Effect.SUPPRESS),
        ("soft_bounce", "550 5.1.1 no such user here", Category.UNDETERMINED, Effect.COUNT),
        ("soft_bounce", "", Category.TEMPORARY, Effect.COUNT),
        ("blocked", "blocked : due to a list", Category.UNDETERMINED, Effect.NONE),
        ("error", "", Category.UNDETERMINED, Effect.NONE),
    ],
)
def test_the_words_decide_and_the_event_only_without_them(
    event: str, words: str, category: Category, effect: Effect
) -> None:
    [report] = read(brevo("t", event, reason=words))
    assert judged(report) == (category, effect)
    assert report.token == "tocsin:t"


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("deferred", Kind.DELAYED),
        ("spam", Kind.COMPLAINT),
        ("complaint", Kind.COMPLAINT),
        ("unsubscribed", Kind.UNSUBSCRIBE),
    ],
)
def test_other_events_say_what_they_are(event: str, kind: Kind) -> None:
    assert [report.feedback.kind for report in read([brevo("t", event), brevo("u", "opened"), 7])] == [kind]


@pytest.mark.parametrize("event", ["request", "delivered", "opened", "unique_opened", "click", "proxy_open", "new", ""])
def test_who_reads_a_mail_is_nothing_that_we_want_to_know(event: str) -> None:
    assert read(brevo("t", event)) == []


def test_events_without_a_number_are_told_apart() -> None:
    told = [brevo("t"), brevo("t", "spam"), brevo("t", ts_epoch=1), brevo("t", email="o@example.net")]
    assert len({report.key for report in read(told)}) == 4
    assert read(brevo("t"))[0].key == read(brevo("t", id=7, date="x"))[0].key


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer another-token-of-ours", f"Basic {BREVO_TOKEN}", "ä"]
)
def test_without_its_token_nothing_is_believed(given: str) -> None:
    with pytest.raises(Unproven):
        read(brevo("t"), given)
    with pytest.raises(Unproven):
        read(brevo("t"), given, tokens=())
