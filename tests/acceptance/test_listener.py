"""The listener as a process of its own: whatever happens to it, each message acts once, and none is lost."""

import json
import smtplib
import socket
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from mailer import links
from mailer.links import Link
from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.store.crypto import Keyring
from mailer.store.db import session_scope, utcnow
from mailer.store.models import DeliveryState, MailEvent, Subscription, SubscriptionStatus, Suppression
from tests.acceptance import dying, mortal_listener
from tests.acceptance.dying import BEFORE_COMMIT, COMMITTED, POINTS, WRITTEN
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber, subscribe
from tests.support.waiting import LONG, wait_for

ANA, BEA = "ana@example.net", "bea@example.net"


class Listening:
    """`mailer inbound listen`, started again as often as it dies, and two people whom it may hear of."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment, self._folder = environment, folder
        self._log = folder / "listener.log"
        self.process: ForkServerProcess | None = None
        self.port = 0  # any free one; from then on always the same

    def start(self) -> None:
        """Start it, if need be again, and wait until it takes mail."""
        self.kill()
        self._log.unlink(missing_ok=True)  # it says where the last one was
        self.process = mortal_listener.start(self._environment, self._folder, self._log, port=self.port)
        self.port = wait_for(self._find_port)

    def _find_port(self) -> int | None:
        assert self.process is not None
        assert self.process.is_alive(), self.said()
        said = [json.loads(line) for line in self.said().splitlines() if line.endswith("}")]
        places = [record["place"] for record in said if record["message"] == "listening"]
        return int(places[0].rpartition(":")[2]) if places else None

    def connect(self) -> smtplib.LMTP:
        return smtplib.LMTP("127.0.0.1", self.port, timeout=60)

    def said(self) -> str:
        """Its log."""
        return self._log.read_text() if self._log.exists() else ""

    def stop(self) -> int | None:
        """SIGTERM; how it ended."""
        assert self.process is not None
        self.process.terminate()
        self.process.join(LONG)
        return self.process.exitcode

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.join(LONG)


@pytest.fixture
def listening(environment: dict[str, str], tmp_path: Path) -> Iterator[Listening]:
    changed = {
        "MAILER_BOUNCE_ADDRESS": "bounce+{token}@in.example.org",
        "MAILER_UNSUBSCRIBE_ADDRESS": "leave+{token}@in.example.org",
        "MAILER_REDIS_URL": "redis://127.0.0.1:1/0",  # it needs none
    }
    listening = Listening(environment | changed, tmp_path)
    yield listening
    listening.kill()


@pytest.fixture
def returned(session: Session, keyring: Keyring) -> str:
    """Where a mail to Ana comes back to."""
    mailing_list = make_list(session)
    person = make_subscriber(session, mailing_list, email=ANA)
    mail = deliver(session, make_campaign(session, mailing_list), person, DeliveryState.SENT, settled_at=utcnow())
    session.commit()
    return f"bounce+{links.sign(keyring, Link.BOUNCE, mail.id)}@in.example.org"


@pytest.fixture
def wish(session: Session, keyring: Keyring) -> str:
    """Where Bea writes to, to leave."""
    person = make_subscriber(session, email=BEA)
    subscription = subscribe(session, person, make_list(session, "letters", name="Letters"))
    session.commit()
    return f"leave+{links.sign(keyring, Link.UNSUBSCRIBE, subscription.id)}@in.example.org"


BOUNCE = (
    b"From: MAILER-DAEMON@mx.example.net\r\nSubject: failure\r\n"
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n"
    b"Final-Recipient: rfc822; ana@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    b"Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--b--\r\n"
)
GOODBYE = b"From: bea@example.net\r\nSubject: unsubscribe\r\n\r\nplease\r\n"


def require_once(engine: Engine, *, left: bool = False) -> None:
    """Insist that the bounce acted once, and perhaps somebody's wish."""
    with session_scope(engine, read_only=True) as session:
        events = sorted((event.kind, event.effect) for event in session.scalars(select(MailEvent)))
        assert events == [(Kind.BOUNCE, Effect.SUPPRESS), *([(Kind.UNSUBSCRIBE, Effect.LEAVE)] if left else [])]
        assert [each.category for each in session.scalars(select(Suppression))] == [Category.NO_MAILBOX]
        if left:
            states = session.scalars(select(Subscription.status)).all()
            assert states.count(SubscriptionStatus.UNSUBSCRIBED) == 1


def test_killed_between_data_and_the_answer_it_loses_nothing_and_doubles_nothing(
    listening: Listening, engine: Engine, returned: str, wish: str, tmp_path: Path
) -> None:
    listening.start()
    with socket.create_connection(("127.0.0.1", listening.port)) as connection:  # killed before the dot
        connection.sendall(f"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<{returned}>\r\nDATA\r\n".encode() + BOUNCE)
        while b"354" not in connection.recv(4096):
            continue
        listening.kill()
    for point in (*POINTS, None):
        with dying.at(tmp_path, point or "never"):
            listening.start()
            ended = False
            with suppress(smtplib.SMTPServerDisconnected, ConnectionResetError), listening.connect() as connection:
                for sender, to, message in (("", returned, BOUNCE), ("bea@example.net", wish, GOODBYE)):
                    assert connection.sendmail(sender, [to], message) == {}
                ended = True
        assert ended is (point is None)
        with session_scope(engine, read_only=True) as session:
            count = len(session.scalars(select(MailEvent)).all())
        # What is committed stays, though nobody was told; what is not is given again.
        assert count == {WRITTEN: 0, BEFORE_COMMIT: 0, COMMITTED: 1, None: 2}[point]
    require_once(engine, left=True)
    assert listening.stop() == 0
    assert "@" not in listening.said()


def test_without_the_database_nothing_is_taken_and_nothing_is_lost(
    listening: Listening, engine: Engine, returned: str
) -> None:
    listening.start()
    with listening.connect() as connection:
        with engine.begin() as using:
            using.execute(text("ALTER TABLE mail_events RENAME TO away"))
        with pytest.raises(smtplib.SMTPDataError) as refused:
            connection.sendmail("", [returned], BOUNCE)
        assert refused.value.smtp_code == 451
        with engine.begin() as using:
            using.execute(text("ALTER TABLE away RENAME TO mail_events"))
        assert connection.sendmail("", [returned], BOUNCE) == {}
        assert connection.sendmail("", [returned], BOUNCE) == {}  # a mail server may give a message twice
    require_once(engine)
    assert "a message was put off: The database cannot be used" in listening.said()
    assert listening.stop() == 0


def test_many_mail_servers_at_once_hand_over_the_same_message(
    listening: Listening, engine: Engine, returned: str
) -> None:
    listening.start()
    connections = [listening.connect() for _ in range(8)]
    for connection in connections:
        connection.ehlo()
        connection.mail("")
        connection.rcpt(returned)
        connection.putcmd("data")
        assert connection.getreply()[0] == 354
    for connection in connections:
        connection.send(BOUNCE + b".\r\n")
    assert [connection.getreply()[0] for connection in connections] == [250] * 8
    for connection in connections:
        connection.close()
    require_once(engine)
