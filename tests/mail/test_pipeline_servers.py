"""The pipelined client against servers that others wrote: Postfix's smtp-sink, and aiosmtpd in the mail catcher."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailer.errors import MailerError
from mailer.mail.pipeline import Pipeline
from mailer.mail.smtp import Server
from mailer.mail.types import OutcomeKind, Outgoing
from mailer.trial import catcher
from tests.mail.desk import Desk
from tests.mail.test_pipeline import outgoing
from tests.support import debian

MESSAGES = 500


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def program(*arguments: str | Path, port: int) -> Iterator[None]:
    """A mail server in a process of its own, until the end of the block."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None, f"{arguments[0]} ended with {process.returncode}"
                assert time.monotonic() < give_up, f"{arguments[0]} does not listen"
                time.sleep(0.02)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def send(port: int, messages: list[Outgoing], *, connections: int) -> Desk:
    desk = Desk(messages)
    pipeline = Pipeline(Server("127.0.0.1", port), connections=connections)
    pipeline.send(desk)
    pipeline.close()
    assert desk.most_unanswered <= connections
    return desk


@pytest.fixture(scope="module")
def smtp_sink() -> str:
    """Postfix's smtp-sink."""
    return debian.program("smtp-sink", package="postfix")


def user() -> list[str]:
    """As root, smtp-sink wants to be told whom to run as; only root may write where pytest's files are."""
    return ["-u", "root"] if os.geteuid() == 0 else []


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize(
    "options", [[], ["-p"], ["-e"], ["-w", "1"]], ids=["usual", "no pipelining", "no EHLO", "slow"]
)
def test_smtp_sink_takes_every_message_once(
    smtp_sink: str, tmp_path: Path, options: list[str], connections: int
) -> None:
    port = free_port()
    messages = [outgoing(n, octets=11_500) for n in range(2 if options == ["-w", "1"] else MESSAGES)]
    taken = tmp_path / "taken"
    arguments = [*user(), *options, "-D", str(taken), f"127.0.0.1:{port}", "100"]
    with program(smtp_sink, *arguments, port=port):
        desk = send(port, messages, connections=connections)
    assert desk.kinds == [OutcomeKind.SENT] * len(messages)
    ids = Counter(line for line in taken.read_text().splitlines() if line.startswith("Message-ID:"))
    assert ids == Counter(f"Message-ID: <{message.id}@example.org>" for message in messages)


@pytest.mark.parametrize("stage", ["connect", "ehlo", "mail", "rcpt", "data", "."])
@pytest.mark.parametrize("way", ["-f", "-r", "-q"], ids=["refuses", "defers", "hangs up"])
def test_smtp_sink_may_refuse_at_any_stage(smtp_sink: str, stage: str, way: str) -> None:
    port = free_port()
    with program(smtp_sink, *user(), way, stage, f"127.0.0.1:{port}", "100", port=port):
        desk = Desk([outgoing(n) for n in range(5)])
        pipeline = Pipeline(Server("127.0.0.1", port), connections=2)
        try:
            pipeline.send(desk)
        except MailerError:
            assert (way, stage) not in (("-f", "rcpt"), ("-r", "rcpt"), ("-f", "."), ("-r", "."))
        finally:
            pipeline.close()
    assert OutcomeKind.SENT not in desk.kinds or (way, stage) == ("-f", "ehlo")  # HELO will do
    assert not desk.unanswered


def test_the_mail_catcher_takes_every_message_once_and_unchanged(tmp_path: Path) -> None:
    port = free_port()
    serve = f"""if True:
        import mailer.trial.catcher, pathlib
        mailer.trial.catcher.serve(pathlib.Path({str(tmp_path / "caught")!r}), port={port}, on_ready=print)
    """
    messages = [outgoing(n, octets=11_500) for n in range(MESSAGES)]
    with program(sys.executable, "-c", serve, port=port):
        desk = send(port, messages, connections=3)
    assert desk.kinds == [OutcomeKind.SENT] * MESSAGES
    caught = {message.recipient: message.data for message in catcher.read(tmp_path / "caught")}
    assert caught == {message.recipient: message.data for message in messages}
    assert len(list(catcher.read(tmp_path / "caught"))) == MESSAGES
