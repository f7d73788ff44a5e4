"""`mailer inbound fetch` takes what is ours out of a mailbox, and starts only if it can."""

import json
import os
import signal
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from mailer import links
from mailer.inbound import fetching
from mailer.links import Link
from mailer.store.crypto import Keyring
from mailer.store.models import DeliveryState
from tests.conftest import CommandLine
from tests.inbound.test_receiving import report
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber
from tests.support.maildirs import SomeMaildir

pytestmark = [
    pytest.mark.parametrize("backend", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("kept_logging", "kept_signals"),
]
BOUNCE = {"MAILER_BOUNCE_ADDRESS": "bounce+{token}@in.example.org"}


@pytest.fixture
def some(tmp_path: Path) -> SomeMaildir:
    return SomeMaildir(tmp_path / "box")


@pytest.fixture
def bounce(session: Session, keyring: Keyring) -> bytes:
    mailing_list = make_list(session)
    person = make_subscriber(session, mailing_list, email="ana@example.net")
    mail = deliver(session, make_campaign(session, mailing_list), person, DeliveryState.SENT)
    session.commit()
    return report(links.sign(keyring, Link.BOUNCE, mail.id))


@pytest.mark.parametrize("handled", ["keep", "delete"])
def test_it_takes_what_is_ours_and_says_so(cli: CommandLine, some: SomeMaildir, bounce: bytes, handled: str) -> None:
    cli.environment |= {**BOUNCE, "MAILER_INBOUND_URL": f"maildir:{some.folder}", "MAILER_INBOUND_HANDLED": handled}
    some.deliver(bounce)
    some.deliver(b"From: eva@example.net\n\nLunch?\n")
    said = [json.loads(line) for line in cli("inbound", "fetch", "--once").stderr.splitlines()]
    assert [(each["message"], each.get("effect")) for each in said] == [
        ("inbound mail", "suppress"), ("inbound mail", "none"), ("looked at a mailbox", None)
    ]  # fmt: skip
    assert (said[-1]["handled"], said[-1]["left"], said[-1]["source"]) == (1, 1, "maildir")
    assert (len(some.new), len(some.cur)) == (1, handled == "keep")
    assert "nothing new in the mailbox" in cli("inbound", "fetch", "--once").stderr


def test_told_to_stop_it_ends(cli: CommandLine, some: SomeMaildir, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fetching.fetch
    rounds = []

    def fetch(*arguments: object, **options: object) -> object:
        rounds.append(real(*arguments, **options))  # type: ignore[arg-type]  # as it was called
        os.kill(os.getpid(), signal.SIGTERM)
        return rounds[-1]

    monkeypatch.setattr(fetching, "fetch", fetch)
    cli.environment |= {**BOUNCE, "MAILER_INBOUND_URL": f"maildir:{some.folder}"}
    cli("inbound", "fetch")
    assert len(rounds) == 1


@pytest.mark.parametrize(
    ("change", "exit_code", "said"),
    [
        (BOUNCE, 1, "MAILER_INBOUND_URL: is not set"),
        ({"MAILER_INBOUND_URL": "maildir:/nowhere"}, 1, "MAILER_BOUNCE_ADDRESS: is not set"),
        (BOUNCE | {"MAILER_INBOUND_URL": "imaps://box@127.0.0.1:1"}, 1, "MAILER_INBOUND_PASSWORD_FILE: is not set"),
        (BOUNCE | {"MAILER_INBOUND_URL": "maildir:/nowhere"}, 3, "/nowhere/cur: No such file"),
        (
            BOUNCE | {"MAILER_INBOUND_URL": "maildir:/x", "MAILER_DATABASE_URL": "sqlite:////nowhere/a.db"},
            3,
            "database",
        ),
    ],
)
def test_it_does_not_start_without_what_it_needs(
    cli: CommandLine, change: dict[str, str], exit_code: int, said: str
) -> None:
    cli.environment |= change
    assert said in cli("inbound", "fetch", "--once", exit_code=exit_code).stderr
