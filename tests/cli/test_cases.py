"""An organiser loads a case, records who agreed, and is kept from sending about it while something is missing."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from mailer.store.db import session_scope
from mailer.store.models import Case
from tests.conftest import CommandLine

TODAY = datetime.now(UTC).date()
CASE = f"""\
country = "BR"
never = ["Amal Odeh"]
notes = "Her brother calls on Mondays."

[[persons]]
name = "Leila Marun"
names = {{ Arab = "ليلى مارون" }}
status = "arrested"

[[facts]]
text = "She is held at the port."
source = "her lawyer"
certainty = "known"
checked_on = {TODAY}

[[history]]
on = 2026-01-04
words = {{ en = "She was arrested." }}
link = "https://example.org/arrested"
"""
CAMPAIGN = (
    'kind = "urgent_action"\nlist = "urgent-actions"\nlanguage = "en"\ncase = "leila-marun"\nunknown_home = "include"\n'
)
TEXT = '+++\nsubject = "Free her"\npreheader = "Write today"\n+++\n\nWrite to the embassy today.\n'


@pytest.fixture
def folder(cli: CommandLine, tmp_path: Path) -> Path:
    """A case that is loaded, without consent."""
    folder = tmp_path / "cases" / "leila-marun"
    folder.mkdir(parents=True)
    (folder / "case.toml").write_text(CASE)
    (folder / "en.md").write_text('+++\ntitle = "Leila Marun"\n+++\n\nShe spoke for the dockers.\n')
    loaded = cli("cases", "load", folder)
    assert 'Case "leila-marun" is loaded, with texts in en.' in loaded.stdout
    assert "Warning: case leila-marun: nobody has agreed that we speak of it." in loaded.stderr
    return folder


@pytest.fixture
def campaign(cli: CommandLine, tmp_path: Path, folder: Path) -> Path:
    """A draft about it, with somebody to send it to."""
    cli("lists", "create", "urgent-actions", "--name", "Urgent actions")
    people = tmp_path / "people.csv"
    people.write_text("email\nana@example.org\n")
    cli("subscribers", "import", people, "--list", "urgent-actions", "--consent", "I want it.")
    campaign = tmp_path / "free-leila"
    campaign.mkdir()
    (campaign / "campaign.toml").write_text(CAMPAIGN)
    (campaign / "en.md").write_text(TEXT)
    cli("campaigns", "load", campaign)
    return campaign


def test_without_cases_the_list_says_how_to_load_one(cli: CommandLine) -> None:
    assert "There is no case yet" in cli("cases", "list").stdout
    assert cli("cases", "list", "--json").stdout == ""


def test_a_case_is_listed_and_shown_without_what_must_not_appear(cli: CommandLine, folder: Path) -> None:
    assert cli("cases", "list").stdout.split() == ["leila-marun", "open", "BR", "NO", "CONSENT"]
    shown, data = cli("cases", "show", "leila-marun").stdout, cli("cases", "show", "leila-marun", "--json").stdout
    assert "Person: Leila Marun, ليلى مارون: arrested" in shown
    assert "2026-01-04  news: She was arrested.  https://example.org/arrested" in shown
    assert "NOT READY: case leila-marun: nobody has agreed that we speak of it." in shown
    [finding] = json.loads(data)["findings"]
    assert (finding["level"], finding["code"]) == ("error", "consent-missing")
    assert "mailer cases consent leila-marun" in finding["remedy"]
    for told in (shown, data, cli("cases", "list", "--json").stdout):
        assert "Amal" not in told and "Mondays" not in told


def test_a_case_says_when_its_folder_was_loaded_last(cli: CommandLine, engine: Engine, folder: Path) -> None:
    with session_scope(engine) as session:
        session.execute(update(Case).values(loaded_at=datetime(2026, 1, 5, 9, 30, tzinfo=UTC)))
    assert "Loaded last at 2026-01-05 09:30 UTC." in cli("cases", "show", "leila-marun").stdout
    found = json.loads(cli("cases", "show", "leila-marun", "--json").stdout)
    assert found["loaded_at"] == "2026-01-05T09:30:00+00:00"
    cli("cases", "load", folder)
    assert "Loaded last at 2026-01-05" not in cli("cases", "show", "leila-marun").stdout


def test_a_case_is_said_to_have_a_page_only_while_it_has_one(cli: CommandLine, folder: Path) -> None:
    assert "Not public." in cli("cases", "show", "leila-marun").stdout
    (folder / "case.toml").write_text(f"public = true\n{CASE}")
    cli("cases", "load", folder)
    assert "Public, but it has no page while nobody agrees." in cli("cases", "show", "leila-marun").stdout
    cli("cases", "consent", "leila-marun", "--by", "family")
    assert "Public: it has a page." in cli("cases", "show", "leila-marun").stdout


def test_an_unknown_case_is_named(cli: CommandLine, campaign: Path) -> None:
    assert 'There is no case "nobody"' in cli("cases", "show", "nobody", exit_code=1).stderr
    (campaign / "campaign.toml").write_text(CAMPAIGN.replace("leila-marun", "nobody"))
    refused = cli("campaigns", "load", campaign, exit_code=1).stderr
    assert 'campaign.toml:4: case: There is no case "nobody"' in refused


def test_an_empty_case_does_not_open_the_gate(cli: CommandLine, campaign: Path) -> None:
    (campaign / "campaign.toml").write_text(CAMPAIGN.replace("leila-marun", ""))
    assert "campaign.toml:4: case: is missing or empty" in cli("campaigns", "load", campaign, exit_code=1).stderr
    assert "NOT READY: case leila-marun" in cli("campaigns", "check", "free-leila", exit_code=1).stdout


def test_a_campaign_goes_out_once_somebody_has_agreed(cli: CommandLine, campaign: Path) -> None:
    checked = cli("campaigns", "check", "free-leila", exit_code=1).stdout
    assert "NOT READY: case leila-marun: nobody has agreed that we speak of it." in checked
    assert "nobody has agreed" in cli("campaigns", "send", "free-leila", exit_code=1).stderr
    assert "agreed by family" in cli("cases", "consent", "leila-marun", "--by", "family").stdout
    assert "NOT READY" not in cli("campaigns", "check", "free-leila").stdout
    assert "is being sent to 1 person" in cli("campaigns", "send", "free-leila").stdout


def test_a_paused_campaign_is_not_resumed_when_nobody_agrees_any_more(cli: CommandLine, campaign: Path) -> None:
    cli("cases", "consent", "leila-marun", "--by", "lawyer")
    cli("campaigns", "send", "free-leila")
    cli("campaigns", "pause", "free-leila")
    cli("cases", "consent", "leila-marun", "--withdrawn", "the family is afraid")
    assert "nobody has agreed" in cli("campaigns", "resume", "free-leila", exit_code=1).stderr
    assert "consent: consent withdrawn: the family is afraid" in cli("cases", "show", "leila-marun").stdout


def test_whoever_records_that_nobody_agrees_hears_what_is_still_out_and_how_to_end_it(
    cli: CommandLine, campaign: Path
) -> None:
    (campaign / "campaign.toml").write_text(f"public = true\n{CAMPAIGN}")
    cli("campaigns", "load", campaign)
    withdrawal = ("cases", "consent", "leila-marun", "--withdrawn", "the family is afraid")
    assert cli(*withdrawal).stdout == 'Case "leila-marun": nobody agrees any more.\n'
    cli("cases", "consent", "leila-marun", "--by", "family")
    cli("campaigns", "send", "free-leila")
    told = cli(*withdrawal).stdout
    assert "Still being sent: free-leila." in told
    assert "Still to be read, on the site or in kits: free-leila." in told
    assert "mailer cases stop leila-marun --why TEXT" in told and "mailer campaigns withdraw free-leila" in told
    cli("cases", "stop", "leila-marun", "--why", "Letters put her in danger.")
    told = cli(*withdrawal).stdout
    assert (
        "being sent" not in told
        and "cases stop" not in told
        and "Still to be read, on the site or in kits: free-leila." in told
    )
    cli("campaigns", "withdraw", "free-leila", "--yes")
    assert cli(*withdrawal).stdout == 'Case "leila-marun": nobody agrees any more.\n'


def test_whoever_adds_a_word_that_must_not_appear_hears_which_campaigns_are_out_with_it(
    cli: CommandLine, campaign: Path, folder: Path
) -> None:
    cli("cases", "consent", "leila-marun", "--by", "family")
    cli("campaigns", "send", "free-leila")
    assert "is out" not in cli("cases", "load", folder).stderr
    (folder / "case.toml").write_text(CASE.replace("Amal Odeh", "embassy"))
    told = cli("cases", "load", folder).stderr
    assert 'Warning: campaign "free-leila" is out, and a word stands in it that `never` has.' in told
    assert "mailer campaigns withdraw free-leila" in told and "embassy" not in told
    (folder / "case.toml").write_text(CASE.replace("Amal Odeh", "Free Leila"))
    told = cli("cases", "load", folder).stderr
    assert "Warning: a campaign about it is out" in told and "free-leila" not in told
    cli("campaigns", "withdraw", "free-leila", "--yes")
    assert "is out" not in cli("cases", "load", folder).stderr


def test_a_check_names_the_place_of_a_word_that_must_not_appear(cli: CommandLine, campaign: Path) -> None:
    cli("cases", "consent", "leila-marun", "--by", "person")
    (campaign / "en.md").write_text(TEXT.replace("the embassy", "AMAL  ODEH"))
    cli("campaigns", "load", campaign)
    checked = cli("campaigns", "check", "free-leila", exit_code=1).stdout
    assert "NOT READY: en.md:6: a word stands here that must not appear" in checked
    assert "amal" not in checked.lower()
    finding, *_warnings = json.loads(cli("campaigns", "check", "free-leila", "--json", exit_code=1).stdout)["findings"]
    assert (finding["level"], finding["code"], finding["where"]) == ("error", "never", "en.md:6")


@pytest.mark.parametrize(
    ("options", "problem", "exit_code"),
    [
        ((), "Use either --by or --withdrawn", 2),
        (("--by", "family", "--withdrawn", "why"), "Use either --by or --withdrawn", 2),
        (("--withdrawn", " "), "Say what you were told", 2),
        (("--withdrawn", "why", "--until", "nonsense"), "--until does not go with --withdrawn", 2),
        (("--by", "none_possible", "--reason", "She is in hiding."), "two people decide, and say why", 1),
        (("--by", "none_possible", "--agreed-by", "Iris"), "two people decide, and say why", 1),
        (("--by", "family", "--agreed-by", "Iris"), "--reason and --agreed-by go with --by none_possible alone", 2),
        (("--by", "family", "--on", "yesterday"), "yesterday is not a day", 1),
        (("--by", "family", "--on", "0001-01-01"), "0001-01-01 is too long ago", 1),
        (("--by", "family", "--on", str(TODAY + timedelta(days=3))), "recorded once it was given", 1),
        (("--by", "family", "--on", "2026-02-01", "--until", "2026-01-01"), "last day is before the first", 1),
    ],
)
def test_consent_that_makes_no_sense_is_refused(
    cli: CommandLine, folder: Path, options: tuple[str, ...], problem: str, exit_code: int
) -> None:
    assert problem in cli("cases", "consent", "leila-marun", *options, exit_code=exit_code).stderr
    assert json.loads(cli("cases", "show", "leila-marun", "--json").stdout)["consent"] is None


def test_two_people_may_decide_where_nobody_can_be_asked(cli: CommandLine, folder: Path) -> None:
    why = ("--by", "none_possible", "--reason", "She is in hiding.", "--agreed-by", "Iris")
    told = cli("cases", "consent", "leila-marun", *why, "--until", "2099-01-01").stdout
    assert f"nobody could be asked, on {TODAY}, until 2099-01-01" in told


def test_consent_may_be_of_tomorrow_where_the_day_has_begun_already(cli: CommandLine, folder: Path) -> None:
    tomorrow = TODAY + timedelta(days=1)
    assert f"on {tomorrow}" in cli("cases", "consent", "leila-marun", "--by", "union", "--on", str(tomorrow)).stdout
    assert "NOT READY" not in cli("cases", "show", "leila-marun").stdout


def test_a_word_that_came_into_never_later_is_told_of_where_the_history_holds_it(
    cli: CommandLine, folder: Path
) -> None:
    (folder / "case.toml").write_text(CASE.split("[[history]]")[0].replace("Amal Odeh", "was arrested"))
    told = cli("cases", "load", folder).stderr
    warned = "Warning: case leila-marun: what the history says of 2026-01-04 holds a word that `never` has now"
    assert warned in told and warned in cli("cases", "show", "leila-marun").stdout
    assert "arrested" not in told


def test_what_was_withdrawn_does_not_come_back_with_the_file(cli: CommandLine, folder: Path) -> None:
    with_consent = f'{CASE}[consent]\nby = "family"\non = 2026-01-05\n'
    (folder / "case.toml").write_text(with_consent)
    cli("cases", "load", folder)
    cli("cases", "consent", "leila-marun", "--withdrawn", "the family is afraid")
    refused = cli("cases", "load", folder, exit_code=1).stderr
    assert "case.toml:22: on: Consent was withdrawn on" in refused and "Take [consent] out" in refused
    assert "NO CONSENT" in cli("cases", "list").stdout
    late = cli("cases", "consent", "leila-marun", "--by", "family", "--on", "2026-01-05", exit_code=1).stderr
    assert "Give the day of a later answer" in late
    (folder / "case.toml").write_text(CASE)
    cli("cases", "load", folder)
    assert "NO CONSENT" in cli("cases", "list").stdout
