"""`mailer inbound try` says whether mail to our own addresses comes in."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from sqlalchemy import Engine, func, select

from mailer.inbound import receiving
from mailer.inbound.acting import Source
from mailer.inbound.addresses import OwnAddresses
from mailer.store.crypto import Keyring, keyring_of
from mailer.store.db import session_scope
from mailer.store.models import MailEvent, MailEventCount
from tests.conftest import CommandLine
from tests.support.mail_server import MailServer
from tests.support.waiting import LONG

BOUNCE, LEAVE = "bounce+{token}@in.example.org", "leave+{token}@in.example.org"


@pytest.fixture
def tried(cli: CommandLine, server: MailServer) -> CommandLine:
    cli.environment |= {
        "MAILER_SMTP_URL": server.url,
        "MAILER_BOUNCE_ADDRESS": BOUNCE,
        "MAILER_UNSUBSCRIBE_ADDRESS": LEAVE,
    }
    return cli


@contextmanager
def handed_over(server: MailServer, engine: Engine, keyring: Keyring) -> Iterator[None]:
    """What the mail server takes comes in, until the end of the block."""
    addresses = OwnAddresses(keyring, unsubscribe_address=LEAVE, bounce_address=BOUNCE)
    is_over = threading.Event()

    def hand_over() -> None:
        given = 0
        while not is_over.wait(0.05):
            for mail in server.received[given:]:
                receiving.receive(
                    partial(session_scope, engine), mail.data, addresses=addresses, source=Source.LMTP,
                    recipient=mail.recipient, sender=mail.sender,
                )  # fmt: skip
                given += 1

    thread = threading.Thread(target=hand_over)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(LONG)


def nothing_is_kept(engine: Engine) -> bool:
    with session_scope(engine, read_only=True) as session:
        return not any(session.scalar(select(func.count()).select_from(table)) for table in (MailEvent, MailEventCount))


def test_what_comes_in_is_seen_and_leaves_nothing_behind(
    tried: CommandLine, server: MailServer, engine: Engine, keyring: Keyring
) -> None:
    with handed_over(server, engine, keyring):
        said = tried("inbound", "try", "--wait", str(LONG)).stdout
    assert [line.split(" within ")[0] for line in said.splitlines() if "came in" in line] == [
        "MAILER_BOUNCE_ADDRESS: it came in",
        "MAILER_UNSUBSCRIBE_ADDRESS: it came in",
    ]
    assert said.count("by lmtp.") == 2
    assert [mail.recipient.partition("+")[0] for mail in server.received] == ["bounce", "leave"]
    assert nothing_is_kept(engine)


def test_what_does_not_come_in_is_said(tried: CommandLine, server: MailServer) -> None:
    del tried.environment["MAILER_UNSUBSCRIBE_ADDRESS"]
    done = tried("inbound", "try", "--wait", "1", exit_code=1)
    assert "MAILER_BOUNCE_ADDRESS: it did not come in within 1 s." in done.stderr
    assert "MAILER_UNSUBSCRIBE_ADDRESS is not set: not tried." in done.stdout
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda environment: environment.pop("MAILER_SMTP_URL"), "MAILER_SMTP_URL"),
        (lambda environment: [environment.pop(f"MAILER_{name}_ADDRESS") for name in ("BOUNCE", "UNSUBSCRIBE")],
         "MAILER_BOUNCE_ADDRESS: is not set"),
    ],
    ids=["mail server", "addresses"],
)  # fmt: skip
def test_without_what_it_needs_nothing_is_tried(
    tried: CommandLine, change: Callable[[dict[str, str]], object], says: str
) -> None:
    change(tried.environment)
    assert says in tried("inbound", "try", exit_code=1).stderr


def test_a_mail_server_that_does_not_take_it_is_quoted(tried: CommandLine, server: MailServer) -> None:
    server.behaviour.rcpt = lambda _: "554 5.7.1 relaying denied"
    done = tried("inbound", "try", exit_code=1)
    assert "554" in done.stderr
    assert "relaying denied" in done.stderr


def test_a_try_that_nobody_signed_is_nothing(engine: Engine) -> None:
    with session_scope(engine) as session:
        keyring = keyring_of(session)
    addresses = OwnAddresses(keyring, unsubscribe_address=LEAVE, bounce_address=BOUNCE)
    message = b"From: eva@example.net\nX-Tocsin-Try: " + b"0" * 40 + b"\n\nhello\n"
    receiving.receive(partial(session_scope, engine), message, addresses=addresses, source=Source.PIPE)
    with session_scope(engine, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(MailEvent)) == 0
