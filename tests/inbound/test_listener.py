"""What the listener takes: mail to our own addresses, by their form; it goes the way of all that comes in."""

from functools import partial

import pytest
from sqlalchemy import Engine, select

from mailer.inbound.addresses import OwnAddresses
from mailer.inbound.listener import Letterbox
from mailer.mail.feedback.types import Kind
from mailer.mail.smtp_taking import Dialect
from mailer.store.crypto import Keyring
from mailer.store.db import session_scope
from mailer.store.models import MailEventCount
from tests.conftest import INDEX_KEY, LINK_KEY, SECRET_KEY

KEYRING = Keyring(secret_keys=[SECRET_KEY], link_keys=[LINK_KEY], index_key=INDEX_KEY)
TOKEN = "0123456789" * 4
LEAVE, BOUNCE = "leave+{token}@in.example.org", "bounce+{token}@in.example.org"


def own(unsubscribe: str | None = LEAVE, bounce: str | None = BOUNCE) -> OwnAddresses:
    return OwnAddresses(KEYRING, unsubscribe_address=unsubscribe, bounce_address=bounce)


@pytest.mark.parametrize(
    "recipient",
    [
        f"leave+{TOKEN}@in.example.org",
        f"BOUNCE+{'A' * 40}@IN.example.org",
        f"prvs=1234abcdef=bounce+{TOKEN}@in.example.org",
        "bounce@in.example.org",
    ],
)
def test_our_own_addresses_are_expected(recipient: str) -> None:
    assert own().are_asked_for(recipient)


@pytest.mark.parametrize(
    "recipient",
    [
        "leave@in.example.org",
        f"leave+{TOKEN}0@in.example.org",
        f"leave+{TOKEN}@example.net",
        f"leave+{TOKEN}@in.example.org.example.net",
        f"x leave+{TOKEN}@in.example.org",
        f"leave+{TOKEN}@in.example.org@example.net",
        f"x=bounce+{TOKEN}@in.example.org",
        f"bounce+{TOKEN}@inxexample.org",
        "alerts@example.org",
        "postmaster@in.example.org",
        "@in.example.org",
        "",
    ],
)
def test_nobody_else_is(recipient: str) -> None:
    assert not own().are_asked_for(recipient)


def test_an_address_without_a_token_is_ours_only_as_that_of_bounces() -> None:
    plain = own("leave@in.example.org", "bounces@in.example.org")
    assert plain.any
    assert plain.are_asked_for("Bounces@in.example.org")
    assert not plain.are_asked_for("leave@in.example.org")
    assert not own("leave@in.example.org", None).any
    assert not own(None, None).any
    assert not own(None, "{token}@in.example.org").are_asked_for("@in.example.org")
    assert own(None, "{token}@in.example.org").are_asked_for(f"{TOKEN}@in.example.org")


@pytest.mark.parametrize("dialect", Dialect)
def test_what_has_a_forged_token_is_taken_and_comes_to_nothing(
    engine: Engine, keyring: Keyring, dialect: Dialect
) -> None:
    addresses = OwnAddresses(keyring, unsubscribe_address=LEAVE, bounce_address=BOUNCE)
    letterbox = Letterbox(partial(session_scope, engine), addresses)
    recipient = f"leave+{TOKEN}@in.example.org"
    assert letterbox.expects(recipient)
    message = f"From: eve@example.net\r\nTo: {recipient}\r\n\r\n".encode()
    letterbox.take(message, recipient=recipient, sender="eve@example.net", dialect=dialect)
    with session_scope(engine, read_only=True) as session:
        assert [row.kind for row in session.scalars(select(MailEventCount))] == [Kind.FORGED]
