"""Logs carry ids as fields and never an address, whoever wrote them."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from mailer.mail import addresses
from mailer.operations import logs


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


ADDRESSES = [
    "ana@example.org",
    "Зоя@example.org",
    "a+b@bücher.example.org",
    '"a"@example.org',
    "o'brien@example.org",
    "ana@localhost",
]


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_redacted_wherever_it_stands(
    capsys: pytest.CaptureFixture[str], address: str, as_json: bool
) -> None:
    logs.configure(json=as_json)
    logger = logging.getLogger("mailer.delivery.ledger")
    logger.info("refused %s\n%s", f"<{address}>", address, extra={"reply": f"550 {address} unknown", "all": [address]})
    try:
        raise LookupError(f"nobody is: {address}")
    except LookupError:
        logger.exception("failed")
    written = capsys.readouterr().err
    assert "@example.org" not in written
    assert address not in written
    assert "o'" not in written
    assert "[address]" in written


def test_json_lines_hold_ids_as_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=True)
    logging.getLogger("mailer.delivery.ledger").info("claimed", extra={"campaign": 7, "rows": 20})
    record = json.loads(capsys.readouterr().err)
    time = record.pop("time")
    assert record == {
        "level": "INFO",
        "logger": "mailer.delivery.ledger",
        "message": "claimed",
        "campaign": 7,
        "rows": 20,
    }
    assert time.endswith("+00:00")


def test_text_lines_are_short_and_end_with_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=False)
    logging.getLogger("mailer.delivery.ledger").info("claimed", extra={"campaign": 7, "rows": 20})
    assert capsys.readouterr().err.endswith(" INFO    mailer.delivery.ledger claimed campaign=7 rows=20\n")


def test_the_password_in_a_url_is_redacted() -> None:
    assert "swordfish" not in addresses.redact("cannot reach smtps://ana:swordfish@mail.example.org:465")


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_the_token_of_a_link_is_redacted_wherever_it_stands(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    token = "0123456789abcdef0123" * 2
    logs.configure(json=as_json)
    logging.getLogger("mailer.web").error(
        "no page at /fr/confirm/%s?x=1", token.upper(), extra={"path": f"/undo/{token}"}
    )
    written = capsys.readouterr().err
    assert token not in written.lower()
    assert "/fr/confirm/[token]?x=1" in written
    assert "/undo/[token]" in written


def test_the_web_servers_log_of_a_failed_request_says_neither_from_where_nor_what_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(json=True)
    server = logging.getLogger("gunicorn.error")
    server.warning("Invalid request from ip=198.51.100.7: Invalid HTTP request line: 'GET /confirm/0123'")
    server.error("Error handling request %s %s", "GET", "/join/dockers?name=Ana")
    written = capsys.readouterr().err
    assert "an invalid request was refused" in written
    assert "a request failed" in written
    for told in ("198.51", "confirm", "Ana"):
        assert told not in written


def test_what_the_web_server_logs_is_redacted_too(capsys: pytest.CaptureFixture[str]) -> None:
    server = logging.getLogger("gunicorn.error")
    server.addHandler(logging.StreamHandler(sys.stderr))
    server.propagate = False
    logs.configure(json=True)
    server.error("Error handling request /?email=ana@example.org")
    written = capsys.readouterr().err
    assert "ana@example.org" not in written
    assert json.loads(written)["logger"] == "gunicorn.error"
