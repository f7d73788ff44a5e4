"""Cases as files: what is kept, what the history keeps for ever, and what is refused with file and line."""

import traceback
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from mailer.cases import cases, files
from mailer.cases.dossier import Consent, ConsentBy, Person, PersonStatus
from mailer.cases.files import NoSuchFolder
from mailer.cases.targets import Target
from mailer.errors import MailerError
from mailer.formats.written_files import InvalidFile
from mailer.store import crypto
from mailer.store.models import Base, CaseEventKind, CaseStatus

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
BY_TWO = 'by = "none_possible"\nreason = "in hiding"\nagreed_by = "Amal Odeh"'
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
        ("on = 2026-01-05", f"on = {TODAY + timedelta(days=3)}", "case.toml:17: on: is still to come"),
        ("on = 2026-01-05", "on = 2026-01-05\nuntil = 2026-01-01", "case.toml:18: until: is before"),
        ("on = 2026-01-05", 'on = "yesterday"', "case.toml:17: on: must be a day without quotes"),
        ("checked_on = 2026-01-10", "", "case.toml:23: checked_on: must be the day"),
        ("good_for = 14", "good_for = 0", "case.toml:28: good_for: must be a number of days from 1 to 3650"),
        ('certainty = "known"', 'certainty = "sure"', "case.toml:26: certainty: must be one of: known, reported"),
        ('words = { en = "She was arrested.", fr = "Elle a été arrêtée." }', "", "case.toml:30: words: is missing"),
        ('"https://example.org/arrested"', '"javascript:alert(1)"', "case.toml:33: link: must be the address"),
        ('by = "family"', 'by = "none_possible"\nreason = "x"', "case.toml:15: agreed_by: is missing"),
        ('by = "family"', 'by = "family"\nreason = "x"', 'case.toml:17: reason: is only for by = "none_possible"'),
        ('en = ["Release her.", "Drop the charges."]', "en = []", "case.toml:7: en: has an empty demand"),
        ('"Drop the charges."', '" "', "case.toml:7: en: has an empty demand"),
        ('fr = ["Lib', 'EN = ["Lib', "case.toml:8: EN: is there twice in en: keep one"),
        ('words = { en = "She was arrested.", fr', 'words = { en = "She", EN', "case.toml:32: words: is there twice"),
        ('names = { Arab = "ليلى مارون" }', "[persons.names]\nArabic = 1", "case.toml:12: names: must say"),
        ('"Release her."', '"Release her, as Amal Odeh said."', "case.toml:6: asks: a word stands here"),
        ('"She was arrested."', '"She was arrested in Sankt Alba."', "case.toml:30: history: a word stands here"),
        ("org/arrested", "org/Amal%20Odeh", "case.toml:30: history: a word stands here"),
        ('"Leila Marun"', '"Amal Odeh"', "case.toml:10: persons: a word stands here"),
        ('"ليلى مارون"', '"Аmal Оdeh"', "case.toml:10: persons: a word stands here"),
        ('"Her union"', '"Amal Odeh"', "case.toml:19: copy_to: a word stands here"),
        ("office@", "amal.odeh@", "case.toml:19: copy_to: a word stands here"),
        ("[[copy_to]]", "[[contact]]\nname = 'Amal Odeh'\n[[copy_to]]", "case.toml:19: contact: a word stands here"),
        ('"her lawyer"', '"Amal Odeh"', "case.toml:23: facts: a word stands here"),
        ("the port's", "Sankt Alba's", "case.toml:23: facts: a word stands here"),
        ('by = "family"', BY_TWO, "case.toml:15: consent: a word stands here"),
        ("notes =", 'outcome = { en = "Free in Sankt Alba" }\nnotes =', "case.toml:4: outcome: a word stands here"),
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


@pytest.mark.parametrize(
    ("add", "message"),
    [
        ('[[persons]]\nname = "Amal Odeh"\nstatus = "dead"', "case.toml:34: persons: a word stands here"),
        ('[[history]]\non = 2026-01-04\nwords = { en = "Amal Odeh" }', "case.toml:34: history: a word stands here"),
        ("[[history]]\non = 2026-01-04\n[history.words]\nen = 1", "case.toml:36: words: must have words"),
    ],
)
def test_of_several_tables_the_one_that_is_wrong_is_named(
    session: Session, folder: Path, add: str, message: str
) -> None:
    (folder / "case.toml").write_text(f"{TOML}{add}\n")
    with pytest.raises(InvalidFile) as refused:
        files.load(session, folder)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ('consent = { by = "friends", on = 2026-01-05 }', "case.toml:3: by: must be one of"),
        ("asks = { en = [] }", "case.toml:3: en: has an empty demand"),
        (
            'notes = """\n[consent]\nby = "family"\n"""\nconsent = { by = "x", on = 2026-01-05 }',
            "case.toml:7: by: must",
        ),
    ],
)
def test_what_stands_in_one_line_is_found_on_it(session: Session, folder: Path, start: str, message: str) -> None:
    persons = 'country = "BR"\npersons = [{ name = "Leila Marun", status = "arrested" }]\n'
    (folder / "case.toml").write_text(f"{persons}{start}\n")
    with pytest.raises(InvalidFile) as refused:
        files.load(session, folder)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "old_new",
    [
        ("notes =", '"Amal Odeh" ='),
        ('Arab = "', '"Amal Odeh" = "'),
        ('fr = ["Lib', '"Amal Odeh" = ["Lib'),
        ('status = "arrested"', 'status = "arrested"\namalodeh = 1'),
        ('country = "Brazil"', 'country = "Amal Odeh"'),
        ('{ Arab = "ليلى مارون" }', '{ "Amal Odeh" = "x", "Amal Odeh" = "y" }'),
        ('email = "office@example.org"', 'email = "amal odeh@"'),
    ],
)
def test_a_mistake_in_a_word_that_must_not_appear_is_told_without_it(
    session: Session, folder: Path, old_new: tuple[str, str]
) -> None:
    assert old_new[0] in TOML
    (folder / "case.toml").write_text(TOML.replace(*old_new))
    with pytest.raises(MailerError) as refused:
        files.load(session, folder)
    told = "".join(traceback.format_exception(refused.value)).lower()
    assert "amal" not in told and "odeh" not in told


def test_neither_the_folder_nor_a_file_may_be_called_so(session: Session, folder: Path) -> None:
    (folder / "amal-odeh.md").write_text(ENGLISH)
    with pytest.raises(InvalidFile, match=r"case\.toml:1: a mistake stands here, in words that must not appear"):
        files.load(session, folder)
    (folder / "amal-odeh.md").unlink()
    folder.rename(folder.parent / "free-amal-odeh")
    with pytest.raises(InvalidFile, match="the name of its folder is public: a word stands here"):
        files.load(session, folder.parent / "free-amal-odeh")


@pytest.mark.parametrize(
    "body",
    [
        "[Amal](https://example.org/a) [Odeh](https://example.org/b)",
        "Am[al](https://example.org/a) Odeh",
        "[Amal][a] Odeh\n\n[a]: https://example.org/a",
        "1. Amal\n2. Odeh",
        "A&#109;al&nbsp;Odeh",
        "[x](https://example.org/Amal%20Odeh)",
        "[x](https://example.org 'A&#109;al Odeh')",
    ],
)
def test_a_text_is_searched_as_it_will_be_read(session: Session, folder: Path, body: str) -> None:
    (folder / "en.md").write_text(f"{ENGLISH}\n{body}\n")
    with pytest.raises(InvalidFile, match=r"en\.md:\d+: a word stands here"):
        files.load(session, folder)


def test_the_same_news_twice_in_a_file_stands_in_the_history_once(session: Session, folder: Path) -> None:
    news = TOML[TOML.index("[[history]]") :]
    (folder / "case.toml").write_text(f"{TOML}\n{news}")
    case = files.load(session, folder)
    session.expire_all()
    assert [event.kind for event in case.events].count(CaseEventKind.NEWS) == 1


def test_consent_that_has_not_changed_is_noted_once(session: Session, folder: Path) -> None:
    files.load(session, folder)
    case = files.load(session, folder)
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5)))
    session.expire_all()
    assert [event.kind for event in case.events].count(CaseEventKind.CONSENT) == 1


def test_an_organiser_has_the_last_word_on_consent_until_the_file_tells_of_a_later_one(
    session: Session, folder: Path
) -> None:
    case = files.load(session, folder)
    narrowed = Consent(ConsentBy.FAMILY, date(2026, 1, 5), until=date(2026, 2, 1))
    cases.record_consent(session, case, narrowed)
    with pytest.raises(InvalidFile, match=r"case\.toml:17: on: Other consent was recorded on"):
        files.load(session, folder)
    assert cases.consent_of(case) == narrowed
    cases.withdraw_consent(session, case, "why")
    for day in ("2026-01-05", str(TODAY)):
        (folder / "case.toml").write_text(TOML.replace("on = 2026-01-05", f"on = {day}"))
        with pytest.raises(InvalidFile, match=r"case\.toml:17: on: Consent was withdrawn on"):
            files.load(session, folder)
    later = TODAY + timedelta(days=1)
    (folder / "case.toml").write_text(TOML.replace("on = 2026-01-05", f"on = {later}"))
    assert cases.consent_of(files.load(session, folder)) == Consent(ConsentBy.FAMILY, later)


def test_the_history_cannot_be_written_anew(session: Session, folder: Path) -> None:
    case = files.load(session, folder)
    session.commit()
    for change in ("UPDATE case_events SET kind = 'closed'", "DELETE FROM case_events"):
        with pytest.raises(DBAPIError, match="append-only"):
            session.execute(text(change))
        session.rollback()
    case.events[0].words = {"en": "Nothing happened."}
    with pytest.raises(TypeError, match="append-only"):
        session.flush()


def test_the_words_of_the_history_can_be_put_under_another_key(engine: Engine, folder: Path) -> None:
    with Session(engine) as session:
        files.load(session, folder)
        session.commit()
    crypto.rotate(engine, Base.metadata)


def test_what_was_decided_by_command_stays_when_the_file_is_loaded_again(session: Session, folder: Path) -> None:
    files.load(session, folder)
    case, _was = cases.decide(session, "leila-marun", CaseStatus.CLOSED, {"en": "She is free."})
    case.outcome = {"en": "She is free.", "fr": "Elle est libre."}
    again = files.load(session, folder)
    assert (again.status, again.outcome) == (CaseStatus.CLOSED, {"en": "She is free.", "fr": "Elle est libre."})
    (folder / "case.toml").write_text('outcome = { de = "Sie ist frei." }\n' + TOML)
    assert files.load(session, folder).outcome == {"de": "Sie ist frei."}
