"""A campaign that goes out through Debian's Postfix, and all that comes back of it. Run by `make test-servers`."""

import json
import os
import re
import shutil
import smtplib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from email.message import EmailMessage, Message
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from email.utils import parseaddr
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from mailer.mail.feedback.types import Effect, Kind
from mailer.store.db import session_scope
from mailer.store.models import MailEvent
from tests.acceptance import dying
from tests.acceptance.conftest import load_alert
from tests.acceptance.dying import POINTS
from tests.acceptance.system import System
from tests.acceptance.test_listener import Listening, listening
from tests.support.certificates import make_certificates
from tests.support.debian import program
from tests.support.postfix import FULL, GONE, Postfix, running_postfix
from tests.support.waiting import wait_until

pytestmark = pytest.mark.servers
__all__ = ["listening"]  # a fixture

UNKNOWN, OVER_QUOTA = f"ana@{GONE}", f"bea@{FULL}"
COMPLAINING, LEAVING, AWAY, ANSWERING, QUIET, WRITING = (
    f"{name}@example.org" for name in ("cem", "dia", "eli", "fay", "gil", "hal")
)
ANSWER = "Thank you for writing. I sent the letter today."
TO_SENDER = "Where can I join?"
SENDER = "alerts@example.org"  # no mailbox of Postfix's
OFFICE = "office@example.org"  # gets what people answer
PEOPLE = (UNKNOWN, OVER_QUOTA, COMPLAINING, LEAVING, AWAY, ANSWERING, QUIET, WRITING)
OURS = {
    "MAILER_BOUNCE_ADDRESS": "bounce+{token}@in.example.org",
    "MAILER_UNSUBSCRIBE_ADDRESS": "leave+{token}@in.example.org",
}


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """Of the listener too."""
    return environment | {"MAILER_FORWARD_REPLIES_TO": OFFICE}


def _reactions(mail: Message) -> Iterator[tuple[str, str, Message]]:
    """What whoever got a mail, or their provider, sends because of it, after the envelope's sender and recipient."""
    who, return_path = mail["Delivered-To"], parseaddr(mail["Return-Path"])[1]
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = who, return_path, f"Re: {mail['Subject']}"
    message["In-Reply-To"] = mail["Message-ID"]
    if who == COMPLAINING:
        report = MIMEMultipart("report", report_type="feedback-report")
        report["From"], report["To"], report["Subject"] = "feedback@example.net", "bounce@in.example.org", "A complaint"
        report.attach(MIMEText("A user of ours called this mail spam."))
        fields = MIMENonMultipart("message", "feedback-report")
        fields.set_payload("Feedback-Type: abuse\nUser-Agent: Loop/1\nVersion: 1\n")
        report.attach(fields)
        report.attach(MIMEMessage(mail))
        yield "feedback@example.net", "bounce@in.example.org", report
    if who == LEAVING:  # as Apple's Mail does
        to_leave = next(link for link in re.findall("<mailto:([^>?]+)", mail["List-Unsubscribe"]))
        message.replace_header("To", to_leave)
        message["Auto-Submitted"], message["X-Apple-Unsubscribe"] = "auto-replied", "true"
        message.set_content("Apple Mail sent this email to unsubscribe from the message.")
        yield who, to_leave, message
    if who == AWAY:
        message["Auto-Submitted"] = "auto-replied"
        message.set_content("I am away until Monday.")
        yield "", return_path, message
    if who == ANSWERING:
        message.set_content(ANSWER)
        yield who, return_path, message
    if who == WRITING:
        message.replace_header("To", SENDER)
        message.set_content(TO_SENDER)
        yield who, SENDER, message


def _recipients(postfix: Postfix) -> Counter[str]:
    return Counter(mail["Delivered-To"] for mail in postfix.mailbox())


def _events(engine: Engine) -> Counter[tuple[Kind, Effect]]:
    with session_scope(engine, read_only=True) as session:
        return Counter((kind, effect) for kind, effect in session.execute(select(MailEvent.kind, MailEvent.effect)))


@pytest.fixture
def postfix(listening: Listening) -> Iterator[Postfix]:
    """One that has mailboxes at example.org, and hands over to the listener what comes to in.example.org, and to the
    sender.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can start Postfix")
    listening.start()  # to know where it listens
    listening.kill()
    to_us = " ".join(f"{{{where} = lmtp:inet:127.0.0.1:{listening.port}}}" for where in ("in.example.org", SENDER))
    mailboxes = " ".join(f"{{{who} = all/}}" for who in (*PEOPLE, OFFICE) if who.endswith("@example.org"))
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="postfix-"))
        stack.callback(shutil.rmtree, directory)
        directory.chmod(0o755)  # Postfix is not root for long
        (own := directory / "own").mkdir()
        settings = {
            "smtpd_tls_security_level": "none",
            "relay_domains": "in.example.org",
            "transport_maps": f"inline:{{ {GONE}=gone {FULL}=full {to_us} }}",
            "virtual_mailbox_maps": f"inline:{{ {mailboxes} }}",
            "virtual_alias_maps": f"inline:{{ {{{SENDER} = {SENDER}}} }}",
            **dict.fromkeys(("queue_run_delay", "minimal_backoff_time", "maximal_backoff_time"), "1s"),
        }
        executable = program("postfix", package="postfix")
        yield stack.enter_context(running_postfix(executable, own, make_certificates(directory), **settings))


def test_what_comes_back_of_a_campaign_is_heeded_once_whenever_the_listener_is_killed(
    system: System,
    listening: Listening,
    postfix: Postfix,
    campaign: Callable[[Sequence[str]], str],
    engine: Engine,
    tmp_path: Path,
) -> None:
    system.environment |= OURS | {"MAILER_SMTP_URL": f"smtp://127.0.0.1:{postfix.port}"}
    slug = campaign(PEOPLE)
    system.start_worker()
    system.mailer("campaigns", "send", slug)
    system.wait_until_sent(slug)
    for mail in postfix.wait_for(len(PEOPLE) - 2):
        for sender, recipient, message in _reactions(mail):
            with smtplib.SMTP("127.0.0.1", postfix.port, timeout=60) as connection:
                assert connection.send_message(message, sender, [recipient]) == {}

    for point in POINTS:
        with dying.at(tmp_path, point):
            listening.start()
            wait_until(lambda: not dying.is_to_come(tmp_path))
    listening.start()
    while _events(engine).total() < len(PEOPLE) - 1:
        postfix.flush()
        time.sleep(1)
    wait_until(lambda: not any((postfix.queue / "deferred").rglob("*.*")))

    assert _events(engine) == Counter(
        {
            (Kind.BOUNCE, Effect.SUPPRESS): 1,
            (Kind.BOUNCE, Effect.COUNT): 1,
            (Kind.COMPLAINT, Effect.SUPPRESS): 1,
            (Kind.UNSUBSCRIBE, Effect.LEAVE): 1,
            (Kind.AUTO_REPLY, Effect.NONE): 1,
            (Kind.REPLY, Effect.FORWARD): 2,
        }
    )
    returned = json.loads(system.mailer("campaigns", "status", slug, "--json"))["returned"]
    assert returned.pop("undetermined") == 0
    assert set(returned.values()) == {None}  # small numbers would tell who it was
    assert "@" not in listening.said()

    wait_until(lambda: _recipients(postfix)[OFFICE] == len((ANSWER, TO_SENDER)))
    forwarded = [mail for mail in postfix.mailbox() if mail["Delivered-To"] == OFFICE]
    for words in (ANSWER, TO_SENDER):
        assert sum(words in mail.as_string() for mail in forwarded) == 1
    assert {mail["Return-Path"] for mail in forwarded} == {"<>"}

    assert system.mailer("inbound", "try").count("by lmtp.") == 2

    first = _recipients(postfix)
    again = load_alert(system, tmp_path / "second-alert")
    system.mailer("campaigns", "send", again)
    assert system.wait_until_sent(again)["audience"] == len((OVER_QUOTA, AWAY, ANSWERING, QUIET, WRITING))
    again_to = (AWAY, ANSWERING, QUIET, WRITING)
    wait_until(lambda: len(postfix.mailbox()) == first.total() + len(again_to))
    assert _recipients(postfix) - first == Counter(again_to)
