"""A mail server hands a message over, and only ever hears "taken" or "try again"."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import links
from mailer.inbound.receiving import MAX_BYTES
from mailer.links import Link
from mailer.people import subscribers
from mailer.store.crypto import keyring_of
from mailer.store.models import Delivery, Subscription, SubscriptionStatus
from tests.conftest import CommandLine
from tests.support.factories import make_list, make_subscriber, subscribe

pytestmark = pytest.mark.usefixtures("kept_logging")

ACTIVE, GONE = SubscriptionStatus.ACTIVE, SubscriptionStatus.UNSUBSCRIBED
MAIL = "From: Ana Example <ana@example.net>\r\nTo: {to}\r\nSubject: unsubscribe\r\n\r\nPlease, ana@example.net\r\n"


@pytest.fixture
def address(session: Session) -> str:
    """Where the mail of somebody on two lists says to write to, to leave the first."""
    person = make_subscriber(session, email="ana@example.net")
    subscription = subscribe(session, person, make_list(session))
    subscribe(session, person, make_list(session, "news", name="News"))
    session.commit()
    return f"leave+{links.sign(keyring_of(session), Link.UNSUBSCRIBE, subscription.id)}@example.org"


@pytest.fixture
def hand_over(cli: CommandLine) -> "HandOver":
    cli.environment["MAILER_UNSUBSCRIBE_ADDRESS"] = "leave+{token}@example.org"
    cli.environment["MAILER_BOUNCE_ADDRESS"] = "bounce+{token}@example.org"
    return HandOver(cli)


class HandOver:
    """Hands a message over to `mailer inbound`, and insists on how it ends."""

    def __init__(self, cli: CommandLine) -> None:
        self.environment = cli.environment
        self._cli = cli

    def __call__(self, message: str | bytes, *arguments: str, exit_code: int = 0) -> Result:
        return self._cli("inbound", *arguments, input=message, exit_code=exit_code)


def kind(result: Result) -> str:
    """What the log says of the message."""
    assert result.stdout == ""
    record = json.loads(result.stderr)
    assert record["message"] == "inbound mail"
    assert record["source"] == "pipe"
    return ": ".join([str(record["kind"]), *([record["why"]] if "why" in record else [])])


def states(session: Session) -> list[SubscriptionStatus]:
    found = session.scalars(select(Subscription.status).order_by(Subscription.id)).all()
    session.rollback()
    return list(found)


def test_a_mail_to_the_unsubscribe_address_leaves_that_list_and_is_not_answered(
    hand_over: HandOver, session: Session, address: str
) -> None:
    assert kind(hand_over(MAIL.format(to=address))) == "unsubscribe"
    assert states(session) == [GONE, ACTIVE]
    assert session.scalars(select(Delivery)).all() == []
    session.rollback()
    assert kind(hand_over(MAIL.format(to=address))) == "unsubscribe: it came before"
    assert kind(hand_over(MAIL.format(to=address) + "Please!")) == "unsubscribe: had left before"
    with session.begin():
        subscribers.erase(session, "ana@example.net")
    assert kind(hand_over(MAIL.format(to=address))) == "unsubscribe: not on our list"


def test_the_button_of_apples_mail_takes_its_user_off_that_list(
    hand_over: HandOver, session: Session, address: str
) -> None:
    marks = "Auto-Submitted: auto-replied\r\nX-Apple-Unsubscribe: true\r\n"
    assert kind(hand_over(marks + MAIL.format(to=address), "--sender", "ana@example.net")) == "unsubscribe"
    assert states(session) == [GONE, ACTIVE]


@pytest.mark.parametrize("how", ["--recipient", "ORIGINAL_RECIPIENT", "RECIPIENT"])
def test_the_envelope_may_say_whom_it_is_for(hand_over: HandOver, session: Session, address: str, how: str) -> None:
    arguments = [how, address.upper()] if how.startswith("-") else []
    hand_over.environment |= {} if arguments else {how: address.upper()}
    assert (
        kind(hand_over(MAIL.format(to="office@example.org"), *arguments, "--sender", "ana@example.net"))
        == "unsubscribe"
    )
    assert states(session) == [GONE, ACTIVE]


def test_all_else_is_taken_and_dropped_and_the_log_names_nobody(
    hand_over: HandOver, session: Session, address: str
) -> None:
    bounce = address.replace("leave+", "bounce+")
    messages: dict[str, str | bytes] = {
        "reply": MAIL.format(to="ana@example.org"),
        "forged": MAIL.format(to="leave+" + "0" * 40 + "@example.org"),
        "bounce": "Subject: failure notice\r\n" + MAIL.format(to=bounce).replace("From: ", "From: MAILER-DAEMON "),
        "auto_reply": "Precedence: bulk\r\n" + MAIL.format(to=address),
        "unreadable": b"\xff\x00",
    }
    for expected, message in messages.items():
        result = hand_over(message)
        assert kind(result).split(":")[0] == expected
        assert "@" not in result.stderr
    assert kind(hand_over(MAIL.format(to=address), "--sender", "")) == "auto_reply"
    assert states(session) == [ACTIVE, ACTIVE]


def test_of_a_huge_message_only_the_beginning_counts(hand_over: HandOver, session: Session, address: str) -> None:
    late = "X-Fill: " + "x" * MAX_BYTES + "\r\n" + MAIL.format(to=address)
    assert kind(hand_over(late)) == "other"
    assert kind(hand_over(MAIL.format(to=address) + "x" * MAX_BYTES * 2)) == "unsubscribe"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        {"MAILER_DATABASE_URL": "sqlite:////nowhere/at/all.db"},
        {"MAILER_DATABASE_URL": "postgresql+psycopg://127.0.0.1:1/tocsin"},
        {"MAILER_DATABASE_URL": "mysql://x"},
        {"MAILER_UNSUBSCRIBE_ADDRESS": ""},
        {"MAILER_UNSUBSCRIBE_ADDRESS": "leave@example.org"},
        {"MAILER_LINK_KEYS": ""},
        {"MAILER_NO_SUCH_SETTING": "1"},
    ],
)
def test_without_what_it_needs_the_mail_server_is_told_to_try_again(
    hand_over: HandOver, session: Session, address: str, change: dict[str, str]
) -> None:
    hand_over.environment |= change
    refused = hand_over(MAIL.format(to=address), exit_code=os.EX_TEMPFAIL)
    assert refused.stderr.startswith("mailer: ")
    assert refused.stderr.count("\n") == 1
    assert "ana@" not in refused.stderr
    assert states(session) == [ACTIVE, ACTIVE]


def test_a_database_of_another_version_is_waited_for(
    hand_over: HandOver, empty_database_url: str, address: str
) -> None:
    hand_over.environment["MAILER_DATABASE_URL"] = empty_database_url
    hand_over(MAIL.format(to=address), exit_code=os.EX_TEMPFAIL)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_pipe_that_hands_over_no_environment_finds_the_settings_in_its_directory(
    hand_over: HandOver, session: Session, address: str, tmp_path: Path
) -> None:
    settings = "".join(f"{name}={value}\n" for name, value in hand_over.environment.items())
    (tmp_path / "tocsin.env").write_text(settings)
    (tmp_path / "inbound").mkdir()
    (tmp_path / "inbound" / ".env").symlink_to("../tocsin.env")
    program = Path(sys.executable).with_name("mailer")
    process = subprocess.Popen(
        [program, "inbound", f"--recipient={address}", "--sender=ana@example.net"],
        stdin=subprocess.PIPE,
        cwd=tmp_path / "inbound",
        env={"PATH": "/usr/bin:/bin"},
    )
    with process, process.stdin or pytest.fail() as pipe:
        pipe.write(MAIL.format(to="undisclosed-recipients:;").encode() * 20_000)  # all of it is read
    assert process.returncode == 0
    assert states(session) == [GONE, ACTIVE]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_message_is_explained_without_a_database_and_nothing_follows(
    hand_over: HandOver, session: Session, address: str
) -> None:
    hand_over.environment["MAILER_DATABASE_URL"] = "sqlite:////nowhere/at/all.db"
    said = hand_over(MAIL.format(to=address), "--explain").stdout
    assert said.startswith("Somebody wants to leave.\n")
    result = hand_over(MAIL.format(to=address), "--explain", "--json")
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    found = json.loads(result.stdout)
    assert (found["kind"], found["effect"]) == ("unsubscribe", "leave")
    assert states(session) == [ACTIVE, ACTIVE]
    assert json.loads(hand_over(b"\xff", "--explain", "--json").stdout)["kind"] == "unreadable"
    hand_over(MAIL, "--json", exit_code=2)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("named", "said"), [("", "It would be counted, and read by nobody: "), ("office@example.org", "It would go on to ")]
)
def test_it_is_said_whether_anybody_would_read_what_a_person_wrote(
    hand_over: HandOver, session: Session, named: str, said: str
) -> None:
    hand_over.environment["MAILER_FORWARD_REPLIES_TO"] = named
    answer = f"From: ana@example.net\r\nTo: bounce+{links.sign(keyring_of(session), Link.BOUNCE, 1)}@example.org\r\n"
    answer += "Subject: Re: Free the five\r\n\r\nI wrote to them.\r\n"
    assert said in hand_over(answer, "--explain").stdout
    assert json.loads(hand_over(answer, "--explain", "--json").stdout)["kind"] == "reply"
