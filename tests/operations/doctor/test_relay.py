"""The mail server is looked at as workers use it, and hears of no mail."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from mailer.mail.smtp import Server
from mailer.operations.doctor import relay
from mailer.operations.doctor.rounds import Seen
from tests.support.certificates import make_certificates
from tests.support.mail_server import Behaviour, MailServer, running

ALL = Behaviour().extensions


def codes(seen: Seen) -> list[tuple[str, str]]:
    return [(finding.level.value, finding.code) for finding in seen.findings]


def look(behaviour: Behaviour, **changes: Any) -> tuple[Seen, MailServer]:
    with running(behaviour) as state:
        return relay.look(replace(Server("127.0.0.1", state.port), **changes)), state


def test_a_good_one_is_described_and_nothing_is_sent_to_it() -> None:
    seen, state = look(Behaviour())
    assert codes(seen) == []
    for words in ("not encrypted", "26 MB", "PIPELINING", "SMTPUTF8"):
        assert words in seen.says
    assert not state.received
    assert {line.split()[0] for line in state.commands} <= {"EHLO", "QUIT"}


@pytest.mark.parametrize(
    ("behaviour", "found"),
    [
        (Behaviour(greeting="554 no mail from strangers"), [("error", "relay-greeting")]),
        (Behaviour(greeting="HTTP/1.1 400 Bad Request"), [("error", "relay-away")]),
        (Behaviour(ehlo="450 4.7.1 what a name"), [("error", "relay-greeting")]),
        (Behaviour(extensions=("SIZE 1000", "SMTPUTF8")), [("warning", "relay-size")]),
        (Behaviour(extensions=("PIPELINING", "SIZE 0")), [("warning", "relay-smtputf8")]),
    ],
)
def test_what_is_amiss_has_a_code(behaviour: Behaviour, found: list[tuple[str, str]]) -> None:
    seen, _ = look(behaviour)
    assert codes(seen) == found


def test_one_that_is_not_there_is_away() -> None:
    with running() as state:
        port = state.port
    assert codes(relay.look(Server("127.0.0.1", port))) == [("error", "relay-away")]


@pytest.mark.parametrize("password", ["wrong-secret", ""])  # a server's words that repeat one are not shown at all
def test_a_refused_log_in_shows_neither_name_nor_password(password: str) -> None:
    behaviour = Behaviour(extensions=(*ALL, "AUTH PLAIN LOGIN"), login=("rosa@union.org", "right"))
    seen, _ = look(behaviour, username="rosa@union.org", password=password)
    assert codes(seen) == [("error", "relay-login")]
    assert "rosa" not in str(seen)
    assert "wrong-secret" not in str(seen)


def test_a_server_without_starttls_is_not_used_in_the_clear() -> None:
    seen, _ = look(Behaviour(), security="starttls")
    assert codes(seen) == [("error", "relay-encryption")]


def test_tls_on_a_port_in_the_clear_is_told_from_a_server_that_is_away() -> None:
    seen, _ = look(Behaviour(), security="tls")
    assert codes(seen) == [("error", "relay-encryption")]


def test_a_certificate_that_nobody_vouches_for_is_named(tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(make_certificates(tmp_path).server)
    seen, _ = look(Behaviour(tls=context), security="starttls")
    assert codes(seen) == [("error", "relay-certificate")]


@pytest.mark.parametrize(
    ("ahead", "found"),
    [(0, []), (120, [("warning", "clock-off")]), (-4000, [("error", "clock-off")])],
)
def test_its_clock_is_compared_with_ours_where_it_greets_with_it(ahead: int, found: list[tuple[str, str]]) -> None:
    theirs = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead))
    seen, _ = look(Behaviour(greeting=f"220 mail.union.org ESMTP Exim 4.96 {theirs}"))
    assert codes(seen) == found


def test_mails_on_the_open_network_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "is_loopback", lambda _host: False)
    seen, _ = look(Behaviour())
    assert codes(seen) == [("warning", "relay-readable")]
