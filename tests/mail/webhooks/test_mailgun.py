"""What Mailgun tells of a mail, and that a signature of its serves once."""

from datetime import timedelta
from typing import Any

import pytest

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.mail.webhooks.mailgun import Mailgun
from mailer.mail.webhooks.types import Report, Unproven
from tests.support.webhooks import MAILGUN_KEY, NOW, judged, mailgun, mailgun_signature, reports


def read(event: object, signature: object = None, *, keys: tuple[str, ...] = (MAILGUN_KEY,)) -> Report:
    posted = {"signature": mailgun_signature() if signature is None else signature, "event-data": event}
    [report] = reports(Mailgun(keys), posted)
    return report


def status(message: str, code: object = 550) -> dict[str, Any]:
    return {"delivery-status": {"message": message, "code": code, "description": "unknown user"}}


@pytest.mark.parametrize(
    ("changes", "category", "effect"),
    [
        ({}, Category.NO_MAILBOX, Effect.SUPPRESS),
        ({"delivery-status": {}}, Category.NO_MAILBOX, Effect.SUPPRESS),
        (status("550 5.2.2 the mailbox is full"), Category.FULL, Effect.COUNT),
        ({"delivery-status": {}, "reason": "generic"}, Category.UNDETERMINED, Effect.COUNT),
        (status("550 5.1.1 no such user") | {"reason": "generic"}, Category.NO_MAILBOX, Effect.SUPPRESS),
        (status("550 5.1.1 no such user") | {"reason": "old"}, Category.UNDETERMINED, Effect.COUNT),
        ({"delivery-status": {"code": 602}, "reason": "old"}, Category.TEMPORARY, Effect.COUNT),
        ({"delivery-status": {}, "reason": "espblock"}, Category.POLICY, Effect.NONE),
        (status("not delivering to a bounced address", 605), Category.UNDETERMINED, Effect.NONE),
        ({"reason": "suppress-bounce"}, Category.UNDETERMINED, Effect.NONE),
        ({"reason": "suppress-complaint"}, Category.UNDETERMINED, Effect.NONE),
        ({"event": "rejected"}, Category.UNDETERMINED, Effect.NONE),
    ],
)
def test_the_words_decide_and_the_reason_only_without_them(
    changes: dict[str, Any], category: Category, effect: Effect
) -> None:
    report = read(mailgun("t", **changes))
    assert judged(report) == (category, effect)
    assert (report.token, report.message_id) == ("t", "1@example.org")


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (mailgun("t", severity="temporary"), Kind.DELAYED),
        (mailgun("t", "complained"), Kind.COMPLAINT),
        (mailgun("t", "unsubscribed"), Kind.UNSUBSCRIBE),
        (mailgun("t", "opened"), Kind.OTHER),
        (mailgun("t", "delivered"), Kind.OTHER),
        (mailgun("t", "new"), Kind.OTHER),
        ({}, Kind.OTHER),
        (None, Kind.OTHER),
        ([7], Kind.OTHER),
    ],
)
def test_other_events_say_what_they_are_and_are_remembered(event: object, kind: Kind) -> None:
    report = read(event)
    assert report.feedback.kind is kind
    assert report.must_be_kept


def test_that_somebody_reads_is_remembered_of_no_mail() -> None:
    report = read(mailgun("t", "opened"))
    assert (report.token, report.sender, report.message_id) == ("", "", "")


def test_an_event_is_known_by_what_is_signed_and_by_nothing_else() -> None:
    one, other = read(mailgun("t")), read(mailgun("u", "complained", id="another"))
    assert one.key == other.key
    assert read(mailgun("t"), mailgun_signature(token="beef" * 10)).key != one.key


@pytest.mark.parametrize(
    "signature",
    [
        {},
        [],
        "x",
        mailgun_signature(key="another-signing-key"),
        mailgun_signature(NOW - timedelta(hours=49)),
        mailgun_signature(NOW + timedelta(hours=49)),
        mailgun_signature(token=""),
        mailgun_signature() | {"token": "0"},
        mailgun_signature() | {"token": None},
        mailgun_signature() | {"token": "\ud800"},
        mailgun_signature() | {"signature": ""},
        mailgun_signature() | {"signature": "ä\ud800"},
        mailgun_signature() | {"signature": ["x"]},
        mailgun_signature() | {"timestamp": "x"},
        mailgun_signature() | {"timestamp": 1.5},
        mailgun_signature() | {"timestamp": True},
    ],
)
def test_without_its_signature_nothing_is_believed(signature: object) -> None:
    with pytest.raises(Unproven):
        read(mailgun("t"), signature)


def test_the_time_and_the_token_cannot_be_cut_elsewhere() -> None:
    signed = mailgun_signature(token="12" + "ab" * 20)
    for moved in (1, 2):
        shifted = {"timestamp": signed["timestamp"] + signed["token"][:moved], "token": signed["token"][moved:]}
        with pytest.raises(Unproven):
            read(mailgun("t"), signed | shifted)


def test_without_a_key_set_nothing_is_believed() -> None:
    for key in (MAILGUN_KEY, ""):
        with pytest.raises(Unproven):
            read(mailgun("t"), mailgun_signature(key=key), keys=())
