"""`mailer run` and `mailer demo`: the whole system on one machine, and nothing left of it afterwards."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mailer import catcher
from mailer.cli.run import SAMPLE_IDENTITY
from tests.acceptance.system import wait_for

_FREE_PORT = 18723


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], Path]]:
    """An environment that sets nothing but a short data directory, and that directory."""
    folder = tmp_path_factory.mktemp("run")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")}
    yield environment | {"MAILER_DATA_DIR": "data"}, folder
    leftovers = [p for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])]
    assert leftovers == []


def test_the_demo_delivers_and_reports_twice_in_a_row(bare: tuple[dict[str, str], Path]) -> None:
    environment, folder = bare
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "mailer.cli", "demo", "--supporters", "300"],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        caught = list(catcher.read(folder / "data" / "demo" / "caught"))
        assert len({message.recipient for message in caught}) == len(caught) > 200
        for words in (
            "Messages by country",
            "Messages by language",
            "Messages by union",
            "messages a second",
            "caught",
        ):
            assert words in done.stdout
        assert re.search(rf"audience\s*│\s*{len(caught)}\b", done.stdout + done.stderr)


def test_run_serves_sends_and_stops_cleanly_on_ctrl_c(bare: tuple[dict[str, str], Path]) -> None:
    environment, folder = bare
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in SAMPLE_IDENTITY.items()))
    command = [sys.executable, "-m", "mailer.cli"]
    running = subprocess.Popen([*command, "run", "--port", str(_FREE_PORT)], env=environment, cwd=folder)
    try:
        assert wait_for(_healthy, seconds=30) == {"status": "ok"}

        def mailer(*arguments: str) -> str:
            done = subprocess.run(
                [*command, *arguments], env=environment, cwd=folder, capture_output=True, text=True, check=True
            )
            return done.stdout

        campaign = folder / "first-alert"
        campaign.mkdir()
        (campaign / "campaign.toml").write_text('kind = "urgent_action"\nlist = "news"\nlanguage = "en"\n')
        (campaign / "en.md").write_text('+++\nsubject = "Write today"\npreheader = "Please"\n+++\nHello.\n')
        (folder / "people.csv").write_text("email\nana@example.org\n")
        mailer("lists", "create", "news", "--name", "News")
        mailer("subscribers", "import", "people.csv", "--list", "news", "--consent", "Yes, write to me.")
        mailer("campaigns", "load", str(campaign))
        mailer("campaigns", "test", "first-alert", "--to", "organiser@example.org")
        mailer("campaigns", "send", "first-alert", "--wait")
        assert json.loads(mailer("campaigns", "status", "first-alert", "--json"))["states"]["sent"] == 1
        caught = {message.recipient for message in catcher.read(folder / "data" / "caught")}
        assert caught == {"ana@example.org", "organiser@example.org"}
    finally:
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
    assert not (folder / "data" / "valkey.sock").exists()


def _healthy() -> dict[str, str] | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{_FREE_PORT}/healthz", timeout=2) as answer:
            found: dict[str, str] = json.load(answer)
            return found
    except OSError:
        time.sleep(0.1)
        return None
