"""Nothing is believed that Amazon SNS did not sign, lately, for a topic of ours."""

import logging
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from mailer.mail.webhooks.sns import Notification, Topics
from mailer.mail.webhooks.types import Malformed, ProofAway, Unproven
from tests.support.webhooks import (
    CERTIFICATE,
    CONFIRM,
    NOW,
    TOPIC,
    Amazon,
    as_json,
    certificate,
    confirmation,
    post,
    sns,
)

Read = Callable[..., Notification | None]


@pytest.fixture
def amazon() -> Amazon:
    return Amazon()


@pytest.fixture
def read(amazon: Amazon) -> Read:
    topics = Topics([TOPIC], amazon)

    def read(message: object, *, now: datetime = NOW) -> Notification | None:
        return topics.read(post(message), now=now)

    return read


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [None, "", "About\nfour lines\n\n", "на русском"])
def test_what_sns_signs_is_believed(read: Read, version: str, subject: str | None) -> None:
    said = read(sns('{"a": "ü\\n"}', version=version, Subject=subject))
    assert said == Notification("11111111-2222-3333-4444-555555555555", '{"a": "ü\\n"}')


def test_fields_that_we_do_not_know_change_nothing(read: Read) -> None:
    assert read(sns("Hello.") | {"MessageAttributes": {"x": [1]}, "New": None}) is not None


def test_a_certificate_is_fetched_once(read: Read, amazon: Amazon) -> None:
    read(sns("one"))
    read(sns("two"))
    assert amazon.fetched == [CERTIFICATE]


def changed(name: str, value: object) -> Callable[[], dict[str, Any]]:
    """A message of which a field was changed after it had been signed."""
    return lambda: sns("Hello.", Subject="S") | {name: value}


def other_bit() -> dict[str, Any]:
    message = sns("Hello.")
    raw = bytearray(b64decode(message["Signature"]))
    raw[-1] ^= 1
    return message | {"Signature": b64encode(bytes(raw)).decode()}


def subject_in_id() -> dict[str, Any]:
    """The same octets are signed, cut at another place: so it would be another event."""
    message = sns("Hello.", Subject="S")
    del message["Subject"]
    return message | {"MessageId": message["MessageId"] + "\nSubject\nS"}


FORGED = {
    "message": changed("Message", "Other."),
    "id": changed("MessageId", "22222222-2222-3333-4444-555555555555"),
    "subject": changed("Subject", "T"),
    "no subject": changed("Subject", None),
    "time": changed("Timestamp", "2026-11-30T12:00:01.000Z"),
    "type": changed("Type", "UnsubscribeConfirmation"),
    "unknown type": changed("Type", "Other"),
    "type is a list": changed("Type", ["Notification"]),
    "no signature": changed("Signature", None),
    "signature is no base64": changed("Signature", "!"),
    "signature is a number": changed("Signature", 7),
    "signature is empty": changed("Signature", ""),
    "signature of another": lambda: sns("Hello.", key="another"),
    "a bit of the signature": other_bit,
    "version": changed("SignatureVersion", "1"),
    "unknown version": changed("SignatureVersion", "3"),
    "version is a list": changed("SignatureVersion", ["2"]),
    "message is a number": lambda: sns("Hello.") | {"Message": 7},
    "message is an object": lambda: sns("Hello.") | {"Message": {}},
    "half a surrogate": lambda: sns("Hello.") | {"Message": "\ud800"},
    "cut elsewhere": subject_in_id,
    "other topic": lambda: sns("Hello.", TopicArn=TOPIC + "-other"),
    "topic is a list": lambda: sns("Hello.") | {"TopicArn": [TOPIC]},
    "no topic": lambda: sns("Hello.") | {"TopicArn": None},
    "certificate is a number": changed("SigningCertURL", 1),
    "old": lambda: sns("Hello.", now=NOW - timedelta(hours=49)),
    "of tomorrow": lambda: sns("Hello.", now=NOW + timedelta(hours=49)),
    "no time": lambda: sns("Hello.", Timestamp="yesterday"),
    "year 0": lambda: sns("Hello.", Timestamp="0000-00-00T00:00:00Z"),
    "raw": lambda: {"notificationType": "Bounce"},
    "a list": lambda: [1],
    "a text": lambda: "Hello.",
    "nothing": lambda: None,
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
def test_what_sns_did_not_sign_so_is_refused(read: Read, forged: Callable[[], object]) -> None:
    with pytest.raises(Unproven):
        read(forged())


def test_what_a_provider_retries_after_two_days_is_believed(read: Read) -> None:
    assert read(sns("Hello.", now=NOW - timedelta(hours=47))) is not None


@pytest.mark.parametrize(
    "address",
    [
        CERTIFICATE.replace("https", "http"),
        CERTIFICATE.replace(".amazonaws.com", ".amazonaws.com.example.org"),
        CERTIFICATE.replace("sns.", "sns-"),
        CERTIFICATE.replace("sns.eu-west-1", "sns.bucket"),
        CERTIFICATE.replace("https://", "https://example.org/"),
        CERTIFICATE.replace("https://", "https://u:p@"),
        CERTIFICATE.replace("https://", "https://example.org\\@"),
        CERTIFICATE.replace(".com/", ".com:8443/"),
        CERTIFICATE.replace("SimpleNotificationService-", ""),
        CERTIFICATE.replace("SimpleNotificationService-", "../x/SimpleNotificationService-"),
        CERTIFICATE + "?x",
        CERTIFICATE + "#x",
        CERTIFICATE + "\n",
        "\n" + CERTIFICATE,
        CERTIFICATE.replace("eu-west-1", "eu-wést-1"),
        "file:///etc/passwd",
        "",
    ],
)
def test_a_certificate_comes_from_amazon_alone(read: Read, amazon: Amazon, address: str) -> None:
    amazon.pages = {address: certificate()}
    with pytest.raises(Unproven):
        read(sns("Hello.", SigningCertURL=address))
    assert amazon.fetched == []


def test_a_topic_in_china_has_its_certificate_there() -> None:
    address = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem"
    topics = Topics([TOPIC], Amazon({address: certificate()}))
    assert topics.read(post(sns("Hello.", SigningCertURL=address)), now=NOW) is not None


def test_a_certificate_that_cannot_be_fetched_leaves_the_message_with_sns(read: Read, amazon: Amazon) -> None:
    page = amazon.pages.pop(CERTIFICATE)
    for _ in range(3):
        with pytest.raises(ProofAway):
            read(sns("Hello."))
    assert amazon.fetched == [CERTIFICATE]  # it is not asked for at each try
    amazon.pages[CERTIFICATE] = page


@pytest.mark.parametrize("page", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_proves_nothing(read: Read, amazon: Amazon, page: bytes) -> None:
    amazon.pages[CERTIFICATE] = page
    with pytest.raises(Unproven):
        read(sns("Hello."))


def test_a_certificate_that_has_run_out_proves_nothing(read: Read, amazon: Amazon) -> None:
    amazon.pages[CERTIFICATE] = certificate(begins=NOW - timedelta(days=30), days=29)
    with pytest.raises(Unproven):
        read(sns("Hello."))


def test_without_a_topic_nothing_is_believed(amazon: Amazon) -> None:
    with pytest.raises(Unproven):
        Topics([], amazon).read(post(sns("Hello.")), now=NOW)


def test_a_subscription_is_confirmed_where_all_is_proved(read: Read, amazon: Amazon) -> None:
    assert read(confirmation()) is None
    assert amazon.fetched == [CERTIFICATE, CONFIRM]


@pytest.mark.parametrize(
    "changes",
    [
        {"TopicArn": TOPIC + "-other"},
        {"key": "another"},
        {"now": NOW - timedelta(hours=49)},
        {"SubscribeURL": "https://example.org/?Action=ConfirmSubscription&Token=1"},
        {"SubscribeURL": CONFIRM.replace("ConfirmSubscription", "DeleteTopic")},
        {"SubscribeURL": None},
        {"Token": None},
    ],
)
def test_a_subscription_is_confirmed_only_then(read: Read, amazon: Amazon, changes: dict[str, Any]) -> None:
    with pytest.raises(Unproven):
        read(confirmation(**changes))
    assert CONFIRM not in amazon.fetched


def test_a_confirmation_that_fails_is_tried_again(read: Read, amazon: Amazon) -> None:
    del amazon.pages[CONFIRM]
    with pytest.raises(ProofAway):
        read(confirmation())


def test_the_end_of_a_subscription_is_told_to_the_log(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert read(confirmation(Type="UnsubscribeConfirmation")) is None
    assert "not to post here any more" in caplog.text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 2**20, b"1" * 2**20, b'{"a":NaN}'])
def test_what_is_no_json_is_no_message(read: Read, body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body)


def test_the_last_of_two_fields_of_one_name_is_the_signed_one(read: Read) -> None:
    message = as_json(sns("Hello."))
    assert read(b'{"Message":"Other.",' + message[1:]) == Notification("11111111-2222-3333-4444-555555555555", "Hello.")
    with pytest.raises(Unproven):
        read(message[:-1] + b',"Message":"Other."}')
