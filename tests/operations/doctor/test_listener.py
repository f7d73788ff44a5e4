"""The listener is asked as a mail server asks it, and no message is given."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.mail.smtp import Place
from mailer.mail.smtp_taking import Dialect
from mailer.operations.doctor import listener
from mailer.operations.doctor.rounds import Seen
from tests.support.listening import Listener
from tests.support.mail_server import Behaviour, running

LMTP, SMTP = Dialect.LMTP, Dialect.SMTP
OWN = f"bounce+{'0' * 40}@in.example.org"
OURS = "220 mx.example.org Tocsin"


def codes(seen: Seen) -> list[tuple[str, str]]:
    return [(finding.level.value, finding.code) for finding in seen.findings]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """One that takes what comes to in.example.org."""
    folder = tmp_path_factory.mktemp("listener")
    running_one = Listener(folder, {LMTP: Place(path=folder / "lmtp"), SMTP: Place("0.0.0.0")})  # as set
    yield running_one
    assert running_one.stop() == 0


def test_one_that_is_well_is_described_and_gets_no_message(ours: Listener) -> None:
    over_smtp = listener.look(Place("0.0.0.0", ours.places[SMTP].port), SMTP, OWN)
    over_lmtp = listener.look(ours.places[LMTP], LMTP, OWN)
    assert codes(over_smtp) == codes(over_lmtp) == []
    assert "takes mail to our own addresses, and to no other" in over_smtp.says
    assert "answers over LMTP" in over_lmtp.says
    assert ours.taken() == []


def test_one_that_knows_other_addresses_is_told_of(ours: Listener) -> None:
    seen = listener.look(ours.places[SMTP], SMTP, OWN.replace("in.", "news."))
    assert codes(seen) == [("error", "listener-refuses")]
    assert "550 5.1.1" in str(seen) and "0000" not in str(seen)


@pytest.mark.parametrize("dialect", Dialect)
def test_one_that_does_not_run_is_away(dialect: Dialect, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for place in (Place("127.0.0.1", port), Place(path=tmp_path / "socket")):
        seen = listener.look(place, dialect, OWN)
        assert codes(seen) == [("error", "listener-away")]
        assert str(place) in seen.findings[0].what


def test_a_socket_may_have_smtp_too(tmp_path: Path) -> None:
    place = Place(path=tmp_path / "smtp")
    running_one = Listener(tmp_path, {SMTP: place})
    try:
        seen = listener.look(place, SMTP, OWN)
    finally:
        running_one.stop()
    assert codes(seen) == []
    assert "answers over SMTP" in seen.says


def test_one_that_says_nothing_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        seen = listener.look(Place("127.0.0.1", silent.getsockname()[1]), SMTP, OWN)
    assert codes(seen) == [("error", "listener-away")] and "in time" in seen.findings[0].what


@pytest.mark.parametrize(
    ("behaviour", "found"),
    [
        (Behaviour(), ("error", "listener-other")),
        (Behaviour(greeting="SSH-2.0-OpenSSH"), ("error", "listener-other")),
        (Behaviour(greeting=OURS), ("error", "listener-open")),
        (Behaviour(greeting=OURS, mail=lambda _: "550 5.7.1 no"), ("error", "listener-refuses")),
        (Behaviour(greeting="421 4.3.2 Too many connections"), ("warning", "listener-busy")),
        (Behaviour(greeting=OURS, rcpt=lambda _: "451 4.3.0 Not now"), ("warning", "listener-busy")),
    ],
)
def test_what_is_amiss_has_a_code(behaviour: Behaviour, found: tuple[str, str]) -> None:
    with running(behaviour) as server:
        assert codes(listener.look(Place("127.0.0.1", server.port), SMTP, OWN)) == [found]
        assert server.received == []
        assert not [command for command in server.commands if command.startswith("DATA")]


def test_without_an_address_of_ours_it_does_not_run_at_all() -> None:
    assert codes(listener.look(Place("127.0.0.1", 1), SMTP, None)) == [("error", "listener-refuses")]
