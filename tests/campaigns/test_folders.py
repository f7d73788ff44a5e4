"""What is written as files is loaded as the same draft, whatever stands in it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import drafts, files, folders, text_versions
from mailer.campaigns.drafts import NameTaken, Withdrawn
from mailer.campaigns.folders import FolderInUse
from mailer.campaigns.text_names import TextName
from mailer.campaigns.text_versions import Saving
from mailer.campaigns.written import Written
from mailer.formats.written_files import InvalidFile
from mailer.organisers import content
from mailer.store.models import Asking, Campaign, HomeRule
from tests.support.cases import make_case
from tests.support.factories import SENDER, WHEN, add_letter, make_campaign, make_list, make_union


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """One with everything that a campaign can have."""
    make_union(session, "dockers")
    made = make_campaign(session, make_list(session), audience={"countries": ["FR", "@EU"], "unions": ["dockers"]})
    made.case, made.about = make_case(session), "BR"
    made.home, made.unknown_home, made.ask = HomeRule.EXCLUDE, HomeRule.INCLUDE, ["embassy", "authority"]
    made.deadline, made.goal = datetime(2035, 12, 15, 23, 59, 59, tzinfo=UTC), 500
    made.public = made.forwardable = True
    made.fallbacks = {"kk": ["ru", "en"], "pt-BR": ["es"]}
    made.petition = {"to": {"en": 'the "Embassy"', "fr": "l’ambassade"}}
    address = 'Rua "A"\\B\n1000 Lisboa'
    made.targets = [
        {"countries": ["PT"], "groups": ["@EU"], "name": "Embassy", "email": "embassy@example.org", "address": address},
        {"countries": [], "name": "Ministry", "email": "", "address": ""},
    ]
    french = Written.of("Libérez-les", "Écrivez « aujourd’hui »", "# Écrivez\n\n---\n\n+++\n")
    text_versions.save(session, made, TextName("fr"), french, Saving(base=0, at=WHEN), goes_out=True)
    add_letter(session, made, openings=["Dear Sir,"], closings=['Yours, {{ name or "a friend" }}'], rules="No slogans.")
    add_letter(session, made, language="fr", subjects=["Libérez-les", "Liberté"])
    session.flush()
    return made


def parts(session: Session, campaign: Campaign) -> dict[str, Any]:
    """All that decides what is sent to whom, but for its name."""
    return {key: value for key, value in content.of(session, campaign, SENDER).parts.items() if key != "name"}


@pytest.mark.parametrize("into", ["parent", "itself"])
def test_a_campaign_that_is_written_and_loaded_is_the_same_draft(
    session: Session, campaign: Campaign, tmp_path: Path, into: str
) -> None:
    before = parts(session, campaign)
    folder = folders.write(session, campaign, tmp_path if into == "parent" else tmp_path / campaign.slug)
    assert folder == tmp_path / campaign.slug
    assert files.load(session, folder) is campaign
    session.flush()
    session.expire_all()
    assert parts(session, campaign) == before
    folder.rename(tmp_path / "another")
    assert parts(session, files.load(session, tmp_path / "another")) == before


def test_files_that_are_written_say_the_same_when_they_are_written_again(
    session: Session, campaign: Campaign, tmp_path: Path
) -> None:
    first = folders.write(session, campaign, tmp_path / "one")
    files.load(session, first)
    second = folders.write(session, campaign, tmp_path / "two")
    read = [{path.name: path.read_text("utf-8") for path in folder.iterdir()} for folder in (first, second)]
    assert read[0] == read[1]
    assert set(read[0]) == {"campaign.toml", "en.md", "fr.md", "letter-embassy.en.md", "letter-embassy.fr.md"}


def test_what_is_not_finished_is_written_too_and_loading_says_what_is_missing(session: Session, tmp_path: Path) -> None:
    draft = make_campaign(session, make_list(session))
    unfinished = Written.of("Free them", "", "Write {{ nam }}.")
    text_versions.save(session, draft, TextName("en"), unfinished, Saving(base=0, at=WHEN), goes_out=False)
    folder = folders.write(session, draft, tmp_path)
    assert "{{ nam }}" in (folder / "en.md").read_text()
    with pytest.raises(InvalidFile, match="preheader: is missing or empty"):
        files.load(session, folder)


def test_a_folder_in_which_something_lies_is_left_alone(session: Session, campaign: Campaign, tmp_path: Path) -> None:
    (tmp_path / campaign.slug).mkdir()
    (tmp_path / campaign.slug / "de.md").write_text("mine")
    with pytest.raises(FolderInUse):
        folders.write(session, campaign, tmp_path)
    assert [path.name for path in (tmp_path / campaign.slug).iterdir()] == ["de.md"]


def test_a_copy_says_the_same_to_the_same_people_and_leaves_times_out(session: Session, campaign: Campaign) -> None:
    copied = drafts.copy(session, campaign, "free-them-again", Saving(base=0, at=WHEN, account_id=1))
    session.flush()
    differing = {each.part for each in content.differences(parts(session, campaign), parts(session, copied))}
    assert differing == {"deadline"} and copied.deadline is None and copied.created_at != WHEN
    assert copied.salt != campaign.salt
    with pytest.raises(NameTaken):
        drafts.copy(session, campaign, "free-them-again", Saving(base=0, at=WHEN))


def test_nothing_is_made_of_what_was_withdrawn(session: Session, campaign: Campaign, tmp_path: Path) -> None:
    campaign.asking = Asking.WITHDRAWN
    with pytest.raises(Withdrawn):
        drafts.copy(session, campaign, "again", Saving(base=0, at=WHEN))
    with pytest.raises(Withdrawn):
        folders.write(session, campaign, tmp_path)
