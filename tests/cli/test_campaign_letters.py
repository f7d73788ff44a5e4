"""`mailer campaigns letter`: each letter as people would send it, and which target gets which."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from mailer.cases import target_book
from mailer.cases.targets import Target
from mailer.store.models import Campaign, CampaignStatus, DeliveryState, TargetRole
from tests.conftest import CommandLine
from tests.support.factories import WHEN, add_letter, deliver, make_campaign, make_list, make_subscriber

SLUG = "free-the-five"
BODY = (
    '{{ salutation or "Your Excellency" }},\n\nI write from {{ country or "abroad" }}.\n\n{{ name or "(your name)" }}\n'
)


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """A draft that asks for embassies and a court, with letters to the embassies in two languages."""
    campaign = make_campaign(session, make_list(session))
    campaign.about, campaign.ask = "BR", ["embassy", "authority"]
    add_letter(
        session, campaign, subjects=["A", "B"], openings=["C", "D", "E"], closings=[], rules="Be polite.", body=BODY
    )
    add_letter(session, campaign, language="fr", body=BODY)
    session.commit()
    return campaign


def put(session: Session, slug: str, *countries: str, role: str = "embassy", **known: Any) -> None:
    target = Target(countries, slug, "e@example.org", "", slug=slug, role=TargetRole(role), about="BR", **known)
    target_book.put(session, target)
    session.commit()


def text(folder: Path, language: str) -> str:
    return (folder / f"{SLUG}.letter-embassy.{language}.txt").read_text()


def test_each_letter_is_written_as_people_would_get_it(
    cli: CommandLine, session: Session, campaign: Campaign, tmp_path: Path
) -> None:
    put(session, "everywhere", languages=("en",))
    put(session, "paris", "FR", languages=("fr",), salutations={"fr": "Madame l’ambassadrice"})
    said = cli("campaigns", "letter", SLUG, "-o", tmp_path / "out").stdout
    assert said.splitlines()[:2] == [str(tmp_path / "out" / f"{SLUG}.letter-embassy.{tag}.txt") for tag in ("en", "fr")]
    assert text(tmp_path / "out", "en") == (
        "Role: embassy\nLanguage: en\nWording: 1 of 6\nAs sent to: everywhere\nWhat people read above it: \n\n"
        "Be polite.\n\nSubject: A\n\nYour Excellency,\n\nC\n\nI write from abroad.\n\nAlex Reader\n"
    )
    assert "Subject: Free the five\n\nMadame l’ambassadrice,\n" in text(tmp_path / "out", "fr")
    options = ("--country", "FR", "--no-name", "--wording", "2")
    cli("campaigns", "letter", SLUG, "-o", tmp_path / "fr", *options)
    assert [file.name for file in (tmp_path / "fr").iterdir()] == [f"{SLUG}.letter-embassy.fr.txt"]
    assert "I write from France.\n\n(your name)\n" in text(tmp_path / "fr", "fr")
    cli("campaigns", "letter", SLUG, "-o", tmp_path / "en", "--language", "en-GB", "--wording", "8")
    assert [file.name for file in (tmp_path / "en").iterdir()] == [f"{SLUG}.letter-embassy.en.txt"]
    assert "Wording: 2 of 6\n" in text(tmp_path / "en", "en") and "Subject: B\n" in text(tmp_path / "en", "en")


def test_all_wordings_show_each_subject_opening_and_closing(
    cli: CommandLine, session: Session, campaign: Campaign, tmp_path: Path
) -> None:
    campaign.letters[0].closings = ["F", "G", "H", "I"]
    session.commit()
    cli("campaigns", "letter", SLUG, "-o", tmp_path, "--wording", "all")
    lines = text(tmp_path, "en").splitlines()
    assert set("CDEFGHI") | {"Subject: A", "Subject: B"} <= set(lines)
    assert [line for line in lines if line.startswith("Wording")] == [
        f"Wording: {number} of 24" for number in (1, 10, 17, 20)
    ]
    refused = cli("campaigns", "letter", SLUG, "-o", tmp_path, "--wording", "0", exit_code=2).stderr
    assert 'Write one from 1 on, or "all"' in refused


def test_a_table_and_json_say_which_target_gets_which_letter(
    cli: CommandLine, session: Session, campaign: Campaign, tmp_path: Path
) -> None:
    put(session, "court", role="authority")
    put(session, "tokyo", "JP", languages=("ja",))
    put(session, "paris", "FR", languages=("fr",))
    put(session, "own", "GB", languages=("ar",), own_words=True)
    said = cli("campaigns", "letter", SLUG, "-o", tmp_path).stdout
    rows = [tuple(cell.strip() for cell in line.split("│")[1:-1]) for line in said.splitlines() if line.startswith("│")]
    assert rows == [
        ("own", "embassy", "own words", ""),
        ("paris", "embassy", "fr", ""),
        ("tokyo", "embassy", "en", "reads ja"),
        ("court", "authority", "none", ""),
    ]
    report = json.loads(cli("campaigns", "letter", SLUG, "-o", tmp_path, "--json").stdout)
    file = str(tmp_path / f"{SLUG}.letter-embassy.en.txt")
    assert report["letters"][0] == {
        "role": "embassy",
        "language": "en",
        "wordings": 6,
        "targets": ["tokyo"],
        "file": file,
    }
    assert {
        each["slug"]: (each["letter"], each["own_words"], each["in_its_language"]) for each in report["targets"]
    } == {
        "own": (None, True, False),
        "paris": ("fr", False, True),
        "tokyo": ("en", False, False),
        "court": (None, False, False),
    }


def test_without_targets_letters_or_anybody_to_ask_it_says_so(
    cli: CommandLine, session: Session, campaign: Campaign, tmp_path: Path
) -> None:
    said = cli("campaigns", "letter", SLUG, "-o", tmp_path).stdout
    assert "There is no target to send a letter to" in said and "Your Excellency" in text(tmp_path, "en")
    assert (
        "No letter is in that language" in cli("campaigns", "letter", SLUG, "-o", tmp_path, "--language", "ja").stdout
    )
    campaign.letters.clear()
    session.commit()
    nowhere = tmp_path / "nowhere"
    assert "There is no letter. Write one" in cli("campaigns", "letter", SLUG, "-o", nowhere).stdout
    campaign.ask = []
    session.commit()
    assert "asks for no role" in cli("campaigns", "letter", SLUG, "-o", nowhere).stdout
    assert json.loads(cli("campaigns", "letter", SLUG, "-o", nowhere, "--json").stdout) == {
        "slug": SLUG,
        "letters": [],
        "targets": [],
    }
    assert not nowhere.exists()


def test_letters_of_a_campaign_that_has_begun_are_corrected(
    cli: CommandLine, session: Session, campaign: Campaign, tmp_path: Path
) -> None:
    folder = tmp_path / SLUG
    folder.mkdir()
    letter = folder / "letter-embassy.en.md"
    letter.write_text('+++\nsubjects = ["A"]\n+++\nPlease.\n')
    assert "is a draft" in cli("campaigns", "correct-letters", folder, exit_code=1).stderr
    deliver(session, campaign, make_subscriber(session), state=DeliveryState.SENT)
    campaign.status, campaign.started_at = CampaignStatus.SENT, WHEN
    session.commit()
    said = cli("campaigns", "correct-letters", folder).stdout
    assert "letter-embassy.en.md, letter-embassy.fr.md corrected. Pages and mails show that from now on." in said
    assert "1 mail that was sent holds the letter as it was." in said
    assert "are these already. Nothing was changed." in cli("campaigns", "correct-letters", folder).stdout
    assert "corrected: letter-embassy.en.md, letter-embassy.fr.md (en)" in cli("campaigns", "status", SLUG).stdout
