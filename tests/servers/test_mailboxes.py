"""What comes back, fetched from a mailbox of Debian's Dovecot by the command itself. Run by `make test-servers`."""

import json
import multiprocessing
import os
import signal
import ssl
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer import links
from mailer.cli import main
from mailer.links import Link
from mailer.mail.feedback.types import Effect, Kind
from mailer.mail.mailboxes.imap_session import Session as ImapSession
from mailer.store.crypto import Keyring
from mailer.store.db import session_scope
from mailer.store.models import DeliveryState, MailEvent
from tests.conftest import CommandLine
from tests.inbound.test_receiving import report
from tests.servers import dovecot
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.support.certificates import make_certificates
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber
from tests.support.token_server import issuing, json_answer

LETTER = b"From: eva@example.net\r\nSubject: Lunch\r\n\r\nOn Friday?\r\n"

pytestmark = [
    pytest.mark.servers,
    pytest.mark.usefixtures("kept_logging", "kept_signals"),
    pytest.mark.parametrize("backend", ["sqlite"], indirect=True),
]


@pytest.fixture
def where() -> Iterator[Path]:
    """Where users of Dovecot's may go too: each run of pytest closes its folders, and ours."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def bounce(session: Session, keyring: Keyring) -> Callable[[], bytes]:
    """Makes bounces, each of a mail of its own."""
    mailing_list = make_list(session)
    campaign = make_campaign(session, mailing_list)
    session.commit()
    numbers = count()

    def make() -> bytes:
        email = f"p{next(numbers)}@example.net"
        mail = deliver(session, campaign, make_subscriber(session, mailing_list, email=email), DeliveryState.SENT)
        session.commit()
        return report(links.sign(keyring, Link.BOUNCE, mail.id), to=email).replace(b"\n", b"\r\n")

    return make


@pytest.fixture
def installed(cli: CommandLine, tmp_path: Path) -> Callable[[Dovecot], CommandLine]:
    """Sets up an installation that fetches from a mailbox."""

    def install(mailbox: Dovecot, **more: str) -> CommandLine:
        password = tmp_path / "password"
        password.write_text(PASSWORD + "\n")
        password.chmod(0o600)
        cli.environment |= {
            "MAILER_BOUNCE_ADDRESS": "bounce+{token}@in.example.org",
            "MAILER_INBOUND_URL": mailbox.url,
            "MAILER_INBOUND_PASSWORD_FILE": str(password),
            "SSL_CERT_FILE": str(mailbox.certificates.authority),
            **more,
        }
        return cli

    return install


def rounds(result: Result) -> list[tuple[int, int]]:
    said = map(json.loads, result.stderr.splitlines())
    return [(each["handled"], each["left"]) for each in said if each["message"] == "looked at a mailbox"]


Install = Callable[..., CommandLine]


@pytest.mark.parametrize("prefix", ["", "INBOX."])
@pytest.mark.parametrize("handled", ["keep", "delete"])
def test_what_is_ours_leaves_the_inbox_and_what_is_somebodys_stays_unread(
    engine: Engine,
    bounce: Callable[[], bytes],
    installed: Install,
    where: Path,
    prefix: str,
    handled: str,
) -> None:
    with dovecot.running(where, prefix=prefix) as mailbox:
        cli = installed(mailbox, MAILER_INBOUND_HANDLED=handled)
        mailbox.deliver(*(bounce() for _ in range(25)), LETTER)
        mailbox.deliver(b"Subject: thrown away\r\n\r\n", flags="\\Deleted")
        assert rounds(cli("inbound", "fetch", "--once")) == [(25, 2)]
        assert mailbox.holds("INBOX") == [b"", b"\\Deleted"]
        assert mailbox.holds(f"{prefix}Tocsin") == [b"\\Seen"] * (25 if handled == "keep" else 0)
        mailbox.deliver(bounce())
        assert rounds(cli("inbound", "fetch", "--once")) == [(1, 0)]
        assert rounds(cli("inbound", "fetch", "--once")) == []
    with session_scope(engine) as session:
        assert set(session.scalars(select(MailEvent.effect))) == {Effect.SUPPRESS}


def test_killed_between_saving_and_moving_it_loses_nothing_and_doubles_nothing(
    engine: Engine, bounce: Callable[[], bytes], installed: Install, tmp_path: Path, where: Path
) -> None:
    with dovecot.running(where) as mailbox:
        environment = installed(mailbox).environment
        mailbox.deliver(bounce(), bounce())
        for point, waits in (("begin", 2), ("end", 0), (None, 0)):
            process = multiprocessing.get_context("spawn").Process(target=_fetch, args=(environment, tmp_path, point))
            process.start()
            process.join(60)
            assert process.exitcode == (-signal.SIGKILL if point else 0)
            assert len(mailbox.holds("INBOX")) == waits
        assert len(mailbox.holds("Tocsin")) == 2
    with session_scope(engine) as session:
        events = [(event.kind, event.effect) for event in session.scalars(select(MailEvent))]
        assert events == [(Kind.BOUNCE, Effect.SUPPRESS)] * 2


def _fetch(environment: dict[str, str], folder: Path, dies_at: str | None) -> None:
    """Fetch once, and be killed right before or after messages are moved."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    move = ImapSession.move

    def dies(self: ImapSession, uids: list[int], name: str) -> None:
        if dies_at == "end":
            move(self, uids, name)
        os.kill(os.getpid(), signal.SIGKILL)

    if dies_at is not None:
        ImapSession.move = dies  # type: ignore[assignment,method-assign]  # in this process alone
    main(["inbound", "fetch", "--once"], prog_name="mailer")


def test_a_wrong_password_and_a_wrong_folder_are_said(installed: Install, tmp_path: Path, where: Path) -> None:
    with dovecot.running(where) as mailbox:
        cli = installed(mailbox)
        cli.environment["MAILER_INBOUND_URL"] = mailbox.url.replace("INBOX", "Bounces")
        said = cli("inbound", "fetch", "--once", exit_code=3).stderr
        assert "Mailbox doesn't exist: Bounces" in said
        (tmp_path / "password").write_text("wrong")
        said = cli("inbound", "fetch", "--once", exit_code=3).stderr
        assert "[AUTHENTICATIONFAILED]" in said
        assert "bounces@" not in said


def test_a_token_opens_it_and_one_that_dovecot_does_not_take_is_said(
    bounce: Callable[[], bytes], installed: Install, tmp_path: Path, where: Path
) -> None:
    """Dovecot asks the issuer whose token it is."""
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("hush")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(make_certificates(tmp_path).server)
    with issuing(context) as issuer, issuing(None) as whose:
        whose.answer = lambda asked: (
            json_answer(email=USER) if asked["access_token"] == "token-2" else json_answer(400, error="invalid_token")
        )
        oauth2 = where / "oauth2.conf"
        oauth2.write_text(
            f"tokeninfo_url = http://127.0.0.1:{whose.port}/?access_token=\n"
            "introspection_mode = auth\nusername_attribute = email\n"
        )
        passdb = f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2\n  args = {oauth2}\n}}\n"
        with dovecot.running(where, passdb=passdb, mechanisms="xoauth2") as mailbox:
            trusted = tmp_path / "trusted.pem"
            trusted.write_bytes(mailbox.certificates.authority.read_bytes() + (tmp_path / "authority.pem").read_bytes())
            cli = installed(
                mailbox,
                MAILER_INBOUND_URL=f"{mailbox.url}?auth=xoauth2",
                MAILER_OAUTH_TOKEN_URL=issuer.url,
                MAILER_OAUTH_CLIENT_ID="tocsin",
                MAILER_OAUTH_CLIENT_SECRET_FILE=str(secret),
                SSL_CERT_FILE=str(trusted),
            )
            mailbox.deliver(bounce(), LETTER)
            said = cli("inbound", "fetch", "--once", exit_code=3).stderr
            assert "the server says" in said
            assert "token-1" not in said
            assert rounds(cli("inbound", "fetch", "--once")) == [(1, 1)]
            assert len(issuer.asked) == 2
