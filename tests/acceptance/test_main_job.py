"""From a CSV of supporters to a delivered urgent action, as an organiser does it on the command line."""

import csv
from collections.abc import Callable
from email import policy
from email.parser import BytesHeaderParser
from pathlib import Path

from mailer.locale import countries
from mailer.trial import sample
from tests.acceptance.system import System

SUPPORTERS = 10_000
TEXTS = {"en", "fr", "es", "ru", "ar", "de"}
CHALK = {"chalk-and-ink-federation", "maestras-y-maestros", "cedar-teachers"}


def test_ten_thousand_people_get_one_message_each_in_their_language(
    system: System, loaded: Callable[[int], str], tmp_path: Path
) -> None:
    slug = loaded(SUPPORTERS)
    expected = _expected(tmp_path / "supporters.csv")
    for _ in range(2):
        system.start_worker()

    system.mailer("campaigns", "send", slug)
    system.mailer("campaigns", "send", slug, exit_code=1)
    status = system.wait_until_sent(slug)

    assert status["states"]["sent"] == status["audience"] == len(expected)
    got = {message.recipient: message for message in system.server.received}
    assert len(system.server.received) == len(got) == len(expected)
    headers = BytesHeaderParser(policy=policy.compat32)
    languages = {address: headers.parsebytes(message.data)["Content-Language"] for address, message in got.items()}
    assert languages == expected
    system.mailer("campaigns", "send", slug, exit_code=1)
    assert len(system.server.received) == len(expected)


def _expected(table: Path) -> dict[str, str]:
    """Who should get it, and in which language: the sample campaign's audience, worked out from the CSV alone."""
    names = {union.name: union.slug for union in sample.unions()}
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:-4]  # the last four have something wrong, on purpose
    expected: dict[str, str] = {}
    for row in rows:
        if row["country"] and countries.parse(row["country"]) in ("BR", "JP"):
            continue
        if names.get(row["union"], row["union"]) in CHALK:
            continue
        expected[_on_the_wire(row["email"])] = row["language"] if row["language"] in TEXTS else "en"
    # Among the four, two are fine but for a union, and a country, that nobody knows.
    expected |= {"ines.vidal@example.com": "es", "gil.ferris@example.net": "en"}
    return expected


def _on_the_wire(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode().lower()}"
