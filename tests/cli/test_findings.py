"""Findings: what `check` calls an error is what keeps a campaign from going out, and nothing else does."""

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import get_args

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import text_versions
from mailer.campaigns.text_versions import Saving
from mailer.campaigns.written import Written, name_of
from mailer.cases import cases
from mailer.cases.dossier import Consent, ConsentBy, ConsentRecord
from mailer.cases.findings import Code
from mailer.store import db
from mailer.store.db import utcnow
from mailer.store.models import (
    Asking,
    Campaign,
    CampaignStatus,
    Case,
    CaseFact,
    CaseStatus,
    Certainty,
    HomeRule,
)
from tests.conftest import CommandLine
from tests.support.factories import WHEN, make_campaign, make_case, make_list, make_subscriber

SLUG = "free-leila"
NEXT_YEAR = (utcnow() + timedelta(days=365)).isoformat()


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """A draft against which nothing stands: about a case, to people elsewhere, at home, and who knows where."""
    case = make_case(session, never=["Amal Odeh"])
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5)))
    today = db.now(session).date()
    case.facts.append(
        CaseFact(text="She is held.", source="her lawyer", certainty=Certainty.KNOWN, checked_on=today, good_for=30)
    )
    urgent = make_list(session)
    for country in ("GB", "BR", None):
        make_subscriber(session, urgent, country=country)
    campaign = make_campaign(session, urgent, slug=SLUG)
    campaign.case, campaign.about = case, "BR"
    campaign.home, campaign.unknown_home = HomeRule.EXCLUDE, HomeRule.INCLUDE
    session.commit()
    return campaign


Breaks = Callable[[Campaign], tuple[object, str, object]]


def case_of(campaign: Campaign) -> Case:
    assert campaign.case is not None
    return campaign.case


_ENDED = ConsentRecord(Consent(ConsentBy.FAMILY, date(2026, 1, 5), date(2026, 1, 6))).to_json()
#: code → what to change, and to what, so that it stands against a campaign
BREAKS: Mapping[Code, Breaks] = {
    "about-missing": lambda campaign: (campaign, "about", None),
    "about-outdated": lambda campaign: (case_of(campaign), "country", "TR"),
    "audience-empty": lambda campaign: (campaign, "audience", {"countries": ["FJ"]}),
    "audience-unknown": lambda campaign: (campaign, "audience", {"unions": ["bakers"]}),
    "campaign-closed": lambda campaign: (campaign, "asking", Asking.CLOSED),
    "campaign-stopped": lambda campaign: (campaign, "asking", Asking.STOPPED),
    "campaign-withdrawn": lambda campaign: (campaign, "asking", Asking.WITHDRAWN),
    "case-closed": lambda campaign: (case_of(campaign), "status", CaseStatus.CLOSED),
    "case-stopped": lambda campaign: (case_of(campaign), "status", CaseStatus.STOPPED),
    "consent-missing": lambda campaign: (case_of(campaign), "consent", None),
    "consent-past": lambda campaign: (case_of(campaign), "consent", _ENDED),
    "deadline-passed": lambda campaign: (campaign, "deadline", WHEN),
    "fact-stale": lambda campaign: (case_of(campaign).facts[0], "checked_on", date(2020, 1, 1)),
    "home-same-words": lambda campaign: (campaign, "home", HomeRule.INCLUDE),
    "home-undecided": lambda campaign: (campaign, "home", None),
    "home-unknown": lambda campaign: (campaign, "unknown_home", None),
    "latest-start-passed": lambda campaign: (campaign, "latest_start", WHEN),
    "link-key-missing": lambda campaign: (campaign, "message_key", "lost"),
    "never": lambda campaign: (campaign.texts[0], "body", "Amal Odeh saw it.\n"),
    "role-missing": lambda campaign: (campaign, "ask", ["embassy"]),
    "target-missing": lambda campaign: (campaign.texts[0], "body", "Write to {{ target_name }}.\n"),
    "text-broken": lambda campaign: (campaign.texts[0], "body", "[x](https://example.org/?u={{ union }})\n"),
}
#: for these a person decides once it is paused
UNTIL_PAUSED = {"deadline-passed", "latest-start-passed"}


def levels(cli: CommandLine, exit_code: int = 0) -> dict[str, str]:
    """The findings of `check`: code → level."""
    report = json.loads(cli("campaigns", "check", SLUG, "--json", exit_code=exit_code).stdout)
    assert bool(report["not_ready"]) is bool(exit_code)
    return {finding["code"]: finding["level"] for finding in report["findings"]}


def put(session: Session, thing: object, key: str, value: object) -> None:
    setattr(thing, key, value)
    session.commit()


@pytest.mark.parametrize("code", BREAKS)
def test_what_a_check_calls_an_error_keeps_a_campaign_from_going_out_until_it_is_mended(
    cli: CommandLine, session: Session, campaign: Campaign, code: Code
) -> None:
    thing, key, value = BREAKS[code](campaign)
    was = getattr(thing, key)
    put(session, thing, key, value)
    errors = [found for found, level in levels(cli, 1).items() if level == "error"]
    assert errors == [code]
    for at in ((), ("--at", NEXT_YEAR)):
        assert "cannot be sent" in cli("campaigns", "send", SLUG, *at, exit_code=1).stderr
    put(session, campaign, "status", CampaignStatus.PAUSED)
    if code in UNTIL_PAUSED:
        assert levels(cli)[code] == "warning"
    else:
        assert code in levels(cli, 1)
        assert "cannot be sent" in cli("campaigns", "resume", SLUG, exit_code=1).stderr
        put(session, thing, key, was)
    assert "error" not in levels(cli).values()
    cli("campaigns", "resume", SLUG)
    session.refresh(campaign)
    assert campaign.status is CampaignStatus.SENDING


@pytest.mark.parametrize("at", [(), ("--at", NEXT_YEAR)])
def test_a_campaign_against_which_nothing_stands_is_sent(
    cli: CommandLine, campaign: Campaign, at: tuple[str, ...]
) -> None:
    assert "error" not in levels(cli).values()
    cli("campaigns", "send", SLUG, *at)


def test_each_error_that_can_stand_against_a_campaign_is_seen_to_refuse_it() -> None:
    # each of these has a test of its own
    elsewhere = {"acted-forgotten", "case-unseen", "got-going-out", "setting-wrong", "text-unfinished"}
    warnings = {
        "acted-nobody",
        "acted-still-open",
        "asks-missing",
        "dead-link",
        "deadline-near",
        "empty-field",
        "got-not-begun",
        "letter-missing",
        "letter-unread",
        "machine-name",
        "mail-long",
        "markdown-left",
        "never-in-history",
        "no-link",
        "no-organisers",
        "preheader-length",
        "spam-words",
        "target-doubtful",
        "target-not-own",
        "target-stale",
        "territories-left-out",
        "territories-not-excluded",
        "text-missing",
        "translation-outdated",
        "unknown-address",
        "unknown-telephone",
        "unseen",
        "wordings-few",
    }
    assert set(BREAKS) | elsewhere | warnings == set(get_args(Code))


def test_a_text_that_was_saved_unfinished_refuses_until_it_is_saved_again(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    text = campaign.texts[0]
    said = Written.of(text.subject, text.preheader, text.body)
    unfinished = Written.of("", text.preheader, text.body)
    base = 0
    for written, goes_out in ((unfinished, False), (said, True)):
        saving = Saving(base=base, at=db.now(session), account_id=1)
        base = text_versions.save(session, campaign, name_of(text), written, saving, goes_out=goes_out).id
        session.commit()
        found = levels(cli, 0 if goes_out else 1)
        assert [code for code, level in found.items() if level == "error"] == ([] if goes_out else ["text-unfinished"])
        for at in ("--at", NEXT_YEAR), ():
            sent = cli("campaigns", "send", SLUG, *at, exit_code=0 if goes_out else 1)
            assert ("cannot be sent" in sent.stderr) is not goes_out


def test_a_setting_that_is_missing_is_an_error_and_refuses(cli: CommandLine, campaign: Campaign) -> None:
    assert "setting-wrong" not in levels(cli)
    del cli.environment["MAILER_POSTAL_ADDRESS"]
    assert levels(cli, 1)["setting-wrong"] == "error"
    for command in (("send", SLUG), ("send", SLUG, "--at", NEXT_YEAR)):
        assert "MAILER_POSTAL_ADDRESS" in cli("campaigns", *command, exit_code=1).stderr


def test_errors_come_first_and_each_says_where_what_and_what_to_do(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    put(session, case_of(campaign), "consent", None)
    lines = cli("campaigns", "check", SLUG, exit_code=1).stdout.splitlines()
    said = [line for line in lines if line.startswith(("NOT READY: ", "Warning: "))]
    assert said[0] == (
        "NOT READY: case leila: nobody has agreed that we speak of it. "
        "Ask, and record the answer: mailer cases consent leila --by WHO --on DAY"
    )
    assert len(said) > 1
    assert all(line.startswith("Warning: ") for line in said[1:])


def test_a_scheduled_campaign_that_asks_to_write_to_nobody_by_then_does_not_start(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    campaign.targets = [{"countries": ["GB"], "name": "London", "email": "", "address": ""}]
    campaign.texts[0].body, campaign.unknown_home = "Write to {{ target_name }}.\n", HomeRule.EXCLUDE
    session.commit()
    cli("campaigns", "send", SLUG, "--at", NEXT_YEAR)
    make_subscriber(session, campaign.mailing_list, country="FR")
    session.commit()
    assert "there is none for France" in cli("campaigns", "send", SLUG, exit_code=1).stderr


@pytest.mark.parametrize(
    "body", ["[Write](mailto:{{ target_email }},amal.odeh@example.org)\n", "Free **Amal-Odeh\n", "![Amal-Odeh](x)\n"]
)
def test_no_finding_shows_a_word_that_must_not_appear(
    cli: CommandLine, session: Session, campaign: Campaign, body: str
) -> None:
    campaign.texts[0].body = body
    campaign.targets = [{"countries": [], "name": "Ministry", "email": "", "address": ""}]
    session.commit()
    for format_ in ((), ("--json",)):
        said = cli("campaigns", "check", SLUG, *format_, exit_code=1).stdout
        assert "odeh" not in said.lower()
    for exit_code, *command in ((1, "send", SLUG), (0, "status", SLUG), (0, "status", SLUG, "--json")):
        refused = cli("campaigns", *map(str, command), exit_code=int(exit_code))
        assert "odeh" not in (refused.stdout + refused.stderr).lower()


def test_what_keeps_a_campaign_from_going_out_is_said_in_a_line_for_each(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    campaign.deadline, campaign.about = db.now(session) - timedelta(days=1), None
    assert campaign.case
    campaign.case.consent = None
    session.commit()
    errors = [line for line in cli("campaigns", "check", SLUG, exit_code=1).stdout.splitlines() if "NOT READY" in line]
    assert len(errors) > 1
    refused = [f'mailer: Campaign "{SLUG}" cannot be sent.', *errors]
    assert cli("campaigns", "send", SLUG, exit_code=1).stderr.splitlines() == refused
    put(session, campaign, "status", CampaignStatus.PAUSED)
    put(session, campaign, "started_at", db.now(session))
    resumed = cli("campaigns", "resume", SLUG, exit_code=1).stderr.splitlines()
    assert len(resumed) > 2 and {*resumed} <= {*refused}
