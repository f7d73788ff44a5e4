"""`mailer run` and `mailer demo`: the whole system on one machine, and nothing left of it afterwards."""

import json
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from mailer.cli.run import SAMPLE_IDENTITY
from mailer.trial import catcher, sample
from mailer.trial.catcher import CaughtMessage
from mailer.trial.processes import alone_in
from tests.acceptance.system import kill_together
from tests.support.maildirs import SomeMaildir
from tests.support.waiting import wait_for, wait_until

_MARK = "TOCSIN_TEST_MACHINE"  # in the environment of every process that a test starts
_MAILER = (sys.executable, "-m", "mailer.cli")


@dataclass(frozen=True)
class Machine:
    """A folder that commands are run in, with an environment that sets nothing but a short data directory."""

    folder: Path
    environment: dict[str, str]

    def mailer(self, *arguments: str, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        done = subprocess.run(
            [*_MAILER, *arguments], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == exit_code, done.stdout + done.stderr
        return done

    @contextmanager
    def run(self, port: int) -> Iterator[subprocess.Popen[str]]:
        """`mailer run`, once its web part answers. Whatever happens, it does not outlive the block."""
        running = subprocess.Popen(
            [*_MAILER, "run", "--port", str(port)],
            env=self.environment,
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert wait_for(lambda: _health(port)) == {"status": "ok"}
            yield running
        finally:
            self.end_all()
            running.wait(10)
            assert running.stderr
            running.stderr.close()

    def processes(self, word: str = "") -> list[psutil.Process]:
        """What runs here, and has a word in its command line."""
        found = []
        for process in psutil.process_iter(["environ", "cmdline"]):
            command = " ".join(process.info["cmdline"] or [])
            # Valkey writes its title over its environment, but names its socket there.
            is_here = (process.info["environ"] or {}).get(_MARK) == str(self.folder) or f"{self.folder}/" in command
            if is_here and word in command:
                found.append(process)
        return found

    def end_all(self) -> None:
        """`kill -9` what still runs here."""
        kill_together(self.processes())


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with nothing on it; what a test leaves running on it is ended, and fails the test."""
    folder = tmp_path_factory.mktemp("run")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")}
    machine = Machine(folder, inherited | {"MAILER_DATA_DIR": "data", _MARK: str(folder)})
    yield machine
    leftovers = machine.processes()
    machine.end_all()
    assert leftovers == []


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        number: int = probe.getsockname()[1]
        return number


def test_the_demo_delivers_and_reports_twice_in_a_row(machine: Machine) -> None:
    demo = machine.folder / "data" / "demo"
    for _ in range(2):
        done = machine.mailer("demo", "--supporters", "300")
        # Contacts of unions are mailed too, and what happens to the case brings more mails.
        caught = [message for message in catcher.read(demo / "caught") if _is_of_alert(message)]
        assert len({message.recipient for message in caught}) == len(caught) > 200
        for words in (
            "Messages by country",
            "Messages by language of the reader",
            "Messages by language of the text",
            "Messages by union",
            "messages a second",
            "caught",
            f"It goes to {len(caught)} people: its audience leaves out people in Brazil and Japan",
        ):
            assert words in done.stdout
        rejected = (demo / "rejects.csv").read_text().splitlines()[1:]
        assert (
            "Rows rejected: 2." in done.stdout
            and "which is not known: 1; without their country: 1." in done.stdout
            and len(rejected) == 4
        )
        assert re.search(rf"audience\s*│\s*{len(caught)}\b", done.stdout + done.stderr)
        assert "{" not in done.stdout + done.stderr  # the workers' log is in a file
        for language in ("ar", "de", "en", "es", "fr", "ru"):
            assert f"{language}.html" in done.stdout
            assert (demo / "mails" / f"{language}.html").stat().st_size > 1000


def _is_of_alert(caught: CaughtMessage) -> bool:
    return str(caught.message["Feedback-ID"]).startswith(f"{sample.CAMPAIGN_DIR.name}:")


def test_a_demo_that_runs_is_not_cleared_away_by_another(machine: Machine) -> None:
    demo = machine.folder / "data" / "demo"
    demo.mkdir(parents=True)
    for file in ("made-by-mailer-demo", "tocsin.db"):
        (demo / file).touch()
    with alone_in(demo):
        refused = machine.mailer("demo", exit_code=1)
    assert "is already running on data/demo" in refused.stderr
    assert (demo / "tocsin.db").exists()


def test_run_serves_sends_and_stops_cleanly_on_ctrl_c(machine: Machine, port: int) -> None:
    folder = machine.folder
    inbound = {
        "MAILER_INBOUND_LMTP": "unix:" + str(folder / "lmtp"),
        "MAILER_BOUNCE_ADDRESS": "bounce+{token}@example.org",
        "MAILER_INBOUND_URL": f"maildir:{folder / 'box'}",
    }
    SomeMaildir(folder / "box").deliver(b"Subject: hello\n\nhello\n")
    variables = SAMPLE_IDENTITY | inbound
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    with machine.run(port) as running:
        with wait_for(lambda: _listener(folder / "lmtp")) as listener:
            assert listener.sendmail("", ["bounce@example.org"], "hello") == {}
        wait_for(lambda: list((folder / "data" / "mailboxes").glob("*.seen")))
        campaign = folder / "first-alert"
        campaign.mkdir()
        settings = 'kind = "urgent_action"\nlist = "news"\nlanguage = "en"\nabout = "none"\n'
        (campaign / "campaign.toml").write_text(settings)
        (campaign / "en.md").write_text('+++\nsubject = "Write today"\npreheader = "Please"\n+++\nHello.\n')
        (folder / "people.csv").write_text("email\nana@example.org\n")
        machine.mailer("lists", "create", "news", "--name", "News")
        machine.mailer("subscribers", "import", "people.csv", "--list", "news", "--consent", "Yes, write to me.")
        machine.mailer("campaigns", "load", str(campaign))
        machine.mailer("campaigns", "test", "first-alert", "--to", "organiser@example.org")
        machine.mailer("campaigns", "send", "first-alert", "--wait")
        status = json.loads(machine.mailer("campaigns", "status", "first-alert", "--json").stdout)
        assert status["states"]["sent"] == 1
        caught = {message.recipient for message in catcher.read(folder / "data" / "caught")}
        assert caught == {"ana@example.org", "organiser@example.org"}
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
        assert machine.processes() == []
    assert not (folder / "data" / "valkey.sock").exists()


def test_a_second_run_is_refused_and_the_first_goes_on(machine: Machine, port: int) -> None:
    with machine.run(port) as running:
        refused = machine.mailer("run", "--port", str(port), exit_code=1)
        assert "is already running on data" in refused.stderr and refused.stderr.count("\n") == 1
        elsewhere = machine.environment | {"MAILER_DATA_DIR": "other"}
        refused = Machine(machine.folder, elsewhere).mailer("run", "--port", str(port), exit_code=1)
        assert f"Port {port} is taken. Try another one: mailer run --port" in refused.stderr
        assert running.poll() is None and _health(port)
        assert (machine.folder / "data" / "valkey.sock").exists()


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("valkey-server", "The embedded Valkey ended"),
        ("mailer.cli catcher", "The mail catcher process ended"),
        ("wsgi:app", "The web process ended"),
    ],
)
def test_when_a_part_ends_everything_does_with_one_line(machine: Machine, port: int, part: str, words: str) -> None:
    with machine.run(port) as running:
        kill_together(machine.processes(part))
        assert running.wait(30) == 3
        # One that gunicorn was just starting ends when it sees that the others are gone.
        wait_until(lambda: machine.processes() == [])
        assert running.stderr
        said = running.stderr.read().splitlines()
    assert [line for line in said if line.startswith("mailer: ")] == [said[-1]]
    assert said[-1].startswith(f"mailer: {words}")


def _listener(path: Path) -> smtplib.LMTP | None:
    """A connection to the listener, as soon as it is there."""
    with suppress(OSError):
        return smtplib.LMTP(str(path), timeout=60)
    return None


def _health(port: int) -> dict[str, str] | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            found: dict[str, str] = json.load(answer)
            return found
    except OSError:
        time.sleep(0.1)
        return None
