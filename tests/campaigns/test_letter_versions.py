"""Letters of a draft: saved as its texts are, and sent only with that which they are translated from."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from mailer.campaigns import drafts, files, folders, letter_files, outlines, text_findings, text_versions
from mailer.campaigns.outlines import Outline, WrongOutline
from mailer.campaigns.text_names import NoRole, TextName
from mailer.campaigns.text_versions import OwnLanguage, SavedMeanwhile, Saving, TooLong
from mailer.campaigns.written import WrittenLetter
from mailer.delivery import corrections
from mailer.errors import MailerError
from mailer.locale.languages import InvalidLanguage
from mailer.store.models import Campaign, CampaignStatus, LetterText, TargetRole, TextVersion
from tests.support.factories import SENDER, WHEN, add_letter, make_campaign, make_list

EN, FR = TextName("en", TargetRole.EMBASSY), TextName("fr", TargetRole.EMBASSY)
GOOD = WrittenLetter(
    subjects=("Free the six", "Six in prison"),
    openings=("Six dockers have been\nin prison since May.",),
    closings=("Please tell us what you did.",),
    rules="Be polite.\n\nAccuse nobody.",
    body='{{ salutation or "Your Excellency" }}\n\nRelease them.\n\n{{ name or "(your name)" }}\n',
)


@pytest.fixture
def draft(session: Session) -> Campaign:
    made = make_campaign(session, make_list(session))
    made.ask = ["embassy"]
    session.flush()
    return made


def save(session: Session, draft: Campaign, name: TextName, written: WrittenLetter, *, base: int = 0) -> int:
    """Save a letter as the desk does."""
    goes_out = not text_versions.read(session, draft, name, written)
    saving = Saving(base=base, at=WHEN, account_id=1)
    return text_versions.save(session, draft, name, written, saving, goes_out=goes_out).id


def says(draft: Campaign) -> dict[str, list[str]]:
    """What people can send: language → subjects."""
    return {letter.language: letter.subjects for letter in draft.letters}


def codes(session: Session, draft: Campaign) -> list[tuple[str, str]]:
    found = text_findings.findings(session, draft)
    return [(each.code, each.where.partition(":")[0]) for each in found]


def test_a_letter_that_is_saved_can_be_sent_and_the_next_one_takes_its_place(session: Session, draft: Campaign) -> None:
    first = save(session, draft, EN, GOOD)
    assert says(draft) == {"en": ["Free the six", "Six in prison"]}
    assert draft.letters[0].openings == ["Six dockers have been in prison since May."]
    save(session, draft, EN, replace(GOOD, subjects=("Free them",)), base=first)
    session.expire_all()
    assert says(draft) == {"en": ["Free them"]}
    with pytest.raises(SavedMeanwhile, match=r"letter-embassy\.en\.md"):
        save(session, draft, EN, GOOD, base=first)
    assert [each.written for each in text_versions.history(session, draft, EN)][1] == GOOD
    assert text_versions.history(session, draft, TextName("en"))[0].name.role is None, "a text is another thing"


def test_a_letter_that_is_not_finished_is_kept_and_the_one_before_stays(session: Session, draft: Campaign) -> None:
    first = save(session, draft, EN, GOOD)
    save(session, draft, EN, replace(GOOD, subjects=()), base=first)
    assert says(draft) == {"en": ["Free the six", "Six in prison"]}
    assert codes(session, draft) == [("text-unfinished", "letter-embassy.en.md")]
    with pytest.raises(TooLong):
        save(session, draft, EN, replace(GOOD, rules="x" * 20_001), base=first)


def test_a_translation_waits_for_what_it_is_translated_from_and_goes_with_it(session: Session, draft: Campaign) -> None:
    unfinished = save(session, draft, EN, replace(GOOD, body=""))
    french = save(session, draft, FR, GOOD)
    assert says(draft) == {}
    assert ("text-unfinished", "letter-embassy.fr.md") in codes(session, draft)
    save(session, draft, EN, GOOD, base=unfinished)
    assert sorted(says(draft)) == ["en", "fr"]
    assert codes(session, draft) == [("translation-outdated", "letter-embassy.fr.md")]
    assert text_versions.compare(session, draft, FR, text_versions.latest(session, draft)[EN].id)
    assert codes(session, draft) == [] and text_versions.latest(session, draft)[FR].id == french


def test_a_translation_that_is_older_than_its_source_is_marked(session: Session, draft: Campaign) -> None:
    save(session, draft, FR, GOOD)
    english = save(session, draft, EN, replace(GOOD, body="Something else.\n"))
    outdated = [("translation-outdated", "letter-embassy.fr.md")]
    assert sorted(says(draft)) == ["en", "fr"] and codes(session, draft) == outdated
    text_versions.compare(session, draft, FR, english)
    assert codes(session, draft) == []
    save(session, draft, EN, GOOD, base=english)
    assert codes(session, draft) == outdated


def test_a_translation_of_what_was_taken_out_and_written_anew_is_marked(session: Session, draft: Campaign) -> None:
    english = save(session, draft, EN, GOOD)
    text_versions.take_out(session, draft, EN, Saving(base=english, at=WHEN))
    save(session, draft, FR, GOOD)
    gone = text_versions.latest(session, draft)[EN].id
    save(session, draft, EN, replace(GOOD, body="Something else.\n"), base=gone)
    assert codes(session, draft) == [("translation-outdated", "letter-embassy.fr.md")]


def test_a_translation_is_known_to_be_made_of_its_source_whatever_its_language_is_called(
    session: Session, draft: Campaign
) -> None:
    add_letter(session, draft, language="ar")
    add_letter(session, draft, language="en")
    session.expire_all()
    assert [name.language for name in text_versions.latest(session, draft) if name.role] == ["en", "ar"]
    now = text_versions.latest(session, draft)[EN].written
    assert isinstance(now, WrittenLetter)
    save(session, draft, EN, replace(now, rules="Be polite."))
    assert codes(session, draft) == [("translation-outdated", "letter-embassy.ar.md")]


def test_of_what_a_page_saves_on_the_way_one_letter_a_minute_is_kept(session: Session, draft: Campaign) -> None:
    base = 0
    for turn in range(5):
        written = replace(GOOD, rules=f"Be polite {turn}.")
        saving = Saving(base=base, at=WHEN, account_id=1, window="w", turn=turn)
        base = text_versions.save(session, draft, EN, written, saving, goes_out=True).id
    assert len(text_versions.history(session, draft, EN)) == 2


def test_what_was_corrected_before_it_goes_out_is_what_there_is_when_it_is_a_draft_again(
    session: Session, draft: Campaign, tmp_path: Path
) -> None:
    save(session, draft, EN, GOOD)
    save(session, draft, FR, GOOD)
    folder = tmp_path / draft.slug
    folder.mkdir()
    (folder / EN.file).write_text(replace(GOOD, subjects=("Corrected",)).file, "utf-8")
    draft.status = CampaignStatus.SCHEDULED
    corrections.correct_letters(session, folder, SENDER)
    draft.status = CampaignStatus.DRAFT
    versions = text_versions.latest(session, draft)
    assert versions[FR].written is None
    now = versions[EN].written
    assert isinstance(now, WrittenLetter) and now.subjects == ("Corrected",)
    save(session, draft, EN, replace(now, rules="None."), base=versions[EN].id)
    assert says(draft) == {"en": ["Corrected"]}


def test_a_letter_that_was_written_before_its_role_was_asked_for_goes_out_once_it_is(
    session: Session, draft: Campaign
) -> None:
    company = TextName("en", TargetRole.COMPANY)
    save(session, draft, company, GOOD)
    assert says(draft) == {}
    now = Outline.of(draft)
    outlines.change(session, draft, replace(now, public=not now.public), seen=now.mark)
    now = Outline.of(draft)
    outlines.change(session, draft, replace(now, ask=("embassy", "company")), seen=now.mark)
    assert says(draft) == {"en": ["Free the six", "Six in prison"]} and codes(session, draft) == []


def test_line_ends_that_were_meant_stay_when_it_is_copied_loaded_or_changed(
    session: Session, draft: Campaign, tmp_path: Path
) -> None:
    save(session, draft, EN, replace(GOOD, openings=("One\\\nTwo", "- a\n- b"), closings=("joined\nlines",)))
    kept = draft.letters[0].openings
    assert kept == ["One\nTwo", "- a\n- b"] and draft.letters[0].closings == ["joined lines"]
    folder = folders.write(session, draft, tmp_path)
    files.load(session, folder)
    assert draft.letters[0].openings == kept and len(text_versions.history(session, draft, EN)) == 1
    session.execute(delete(TextVersion))
    copied = drafts.copy(session, draft, "again", Saving(base=0, at=WHEN))
    assert copied.letters[0].openings == kept
    latest = text_versions.latest(session, copied)[EN]
    assert isinstance(latest.written, WrittenLetter)
    save(session, copied, EN, replace(latest.written, rules="Others."), base=latest.id)
    assert copied.letters[0].openings == kept


def test_a_letter_that_looks_like_a_long_text_of_its_file_is_told_of_as_any_other(
    session: Session, draft: Campaign
) -> None:
    odd = replace(GOOD, subjects=("x '''",), openings=("a", "b", "c", "d {{ nam }}"), closings=("''' openings = b",))
    (fault,) = text_versions.read(session, draft, EN, odd)
    assert (fault.part, fault.place) == ("openings", 4)


def test_more_than_can_be_written_at_the_desk_cannot_be_loaded(session: Session, draft: Campaign) -> None:
    long = replace(GOOD, openings=tuple(f"{number} {'x' * 300}" for number in range(70)))
    (fault,) = text_versions.read(session, draft, EN, long)
    assert fault.part == "openings" and "together" in fault.problem


def test_a_letter_is_taken_out_after_its_translations_only(session: Session, draft: Campaign) -> None:
    english, french = save(session, draft, EN, GOOD), save(session, draft, FR, GOOD)
    with pytest.raises(OwnLanguage):
        text_versions.take_out(session, draft, EN, Saving(base=english, at=WHEN))
    text_versions.take_out(session, draft, FR, Saving(base=french, at=WHEN))
    assert sorted(says(draft)) == ["en"]
    text_versions.take_out(session, draft, EN, Saving(base=english, at=WHEN))
    session.expire_all()
    assert says(draft) == {} and codes(session, draft) == []
    assert [bool(each.written) for each in text_versions.history(session, draft, EN)] == [False, True]


def test_nobody_sends_a_letter_to_a_role_that_is_not_asked_for(session: Session, draft: Campaign) -> None:
    company = TextName("en", TargetRole.COMPANY)
    (fault,) = text_versions.read(session, draft, company, GOOD)
    assert fault.part == "role"
    text_versions.save(session, draft, company, GOOD, Saving(base=0, at=WHEN), goes_out=True)
    assert says(draft) == {}, "also where it is left out a moment before"


@pytest.mark.parametrize("written", [GOOD, replace(GOOD, subjects=())])
def test_a_role_stays_as_long_as_there_is_a_letter_to_it(
    session: Session, draft: Campaign, written: WrittenLetter
) -> None:
    save(session, draft, EN, written)
    now = Outline.of(draft)
    with pytest.raises(WrongOutline) as refused:
        outlines.change(session, draft, replace(now, ask=()), seen=now.mark)
    assert [each.field for each in refused.value.wrong] == ["ask"]
    with pytest.raises(WrongOutline) as refused:
        outlines.change(session, draft, replace(now, kind="update"), seen=now.mark)
    assert [each.field for each in refused.value.wrong] == ["kind"]


def test_each_part_is_said_with_its_place_and_as_loading_the_file_says_it(
    session: Session, draft: Campaign, tmp_path: Path
) -> None:
    wrong = replace(
        GOOD,
        subjects=("Free the six", "free  THE six"),
        openings=("Good.", "By {{ name }}."),
        closings=("{% if country %}x{% endif %}",),
        rules="Write {{ name }}.",
        body="Dear\n\n{{ nam }}\n",
    )
    found = text_versions.read(session, draft, EN, wrong)
    places = {each.part: each.place for each in found}
    assert places == {"subjects": 2, "openings": 2, "closings": 1, "body": 3, "rules": 1}
    save(session, draft, EN, GOOD)
    for part in places:
        one = replace(GOOD, **{part: getattr(wrong, part)})
        (fault,) = text_versions.read(session, draft, EN, one)
        file = tmp_path / EN.file
        file.write_text(one.file, "utf-8")
        with pytest.raises(MailerError) as refused:
            letter_files.read([file], kind=draft.kind, ask=["embassy"], language="en")
        assert str(refused.value) == str(fault.error), "the same words, of the same line"
    assert not text_versions.read(session, draft, EN, GOOD)


def test_what_stands_in_a_form_is_what_is_written(session: Session) -> None:
    assert WrittenLetter.of_typed(GOOD.typed) == GOOD == WrittenLetter.of_stored(GOOD.to_json())
    typed = {"subjects": " One \r\n\r\nTwo  words", "openings": "A\r\nb\r\n \r\n\r\nC", "closings": "", "rules": " "}
    found = WrittenLetter.of_typed({**typed, "body": "x\r\n\r\n"})
    assert (found.subjects, found.openings, found.closings) == (("One", "Two words"), ("A\nb", "C"), ())
    assert (found.rules, found.body, found.is_empty) == ("", "x\n", False)
    assert WrittenLetter().is_empty


def test_a_folder_and_the_desk_are_the_same_draft(session: Session, draft: Campaign, tmp_path: Path) -> None:
    save(session, draft, EN, GOOD)
    save(session, draft, FR, replace(GOOD, subjects=("Libérez-les",)))
    columns = ("role", "language", "subjects", "openings", "closings", "rules", "body", "body_line")
    found = codes(session, draft)
    before = [[getattr(letter, key) for key in columns] for letter in draft.letters]
    folder = folders.write(session, draft, tmp_path)
    files.load(session, folder)
    session.expire_all()
    assert [[getattr(letter, key) for key in columns] for letter in draft.letters] == before
    assert codes(session, draft) == found == []
    assert [len(text_versions.history(session, draft, name)) for name in (EN, FR)] == [1, 1]
    (folder / FR.file).unlink()
    files.load(session, folder)
    assert text_versions.latest(session, draft)[FR].written is None
    assert len(text_versions.history(session, draft, FR)) == 2, "what was written is there still"


def test_what_was_corrected_while_a_campaign_goes_out_is_what_is_written_to_its_folder(
    session: Session, draft: Campaign
) -> None:
    save(session, draft, EN, GOOD)
    draft.status, draft.started_at = CampaignStatus.SENDING, WHEN
    draft.letters.clear()
    session.flush()
    add_letter(session, draft, subjects=["Corrected"])
    found = text_versions.latest(session, draft)[EN].written
    assert isinstance(found, WrittenLetter) and found.subjects == ("Corrected",)
    assert isinstance(draft.letters[0], LetterText)


@pytest.mark.parametrize("stem", ["en", "pt-BR", "letter-embassy.en", "letter-prisoner.zh-Hant"])
def test_a_text_is_named_as_its_file(stem: str) -> None:
    name = TextName.parse(stem)
    assert (name.stem, name.file) == (stem, f"{stem}.md")


@pytest.mark.parametrize(
    ("stem", "error"),
    [
        ("letter-embassy", NoRole),
        ("letter-queen.en", NoRole),
        ("letter-embassy.en.fr", NoRole),
        ("letter-embassy.nowhere-else", InvalidLanguage),
        ("letter", InvalidLanguage),
    ],
)
def test_what_is_no_name_of_a_text_is_refused(stem: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        TextName.parse(stem)
