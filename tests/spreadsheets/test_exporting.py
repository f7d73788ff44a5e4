"""An export holds those who want the mail, and comes back as it went out."""

import csv
import io
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer.formats.cells import defuse, restore
from mailer.formats.csv_output import CsvWriter
from mailer.formats.tables import Dress, UnwritableFile
from mailer.people import subscribers, suppression
from mailer.people.lists import UnknownList
from mailer.spreadsheets.exporting import export_list
from mailer.spreadsheets.importing import COLUMNS, import_file
from mailer.store.db import session_scope
from mailer.store.models import Subscriber, SubscriptionStatus, SuppressionReason
from tests.support.factories import make_list, make_subscriber, make_union, subscribe


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_an_export_holds_only_people_of_the_list_who_want_the_mail(session: Session, tmp_path: Path) -> None:
    mailing_list, other = make_list(session), make_list(session, "news")
    make_subscriber(session, mailing_list, email="ana@example.org", union=make_union(session, "dockers"))
    make_subscriber(session, mailing_list, email="pending@example.org", status=SubscriptionStatus.PENDING)
    make_subscriber(session, mailing_list, email="left@example.org", status=SubscriptionStatus.UNSUBSCRIBED)
    make_subscriber(session, other, email="news@example.org")
    bounced = make_subscriber(session, mailing_list, email="bounced@example.org")
    suppression.add(session, bounced.email_index, SuppressionReason.BOUNCED)
    path = tmp_path / "people.csv"
    assert export_list(session, "urgent-actions", path) == 1
    assert rows(path) == [
        {
            "email": "ana@example.org",
            "name": "Ana Example",
            "country": "GB",
            "union": "dockers",
            "language": "en",
            "consent_at": "",
            "source": "",
        }
    ]


def test_an_export_is_private_and_replaces_the_file_whole(session: Session, tmp_path: Path) -> None:
    make_list(session)
    path = tmp_path / "people.csv"
    path.write_text("old")
    path.chmod(0o644)
    export_list(session, "urgent-actions", path)
    assert path.read_text() == ",".join(COLUMNS) + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.glob(".people.csv*")) == []


def test_a_failed_export_leaves_what_was_there(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_list(session)
    path = tmp_path / "people.csv"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mailer.formats.csv_output.os.fsync", full)
    with pytest.raises(UnwritableFile, match="No space left"):
        export_list(session, "urgent-actions", path)
    assert [file.name for file in tmp_path.iterdir() if "people" in file.name] == ["people.csv"]
    assert path.read_text() == "old"


def test_an_export_to_nowhere_or_of_no_list_is_refused(session: Session, tmp_path: Path) -> None:
    make_list(session)
    with pytest.raises(UnwritableFile):
        export_list(session, "urgent-actions", tmp_path / "nowhere" / "people.csv")
    with pytest.raises(UnknownList):
        export_list(session, "newz", tmp_path / "people.csv")


#: what makes a spreadsheet calculate, also as East Asian keyboards type it
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NASTY = st.text() | st.text("=+-@\t\r\n;,\"' a＝＋－＠", max_size=8)


@given(_NASTY)
def test_a_defused_cell_is_no_formula_and_is_restored_exactly(cell: str) -> None:
    assert not defuse(cell).lstrip(' "').startswith(_FORMULA)
    assert restore(defuse(cell)) == cell


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("＝1+1", "'＝1+1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠SUM(A1)", "'＠SUM(A1)"),
        ("Ana;=1+1", "'Ana;'=1+1"),
        ("Ana,=1+1", "'Ana,'=1+1"),
        ("Ana\t=1+1", "'Ana\t'=1+1"),
        ("Ana\n@SUM(A1)", "'Ana\n'@SUM(A1)"),
        ('Ana; "=1+1', "'Ana;' \"=1+1"),
        ("Ana;'=1+1", "'Ana;''=1+1"),
        ("Ana; Borís", "Ana; Borís"),
        ("a＝b", "a＝b"),
        ("rock;'n'roll", "'rock;''n'roll"),
    ],
)
def test_an_apostrophe_stands_wherever_a_formula_could_begin(cell: str, written: str) -> None:
    assert defuse(cell) == written
    assert restore(written) == cell


@pytest.mark.parametrize("cell", ["rock;'n'roll", "'tis; nice", "a;'=b", "O'Hara"])
def test_an_apostrophe_that_somebody_meant_stays(cell: str) -> None:
    assert restore(cell) == cell


@given(st.lists(st.lists(_NASTY, min_size=3, max_size=3), max_size=3))
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("written", [",", ";", "\t"])
def test_a_program_that_takes_another_delimiter_finds_no_formula_either(
    written: str, delimiter: str, records: list[list[str]]
) -> None:
    file = io.StringIO(newline="")
    writer = CsvWriter(file, ["=a", "b;=c", "d"], Dress(delimiter=written))
    for record in records:
        writer.write(record)
    for cells in csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=delimiter):
        assert not [cell for cell in cells if cell.lstrip(' "\t\r\n').startswith(_FORMULA)]


_NAMES = [
    *("=HYPERLINK(1)", "+1", "-2+3", "@SUM(A1)", "'tis", "''", "'=x", "O'Hara", '"quoted", name', "semi;colon"),
    *("Ana;=1+1", "Ana;'=1+1", "＝1", "－2", "＠SUM(A1)", "＋3", "a;b;=c", '"=1'),
    *("Ана Пример", "مثال", "\u200f=x", "İ", "a\u0301"),
]


def test_what_was_exported_is_imported_as_it_was(engine: Engine, tmp_path: Path) -> None:
    first, second, source = tmp_path / "first.csv", tmp_path / "second.csv", tmp_path / "source.csv"
    with session_scope(engine) as session:
        make_list(session)
        make_list(session, "news")
        make_union(session, "dockers")
    with source.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number, name in enumerate(_NAMES):
            writer.writerow(
                [f"p{number}@example.org", defuse(name), "GB", "dockers", "pt-BR", "2025-05-01T10:00:30.5+02:00", "=x"]
            )
        writer.writerow(["'+tag@example.org", "", "", "", "", "", ""])
    import_file(engine, source, list_slug="urgent-actions", consent="Yes.", union_consent="Yes.")
    with session_scope(engine, read_only=True) as session:
        assert export_list(session, "urgent-actions", first) == len(_NAMES) + 1
        everyone = session.execute(select(Subscriber.email, Subscriber.name, Subscriber.language)).all()
        assert subscribers.find(session, "+tag@example.org") is not None
    with session_scope(engine) as session:
        for email, _, _ in everyone:
            person = subscribers.find(session, email)
            assert person is not None
            session.delete(person)
    import_file(engine, first, list_slug="urgent-actions", consent="Yes.", union_consent="Yes.")
    with session_scope(engine, read_only=True) as session:
        export_list(session, "urgent-actions", second)
        assert session.execute(select(Subscriber.email, Subscriber.name, Subscriber.language)).all() == everyone
    assert second.read_bytes() == first.read_bytes()


def test_the_consent_of_this_list_is_exported_and_not_of_another(session: Session, tmp_path: Path) -> None:
    mailing_list, news = make_list(session), make_list(session, "news")
    person = make_subscriber(session, mailing_list, email="ana@example.org")
    subscribe(session, person, news)
    session.commit()
    path = tmp_path / "again.csv"
    path.write_text("email,consent_at,source\nboris@example.org,2025-05-01,stall\n")
    engine = session.get_bind()
    assert isinstance(engine, Engine)
    import_file(engine, path, list_slug="news", consent="Yes.")
    path.write_text("email,consent_at,source\nboris@example.org,2026-01-01,web\n")
    import_file(engine, path, list_slug="urgent-actions", consent="Yes.")
    out = tmp_path / "out.csv"
    with session_scope(engine, read_only=True) as reading:
        assert export_list(reading, "news", out) == 2
    assert [(row["email"], row["consent_at"], row["source"]) for row in rows(out)] == [
        ("ana@example.org", "", ""),
        ("boris@example.org", "2025-05-01", "stall"),
    ]
