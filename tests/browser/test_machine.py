"""As a new user tries it: `mailer run` in an empty folder, and a browser."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from mailer.cli.run import SAMPLE_IDENTITY
from mailer.trial import catcher, sample
from tests.browser import steps
from tests.browser.site import ALERT, write_campaign
from tests.browser.visitor import PHONE, Visitor
from tests.support.waiting import wait_until

_MAILER = (sys.executable, "-m", "mailer.cli")
#: nobody fills in a form faster
_TYPING_MS = 2500
_SAMPLE_LIST = "sample-alerts"  # that `mailer run` makes where there is none


class Machine:
    """A folder in which commands are run, and where `mailer run` was told nothing but a port."""

    def __init__(self, folder: Path) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")}
        self.environment = inherited | {"MAILER_DATA_DIR": "data"}
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def mailer(self, *arguments: str | Path) -> None:
        """Run a command to its end, as an organisation that has given its name."""
        command = [*_MAILER, *map(str, arguments)]
        done = subprocess.run(
            command, env=self.environment | SAMPLE_IDENTITY, cwd=self.folder, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> "subprocess.Popen[bytes]":
        """Start `mailer run`."""
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                [*_MAILER, "run", "--port", str(self.port)],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

    def answers(self) -> bool:
        """Whether the site is up."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """`mailer run`, until the test ends."""
    machine = Machine(tmp_path_factory.mktemp("run"))  # a short path, for Valkey's socket
    running = machine.start()
    try:
        wait_until(machine.answers)
        yield machine
    finally:
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0, (machine.folder / "log").read_text()


def test_a_person_joins_reads_the_caught_mails_and_leaves(machine: Machine, browser: Browser) -> None:
    with browser.new_context(**PHONE, locale="en") as context:
        visitor = Visitor(context, machine.url)
        page = visitor.open("/")
        page.locator("[name=email]").fill("ana@example.org")
        page.locator("[name=country]").select_option("GB")
        page.locator("[name=alerts]").check()
        page.wait_for_timeout(_TYPING_MS)
        steps.submit(visitor, "alerts")

        def read_newest_mail(subject: str) -> None:
            wait_until(lambda: visitor.open("/caught/").get_by_role("link", name=subject).count() > 0)
            page.get_by_role("link", name=subject).first.click()

        read_newest_mail("onfirm")
        page.get_by_role("link", name="/confirm/").click()
        steps.submit(visitor)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Welcome")
        read_newest_mail("Welcome")
        campaign = write_campaign(machine.folder / "alert")
        toml = campaign / "campaign.toml"
        toml.write_text(toml.read_text().replace(sample.LIST_SLUG, _SAMPLE_LIST))
        machine.mailer("campaigns", "load", campaign)
        machine.mailer("campaigns", "send", "alert")
        read_newest_mail(ALERT)
        page.get_by_role("link", name="/unsubscribe/").click()
        visitor.press("Leave this list")
        expect(page.get_by_role("heading", level=1)).to_contain_text("You have left")
        read_newest_mail("left")
        page.get_by_role("link", name="/undo/").click()
        steps.submit(visitor)
        visitor.check()
    assert {message.recipient for message in catcher.read(machine.folder / "data" / "caught")} == {"ana@example.org"}
