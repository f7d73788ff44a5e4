"""Debian's Postfix hands mail over to the listener, as the docs set it up. Run by `make test-servers`."""

import os
import shutil
import smtplib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.mail.smtp import Place
from mailer.mail.smtp_taking import LARGEST_MESSAGE, Dialect
from mailer.store.db import session_scope
from mailer.store.models import MailEvent, Suppression
from tests.acceptance.test_listener import BOUNCE, Listening, listening, returned
from tests.support.certificates import make_certificates
from tests.support.debian import program
from tests.support.listening import Listener
from tests.support.postfix import MAIL_USER, Postfix, running_postfix
from tests.support.waiting import wait_for, wait_until

pytestmark = pytest.mark.servers
__all__ = ["listening", "returned"]  # fixtures

Start = Callable[..., AbstractContextManager[Postfix]]


@pytest.fixture
def directory() -> Iterator[Path]:
    """One that Postfix, which is not root for long, may look into."""
    folder = Path(tempfile.mkdtemp(prefix="postfix-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start(directory: Path) -> Start:
    """Starts a Postfix that hands mail to in.example.org over; it knows no addresses there, and tries again soon."""
    if os.geteuid() != 0:
        pytest.skip("only root can start Postfix")
    own = directory / "own"
    own.mkdir()
    return partial(
        running_postfix,
        program("postfix", package="postfix"),
        own,
        make_certificates(directory),
        smtpd_tls_security_level="none",
        relay_domains="in.example.org",
        queue_run_delay="1s",
        minimal_backoff_time="1s",
        maximal_backoff_time="1s",
    )


def send(relay: Postfix, sender: str, *recipients: str, message: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=60) as connection:
        assert connection.sendmail(sender, recipients, message) == {}


def test_a_bounce_that_postfix_hands_over_acts_once(
    listening: Listening, engine: Engine, returned: str, start: Start
) -> None:
    listening.start()
    with start(transport_maps=f"inline:{{ {{in.example.org = lmtp:inet:127.0.0.1:{listening.port}}} }}") as relay:
        send(relay, "", returned, message=BOUNCE)
        wait_until(lambda: "dsn=2.0.0, status=sent (250 2.0.0 Taken as " in relay.log.read_text())
        with session_scope(engine, read_only=True) as session:
            assert [(event.kind, event.effect) for event in session.scalars(select(MailEvent))] == [
                (Kind.BOUNCE, Effect.SUPPRESS)
            ]
            assert [each.category for each in session.scalars(select(Suppression))] == [Category.NO_MAILBOX]
        listening.kill()
        send(relay, "", returned, message=BOUNCE.replace(b"5.1.1", b"5.2.2"))  # it waits for the listener
        wait_until(lambda: "Connection refused" in relay.log.read_text())
    assert "@" not in listening.said()


def test_what_is_not_ours_or_too_large_is_not_sent_back_to_a_stranger(start: Start, tmp_path: Path) -> None:
    listener = Listener(tmp_path, {Dialect.LMTP: Place()})
    place = listener.places[Dialect.LMTP]
    to_us = f"inline:{{ {{in.example.org = lmtp:inet:{place}}} {{example.net = lmtp:inet:{place}}} }}"
    try:
        with start(relay_domains="in.example.org, example.net", transport_maps=to_us, message_size_limit="0") as relay:
            send(relay, "alerts@example.org", "nobody@example.net", message=b"Subject: hello\r\n\r\nhello\r\n")
            large = b"Subject: large\r\n\r\n" + (b"x" * 900 + b"\r\n") * (LARGEST_MESSAGE // 900)
            send(relay, "alerts@example.org", "ana@in.example.org", message=large)
            wait_until(lambda: relay.log.read_text().count(": removed") == 2)
            log = relay.log.read_text()
            assert log.count("status=sent (250 2.0.0 Dropped as ") == 2
            assert "non-delivery" not in log
    finally:
        assert listener.stop() == 0
    assert listener.taken() == []


def test_of_two_recipients_the_one_that_fails_for_now_is_tried_again_alone(start: Start, tmp_path: Path) -> None:
    (tmp_path / "later").touch()
    with start(transport_maps="inline:{ {in.example.org = lmtp:unix:tocsin/lmtp} }") as relay:
        folder = relay.queue / "tocsin"
        folder.mkdir()
        shutil.chown(folder, group=MAIL_USER)
        folder.chmod(0o2750)
        listener = Listener(tmp_path, {Dialect.LMTP: Place(path=folder / "lmtp")})
        try:
            recipients = ["ana@in.example.org", "later@in.example.org"]
            send(relay, "mx@example.net", *recipients, message=b"Subject: two\r\n\r\n.two\r\n")
            wait_until(lambda: "status=deferred (host" in relay.log.read_text())
            assert [each.recipient for each in listener.taken()] == recipients[:1]
            (tmp_path / "later").unlink()
            wait_for(lambda: listener.taken()[1:] or None)
            wait_until(lambda: relay.log.read_text().count("status=sent (250 2.0.0 Taken as ") == 2)
        finally:
            assert listener.stop() == 0
    assert [each.recipient for each in listener.taken()] == recipients
    assert all(each.message.endswith(b"\r\n\r\n.two\r\n") for each in listener.taken())
