"""`mailer campaigns`: exit codes, messages, and the JSON that scripts read."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from rich.progress import Progress
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.cli import campaigns as command_line
from mailer.cli import main
from mailer.cli.installation import Installation
from mailer.settings import load_settings
from mailer.store.db import utcnow
from mailer.store.models import Campaign, CampaignStatus, CampaignText, Claim, Delivery, DeliveryState, Purpose
from tests.conftest import CommandLine
from tests.support.factories import WHEN, deliver, make_campaign, make_list, make_subscriber

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
    settings = 'kind = "urgent_action"\nlist = "urgent-actions"\nlanguage = "en"\nabout = "none"\n'
    (folder / "campaign.toml").write_text(settings)
    (folder / "en.md").write_text('+++\nsubject = "S"\npreheader = "P"\n+++\nHello\n')
    assert 'Campaign "new-one" is loaded as a draft, in en.' in cli("campaigns", "load", folder).stdout
    assert "nobody would get it" in cli("campaigns", "check", "new-one", exit_code=1).stdout
    (folder / "en.md").write_text('+++\nsubject = "S"\npreheader = "P"\n+++\n{% if %}\n')
    refused = cli("campaigns", "load", folder, exit_code=1)
    assert refused.stderr.startswith("mailer: en.md:5: ")
    assert len(refused.stderr.splitlines()) == 1
    cli("campaigns", "load", tmp_path / "nowhere", exit_code=2)


def test_loading_says_which_letters_there_are(cli: CommandLine, session: Session, tmp_path: Path) -> None:
    make_list(session)
    session.commit()
    folder = tmp_path / "new-one"
    folder.mkdir()
    settings = 'kind = "urgent_action"\nlist = "urgent-actions"\nlanguage = "en"\nask = ["embassy", "authority"]\n'
    (folder / "campaign.toml").write_text(settings)
    (folder / "en.md").write_text('+++\nsubject = "S"\npreheader = "P"\n+++\nHello\n')
    for name in ("authority.en", "embassy.en", "embassy.ru"):
        (folder / f"letter-{name}.md").write_text('+++\nsubjects = ["S"]\n+++\nPlease.\n')
    said = "in en; letters: embassy (en, ru), authority (en).\n"
    assert said in cli("campaigns", "load", folder).stdout


def test_check_reports_to_programs(cli: CommandLine, campaign: Campaign) -> None:
    report = json.loads(cli("campaigns", "check", SLUG, "--json").stdout)
    assert report["slug"] == SLUG
    assert report["audience"] == 2
    assert report["without_target"] == report["not_ready"] == []
    assert "Audience: 2" in cli("campaigns", "check", SLUG).stdout


def test_check_hides_numbers_that_could_point_to_somebody(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    make_subscriber(session, campaign.mailing_list, language="tr", country=None)
    for _ in range(12):
        make_subscriber(session, campaign.mailing_list, language="fr")
    campaign.texts[0].body = "Write to {{ target_name }}.\n"
    campaign.targets = [{"countries": [], "name": "Ministry", "email": "", "address": ""}]
    session.commit()
    report = json.loads(cli("campaigns", "check", SLUG, "--json").stdout)
    assert report["audience"] == 15
    assert report["by_text"] == {"en": 15}
    assert report["without_text"] == {"fr": None, "tr": None}  # the one would give away the other
    assert report["without_country"] is None
    words = cli("campaigns", "check", SLUG).stdout
    assert "tr.md: the campaign has no text in Turkish, so under 10 people get another one. Write the file" in words
    assert "no target of their own for United Kingdom, people whose country is not known: they get the one" in words


def test_check_says_whom_a_group_leaves_out_since_they_live_in_a_territory(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    for country in 12 * ["GL"] + ["RE"]:
        make_subscriber(session, campaign.mailing_list, country=country)
    campaign.audience = {"countries": ["@EU"]}
    session.commit()
    assert json.loads(cli("campaigns", "check", SLUG, "--json").stdout)["left_out_territories"] == {"Greenland": 12}
    said = cli("campaigns", "check", SLUG).stdout
    assert "people in territories do not get it, though their state's people do: Greenland (12 people)." in said
    assert 'If that is not meant, add to countries: "GL".\n' in said
    campaign.audience = {"exclude_countries": ["@EU"]}
    session.commit()
    report = json.loads(cli("campaigns", "check", SLUG, "--json").stdout)
    assert (report["not_excluded_territories"], report["left_out_territories"]) == ({"Greenland": 12}, {})
    said = cli("campaigns", "check", SLUG).stdout
    assert 'If that is not meant, add to exclude_countries: "GL".\n' in said


def test_check_warns_of_fields_that_stay_empty_and_of_targets_that_are_not_there(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    for _ in range(12):
        make_subscriber(session, campaign.mailing_list, country=None, name=None)
    campaign.texts[0].body = "Dear {{ name }}, write to {{ target_name }}.\n"
    campaign.targets = [{"countries": ["FR"], "name": "Paris", "email": "", "address": ""}]
    campaign.deadline = WHEN
    session.commit()
    report = json.loads(cli("campaigns", "check", SLUG, "--json", exit_code=1).stdout)
    assert report["nobody_to_write_to"] == ["", "GB"]
    assert len(report["not_ready"]) == 2
    assert report["empty_fields"] == {"name": 12}
    assert report["deadline_passed"]
    said = cli("campaigns", "check", SLUG, exit_code=1).stdout
    assert 'Warning: the texts: {{ name }} is empty for 12 people. Give a default: {{ name or "supporter" }}' in said
    assert "there is none for United Kingdom, people whose country is not known." in said
    assert "NOT READY: campaign.toml, deadline: its deadline is 2026-03-01T12:00+00:00, and it would go out at" in said


def test_check_says_where_a_link_leads_nowhere(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    for _ in range(12):
        make_subscriber(session, campaign.mailing_list, country="FR")
    campaign.texts[0].body = "[Write to {{ target_name }}](mailto:{{ target_email }}?subject=Free%20them)\n"
    campaign.targets = [
        {"countries": ["FR"], "name": "Paris", "email": "", "address": ""},
        {"countries": [], "name": "Ministry", "email": "ministry@example.org", "address": ""},
    ]
    session.commit()
    assert json.loads(cli("campaigns", "check", SLUG, "--json").stdout)["dead_links"] == [
        {"file": "en.md", "line": 5, "link": "mailto:{{ target_email }}", "countries": ["FR"], "people": 12}
    ]
    said = cli("campaigns", "check", SLUG).stdout
    assert "en.md:5: mailto:{{ target_email }} leads nowhere for 12 people, whose target has no e-mail address" in said
    assert '{{ target_email or "us@example.org" }}' in said
    assert "no e-mail address" not in said.partition("e-mail address: France.")[2]


def test_check_says_that_a_draft_is_ready_and_how_to_send_it(cli: CommandLine, campaign: Campaign) -> None:
    ready = f"Ready. Send it with: mailer campaigns send {SLUG}\n"
    assert cli("campaigns", "check", SLUG).stdout.endswith(ready)
    cli("campaigns", "send", SLUG)
    assert "Ready" not in cli("campaigns", "check", SLUG).stdout


def test_check_says_which_setting_is_missing(cli: CommandLine, campaign: Campaign) -> None:
    del cli.environment["MAILER_POSTAL_ADDRESS"]
    assert "NOT READY: MAILER_POSTAL_ADDRESS: " in cli("campaigns", "check", SLUG, exit_code=1).stdout


def test_status_of_a_draft_says_whom_it_reaches_and_what_is_missing(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    said = cli("campaigns", "status", SLUG).stdout
    assert f"{SLUG}: a draft, of which nothing has been sent\nAudience: 2\n" in said
    assert f"Ready. Send it with: mailer campaigns send {SLUG}\n" in said
    assert "pending" not in said
    campaign.texts[0].body = "Write to {{ target_name }}.\n"
    session.commit()
    said = cli("campaigns", "status", SLUG).stdout
    assert "NOT READY: campaign.toml, [[targets]]: the texts ask people to write to a target, but there is none" in said
    assert "Ready. " not in said
    assert len(json.loads(cli("campaigns", "status", SLUG, "--json").stdout)["not_ready"]) == 1
    campaign.audience = {"unions": ["bakers"]}
    session.commit()
    assert 'NOT READY: campaign.toml, [audience]: There is no union "bakers"' in cli("campaigns", "status", SLUG).stdout
    put(session, campaign, CampaignStatus.SENT)
    assert "NOT READY" not in cli("campaigns", "status", SLUG).stdout


def test_check_warns_of_a_machine_without_a_full_name(
    cli: CommandLine, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "vm")
    cli.environment["MAILER_SMTP_URL"] = "smtp://127.0.0.1:2525"
    said = cli("campaigns", "check", SLUG).stdout
    assert "Warning: MAILER_SMTP_HELO: this machine is called vm, which is no full domain name" in said
    *_others, warning, of_organisers = json.loads(cli("campaigns", "check", SLUG, "--json").stdout)["warnings"]
    assert "Many relays refuse that" in warning
    assert "no organiser hears by mail when a campaign is held" in of_organisers
    cli.environment["MAILER_SMTP_HELO"] = "mail.example.org"
    assert warning not in json.loads(cli("campaigns", "check", SLUG, "--json").stdout)["warnings"]
    cli.environment["MAILER_ORGANISERS"] = "desk@example.org"
    assert of_organisers not in json.loads(cli("campaigns", "check", SLUG, "--json").stdout)["warnings"]


@pytest.mark.parametrize("when", [(), ("--at", "2035-01-01T09:00Z")])
def test_a_campaign_that_asks_to_write_to_nobody_is_not_sent(
    cli: CommandLine, session: Session, campaign: Campaign, when: tuple[str, ...]
) -> None:
    campaign.texts[0].body = "Write to {{ target_name }}.\n"
    session.commit()
    refused = cli("campaigns", "send", SLUG, *when, exit_code=1).stderr
    assert "there is none for United Kingdom. Add [[targets]]" in refused
    assert status_of(cli) == "draft"


def test_a_campaign_is_not_sent_after_its_deadline(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    campaign.deadline = datetime(2034, 1, 1, tzinfo=UTC)
    session.commit()
    assert "2034-01-01" in cli("campaigns", "send", SLUG, "--at", "2035-01-01T09:00Z", exit_code=1).stderr
    campaign.deadline = WHEN
    session.commit()
    assert "its deadline is" in cli("campaigns", "send", SLUG, exit_code=1).stderr
    assert status_of(cli) == "draft"


def test_loading_warns_of_a_deadline_that_has_passed(cli: CommandLine, session: Session, tmp_path: Path) -> None:
    make_list(session)
    session.commit()
    folder = tmp_path / "late"
    folder.mkdir()
    settings = 'kind = "urgent_action"\nlist = "urgent-actions"\nlanguage = "en"\nabout = "none"\n'
    (folder / "campaign.toml").write_text(settings + "deadline = 2020-01-01\n")
    (folder / "en.md").write_text('+++\nsubject = "S"\npreheader = "P"\n+++\nHello\n')
    assert "Warning: campaign.toml, deadline: its deadline is" in cli("campaigns", "load", folder).stderr


def test_sending_or_scheduling_anew_says_what_was_planned(cli: CommandLine, campaign: Campaign) -> None:
    cli("campaigns", "send", SLUG, "--at", "2035-01-01T09:00Z")
    again = cli("campaigns", "send", SLUG, "--at", "2036-01-01T09:00Z").stdout
    assert "It was scheduled for 2035-01-01 09:00 UTC.\n" in again
    assert "will start at 2036-01-01" in again
    now = cli("campaigns", "send", SLUG).stdout
    assert "It was scheduled for 2036-01-01 09:00 UTC. It is sent now instead.\n" in now


@pytest.mark.parametrize("command", [("send", SLUG), ("test", SLUG, "--to", "me@example.org")])
def test_what_a_worker_would_refuse_is_refused_at_once(
    cli: CommandLine, campaign: Campaign, command: tuple[str, ...]
) -> None:
    cli.environment |= {"MAILER_SMTP_URL": "smtps://mail.example.org", "MAILER_BASE_URL": "http://act.example.org"}
    assert "MAILER_BASE_URL: must be https" in cli("campaigns", *command, exit_code=1).stderr
    assert status_of(cli) == "draft"


def test_campaigns_are_listed_with_status_audience_and_times(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    make_campaign(session, campaign.mailing_list, slug="another")
    session.commit()
    cli("campaigns", "send", SLUG)
    cli("campaigns", "send", "another", "--at", "2035-01-01T09:00Z")
    another, sent = json.loads(cli("campaigns", "list", "--json").stdout)
    assert list(sent) == ["slug", "status", "asking", "audience", "scheduled_at", "started_at", "finished_at"]
    assert (sent["slug"], sent["status"], sent["audience"]) == (SLUG, "sending", 2)
    assert (another["status"], another["audience"]) == ("scheduled", None)
    words = cli("campaigns", "list").stdout.splitlines()
    assert re.fullmatch(r"another +scheduled +scheduled 2035-01-01 09:00 UTC", words[0])
    assert re.fullmatch(rf"{SLUG} +sending +2 people +started 20.*", words[1])


def test_without_campaigns_the_list_says_how_to_load_one(cli: CommandLine) -> None:
    assert "mailer campaigns load" in cli("campaigns", "list").stdout


def test_a_campaign_is_sent_once(cli: CommandLine, campaign: Campaign) -> None:
    sent = cli("campaigns", "send", SLUG)
    assert "is being sent to 2 people" in sent.stdout
    again = cli("campaigns", "send", SLUG, exit_code=1)
    assert "is sending, so it cannot be started" in again.stderr
    report = json.loads(cli("campaigns", "status", SLUG, "--json").stdout)
    assert report["audience"] == sum(report["states"].values()) == report["states"]["pending"] == 2
    assert list(report["states"]) == [state.value for state in DeliveryState]


def test_without_redis_sending_warns_and_goes_on(cli: CommandLine, campaign: Campaign) -> None:
    cli.environment["MAILER_REDIS_URL"] = "redis://127.0.0.1:1/0"
    sent = cli("campaigns", "send", SLUG)
    assert "Warning: Redis cannot be reached" in sent.stderr
    assert status_of(cli) == "sending"


@pytest.mark.parametrize("status", [CampaignStatus.PAUSED, CampaignStatus.CANCELLED])
def test_waiting_for_a_campaign_that_ends_unsent_ends_with_1_and_the_reason(
    cli: CommandLine, session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch, status: CampaignStatus
) -> None:
    def hold(_installation: object, _campaign_id: int) -> None:
        session.expire_all()
        campaign.hold_reason = "The mail server refuses the sender."
        put(session, campaign, status)

    monkeypatch.setattr(Installation, "ring", hold)
    waited = cli("campaigns", "send", SLUG, "--wait", exit_code=1)
    last = waited.stderr.splitlines()[-1]
    assert last.startswith(f'mailer: Campaign "{SLUG}" is {status} (The mail server refuses the sender). See')


def test_waiting_for_a_campaign_that_is_sent_ends_with_0(
    cli: CommandLine, session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Installation, "ring", lambda *_: put(session, campaign, CampaignStatus.SENT))
    cli("campaigns", "send", SLUG, "--wait")


def test_while_it_waits_it_shows_what_holds_a_campaign_up(
    cli: CommandLine, session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(Progress, "update", lambda *_, description, **__: shown.append(description))
    monkeypatch.setattr("time.sleep", lambda _: put(session, campaign, CampaignStatus.SENT))
    campaign.hold_reason = "The mail server is away."
    put(session, campaign, CampaignStatus.SENDING)
    with click.Context(
        command_line.send, click.Context(command_line.campaigns, click.Context(main), "campaigns"), "send"
    ):
        monkeypatch.setattr(Installation, "settings", load_settings(cli.environment))
        command_line.follow(Installation(), SLUG)
    assert shown[0] == f"{SLUG}: The mail server is away."


def test_what_is_paused_is_resumed_and_not_sent_again(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    put(session, campaign, CampaignStatus.PAUSED)
    for command in (("send", SLUG), ("send", SLUG, "--at", "2035-01-01T09:00Z"), ("resend", SLUG, "--state", "failed")):
        assert f"mailer campaigns resume {SLUG}" in cli("campaigns", *command, exit_code=1).stderr


def test_sending_to_nobody_is_refused_and_leaves_a_draft(cli: CommandLine, session: Session) -> None:
    make_campaign(session, make_list(session))
    session.commit()
    assert "nobody would get it" in cli("campaigns", "send", SLUG, exit_code=1).stderr
    assert status_of(cli) == "draft"


@pytest.mark.parametrize(
    ("at", "exit_code", "message"),
    [
        ("2035-01-01T09:00:00", 1, "has no time zone"),
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
    assert "will start at 2035-01-01 08:00 UTC" in scheduled.stdout
    assert "Paused: free-the-five." in cli("campaigns", "pause", "--all").stdout
    assert "No campaign was under way" in cli("campaigns", "pause", "--all").stdout
    assert "is scheduled again" in cli("campaigns", "resume", SLUG).stdout


def test_the_title_of_a_table_stays_on_one_line(cli: CommandLine, session: Session) -> None:
    news, slug = make_list(session), "free-the-five-dockers-of-the-eastern-harbour"
    make_campaign(session, news, slug=slug)
    make_subscriber(session, news)
    session.commit()
    cli("campaigns", "send", slug)
    assert f"{slug}: sending\n" in cli("campaigns", "status", slug).stdout


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
    assert "No mail is unknown." in cli("campaigns", "resend", SLUG, "--state", "unknown").stdout
    assert status_of(cli) == "sent"


def test_a_test_mail_is_ordered_and_a_bad_address_refused(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    cli("campaigns", "test", SLUG, "--to", "me@example.org")
    (owed,) = session.query(Delivery).all()
    assert owed.purpose is Purpose.TEST
    assert "address only" in cli("campaigns", "test", SLUG, "--to", "Me <me@example.org>", exit_code=2).stderr
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
    cli("campaigns", "preview", SLUG, "--no-name", "-o", "nameless")
    texts = [Path(folder, f"{SLUG}.en.txt").read_text() for folder in ("out", "nameless")]
    assert "Dear Alex Reader," in texts[0] and "Dear supporter," in texts[1]


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.db", "postgresql+psycopg://nobody@127.0.0.1:1/none"])
def test_without_a_database_there_is_one_line_and_3(cli: CommandLine, url: str) -> None:
    cli.environment["MAILER_DATABASE_URL"] = url
    for command in (("status", SLUG), ("send", SLUG)):
        failed = cli("campaigns", *command, exit_code=3)
        assert failed.stderr.startswith("mailer: The database cannot be used")
        assert len(failed.stderr.splitlines()) == 1


def test_status_shows_a_person_how_it_goes_and_what_to_do(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    campaign.started_at = utcnow() - timedelta(minutes=1)
    campaign.hold_reason = "the server said [no]"
    put(session, campaign, CampaignStatus.PAUSED)
    later = utcnow() + timedelta(minutes=5)
    person = make_subscriber(session, email="ana@example.org")
    for state, code, text in (
        (DeliveryState.FAILED, 550, "5.7.1 [b]spam[/b] \x1b[2J to ana@example.org"),
        (DeliveryState.DEFERRED, 450, "4.2.2 full"),
        (DeliveryState.UNKNOWN, None, None),
    ):
        deliver(session, campaign, person, state, smtp_code=code, smtp_text=text, not_before=later)
        person = make_subscriber(session)
    about = {"purpose": Purpose.TEST, "address": "me@example.org", "smtp_code": 554}
    deliver(session, campaign, None, DeliveryState.FAILED, smtp_text="5.7.1 me@example.org is not us", **about)
    session.add(Claim(campaign_id=campaign.id, worker="host:7", journal="j", expires_at=utcnow()))
    session.commit()
    shown = cli("campaigns", "status", SLUG, env=cli.environment | {"COLUMNS": "200"}).stdout
    for line in (
        "the server said [no]",
        f"Resume it with: mailer campaigns resume {SLUG}",
        "Messages a second: 0.02 since the start",
        "Deferred mails are tried again from",
        f"mailer campaigns resend {SLUG} --state unknown",
        "Worker host:7 is lost",
        "5.7.1 [b]spam[/b] [2J to [address]",
        "554 5.7.1 [address] is not us",
    ):
        assert line in shown
    assert "@" not in shown


def test_status_says_of_a_test_mail_the_day_where_no_more_is_known(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    for settled in (datetime(2035, 1, 2, tzinfo=UTC), datetime(2035, 1, 3, 9, 30, tzinfo=UTC)):
        about = {"purpose": Purpose.TEST, "address": "me@example.org", "settled_at": settled}
        deliver(session, campaign, None, DeliveryState.SENT, **about)
    session.commit()
    shown = cli("campaigns", "status", SLUG).stdout
    assert ": sent on 2035-01-02\n" in shown
    assert ": sent at 2035-01-03 09:30:00 UTC\n" in shown


def test_status_of_a_scheduled_campaign_says_when_it_starts(cli: CommandLine, campaign: Campaign) -> None:
    cli("campaigns", "send", SLUG, "--at", "2035-01-01T09:00:00+01:00")
    assert "Starts at 2035-01-01 08:00:00 UTC" in cli("campaigns", "status", SLUG).stdout


# --- deleting ---------------------------------------------------------------------------------------------------------


def test_a_draft_is_deleted_with_its_texts_and_test_mails(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    deliver(session, campaign, None, DeliveryState.PENDING, purpose=Purpose.TEST, address="me@example.org")
    deliver(session, campaign, None, DeliveryState.SENT, purpose=Purpose.TEST, address="me@example.org")
    session.commit()
    told = cli("campaigns", "delete", SLUG).stdout
    assert told.startswith(f'Campaign "{SLUG}" is deleted. Its files are where they were.')
    assert "mailer campaigns load FOLDER" in told
    cli("campaigns", "status", SLUG, exit_code=1)
    for model in (Campaign, CampaignText, Delivery):
        assert session.scalar(select(func.count()).select_from(model)) == 0


@pytest.mark.parametrize(
    ("status", "has_started", "advice"),
    [
        (CampaignStatus.SCHEDULED, False, "mailer campaigns cancel"),
        (CampaignStatus.PAUSED, False, "mailer campaigns cancel"),
        (CampaignStatus.SENDING, True, "mailer campaigns report"),
        (CampaignStatus.SENT, True, "mailer campaigns report"),
        (CampaignStatus.CANCELLED, True, "mailer campaigns report"),
    ],
)
def test_what_was_started_or_will_start_is_not_deleted(
    cli: CommandLine, session: Session, campaign: Campaign, status: CampaignStatus, has_started: bool, advice: str
) -> None:
    campaign.started_at = WHEN if has_started else None
    put(session, campaign, status)
    refused = cli("campaigns", "delete", SLUG, exit_code=1).stderr
    assert "cannot be deleted, because it" in refused and f"{advice} {SLUG}" in refused
    assert status_of(cli) == status


@pytest.mark.parametrize("key", ["got", "not_got", "acted", "not_acted"])
def test_one_that_chooses_the_audience_of_another_is_not_deleted(
    cli: CommandLine, session: Session, campaign: Campaign, key: str
) -> None:
    put(session, campaign, CampaignStatus.DRAFT)
    other = make_campaign(session, campaign.mailing_list, slug="correction", audience={key: [SLUG]})
    session.commit()
    refused = cli("campaigns", "delete", SLUG, exit_code=1).stderr
    assert "cannot be deleted, because others name it in their audience: correction" in " ".join(refused.split())
    session.delete(other)
    session.commit()
    cli("campaigns", "delete", SLUG)


def test_one_that_was_cancelled_before_its_start_is_deleted(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    cli("campaigns", "cancel", SLUG)
    cli("campaigns", "delete", SLUG)
    assert session.scalar(select(func.count()).select_from(Campaign)) == 0


def test_a_draft_whose_test_mail_a_worker_holds_is_not_deleted_yet(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    session.add(Claim(campaign_id=campaign.id, worker="a:1", journal="j", expires_at=utcnow() + timedelta(minutes=1)))
    session.commit()
    assert "is on its way" in cli("campaigns", "delete", SLUG, exit_code=1).stderr
