"""`mailer notices`, and what other commands say of system mails."""

import json

from sqlalchemy.orm import Session

from mailer.store.models import DeliveryState
from tests.conftest import CommandLine
from tests.people.test_failed_notices import fail
from tests.support.factories import make_campaign, make_list

S = DeliveryState


def test_status_says_how_many_failed_and_why(cli: CommandLine, session: Session) -> None:
    fail(session, words="5.1.1 ana@example.org unknown")
    fail(session, S.UNKNOWN)
    fail(session, S.DEFERRED, words="4.7.1 greylisted")
    session.commit()
    words = cli("notices", "status").stdout
    assert "Failed in the last 7 days: 1\nMay be lost, in the same days: 1\n" in words
    assert "Waiting: 1 (1 refused for now)\n" in words
    for told in ("confirm", "550 5.1.1", "[address]", "unknown", "greylisted", "None of these is sent again by itself"):
        assert told in words
    assert "ana" not in words
    report = json.loads(cli("notices", "status", "--json").stdout)
    assert {key: report[key] for key in ("days", "waiting", "failed", "unknown", "deferred")} == {
        "days": 7,
        "waiting": 1,
        "failed": 1,
        "unknown": 1,
        "deferred": 1,
    }
    failed = next(each for each in report["failures"] if each["state"] == "failed")
    assert (failed["kind"], failed["smtp_code"], failed["enhanced_code"], failed["count"]) == (
        "confirm",
        550,
        "5.1.1",
        1,
    )
    assert failed["example"] == "5.1.1 [address] unknown"


def test_status_is_short_where_all_is_well(cli: CommandLine) -> None:
    cli.environment["MAILER_ORGANISERS"] = "desk@example.org,rosa@example.org"
    words = "Failed in the last 7 days: 0\nWaiting: 0\nOrganisers who hear by mail what happens: 2\n"
    assert cli("notices", "status").stdout == words
    assert json.loads(cli("notices", "status", "--json").stdout)["organisers"] == 2


def test_status_says_if_no_organiser_hears_of_anything(cli: CommandLine) -> None:
    assert "Set MAILER_ORGANISERS to their addresses." in cli("notices", "status").stdout
    assert json.loads(cli("notices", "status", "--json").stdout)["organisers"] == 0


def test_the_status_of_a_campaign_says_that_system_mails_failed(cli: CommandLine, session: Session) -> None:
    slug = make_campaign(session, make_list(session)).slug
    session.commit()
    assert "System mails" not in cli("campaigns", "status", slug).stdout
    assert json.loads(cli("campaigns", "status", slug, "--json").stdout)["failed_notices"] == 0
    fail(session)
    session.commit()
    assert (
        "System mails failed lately: 1. See why with: mailer notices status" in cli("campaigns", "status", slug).stdout
    )
    assert json.loads(cli("campaigns", "status", slug, "--json").stdout)["failed_notices"] == 1
