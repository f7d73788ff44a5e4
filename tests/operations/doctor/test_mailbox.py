"""The mailbox is opened as `mailer inbound fetch` opens it, and nothing in it is read or changed."""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.mail.mailboxes.imap_login import Bearer, Password
from mailer.mail.mailboxes.types import ImapFolder, MaildirFolder
from mailer.mail.oauth import Client, Tokens
from mailer.operations.doctor import mailbox
from mailer.operations.doctor.rounds import Seen
from tests.support.certificates import Certificates, make_certificates
from tests.support.imap_server import Behaviour, ImapServer, running
from tests.support.maildirs import SomeMaildir


def codes(seen: Seen) -> list[tuple[str, str]]:
    return [(finding.level.value, finding.code) for finding in seen.findings]


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    """Which this machine trusts."""
    made = make_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    return made


@pytest.fixture
def server(certificates: Certificates) -> Iterator[ImapServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server)
    with running(Behaviour(), context) as state:
        state.inbox.add(b"x")
        yield state


def look(server: ImapServer, *, password: str = "right", folder: str = "INBOX", port: int = 0) -> Seen:
    place = ImapFolder("127.0.0.1", "box@example.org", port or server.port, folder)
    return mailbox.look((place, Password(password)))


def test_a_good_one_is_described_and_not_touched(server: ImapServer) -> None:
    seen = look(server)
    assert codes(seen) == []
    assert "log-in taken, 1 messages in it" in seen.says
    assert {command.split()[0] for command in server.commands} == {"CAPABILITY", "AUTHENTICATE", "EXAMINE", "LOGOUT"}


def test_what_is_amiss_has_a_code_and_names_nobody(server: ImapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        "mailbox-login": look(server, password="wrong"),
        "mailbox-folder": look(server, folder="Bounces"),
        "mailbox-away": look(server, port=1),
    }
    monkeypatch.delenv("SSL_CERT_FILE")
    found["mailbox-certificate"] = look(server)
    for code, seen in found.items():
        assert codes(seen) == [("error", code)]
        assert "box@" not in str(seen)


def test_a_server_that_can_only_mark_messages_is_warned_of(server: ImapServer) -> None:
    server.behaviour.capabilities = ("IMAP4rev1", "AUTH=PLAIN")
    seen = look(server)
    assert codes(seen) == [("warning", "mailbox-expunge")]
    assert "log-in taken" in seen.says


def test_that_nobody_issues_a_token_is_told_from_a_server_that_is_away(server: ImapServer) -> None:
    place = ImapFolder("127.0.0.1", "box@example.org", server.port, by_token=True)
    seen = mailbox.look((place, Bearer(Tokens(Client("https://127.0.0.1:1/token", "tocsin", secret="x")))))
    assert codes(seen) == [("error", "mailbox-token")]
    assert server.commands == []


def test_a_maildir_must_be_there_and_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = SomeMaildir(tmp_path / "box")
    some.deliver(b"x")
    place = MaildirFolder(some.folder)
    assert "with 1 new messages" in mailbox.look(place).says
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    assert codes(mailbox.look(place)) == [("error", "mailbox-full")]
    assert codes(mailbox.look(MaildirFolder(tmp_path / "nowhere"))) == [("error", "mailbox-folder")]
