"""Letters of a draft: saved as its texts are, and sent only with that which they are translated from."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import files, folders, letter_files, outlines, text_findings, text_versions
from mailer.campaigns.outlines import Outline, WrongOutline
from mailer.campaigns.text_names import NoRole, TextName
from mailer.campaigns.text_versions import OwnLanguage, SavedMeanwhile, Saving, TooLong
from mailer.campaigns.written import WrittenLetter
from mailer.errors import MailerError
from mailer.locale.languages import InvalidLanguage
from mailer.store.models import Campaign, CampaignStatus, LetterText, TargetRole
from tests.support.factories import WHEN, add_letter, make_campaign, make_list

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
        save(session, draft, EN, replace(GOOD, rules="x" * 50_001), base=first)


def test_a_translation_waits_for_what_it_is_translated_from_and_goes_with_it(session: Session, draft: Campaign) -> None:
    unfinished = save(session, draft, EN, replace(GOOD, body=""))
    french = save(session, draft, FR, GOOD)
    assert says(draft) == {}
    assert ("text-unfinished", "letter-embassy.fr.md") in codes(session, draft)
    save(session, draft, EN, GOOD, base=unfinished)
    assert sorted(says(draft)) == ["en", "fr"] and codes(session, draft) == [
        ("translation-outdated", "letter-embassy.fr.md")
    ]
    assert text_versions.compare(session, draft, FR, text_versions.latest(session, draft)[EN].id)
    assert codes(session, draft) == [] and text_versions.latest(session, draft)[FR].id == french


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
    before = [[getattr(letter, key) for key in columns] for letter in draft.letters]
    folder = folders.write(session, draft, tmp_path)
    files.load(session, folder)
    session.expire_all()
    assert [[getattr(letter, key) for key in columns] for letter in draft.letters] == before
    (folder / FR.file).unlink()
    files.load(session, folder)
    assert text_versions.latest(session, draft)[FR].written is None
    assert len(text_versions.history(session, draft, FR)) >= 2, "what was written is there still"


def test_what_was_corrected_while_a_campaign_goes_out_is_what_is_written_to_its_folder(
    session: Session, draft: Campaign
) -> None:
    save(session, draft, EN, GOOD)
    draft.status = CampaignStatus.SENDING
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
