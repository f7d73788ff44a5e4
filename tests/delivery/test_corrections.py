"""Correcting letters of a campaign that may be going out: what is replaced and kept, and when it is refused."""

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import editions, publishing
from mailer.cases import history, target_book
from mailer.cases.targets import Target
from mailer.delivery import control, corrections
from mailer.delivery.corrections import MustNotAppear, NoLetters, StillADraft
from mailer.delivery.stopping import IsWithdrawn
from mailer.errors import MailerError
from mailer.store.models import Asking, Campaign, CampaignStatus, CaseEventKind, Edition, TargetRole
from tests.support.cases import make_case
from tests.support.factories import SENDER, WHEN, add_letter, make_campaign, make_list, make_subscriber

SLUG = "free-the-five"


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """One that is being sent, with a letter in English."""
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENDING)
    campaign.ask, campaign.started_at, campaign.public, campaign.about = ["embassy"], WHEN, True, "BR"
    campaign.case = make_case(session, never=["Amal Odeh"])
    add_letter(session, campaign, body="\nPlease.\n", body_line=4)
    session.commit()
    return campaign


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Its folder, of which only the letters are right."""
    folder = tmp_path / SLUG
    folder.mkdir()
    (folder / "campaign.toml").write_text("no settings")
    (folder / "en.md").write_text("no text")
    write(folder, "Please.")
    return folder


def write(folder: Path, body: str, language: str = "en") -> None:
    (folder / f"letter-embassy.{language}.md").write_text(f'+++\nsubjects = ["Free the five"]\n+++\n\n{body}\n')


def put_embassy(session: Session) -> None:
    """Of Brazil, for people in Britain."""
    target = Target(("GB",), "E", "e@example.org", "", slug="e", role=TargetRole.EMBASSY, about="BR")
    target_book.put(session, target)


def told(session: Session, campaign: Campaign) -> list[tuple[CaseEventKind, dict[str, str]]]:
    return [(line.kind, line.words) for line in history.of_campaign(session, campaign.id)]


def test_letters_are_replaced_and_the_history_says_which(session: Session, campaign: Campaign, folder: Path) -> None:
    assert corrections.correct_letters(session, folder, SENDER).files == ()
    assert told(session, campaign) == []
    write(folder, "Please, at once.")
    write(folder, "Tout de suite.", "fr")
    files = corrections.correct_letters(session, folder, SENDER).files
    assert files == ("letter-embassy.en.md", "letter-embassy.fr.md")
    session.commit()
    assert [letter.body for letter in campaign.letters] == ["\nPlease, at once.\n", "\nTout de suite.\n"]
    assert told(session, campaign) == [(CaseEventKind.CORRECTED, {"en": "letter-embassy.en.md, letter-embassy.fr.md"})]
    (folder / "letter-embassy.fr.md").unlink()
    assert corrections.correct_letters(session, folder, SENDER).files == ("letter-embassy.fr.md",)
    assert [letter.language for letter in campaign.letters] == ["en"]
    assert campaign.texts[0].subject == "Free the five", "nothing else is read"


def test_a_letter_that_is_not_right_changes_nothing(session: Session, campaign: Campaign, folder: Path) -> None:
    for body, error, words in [
        ("**Please**.", MailerError, "letter-embassy.en.md:5: \\*\\*Please\\*\\* would go out"),
        ("Free Amal Odeh.", MustNotAppear, "^letter-embassy.en.md:5: a word stands there that must not appear"),
    ]:
        write(folder, body)
        with pytest.raises(error, match=words) as refused:
            corrections.correct_letters(session, folder, SENDER)
        assert "Odeh" not in str(refused.value)
        session.rollback()
        assert campaign.letters[0].body == "\nPlease.\n"


def test_a_letter_that_takes_its_campaign_down_is_corrected(session: Session, campaign: Campaign, folder: Path) -> None:
    campaign.letters[0].body = "Free Amal Odeh.\n"
    session.commit()
    with pytest.raises(publishing.Withdrawn):
        publishing.find(session, SLUG)
    corrections.correct_letters(session, folder, SENDER)
    assert publishing.find(session, SLUG) is campaign


def test_what_is_a_draft_or_withdrawn_is_left_alone(session: Session, campaign: Campaign, folder: Path) -> None:
    write(folder, "Please, at once.")
    campaign.asking = Asking.WITHDRAWN
    session.commit()
    with pytest.raises(IsWithdrawn):
        corrections.correct_letters(session, folder, SENDER)
    campaign.asking, campaign.status = Asking.OPEN, CampaignStatus.DRAFT
    session.commit()
    with pytest.raises(StillADraft, match="mailer campaigns load FOLDER"):
        corrections.correct_letters(session, folder, SENDER)


def test_a_folder_without_letters_takes_none_away(session: Session, campaign: Campaign, folder: Path) -> None:
    (folder / "letter-embassy.en.md").unlink()
    with pytest.raises(NoLetters, match=r"There is no letter in .*free-the-five, such as"):
        corrections.correct_letters(session, folder, SENDER)


def test_before_it_starts_nobody_has_seen_a_letter_so_the_history_says_nothing(
    session: Session, campaign: Campaign, folder: Path
) -> None:
    campaign.started_at, campaign.status = None, CampaignStatus.SCHEDULED
    write(folder, "Please, at once.")
    assert corrections.correct_letters(session, folder, SENDER).files == ("letter-embassy.en.md",)
    assert told(session, campaign) == []
    control.cancel(session, campaign)
    control.delete(session, campaign)


def test_what_is_frozen_of_letters_is_rendered_again_and_the_rest_is_not(
    session: Session, campaign: Campaign, folder: Path
) -> None:
    campaign.started_at, campaign.status, campaign.case = None, CampaignStatus.DRAFT, None
    campaign.letters[0].rules = "Write in ink."
    for country in ("GB", "FR"):
        make_subscriber(session, campaign.mailing_list, country=country)
    put_embassy(session)
    campaign.targets = [{"countries": ["FR"], "name": "Paris", "email": "p@example.org", "address": ""}]
    control.start(session, campaign, SENDER)
    campaign.texts[0].body, campaign.mail_domain = "Nobody writes this to the embassy.\n", "other.example"
    (folder / "letter-embassy.en.md").write_text(
        '+++\nsubjects = ["Free the five"]\nrules = "Write by hand."\n+++\n\nPlease.\n'
    )
    corrections.correct_letters(session, folder, SENDER)
    session.expire_all()
    found = {each.letters: str(each.rendering) for each in session.scalars(select(Edition))}
    assert found.keys() == {"", "embassy:en"}
    assert "Write by hand." in found["embassy:en"] and "Write in ink." not in found["embassy:en"]
    assert "Nobody writes" not in found[""] and campaign.mail_domain == "other.example"


def test_a_letter_that_makes_the_mail_too_long_changes_nothing(
    session: Session, campaign: Campaign, folder: Path
) -> None:
    put_embassy(session)
    write(folder, "&&&&&&&&& " * 1_990)  # which HTML takes five bytes each for
    with pytest.raises(editions.Unrenderable):
        corrections.correct_letters(session, folder, SENDER)
