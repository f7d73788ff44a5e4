"""Versions of texts: what is saved is kept, nothing of others is overwritten, and all goes with the draft."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from mailer.campaigns import files, text_files, text_findings, text_versions
from mailer.campaigns.lifecycle import NoDraft
from mailer.campaigns.text_names import TextName
from mailer.campaigns.text_versions import OwnLanguage, SavedMeanwhile, Saving
from mailer.campaigns.written import Written
from mailer.operations import housekeeping
from mailer.store.db import session_scope
from mailer.store.models import Campaign, CampaignStatus, CampaignText, TextVersion
from tests.support.factories import WHEN, make_campaign, make_list

EN, FR = TextName("en"), TextName("fr")
GOOD = Written.of("Free the six", "Six dockers are in prison: write today.", "Write to the embassy.\n")
TOML = 'kind = "urgent_action"\nlist = "urgent-actions"\nlanguage = "en"\nabout = "none"\n'


@pytest.fixture
def draft(session: Session) -> Campaign:
    return make_campaign(session, make_list(session))


def save(
    session: Session,
    draft: Campaign,
    subject: str,
    *,
    base: int,
    at: datetime = WHEN,
    window: str | None = None,
    turn: int = 0,
    language: str = "en",
    goes_out: bool = True,
) -> int:
    written = Written.of(subject, GOOD.preheader, GOOD.body)
    saving = Saving(base=base, at=at, account_id=1, window=window, turn=turn)
    return text_versions.save(session, draft, TextName(language), written, saving, goes_out=goes_out).id


def subjects(session: Session, draft: Campaign, language: str = "en") -> list[str]:
    """What was saved, the latest first."""
    written = [each.written for each in text_versions.history(session, draft, TextName(language))]
    return [each.subject for each in written if isinstance(each, Written)]


def test_what_the_campaign_said_before_stands_among_the_versions(session: Session, draft: Campaign) -> None:
    assert text_versions.latest(session, draft)[EN].id == 0
    save(session, draft, "Free the six", base=0)
    assert subjects(session, draft) == ["Free the six", "Free the five"]
    assert draft.texts[0].subject == "Free the six"


def test_a_text_that_is_not_finished_is_kept_and_the_mail_stays_as_it_was(session: Session, draft: Campaign) -> None:
    save(session, draft, "", base=0, goes_out=False)
    assert draft.texts[0].subject == "Free the five"
    assert [each.code for each in text_findings.findings(session, draft)] == ["text-unfinished"]


def test_who_has_not_seen_the_latest_version_overwrites_nothing(session: Session, draft: Campaign) -> None:
    first = save(session, draft, "First", base=0)
    save(session, draft, "Second", base=first)
    for base in (0, first):
        with pytest.raises(SavedMeanwhile):
            save(session, draft, "Third", base=base)
    assert draft.texts[0].subject == "Second"


def test_a_text_that_could_not_go_out_and_can_by_now_is_said_once_it_is_saved_again(
    session: Session, draft: Campaign
) -> None:
    first = save(session, draft, "Free the six", base=0, goes_out=False)
    assert save(session, draft, "Free the six", base=first) == first
    assert draft.texts[0].subject == "Free the six"
    assert not list(text_findings.findings(session, draft))


@pytest.mark.parametrize("is_translation_first", [False, True])
def test_a_translation_that_is_older_than_its_versions_is_marked_when_its_source_changes(
    session: Session, draft: Campaign, is_translation_first: bool
) -> None:
    draft.texts.append(CampaignText(language="fr", subject="Libérez-les", preheader="p", body="b\n", body_line=5))
    session.flush()
    if is_translation_first:
        save(session, draft, "Libérez les cinq", base=0, language="fr")
    save(session, draft, "Free the six", base=0)
    assert [each.code for each in text_findings.findings(session, draft)] == ["translation-outdated"]


def test_to_compare_with_a_version_that_was_thinned_out_marks_a_translation_rather_once_too_often(
    session: Session, draft: Campaign
) -> None:
    first = save(session, draft, "One", base=0, window="w", turn=1)
    save(session, draft, "Libérez-les", base=0, language="fr")
    seen = save(session, draft, "Two", base=first, at=WHEN + timedelta(seconds=2), window="w", turn=2)
    save(session, draft, "Three", base=seen, at=WHEN + timedelta(seconds=4), window="w", turn=3)
    assert text_versions.get(session, draft, EN, seen) is None
    assert not text_versions.compare(session, draft, FR, seen)
    assert [each.code for each in text_findings.findings(session, draft)] == ["translation-outdated"]
    assert text_versions.compare(session, draft, FR, text_versions.latest(session, draft)[EN].id)
    assert not list(text_findings.findings(session, draft))


def test_of_two_who_save_at_one_moment_one_is_refused(engine: Engine) -> None:
    with session_scope(engine) as session:
        slug = make_campaign(session, make_list(session)).slug
    outcomes: list[str] = []
    ready = threading.Barrier(2)

    def work(subject: str) -> None:
        ready.wait()
        try:
            with session_scope(engine) as session:
                draft = session.scalars(select(Campaign).where(Campaign.slug == slug)).one()
                save(session, draft, subject, base=0)
            outcomes.append("saved")
        except SavedMeanwhile:
            outcomes.append("refused")

    both = [threading.Thread(target=work, args=(subject,)) for subject in ("One", "Two")]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert sorted(outcomes) == ["refused", "saved"]


def test_of_what_a_page_saves_every_few_seconds_one_a_minute_is_kept(session: Session, draft: Campaign) -> None:
    base = 0
    for number in range(60):
        at = WHEN + timedelta(seconds=2 * number)
        base = save(session, draft, f"Number {number}", base=base, at=at, window="w", turn=number + 1)
    kept = subjects(session, draft)
    assert kept[0] == "Number 59" and len(kept) <= 5
    save(session, draft, "An hour later", base=base, at=WHEN + timedelta(hours=1), window="w", turn=99)
    assert subjects(session, draft)[:2] == ["An hour later", "Number 59"], "what stood for long is kept"


def test_nothing_that_somebody_else_saved_goes_because_a_page_saves_often(session: Session, draft: Campaign) -> None:
    base = save(session, draft, "By hand", base=0)
    for turn, at in enumerate((1, 2, 3), start=1):
        base = save(session, draft, f"W{turn}", base=base, at=WHEN + timedelta(seconds=at), window="w", turn=turn)
    assert subjects(session, draft) == ["W3", "W1", "By hand", "Free the five"]


def test_a_translation_is_outdated_until_its_source_says_again_what_it_was_made_of(
    session: Session, draft: Campaign
) -> None:
    def marked() -> list[str]:
        return [each.where for each in text_findings.findings(session, draft) if each.code == "translation-outdated"]

    english = save(session, draft, "Free the six", base=0)
    save(session, draft, "Libérez les six", base=0, language="fr")
    assert marked() == []
    changed = save(session, draft, "Free all six", base=english)
    assert marked() == ["fr.md"]
    newest = save(session, draft, "Free the six", base=changed)
    assert marked() == [], "the change was taken back"
    newest = save(session, draft, "Free them", base=newest)
    text_versions.compare(session, draft, FR, newest)
    assert marked() == []


def test_the_version_that_a_translation_was_made_of_is_kept(session: Session, draft: Campaign) -> None:
    save(session, draft, "One", base=0, window="w", turn=1)
    english = save(session, draft, "Two", base=0, at=WHEN + timedelta(seconds=2), window="w", turn=2)
    save(session, draft, "Deux", base=0, language="fr")
    save(session, draft, "Three", base=english, at=WHEN + timedelta(seconds=4), window="w", turn=3)
    assert "Two" in subjects(session, draft)


def test_a_text_is_taken_out_and_what_was_written_is_kept(session: Session, draft: Campaign) -> None:
    french = save(session, draft, "Libérez", base=0, language="fr")
    with pytest.raises(SavedMeanwhile):
        text_versions.take_out(session, draft, FR, Saving(base=0, at=WHEN))
    text_versions.take_out(session, draft, FR, Saving(base=french, at=WHEN))
    assert [text.language for text in draft.texts] == ["en"] and subjects(session, draft, "fr") == ["Libérez"]
    with pytest.raises(SavedMeanwhile):
        save(session, draft, "Typed meanwhile", base=french, language="fr")
    with pytest.raises(OwnLanguage):
        text_versions.take_out(session, draft, EN, Saving(base=0, at=WHEN))


def test_only_a_draft_is_changed(session: Session, draft: Campaign) -> None:
    draft.status = CampaignStatus.SCHEDULED
    session.flush()
    with pytest.raises(NoDraft):
        save(session, draft, "Late", base=0)
    with pytest.raises(NoDraft):
        text_versions.take_out(session, draft, FR, Saving(base=0, at=WHEN))


def test_a_folder_and_the_desk_save_to_the_same_place(session: Session, tmp_path: Path) -> None:
    make_list(session)
    folder = tmp_path / "free-the-six"
    folder.mkdir()
    (folder / "campaign.toml").write_text(TOML)
    (folder / "en.md").write_text(GOOD.file, "utf-8")
    (folder / "fr.md").write_text(GOOD.file, "utf-8")
    draft = files.load(session, folder)
    english = text_versions.latest(session, draft)[EN]
    assert english.written == GOOD and english.id
    save(session, draft, "From the desk", base=english.id)
    files.load(session, folder)
    with pytest.raises(SavedMeanwhile):
        save(session, draft, "Not seen", base=english.id)
    assert subjects(session, draft) == ["Free the six", "From the desk", "Free the six"]
    (folder / "fr.md").unlink()
    files.load(session, folder)
    assert text_versions.latest(session, draft)[FR].written is None and subjects(session, draft, "fr")


def test_the_desk_finds_what_loading_a_folder_finds_at_the_same_line(session: Session, draft: Campaign) -> None:
    found = text_files.faults(session, draft, "en", Written("", "**Now**", "Dear\n\n{{ nam }}\n"))
    assert [(each.part, each.place) for each in found] == [("subject", 1), ("preheader", 1), ("body", 3)]
    assert [each.error.fields["line"] for each in found] == [2, 3, 7], "of the file that it would be"
    with_link = replace(GOOD, body="Dear\n\n[x](https://example.org/?u={{ union }})\n")
    (rendering,) = text_files.faults(session, draft, "en", with_link)
    assert (rendering.part, rendering.place) == ("body", 3)
    impossible = replace(GOOD, body='{% if country == "Atlantis" %}x{% endif %}\n')
    (never,) = text_files.faults(session, draft, "en", impossible)
    assert never.part == "body"
    assert text_files.faults(session, draft, "en", GOOD) == []


@pytest.mark.parametrize("words", ['Say "no"', "back\\slash", "\u007f\u0085", "Свобода", "📣 “now”"])
def test_a_file_that_is_written_reads_as_what_was_typed(session: Session, tmp_path: Path, words: str) -> None:
    file = tmp_path / "en.md"
    file.write_text(Written(words, words, "Write.\n").file, "utf-8")
    (read,) = text_files.read([file], "update")
    assert (read.subject, read.preheader, read.body) == (words.strip(), words.strip(), "Write.\n")
    assert read.body_line == 5


def test_versions_go_when_the_campaign_goes_out(engine: Engine) -> None:
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        for status in (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED, CampaignStatus.SENT, CampaignStatus.CANCELLED):
            campaign = make_campaign(session, mailing_list, slug=f"c-{status.value}")
            save(session, campaign, "Saved", base=0)
            campaign.status = status
            campaign.started_at = WHEN if status is CampaignStatus.SENT else None
    housekeeping.tidy(engine)
    with session_scope(engine) as session:
        left = select(Campaign.slug).join(TextVersion, TextVersion.campaign_id == Campaign.id)
        assert set(session.scalars(left)) == {"c-draft", "c-scheduled"}
        session.delete(session.scalars(select(Campaign).where(Campaign.slug == "c-draft")).one())
        session.flush()
        assert session.scalar(select(func.count()).select_from(TextVersion)) == 2
