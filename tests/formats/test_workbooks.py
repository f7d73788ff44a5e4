"""Workbooks are read as the CSV files are that a spreadsheet program would make of them."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from mailer.formats import workbooks
from mailer.formats.csv_output import RejectsFile
from mailer.formats.tables import TableFile, UnreadableFile
from tests.support.workbooks import write_ods, write_xlsx

PEOPLE: Sequence[Sequence[str]] = [
    ["email", "name", "country"],
    ["ana@example.org", "Ána Ünal", "TR"],
    ["", "", ""],
    ["bea@example.org", "'=1+1", ""],
]


def read(path: Path) -> list[tuple[int, dict[str, str]]]:
    with TableFile(path, columns=("email", "name", "country"), spellings={"email": ["courriel"]}) as file:
        return [(record.line, file.texts(record)) for record in file.records()]


@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_a_sheet_is_read_row_by_row_with_the_numbers_that_its_program_shows(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"people.{kind}"
    write_ods(path, PEOPLE) if kind == "ods" else write_xlsx(path, {"People": PEOPLE})
    assert read(path) == [
        (2, {"email": "ana@example.org", "name": "Ána Ünal", "country": "TR"}),
        (4, {"email": "bea@example.org", "name": "=1+1", "country": ""}),
    ]


def test_what_a_file_is_its_content_says_and_not_its_name(tmp_path: Path) -> None:
    assert len(read(write_ods(tmp_path / "people.csv", PEOPLE))) == 2


def test_numbers_and_yes_and_no_are_written_as_in_a_csv_file(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "a.xlsx",
        {"A": [["courriel", "name", "country"], ["a@example.org", 7.0, True], ["b@example.org", 2.5]]},
    )
    assert [texts for _, texts in read(path)] == [
        {"email": "a@example.org", "name": "7", "country": "yes"},
        {"email": "b@example.org", "name": "2.5", "country": ""},
    ]


def test_of_several_sheets_the_first_is_read_that_one_sees_and_that_has_something_in_it(tmp_path: Path) -> None:
    sheets = {
        "Secret": [["email"], ["no@example.org"]],
        "Empty": [],
        "Members": [[], ["email"], ["a@example.org"]],
        "Old": PEOPLE,
    }
    path = write_xlsx(tmp_path / "a.xlsx", sheets, hidden="Secret")
    assert [(line, texts["email"]) for line, texts in read(path)] == [(3, "a@example.org")]
    with TableFile(path, columns=("email",)) as file:
        assert 'of its sheets, "Members" was read' in file.remarks()
        assert file.header_line == 2


def test_what_is_to_be_corrected_is_a_csv_file_that_excel_opens(tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    with (
        TableFile(write_ods(tmp_path / "people.ods", PEOPLE), columns=("email", "name")) as file,
        RejectsFile(rejects, file) as rejected,
    ):
        rejected.write(list(file.records()), {4: "why"})
    assert rejects.read_text(encoding="utf-8") == (
        "\ufeffemail,name,country,rejected_line,rejected_reason\nbea@example.org,'=1+1,,4,why\n"
    )


def test_what_is_no_workbook_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, old, empty = (tmp_path / name for name in ("broken.xlsx", "old.xls", "empty.xlsx"))
    broken.write_bytes(b"PK\x03\x04\x14\x00" + bytes(100))
    old.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
    write_xlsx(empty, {"A": [], "B": []})
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("people.csv", "email\n")
    for path, reason in {
        broken: "no .xlsx",
        old: "old Excel file",
        empty: "none of its sheets",
        other: "no .xlsx",
    }.items():
        with pytest.raises(UnreadableFile, match=reason):
            read(path)
    monkeypatch.setattr(workbooks, "MOST_BYTES", 100)
    with pytest.raises(UnreadableFile, match="more than 1 GB"):
        read(write_xlsx(tmp_path / "large.xlsx", {"A": PEOPLE}))
