"""An organiser stops a case or a campaign at once, whatever stands in the way, and hears what was done."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import Engine

from mailer.campaigns import lifecycle, outcome_news
from mailer.cases import cases
from mailer.cases.dossier import Consent, ConsentBy
from mailer.cli.installation import Installation
from mailer.delivery import stopping
from mailer.store.db import DatabaseUnavailable, session_scope
from mailer.store.models import CampaignStatus, DeliveryState
from tests.conftest import CommandLine
from tests.support.factories import add_text, deliver, make_act, make_campaign, make_case, make_list, make_subscriber

WHY = ("--why", "Letters now put her in danger.")


@pytest.fixture
def alert(engine: Engine) -> str:
    """A campaign about the case "port-arrest" that is being sent to somebody."""
    with session_scope(engine) as session:
        people = make_list(session)
        make_subscriber(session, people)
        case = make_case(session, "port-arrest", never=["Amal Odeh"])
        cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5)))
        for slug in ("free-leila", "second-alert"):
            campaign = make_campaign(session, people, slug=slug)
            campaign.case = case
            add_text(session, campaign, "fr", "Écrivez.\n")
        make_campaign(session, people, slug="unrelated")
    return "free-leila"


@pytest.fixture
def sending(cli: CommandLine, alert: str) -> str:
    cli("campaigns", "send", alert)
    return alert


def status(cli: CommandLine, slug: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cli("campaigns", "status", slug, "--json").stdout)
    return found


def test_a_case_is_stopped_reopened_and_closed(cli: CommandLine, sending: str) -> None:
    stopped = cli("cases", "stop", "port-arrest", *WHY, "--why-in", "fr", "Des lettres la mettent\nen danger.").stdout
    assert 'Case "port-arrest" is stopped: everybody is asked to do nothing any more.' in stopped
    assert "Paused: free-leila." in stopped
    assert "The reason is shown in: en, fr." in stopped
    assert "mailer cases reopen port-arrest" in stopped
    assert 'kind = "stop", and below [audience] got = ["free-leila"]' in stopped
    found = status(cli, sending)
    assert (found["status"], found["asking"]) == ("paused", "stopped")
    assert found["hold_reason"] == 'its case "port-arrest" was stopped'
    assert "the case is stopped" in cli("campaigns", "resume", sending, exit_code=1).stderr

    reopened = cli("cases", "reopen", "port-arrest").stdout
    assert 'Case "port-arrest" is open again.\nStill paused: free-leila.' in reopened
    assert "mailer campaigns resume free-leila" in reopened
    cli("campaigns", "resume", sending)

    closed = cli(
        "cases", "close", "port-arrest", "--outcome", "She is free.", "--outcome-in", "French", "Libre !"
    ).stdout
    assert "Paused: free-leila." in closed and "The outcome is shown in: en, fr." in closed
    assert "the case is closed" in cli("campaigns", "resume", sending, exit_code=1).stderr
    shown = cli("cases", "show", "port-arrest").stdout
    for line in (
        "  stopped: Letters now put her in danger.",
        "  reopened\n",
        "  closed: She is free.",
    ):
        assert line in shown
    told = json.loads(cli("cases", "show", "port-arrest", "--json").stdout)["history"]
    assert told[1]["words"] == {"en": WHY[1], "fr": "Des lettres la mettent en danger."}


def test_whoever_closes_a_case_hears_what_tells_those_who_acted_and_sends_it(
    cli: CommandLine, engine: Engine, sending: str
) -> None:
    with session_scope(engine) as session:
        alert = lifecycle.get(session, sending)
        for _ in range(2):
            make_act(session, alert, make_subscriber(session, alert.mailing_list, country="GB"))
    close = ("cases", "close", "port-arrest", "--outcome", "She is free.", "--outcome-in", "fr", "Libre !")
    closed = cli(*close).stdout
    assert 'the draft "port-arrest-outcome" was written, to the list "urgent-actions"' in closed
    assert "then mailer campaigns send port-arrest-outcome" in closed
    again = cli(*close).stdout
    assert 'there is "port-arrest-outcome" (draft). It was left as it is.' in again
    assert "mailer campaigns delete port-arrest-outcome" in again
    cli("campaigns", "check", "port-arrest-outcome")
    assert "is being sent to 2 people" in cli("campaigns", "send", "port-arrest-outcome").stdout
    sent = cli(*close).stdout
    assert 'there is "port-arrest-outcome" (sending)' in sent and "campaigns delete" not in sent


def test_a_case_is_closed_also_where_the_news_of_it_cannot_be_written(
    cli: CommandLine, sending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_news, "_audiences", Mock(side_effect=DatabaseUnavailable(problem="it is away")))
    monkeypatch.setattr(stopping, "_PAUSE_SECONDS", 0)
    closed = cli("cases", "close", "port-arrest", "--outcome", "She is free.", exit_code=3)
    assert 'Case "port-arrest" is closed' in closed.stdout
    assert status(cli, sending)["asking"] == "closed"


def test_a_stop_goes_out_while_a_worker_hangs_and_says_that_some_may_be_missed(
    cli: CommandLine, engine: Engine, sending: str
) -> None:
    cli("cases", "stop", "port-arrest", *WHY)
    with session_scope(engine) as session:
        alert = lifecycle.get(session, sending)
        for state in (DeliveryState.SENT, DeliveryState.SENDING):
            deliver(session, alert, make_subscriber(session, alert.mailing_list), state, fence=1)
        stop = make_campaign(session, alert.mailing_list, slug="stop-it")
        stop.kind, stop.audience = "stop", {"got": [sending]}
    sent = cli("campaigns", "send", "stop-it")
    assert '"stop-it" is being sent to 1 person.' in sent.stdout
    assert "Warning: campaign.toml, [audience]: a worker still holds mails of campaign free-leila" in sent.stderr
    assert "send this to the rest" in sent.stderr


def test_a_campaign_is_stopped_alone_and_says_how_to_stop_its_case(cli: CommandLine, sending: str) -> None:
    stopped = cli("campaigns", "stop", sending, *WHY).stdout
    assert 'Campaign "free-leila" is stopped: everybody is asked to do nothing any more. It is paused.' in stopped
    assert "mailer cases stop port-arrest --why TEXT" in stopped
    assert 'got = ["free-leila"]' in stopped
    assert "got =" not in cli("campaigns", "stop", "second-alert", *WHY).stdout
    cli("campaigns", "reopen", "second-alert")
    assert status(cli, "second-alert")["asking"] == "open"
    shown = cli("campaigns", "status", sending).stdout
    assert "Stopped: everybody is asked to do nothing any more." in shown
    assert "mailer campaigns reopen free-leila" in shown
    assert "Paused: it was stopped" in shown and "campaigns resume" not in shown
    assert "stopped: Letters now put her in danger. (en)" in shown
    assert "  stopped (free-leila): Letters now put her in danger." in cli("cases", "show", "port-arrest").stdout

    reopened = cli("campaigns", "reopen", sending).stdout
    assert "Sending stays paused. To go on: mailer campaigns resume free-leila" in reopened
    assert "Resume it with: mailer campaigns resume free-leila" in cli("campaigns", "status", sending).stdout


def test_a_campaign_that_is_reopened_while_its_case_is_stopped_says_so(cli: CommandLine, sending: str) -> None:
    cli("campaigns", "stop", sending, *WHY)
    cli("cases", "stop", "port-arrest", *WHY)
    told = cli("campaigns", "reopen", sending).stdout
    assert "itself is open again, but its case is stopped" in told and "mailer cases reopen port-arrest" in told


def test_a_campaign_without_a_case_is_stopped_in_its_own_language_and_tells_its_history(
    cli: CommandLine, engine: Engine
) -> None:
    with session_scope(engine) as session:
        campaign = make_campaign(session, make_list(session), slug="libres")
        add_text(session, campaign, "es", "Escriba.\n")
        campaign.language = "es"
    stopped = cli("campaigns", "stop", "libres", "--why", "Hay peligro.").stdout
    assert "The reason is shown in: es." in stopped and "cases stop" not in stopped
    cli("campaigns", "close", "libres")
    found = status(cli, "libres")
    assert found["asking"] == "closed"
    assert [(step["kind"], step["words"]) for step in found["history"]] == [
        ("stopped", {"es": "Hay peligro."}),
        ("closed", {}),
    ]
    assert "stopped: Hay peligro. (es)" in cli("campaigns", "status", "libres").stdout


def test_a_case_that_is_reopened_says_which_campaigns_stay_stopped(cli: CommandLine, sending: str) -> None:
    cli("campaigns", "stop", sending, *WHY)
    cli("cases", "stop", "port-arrest", *WHY)
    told = cli("cases", "reopen", "port-arrest").stdout
    assert "Still paused" not in told  # `resume` would be refused
    assert "Still stopped or closed, because that was done to them alone: free-leila." in told
    assert "To open them too: mailer campaigns reopen free-leila" in told


def test_closing_says_that_the_notice_of_a_stop_is_gone(cli: CommandLine, sending: str) -> None:
    cli("campaigns", "stop", sending, *WHY)
    assert "no longer ask people to do nothing" in cli("campaigns", "close", sending).stdout
    cli("cases", "stop", "port-arrest", *WHY)
    assert "no longer ask people to do nothing" in cli("cases", "close", "port-arrest").stdout


def test_a_withdrawal_is_asked_for_once_and_is_for_good(
    cli: CommandLine, sending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.cli.campaigns.is_to_ask", lambda *, yes: not yes)
    declined = cli("campaigns", "withdraw", sending, input="n\n", exit_code=1)
    assert 'Take all text and names of campaign "free-leila" down for good?' in declined.output
    assert status(cli, sending)["asking"] == "open"
    assert "It is cancelled" in cli("campaigns", "withdraw", sending, "--yes").stdout
    found = status(cli, sending)
    assert (found["status"], found["asking"], found["states"]["skipped"]) == ("cancelled", "withdrawn", 1)
    assert "is withdrawn already" in cli("campaigns", "withdraw", sending, "--yes").stdout
    for move in ("stop", "close"):
        assert "was withdrawn" in cli("campaigns", move, sending, *(WHY if move == "stop" else ())).stdout
    assert "for good" in cli("campaigns", "reopen", sending, exit_code=1).stderr


def test_the_list_says_what_people_are_not_asked_to_act_on_any_more(cli: CommandLine, sending: str) -> None:
    cli("campaigns", "close", "second-alert")
    cli("cases", "stop", "port-arrest", *WHY)
    lines = {line.split()[0]: line for line in cli("campaigns", "list").stdout.splitlines()}
    assert "STOPPED" in lines[sending] and "STOPPED" in lines["second-alert"]
    assert "STOPPED" not in lines["unrelated"] and "OPEN" not in lines["unrelated"]
    found = {each["slug"]: each["asking"] for each in json.loads(cli("campaigns", "list", "--json").stdout)}
    assert found == {sending: "stopped", "second-alert": "stopped", "unrelated": "open"}


# --- nothing keeps a stop from happening ----------------------------------------------------------------------------

Stop = Callable[..., Any]


@pytest.mark.parametrize("what", [("cases", "port-arrest"), ("campaigns", "free-leila")])
def test_words_that_cannot_be_shown_keep_no_stop_from_happening(
    cli: CommandLine, sending: str, what: tuple[str, str]
) -> None:
    group, slug = what
    stopped = cli(
        group, "stop", slug, "--why", "Amal  Odeh is in danger", "--why-in", "xx-no", "?", "--why-in", "fr", "Non"
    )
    assert "is stopped" in stopped.stdout and "The reason is shown" not in stopped.stdout
    assert "Warning: the reason is kept in the history, but shown nowhere" in stopped.stderr
    assert f"mailer {group} stop {slug} --why TEXT" in stopped.stderr
    assert '"xx-no" is no language' in stopped.stderr
    assert status(cli, sending)["status"] == "paused"
    for shown in (
        cli("cases", "show", "port-arrest"),
        cli("cases", "show", "port-arrest", "--json"),
        cli("campaigns", "status", sending),
        cli("campaigns", "status", sending, "--json"),
        cli("campaigns", "check", sending, exit_code=1),
    ):
        assert "Odeh" not in shown.output
    assert "(not shown: a word stands in it that must not appear)" in cli("cases", "show", "port-arrest").stdout


@pytest.mark.parametrize("what", [("cases", "port-arrest"), ("campaigns", "free-leila")])
def test_a_stop_needs_a_reason_but_no_words(cli: CommandLine, sending: str, what: tuple[str, str]) -> None:
    group, slug = what
    assert 'Say why: --why "' in cli(group, "stop", slug, exit_code=2).stderr
    assert status(cli, sending)["status"] == "sending"
    cli(group, "stop", slug, "--why", " ")
    assert status(cli, sending)["status"] == "paused"


@pytest.mark.parametrize(
    "stop",
    [
        ("cases", "stop", "port-arrest", *WHY),
        ("campaigns", "stop", "free-leila", *WHY),
        ("campaigns", "withdraw", "free-leila", "--yes"),
    ],
)
def test_a_stop_needs_no_redis_and_is_tried_again_while_the_database_is_busy(
    cli: CommandLine, sending: str, stop: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.environment["MAILER_REDIS_URL"] = "redis://127.0.0.1:1"
    attempts = []
    opening = Installation.session

    def session(installation: Installation, *, read_only: bool = False) -> AbstractContextManager[Any]:
        attempts.append(read_only)
        if len(attempts) in (1, 2, 3):
            raise DatabaseUnavailable(problem="database is locked")
        return opening(installation, read_only=read_only)

    with monkeypatch.context() as changed:
        changed.setattr(Installation, "session", session)
        changed.setattr(stopping, "_PAUSE_SECONDS", 0)
        done = cli(*stop)
    assert done.stderr.count("It is tried again.") == 3
    assert status(cli, sending)["status"] in (CampaignStatus.PAUSED, CampaignStatus.CANCELLED)


def test_a_database_that_stays_away_is_said_in_the_end(
    cli: CommandLine, sending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def session(installation: Installation, *, read_only: bool = False) -> AbstractContextManager[Any]:
        raise DatabaseUnavailable(problem="connection refused")

    monkeypatch.setattr(Installation, "session", session)
    monkeypatch.setattr(stopping, "_PAUSE_SECONDS", 0)
    assert "connection refused" in cli("cases", "stop", "port-arrest", *WHY, exit_code=3).stderr.splitlines()[-1]


@pytest.mark.parametrize("move", ["stop", "close", "reopen"])
def test_what_there_is_not_is_named(cli: CommandLine, alert: str, move: str) -> None:
    why = WHY if move == "stop" else ()
    assert 'There is no case "nobody"' in cli("cases", move, "nobody", *why, exit_code=1).stderr
    assert 'There is no campaign "nobody"' in cli("campaigns", move, "nobody", *why, exit_code=1).stderr
