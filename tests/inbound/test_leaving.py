"""Mail that comes in is understood, whatever it is: only a person's own wish takes them off a list."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer import links
from mailer.inbound import receiving
from mailer.inbound.addresses import OwnAddresses
from mailer.links import Link
from mailer.mail.feedback.types import Kind
from mailer.store.crypto import Key, Keyring
from tests.conftest import INDEX_KEY, LINK_KEY, SECRET_KEY

KEYRING = Keyring(secret_keys=[SECRET_KEY], link_keys=[LINK_KEY], index_key=INDEX_KEY)
TOKEN = links.sign(KEYRING, Link.UNSUBSCRIBE, 7)
BOUNCE = links.sign(KEYRING, Link.BOUNCE, 7)
LEAVE = (Kind.UNSUBSCRIBE, 7)


def message(*headers: str) -> bytes:
    """One to the unsubscribe address, as a mail program writes it, with some headers more."""
    standard = [
        "Return-Path: <ana@example.net>",
        "From: Ana Example <ana@example.net>",
        "Date: Sun, 1 Mar 2026 12:00:00 +0000",
    ]
    return "\r\n".join([*standard, *headers, "", "Please take me off.", ""]).encode()


def read(
    data: bytes, *, recipient: str | None = None, sender: str | None = None, keyring: Keyring = KEYRING
) -> tuple[Kind, int | None]:
    """What a message is, and which subscription it ends."""
    own = OwnAddresses(
        keyring, unsubscribe_address="leave+{token}@example.org", bounce_address="bounce+{token}@example.org"
    )
    found = receiving.recognise(data, addresses=own, recipient=recipient, sender=sender)
    return found.kind, found.subscription


@pytest.mark.parametrize(
    "address",
    [
        f"leave+{TOKEN}@example.org",
        f"LEAVE+{TOKEN.upper()}@Example.ORG",
        f"<leave+{TOKEN}@example.org>",
        f'"Leave" <leave+{TOKEN}@example.org>',
    ],
)
def test_a_mail_to_the_unsubscribe_address_leaves_however_it_is_written(address: str) -> None:
    assert read(message(), recipient=address) == LEAVE
    for header in ("To", "Delivered-To", "X-Original-To", "Envelope-To"):
        assert read(message(f"{header}: {address}")) == LEAVE


def test_the_address_is_found_among_others_and_in_folded_headers() -> None:
    assert read(message(f"To: office@example.org,\r\n Leave\r\n <leave+{TOKEN}@example.org>")) == LEAVE
    assert read(message(f"To: leave+{TOKEN}@example.org, office@example.org")) == LEAVE
    forwarded = message(f"X-Original-To: leave+{TOKEN}@example.org")
    assert read(forwarded, recipient="tocsin@mail.example.org") == LEAVE


def test_the_envelope_goes_before_what_the_headers_say() -> None:
    other = links.sign(KEYRING, Link.UNSUBSCRIBE, 8)
    assert read(message(f"To: leave+{other}@example.org"), recipient=f"leave+{TOKEN}@example.org") == LEAVE


@pytest.mark.parametrize(
    "address",
    [
        "leave@example.org",
        f"{TOKEN}@example.org",
        f"leave+{TOKEN[:-1]}@example.org",
        f"leave+{TOKEN}0@example.org",
        f"leave+{TOKEN}@example.org.example.net",
        f"please-leave+{TOKEN}@example.org",
        f"leave+{TOKEN}@example.net",
        f"leave%2B{TOKEN}@example.org",
    ],
)
def test_another_address_is_no_wish_to_leave(address: str) -> None:
    assert read(message(f"To: {address}")) == (Kind.REPLY, None)


def test_the_dots_of_the_setting_are_dots() -> None:
    assert read(message(f"To: leave+{TOKEN}@exampleXorg")) == (Kind.REPLY, None)


@pytest.mark.parametrize("token", ["0" * 40, BOUNCE, TOKEN[:-1] + ("0" if TOKEN[-1] != "0" else "1")])
def test_a_token_that_we_did_not_sign_for_this_is_forged(token: str) -> None:
    assert read(message(f"To: leave+{token}@example.org")) == (Kind.FORGED, None)


def test_a_link_key_that_was_rotated_still_verifies() -> None:
    rotated = Keyring(secret_keys=[SECRET_KEY], link_keys=[Key.generate(), LINK_KEY], index_key=INDEX_KEY)
    assert read(message(f"To: leave+{TOKEN}@example.org"), keyring=rotated) == LEAVE


_AUTO_SUBMITTED = [
    "Auto-Submitted: auto-replied",
    "Auto-Submitted: Auto-Replied; owner-email=ana@example.net",
    "Auto-Submitted: auto-replied (vacation)",
    "Auto-Submitted: auto-notified",
]


@pytest.mark.parametrize("header", ["Precedence: bulk", "Precedence: JUNK", "Precedence: list"])
def test_mail_that_goes_to_many_leaves_nothing(header: str) -> None:
    kind, subscription = read(message(f"To: leave+{TOKEN}@example.org", header))
    assert kind in (Kind.AUTO_REPLY, Kind.OTHER)
    assert subscription is None


@pytest.mark.parametrize(
    "header",
    [
        *_AUTO_SUBMITTED,
        "Auto-Submitted: no",
        "Auto-Submitted: auto-generated",
        "Precedence: first-class",
        "X-Auto-Response-Suppress: All",
    ],
)
def test_what_a_mail_program_writes_for_its_user_leaves(header: str) -> None:
    assert read(message(f"To: leave+{TOKEN}@example.org", header)) == LEAVE


@pytest.mark.parametrize("header", _AUTO_SUBMITTED)
@pytest.mark.parametrize("to", ["office@example.org", f"bounce+{BOUNCE}@example.org"])
def test_an_answer_that_nobody_wrote_is_known_as_one(header: str, to: str) -> None:
    assert read(message(f"To: {to}", header)) == (Kind.AUTO_REPLY, None)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r"])
def test_the_unsubscribe_button_of_apples_mail_leaves(line_end: bytes) -> None:
    """Its mail has these headers and this kind of text."""
    lines = [
        "Return-Path: <ana@example.net>",
        f"Delivered-To: leave+{TOKEN}@example.org",
        "From: Ana Example <ana@example.net>",
        f"To: leave+{TOKEN}@example.org",
        "Subject: unsubscribe",
        "Date: Sun, 1 Mar 2026 12:00:00 +0000",
        "Message-ID: <a1@example.net>",
        "Auto-Submitted: auto-replied",
        "X-Apple-Unsubscribe: true",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "",
        "A mail program wrote this because its user pressed a button.",
        "",
    ]
    data = line_end.join(line.encode() for line in lines)
    assert read(data) == LEAVE
    assert read(data, sender="ana@example.net") == LEAVE
    assert read(data, sender="") == (Kind.AUTO_REPLY, None)


def test_a_token_that_is_ours_counts_beside_others_that_are_not() -> None:
    forged = f"leave+{'0' * 40}@example.org"
    assert read(message(f"To: {forged}, leave+{TOKEN}@example.org")) == LEAVE
    assert read(message(f"To: leave+{TOKEN}@example.org"), recipient=forged) == LEAVE


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "<>",
        "< >",
        '""',
        "MAILER-DAEMON",
        "<MAILER-DAEMON>",
        '"MAILER-DAEMON"',
        "mailer-daemon@mx.example.net",
        "<MAILER-DAEMON@mx.example.net>",
        '<"MAILER-DAEMON"@mx.example.net>',
    ],
)
def test_mail_without_a_sender_leaves_nothing(sender: str) -> None:
    to_us = f"leave+{TOKEN}@example.org"
    assert read(message(), recipient=to_us, sender=sender) == (Kind.AUTO_REPLY, None)
    data = message(f"To: {to_us}").replace(b"<ana@example.net>\r\nFrom", f"{sender}\r\nFrom".encode())
    assert read(data) == (Kind.AUTO_REPLY, None)
    assert read(data, sender="ana@example.net") == LEAVE


def test_a_report_of_a_mail_server_leaves_nothing() -> None:
    report = 'Content-Type: multipart/report; report-type=delivery-status; boundary="x"'
    kind, subscription = read(message(report, f"To: leave+{TOKEN}@example.org"))
    assert (kind is not Kind.UNSUBSCRIBE, subscription) == (True, None)
    fields = b"--x\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; a@b.example\r\n"
    mixed = message('Content-Type: multipart/mixed;boundary="x"', f"To: leave+{TOKEN}@example.org") + fields
    assert read(mixed + b"Action: failed\r\nStatus: 5.1.1\r\n--x--\r\n", sender="") == (Kind.BOUNCE, None)


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\x00\xff\xfe", b"just some words\r\n", b"\r\n" * 1000])
def test_what_is_no_message_is_unreadable(data: bytes) -> None:
    assert read(data, recipient=f"leave+{TOKEN}@example.org") == (Kind.UNREADABLE, None)


def test_a_message_may_begin_as_in_a_mailbox_file() -> None:
    data = b"From ana@example.net Sun Mar  1 12:00:00 2026\n" + message(f"To: leave+{TOKEN}@example.org")
    assert read(data) == LEAVE


_HEADERS = st.sampled_from(
    [b"To", b"Delivered-To", b"Auto-Submitted", b"Precedence", b"Return-Path", b"Content-Type", b"X", b"\xff", b""]
)
_LINES = st.lists(st.tuples(_HEADERS, st.binary(max_size=60)), max_size=6)


@given(st.binary(max_size=400))
@example(b"To: =?utf-8?q?=ff?= <\xff\xfe>\nContent-Type: multipart/report\xff; x*=''\xff\n\n")
def test_no_bytes_are_too_strange(data: bytes) -> None:
    assert read(data)[0] in Kind


@given(_LINES, st.text(), st.text())
def test_no_headers_and_no_envelope_are_too_strange(
    lines: list[tuple[bytes, bytes]], recipient: str, sender: str
) -> None:
    data = b"".join(name + b": " + value + b"\n" for name, value in lines)
    found = read(data, recipient=recipient, sender=sender)
    assert found[0] is not Kind.UNSUBSCRIBE


@pytest.mark.parametrize(
    "piece",
    [b"To: a@example.org\n", b" (((((", b"To: \xff\xfe\n ", b"leave+", b"\n", b"Content-Type: a;", b"To: a\r"],
)
def test_a_message_made_to_take_long_does_not(piece: bytes) -> None:
    data = (b"To: " + piece * (receiving.MAX_BYTES // len(piece)))[: receiving.MAX_BYTES]
    began = time.process_time()
    read(data)
    assert time.process_time() - began < 5
