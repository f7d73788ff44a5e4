"""Cases as files: what is kept, what the history keeps for ever, and what is refused with file and line."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from mailer.cases import cases, files
from mailer.cases.dossier import Consent, ConsentBy, Person, PersonStatus
from mailer.cases.files import NoSuchFolder
from mailer.cases.targets import Target
from mailer.errors import MailerError
from mailer.store.models import CaseEventKind, CaseStatus

TODAY = datetime.now(UTC).date()
TOML = """\
country = "Brazil"
public = true
never = ["Amal Odeh", "Sankt Alba"]
notes = "Her brother calls on Mondays."

[asks]
en = ["Release her.", "Drop the charges."]
fr = ["Libérez-la."]

[[persons]]
name = "Leila Marun"
names = { Arab = "ليلى مارون" }
status = "arrested"

[consent]
by = "family"
on = 2026-01-05

[[copy_to]]
name = "Her union"
email = "office@example.org"

[[facts]]
text = "She is held in the port's police station."
source = "her lawyer"
certainty = "known"
checked_on = 2026-01-10
good_for = 14

[[history]]
on = 2026-01-04
words = { en = "She was arrested.", fr = "Elle a été arrêtée." }
link = "https://example.org/arrested"
"""
ENGLISH = '+++\ntitle = "Leila Marun"\n+++\n\nShe spoke for the dockers.\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A case that can be loaded."""
    folder = tmp_path / "leila-marun"
    folder.mkdir()
    (folder / "case.toml").write_text(TOML)
    (folder / "en.md").write_text(ENGLISH)
    return folder


def test_what_a_file_says_is_kept(session: Session, folder: Path) -> None:
    case = files.load(session, folder)
    session.commit()
    session.expire_all()
    assert (case.slug, case.country, case.status, case.public) == ("leila-marun", "BR", CaseStatus.OPEN, True)
    [person] = [Person.from_json(data) for data in case.persons]
    assert person == Person("Leila Marun", PersonStatus.ARRESTED, {"Arab": "ليلى مارون"})
    assert case.asks == {"en": ["Release her.", "Drop the charges."], "fr": ["Libérez-la."]}
    assert case.never == ["Amal Odeh", "Sankt Alba"]
    assert case.notes == "Her brother calls on Mondays."
    assert cases.consent_of(case) == Consent(ConsentBy.FAMILY, date(2026, 1, 5))
    assert [Target.from_json(data).email for data in case.copy_to] == ["office@example.org"]
    assert [(fact.source, fact.good_for) for fact in case.facts] == [("her lawyer", 14)]
    assert [(text.language, text.title, text.body) for text in case.texts] == [
        ("en", "Leila Marun", "\nShe spoke for the dockers.\n")
    ]
    assert [(event.kind, event.link) for event in case.events if event.link] == [
        (CaseEventKind.NEWS, "https://example.org/arrested")
    ]


def test_loading_again_replaces_what_is_said_and_only_adds_to_the_history(session: Session, folder: Path) -> None:
    files.load(session, folder)
    session.commit()
    changed = TOML.replace("14", "20").replace("She was arrested", "She was taken").replace("Release", "Free")
    (folder / "case.toml").write_text(changed)
    (folder / "fr.md").write_text(ENGLISH)
    case = files.load(session, folder)
    session.commit()
    session.expire_all()
    assert (case.facts[0].good_for, case.asks["en"][0]) == (20, "Free her.")
    assert [text.language for text in case.texts] == ["en", "fr"]
    news = [event.words["en"] for event in case.events if event.kind is CaseEventKind.NEWS]
    assert news == ["She was arrested.", "She was taken."]
    files.load(session, folder)
    session.expire_all()
    assert [event.words["en"] for event in case.events if event.kind is CaseEventKind.NEWS] == news


def test_a_file_without_consent_leaves_what_was_recorded(session: Session, folder: Path) -> None:
    case = files.load(session, folder)
    cases.withdraw_consent(session, case, "the family asked us to be silent")
    (folder / "case.toml").write_text(TOML.replace('[consent]\nby = "family"\non = 2026-01-05\n', ""))
    assert cases.consent_of(files.load(session, folder)) is None
    session.expire_all()
    told = [event.words["en"] for event in case.events if event.kind is CaseEventKind.CONSENT]
    assert told == [
        "consent by family, given on 2026-01-05",
        "consent withdrawn: the family asked us to be silent",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"Brazil"', '"Atlantis"', "case.toml:1: country: "),
        ("public = true", "public = 1", "case.toml:2: public: must be true or false"),
        ("notes =", "note =", "case.toml:4: note: unknown key"),
        ('["Amal Odeh", "Sankt Alba"]', '["A."]', "case.toml:3: never: number 1 has fewer than 2 letters"),
        ('en = ["Release her.", "Drop the charges."]', 'en = "Release her."', "case.toml:7: en: must be a list"),
        ('fr = ["Lib', 'xx = ["Lib', 'case.toml:8: xx: "xx" is not a language'),
        ('status = "arrested"', 'status = "away"', "case.toml:13: status: must be one of: threatened, missing"),
        ("Arab =", "Arabic =", 'case.toml:12: names: "Arabic" is no script'),
        ('by = "family"', 'by = "friends"', "case.toml:16: by: must be one of: person, family"),
        ('by = "family"', 'by = "none_possible"', "case.toml:15: reason: is missing: none_possible needs a reason"),
        ("on = 2026-01-05", "", "case.toml:15: on: is missing"),
        ("on = 2026-01-05", f"on = {TODAY + timedelta(days=2)}", "case.toml:17: on: is still to come"),
        ("on = 2026-01-05", "on = 2026-01-05\nuntil = 2026-01-01", "case.toml:18: until: is before"),
        ("on = 2026-01-05", 'on = "yesterday"', "case.toml:17: on: must be a day without quotes"),
        ("checked_on = 2026-01-10", "", "case.toml:23: checked_on: must be the day"),
        ("good_for = 14", "good_for = 0", "case.toml:28: good_for: must be a number of days from 1 to 3650"),
        ('certainty = "known"', 'certainty = "sure"', "case.toml:26: certainty: must be one of: known, reported"),
        ('words = { en = "She was arrested.", fr = "Elle a été arrêtée." }', "", "case.toml:30: words: is missing"),
        ('"https://example.org/arrested"', '"javascript:alert(1)"', "case.toml:33: link: must be the address"),
        ('"Release her."', '"Release her, as Amal Odeh said."', "case.toml:6: asks: a word stands here"),
        ('"She was arrested."', '"She was arrested in Sankt Alba."', "case.toml:30: history: a word stands here"),
    ],
)
def test_mistakes_are_told_with_their_line_and_change_nothing(
    session: Session, folder: Path, old: str, new: str, message: str
) -> None:
    assert old in TOML
    (folder / "case.toml").write_text(TOML.replace(old, new))
    with pytest.raises(MailerError) as refused:
        files.load(session, folder)
    assert message in str(refused.value)
    assert not any(word in str(refused.value) for word in ("Amal", "Odeh", "Alba", "Mondays"))
    session.rollback()
    assert not cases.all_cases(session)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Leila Marun"', "", "en.md:2: title: is missing"),
        ('title = "Leila Marun"', 'title = "AMAL ODEH"', "en.md:2: title: a word stands here"),
        ("dockers", "dockers\nof Sankt Alba", "en.md:6: a word stands here"),
    ],
)
def test_mistakes_in_a_text_are_told_with_their_line(
    session: Session, folder: Path, old: str, new: str, message: str
) -> None:
    assert old in ENGLISH
    (folder / "en.md").write_text(ENGLISH.replace(old, new))
    with pytest.raises(MailerError) as refused:
        files.load(session, folder)
    assert message in str(refused.value)


def test_a_folder_without_a_case_is_refused(session: Session, tmp_path: Path) -> None:
    with pytest.raises(NoSuchFolder, match=r"no case\.toml"):
        files.load(session, tmp_path)
