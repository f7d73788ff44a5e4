"""What is said of a message that came in, on samples of our own making."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer import links
from mailer.delivery.message_ids import MessageIds
from mailer.inbound import explaining
from mailer.inbound.addresses import OwnAddresses
from mailer.links import Link
from mailer.mail.feedback import recognition
from mailer.store.crypto import Key, Keyring
from mailer.store.models import Campaign
from tests.conftest import INDEX_KEY, LINK_KEY, SECRET_KEY

SAMPLES = Path(__file__).with_name("samples")
EXPECTED = json.loads((SAMPLES / "expected.json").read_text())["samples"]
KEYRING = Keyring(secret_keys=[SECRET_KEY], link_keys=[LINK_KEY], index_key=INDEX_KEY)
OWN = OwnAddresses(
    KEYRING, unsubscribe_address="leave+{token}@in.example.org", bounce_address="bounce+{token}@in.example.org"
)
BOUNCE = links.sign(KEYRING, Link.BOUNCE, 4711)
LEAVE = links.sign(KEYRING, Link.UNSUBSCRIBE, 42)
TOKENS = {b"@@BOUNCE:4711@@": BOUNCE.encode(), b"@@LEAVE:42@@": LEAVE.encode()}


def sample(name: str) -> bytes:
    data = (SAMPLES / name).read_bytes()
    for placeholder, token in TOKENS.items():
        data = data.replace(placeholder, token)
    return data


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("name", EXPECTED)
def test_each_sample_means_what_it_should_with_any_line_ends(name: str, line_end: bytes) -> None:
    found = explaining.as_json(recognition.read(sample(name).replace(b"\n", line_end), lookup=OWN))
    found["recipients"] = [recipient["address"] for recipient in found["recipients"]]
    expected = {key: value for key, value in EXPECTED[name].items() if key != "why"}
    assert {key: found[key] for key in expected} == expected


def test_every_sample_is_expected_and_there() -> None:
    assert {file.name for file in SAMPLES.glob("*.eml")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_without_keys_nobody_is_found_and_nothing_follows(name: str) -> None:
    stranger = Keyring(secret_keys=[SECRET_KEY], link_keys=[Key.generate()], index_key=INDEX_KEY)
    own = OwnAddresses(
        stranger, unsubscribe_address="leave+{token}@in.example.org", bounce_address="bounce+{token}@in.example.org"
    )
    found = recognition.read(sample(name), lookup=own)
    assert found.delivery is None
    assert found.subscription is None
    assert found.effect in ("none", "forward")


@pytest.mark.parametrize("name", EXPECTED)
def test_sentences_say_what_it_is_how_we_know_and_what_would_follow(name: str) -> None:
    said = list(explaining.sentences(recognition.read(sample(name), lookup=OWN), goes_on=True))
    assert len(said) >= 4
    assert all(sentence.endswith(".") for sentence in said)
    assert any(sentence.startswith("How we know: ") for sentence in said)


@pytest.mark.parametrize(
    "address",
    [
        f"bounce+{BOUNCE}@in.example.org",
        f"BOUNCE+{BOUNCE.upper()}@IN.EXAMPLE.ORG",
        f"<prvs=1234abcdef=bounce+{BOUNCE}@in.example.org>",
        f"SRS0=HHHH=TT=in.example.org=bounce+{BOUNCE}@forwarder.example.net",
    ],
)
def test_a_delivery_is_found_by_its_envelope_sender_however_it_is_wrapped(address: str) -> None:
    assert OWN.delivery(address) == 4711
    assert OWN.subscription(address) is None


def test_a_token_for_leaving_is_nobodys_bounce_and_the_other_way_round() -> None:
    assert OWN.delivery(f"bounce+{LEAVE}@in.example.org") is None
    assert OWN.subscription(f"leave+{BOUNCE}@in.example.org") is None
    assert OWN.is_to_leave(f"leave+{BOUNCE}@in.example.org")


def test_a_delivery_is_found_by_its_message_id() -> None:
    campaign = Campaign(salt=b"x", message_key=LINK_KEY.id)
    message_id = MessageIds(KEYRING, campaign, domain="example.org").make(4711)
    assert OWN.message(f"Message-ID: <{message_id}>") == 4711
    assert OWN.message(f"Message-ID: <{'0' * 32}@example.org>") is None


def report(*recipients: str, to: str = "ana@example.net") -> bytes:
    """A status report that came back to delivery 4711, about some addresses that do not exist."""
    blocks = "\n".join(
        f"Final-Recipient: rfc822; {each}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 no such user\n"
        for each in recipients
    )
    return (
        f"Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net\nTo: bounce+{BOUNCE}@in.example.org\nSubject: failure\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n{blocks}\n"
        f"--b\nContent-Type: text/rfc822-headers\n\nFrom: alerts@example.org\nTo: {to}\n\n--b--\n"
    ).encode()


def test_what_a_report_says_of_others_does_nothing_to_the_delivery() -> None:
    found = recognition.read(report("ben@example.com", "eva@example.com"), lookup=OWN)
    assert (found.kind, found.delivery, found.effect) == ("bounce", 4711, "none")


def test_the_only_recipient_of_a_report_is_the_deliverys_whatever_it_is_called() -> None:
    found = recognition.read(report("ana.example@mailstore.example.net"), lookup=OWN)
    assert (found.delivery, found.effect) == (4711, "suppress")


@pytest.mark.parametrize("token", ["0" * 40, LEAVE, BOUNCE[:-1] + ("0" if BOUNCE[-1] != "0" else "1")])
def test_a_report_without_a_token_of_ours_acts_on_nobody(token: str) -> None:
    found = recognition.read(report("ana@example.net").replace(BOUNCE.encode(), token.encode()), lookup=OWN)
    assert (found.kind, found.delivery, found.identified_by, found.effect) == ("bounce", None, "none", "none")


@given(st.binary(max_size=300), st.text(max_size=30))
def test_whatever_comes_in_can_be_said_in_json_and_in_sentences(data: bytes, subject: str) -> None:
    head = f"From: MAILER-DAEMON\nSubject: {subject}\nContent-Type: text/plain; charset=utf-16\n\n<ana@example.net>:\n"
    for message in (data, head.encode() + data):
        found = recognition.read(message, lookup=OWN)
        json.dumps(explaining.as_json(found), ensure_ascii=False).encode()
        "\n".join(explaining.sentences(found, goes_on=False)).encode()
