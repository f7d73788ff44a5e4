"""`mailer campaigns`: exit codes, messages, and the JSON that scripts read."""

import json
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from mailer.models import Campaign, CampaignStatus, Delivery, DeliveryState, Purpose
from tests.conftest import CommandLine
from tests.factories import make_campaign, make_list, make_subscriber

SLUG = "free-the-five"


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """A draft to two people, committed."""
    news = make_list(session)
    campaign = make_campaign(session, news)
    for _ in range(2):
        make_subscriber(session, news)
    session.commit()
    return campaign


def status_of(cli: CommandLine) -> str:
    return str(json.loads(cli("campaigns", "status", SLUG, "--json").stdout)["status"])


def put(session: Session, campaign: Campaign, status: CampaignStatus) -> None:
    campaign.status = status
    session.commit()


def test_a_folder_is_loaded_and_checked(cli: CommandLine, session: Session, tmp_path: Path) -> None:
    make_list(session)
    session.commit()
    folder = tmp_path / "new-one"
    folder.mkdir()
    (folder / "campaign.toml").write_text('kind = "urgent_action"\nlist = "urgent-actions"\nlanguage = "en"\n')
    (folder / "en.md").write_text('+++\nsubject = "S"\npreheader = "P"\n+++\nHello\n')
    assert 'Campaign "new-one" is loaded as a draft, in en.' in cli("campaigns", "load", folder).stdout
    assert "Nobody would get it" in cli("campaigns", "check", "new-one").stdout
    (folder / "en.md").write_text('+++\nsubject = "S"\npreheader = "P"\n+++\n{% if %}\n')
    refused = cli("campaigns", "load", folder, exit_code=1)
    assert refused.stderr.startswith("mailer: en.md:5: ")
    assert len(refused.stderr.splitlines()) == 1
    cli("campaigns", "load", tmp_path / "nowhere", exit_code=2)


def test_check_reports_to_programs(cli: CommandLine, campaign: Campaign) -> None:
    report = json.loads(cli("campaigns", "check", SLUG, "--json").stdout)
    assert report["slug"] == SLUG
    assert report["audience"] == 2
    assert report["by_text"] == {"en": 2}
    assert report["without_target"] == ["United Kingdom"]
    assert "Audience: 2" in cli("campaigns", "check", SLUG).stdout


def test_a_campaign_is_sent_once(cli: CommandLine, campaign: Campaign) -> None:
    sent = cli("campaigns", "send", SLUG)
    assert "is being sent to 2 people" in sent.stdout
    again = cli("campaigns", "send", SLUG, exit_code=1)
    assert "is sending, so it cannot be sent" in again.stderr
    report = json.loads(cli("campaigns", "status", SLUG, "--json").stdout)
    assert report["audience"] == sum(report["states"].values()) == report["states"]["pending"] == 2
    assert list(report["states"]) == [state.value for state in DeliveryState]


def test_without_redis_sending_warns_and_goes_on(cli: CommandLine, campaign: Campaign) -> None:
    cli.environment["MAILER_REDIS_URL"] = "redis://127.0.0.1:1/0"
    sent = cli("campaigns", "send", SLUG)
    assert "Warning: Redis cannot be reached" in sent.stderr
    assert status_of(cli) == "sending"


def test_sending_to_nobody_is_refused_and_leaves_a_draft(cli: CommandLine, session: Session) -> None:
    make_campaign(session, make_list(session))
    session.commit()
    assert "is empty" in cli("campaigns", "send", SLUG, exit_code=1).stderr
    assert status_of(cli) == "draft"


@pytest.mark.parametrize(
    ("at", "exit_code", "message"),
    [
        ("2035-01-01T09:00:00", 1, "names no time zone"),
        ("2020-01-01T09:00:00Z", 1, "has passed"),
        ("tomorrow", 2, "is not an ISO time"),
    ],
)
def test_a_time_that_means_nothing_is_refused(
    cli: CommandLine, campaign: Campaign, at: str, exit_code: int, message: str
) -> None:
    assert message in cli("campaigns", "send", SLUG, "--at", at, exit_code=exit_code).stderr
    assert status_of(cli) == "draft"


def test_a_scheduled_campaign_can_be_held_and_taken_up_again(cli: CommandLine, campaign: Campaign) -> None:
    scheduled = cli("campaigns", "send", SLUG, "--at", "2035-01-01T09:00:00+01:00")
    assert "starts by itself at 2035-01-01T08:00+00:00" in scheduled.stdout
    assert "Paused: free-the-five." in cli("campaigns", "pause", "--all").stdout
    assert "Nothing was under way" in cli("campaigns", "pause", "--all").stdout
    assert "is scheduled again" in cli("campaigns", "resume", SLUG).stdout


def test_pause_resume_and_cancel_follow_each_other(cli: CommandLine, campaign: Campaign) -> None:
    cli("campaigns", "send", SLUG)
    assert "Paused: free-the-five." in cli("campaigns", "pause", SLUG).stdout
    assert "is sending again" in cli("campaigns", "resume", SLUG).stdout
    cli("campaigns", "cancel", SLUG)
    report = json.loads(cli("campaigns", "status", SLUG, "--json").stdout)
    assert (report["status"], report["states"]["skipped"]) == ("cancelled", 2)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("pause", SLUG), CampaignStatus.DRAFT),
        (("resume", SLUG), CampaignStatus.SENDING),
        (("cancel", SLUG), CampaignStatus.SENT),
        (("send", SLUG), CampaignStatus.CANCELLED),
        (("resend", SLUG, "--state", "failed"), CampaignStatus.DRAFT),
    ],
)
def test_a_move_from_the_wrong_state_is_refused_in_one_line(
    cli: CommandLine, session: Session, campaign: Campaign, command: tuple[str, ...], status: CampaignStatus
) -> None:
    put(session, campaign, status)
    refused = cli("campaigns", *command, exit_code=1)
    assert f"is {status}" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    [
        ("pause",),
        ("pause", SLUG, "--all"),
        ("recipients", SLUG),
        ("recipients", SLUG, "--state", "lost"),
        ("resend", SLUG, "--state", "sent"),
        ("test", SLUG),
    ],
)
def test_wrong_usage_ends_with_2(cli: CommandLine, campaign: Campaign, command: tuple[str, ...]) -> None:
    cli("campaigns", *command, exit_code=2)


@pytest.mark.parametrize("command", ["check", "status", "send", "pause", "cancel"])
def test_an_unknown_campaign_ends_with_1(cli: CommandLine, command: str) -> None:
    assert 'no campaign "nothing"' in cli("campaigns", command, "nothing", exit_code=1).stderr


def test_recipients_are_one_object_a_line(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    cli("campaigns", "send", SLUG)
    rows = [
        json.loads(line)
        for line in cli("campaigns", "recipients", SLUG, "--state", "pending", "--json").stdout.splitlines()
    ]
    assert len(rows) == 2
    keys = ["delivery", "email", "state", "reason", "smtp_code", "smtp_text", "message_id", "attempts"]
    assert all(list(row) == keys for row in rows)
    assert cli("campaigns", "recipients", SLUG, "--state", "sent", "--json").stdout == ""
    assert rows[0]["email"] in cli("campaigns", "recipients", SLUG, "--state", "pending").stdout


def test_resend_says_when_there_is_nothing_to_send(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    put(session, campaign, CampaignStatus.SENT)
    assert "Nothing is unknown." in cli("campaigns", "resend", SLUG, "--state", "unknown").stdout
    assert status_of(cli) == "sent"


def test_a_test_mail_is_ordered_and_a_bad_address_refused(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    cli("campaigns", "test", SLUG, "--to", "me@example.org")
    (owed,) = session.query(Delivery).all()
    assert owed.purpose is Purpose.TEST
    refused = cli("campaigns", "test", SLUG, "--to", "at home", exit_code=1)
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command", [("send", SLUG), ("test", SLUG, "--to", "me@example.org"), ("preview", SLUG, "-o", "out")]
)
def test_without_an_identity_the_setting_is_named_in_one_line(
    cli: CommandLine, campaign: Campaign, command: tuple[str, ...]
) -> None:
    del cli.environment["MAILER_POSTAL_ADDRESS"]
    refused = cli("campaigns", *command, exit_code=1)
    assert refused.stderr.startswith("mailer: MAILER_POSTAL_ADDRESS: ")
    assert len(refused.stderr.splitlines()) == 1
    assert status_of(cli) == "draft"


def test_a_preview_is_written(cli: CommandLine, campaign: Campaign) -> None:
    files = cli("campaigns", "preview", SLUG, "--country", "GB", "-o", "out").stdout.split()
    assert sorted(Path(file).suffix for file in files) == [".eml", ".html", ".txt"]
    assert all(Path(file).stat().st_size for file in files)


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.db", "postgresql+psycopg://nobody@127.0.0.1:1/none"])
def test_without_a_database_there_is_one_line_and_3(cli: CommandLine, url: str) -> None:
    cli.environment["MAILER_DATABASE_URL"] = url
    for command in (("status", SLUG), ("send", SLUG)):
        failed = cli("campaigns", *command, exit_code=3)
        assert failed.stderr.startswith("mailer: The database cannot be used")
        assert len(failed.stderr.splitlines()) == 1
