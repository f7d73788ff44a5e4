"""`mailer inbound listen` starts only if it can do its work. What it then does: tests/acceptance/test_listener.py."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from mailer.inbound.listener import Letterbox
from mailer.mail import smtp_listening
from mailer.mail.smtp import Place
from mailer.mail.smtp_taking import Dialect
from tests.conftest import CommandLine

pytestmark = [pytest.mark.parametrize("backend", ["sqlite"], indirect=True), pytest.mark.usefixtures("kept_logging")]
BOUNCE = {"MAILER_BOUNCE_ADDRESS": "bounce+{token}@in.example.org"}


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[Dialect, Place]]:
    """Where the command listens."""
    found: list[Mapping[Dialect, Place]] = []

    def serve(_inbox: Letterbox, places: Mapping[Dialect, Place], *, name: str) -> None:
        assert name
        found.append(places)

    monkeypatch.setattr(smtp_listening, "serve", serve)
    return found


def test_it_listens_where_the_settings_say_or_else_where_its_options_do(
    cli: CommandLine, places: list[Mapping[Dialect, Place]]
) -> None:
    cli.environment |= {**BOUNCE, "MAILER_INBOUND_LMTP": "unix:/run/tocsin/lmtp", "MAILER_INBOUND_SMTP": "2525"}
    cli("inbound", "listen")
    cli("inbound", "listen", "--smtp", "0.0.0.0:25")
    assert places == [
        {Dialect.LMTP: Place(path=Path("/run/tocsin/lmtp")), Dialect.SMTP: Place("127.0.0.1", 2525)},
        {Dialect.SMTP: Place("0.0.0.0", 25)},
    ]


@pytest.mark.parametrize(
    ("change", "arguments", "exit_code", "said"),
    [
        (BOUNCE, (), 2, "Say where to listen"),
        (BOUNCE, ("--lmtp", "here"), 2, "'here' must be a port, HOST:PORT"),
        ({}, ("--lmtp", "2424"), 1, "MAILER_BOUNCE_ADDRESS: is not set"),
        ({"MAILER_UNSUBSCRIBE_ADDRESS": "leave@example.org"}, ("--lmtp", "2424"), 1, "MAILER_BOUNCE_ADDRESS: is not"),
        (BOUNCE | {"MAILER_DATABASE_URL": "sqlite:////nowhere/at/all.db"}, ("--lmtp", "2424"), 3, "database"),
        (BOUNCE, ("--lmtp", "unix:/nowhere/lmtp"), 3, "cannot listen on unix:/nowhere/lmtp"),
    ],
)
def test_it_does_not_start_without_what_it_needs(
    cli: CommandLine, change: dict[str, str], arguments: tuple[str, ...], exit_code: int, said: str
) -> None:
    cli.environment |= change
    assert said in cli("inbound", "listen", *arguments, exit_code=exit_code).stderr
