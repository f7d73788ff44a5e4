"""Whoever does what the guide "Your first urgent action" says has sent one, and can stop it."""

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mailer.delivery import sending, sweeping
from mailer.delivery.worker import Worker
from mailer.mail.pipeline import Pipeline
from tests.conftest import CommandLine
from tests.support.mail_server import MailServer

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "first-urgent-action.md"
#: what stands there for the day on which somebody follows it
A_DAY = "2026-11-20"
COMMAND = ".venv/bin/mailer "


def steps() -> Iterator[tuple[str, str]]:
    """What the guide has somebody do, in order: save a file of that name, or, where the name is "", run commands."""
    text = GUIDE.read_text("utf-8").replace(A_DAY, datetime.now(UTC).date().isoformat())
    for block in re.finditer(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        said = text[: block.start()].rstrip().rpartition("\n\n")[2]
        files = re.findall(r"`(mine/[\w/.-]+\.\w+|\.env)`", said)
        yield (files[-1] if files else ""), block[1]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_whoever_follows_the_guide_has_sent_an_urgent_action_and_stopped_it(
    cli: CommandLine, engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    said: dict[str, str] = {}
    for file, content in steps():
        if file:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_text(content, "utf-8")
            continue
        for command in content.replace("\\\n", " ").splitlines():
            if command == "make run":  # what this test has instead: its own database, mail server and worker
                continue
            assert command.startswith(COMMAND)
            said[command] = cli(*shlex.split(command.removeprefix(COMMAND))).stdout
            for campaign_id in sweeping.sweep(engine, worker):
                sending.drain(engine, campaign_id, wire, worker)
    stale, checked, status, shown = (
        next(output for command, output in said.items() if words in command)
        for words in ("--stale", "campaigns check", "campaigns status", "cases show")
    )
    assert re.findall(r"^\S+", stale, re.MULTILINE) == ["ministry"]
    assert not re.search("NOT READY|Warning: (?!MAILER)", checked)
    assert re.search(r"\bsent\b\W+3\b", status)
    assert "family" in shown
    mails = {message.recipient: _text(message.data) for message in server.received}
    assert {*mails} == {"ana@example.org", "ben@example.org", "chi@example.org", "me@example.org"}
    for address, words in {
        "ana@example.org": ("Merci d’écrire", "Ambassade d’Ondorie", "Je demande respectueusement"),
        "chi@example.org": ("Please write", "12 Example Square", "Dear Ambassador,", "I respectfully ask", "Chi"),
    }.items():
        assert [each for each in words if each not in mails[address]] == []


def _text(data: bytes) -> str:
    """The words of a mail, each line end and space as one space."""
    message = message_from_bytes(data, EmailMessage, policy=policy.default)
    part = message.get_body(("plain",))
    assert part is not None
    return " ".join(part.get_content().split())
