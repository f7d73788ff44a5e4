"""Workbooks are read as the CSV files are that a spreadsheet program would make of them."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from mailer.formats import workbook_parts
from mailer.formats.csv_output import RejectsFile
from mailer.formats.tables import BrokenFile, TableFile, UnreadableFile
from mailer.formats.workbook_parts import NoWorkbook, checked
from tests.support.workbooks import rewrite, write_ods, write_xlsx

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
    monkeypatch.setattr(workbook_parts, "MOST_BYTES", 100)
    with pytest.raises(UnreadableFile, match="more than 1 GB"):
        read(write_xlsx(tmp_path / "large.xlsx", {"A": PEOPLE}))


_SHEET = "xl/worksheets/sheet1.xml"
_CELL = "<table:table-cell/>"
_ROW = "<table:table-row>"


# What follows asks our own check only: the library is never given a file that it would need too much memory for.
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<row r="4">', '<row r="1048576">'),
        ('<row r="4"><c t', '<row r="4"><c r="C9999999" t'),
        ('<row r="4"><c t', '<row r="4"><c r="ZZZ9999" t'),
    ],
)
def test_a_sheet_of_excel_with_cells_far_apart_is_refused(
    tmp_path: Path, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook_parts, "MOST_CELLS", 3_000_000)
    path = rewrite(write_xlsx(tmp_path / "a.xlsx", {"A": PEOPLE}), _SHEET, old, new)
    with path.open("rb") as file, pytest.raises(NoWorkbook, match="save the sheet as CSV"):
        checked(file)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<table:table-cell office:value-type="string"><text:p>TR', '<table:table-cell table:number-columns-repeated='
         '"9999999" office:value-type="string"><text:p>TR'),
        (f"{_ROW}{_CELL}", f'<table:table-row table:number-rows-repeated="9999999">{_CELL}'),
        (_CELL, '<table:table-cell table:number-columns-repeated="9999999"/><table:table-cell><text:p>x</text:p>'
         '</table:table-cell>'),
    ],
)  # fmt: skip
def test_a_sheet_of_libreoffice_that_repeats_too_much_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = rewrite(write_ods(tmp_path / "a.ods", PEOPLE), "content.xml", old, new)
    with path.open("rb") as file, pytest.raises(NoWorkbook, match="save the sheet as CSV"):
        checked(file)


def test_texts_count_as_often_as_cells_have_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_parts, "MOST_BYTES", 20_000)
    spaces = rewrite(write_ods(tmp_path / "s.ods", PEOPLE), "content.xml", "TR", '<text:s text:c="30000"/>')
    many = 'table:number-columns-repeated="10000"'
    repeated = rewrite(
        write_ods(tmp_path / "r.ods", PEOPLE),
        "content.xml",
        'office:value-type="string"',
        f'{many} office:value-type="string"',
    )
    xlsx = write_xlsx(tmp_path / "a.xlsx", {"A": [[float(0)] * 30]})
    shared = rewrite(xlsx, _SHEET, "<c><v>0.0</v>", '<c t="s"><v>0</v>')
    with zipfile.ZipFile(shared, "a") as archive:
        archive.writestr("xl/sharedStrings.xml", f"<sst><si><t>{'x' * 1000}</t></si></sst>")
    for path in (spaces, repeated, shared):
        with path.open("rb") as file, pytest.raises(NoWorkbook, match="more than 1 GB"):
            checked(file)


@pytest.mark.parametrize("extra", ['<!DOCTYPE x [<!ENTITY a "b">]>', "<?x a > b?>", "<!--> -->"])
def test_what_two_programs_could_read_in_two_ways_is_refused(tmp_path: Path, extra: str) -> None:
    path = rewrite(write_xlsx(tmp_path / "a.xlsx", {"A": PEOPLE}), _SHEET, "<worksheet", f"{extra}<worksheet")
    with pytest.raises(UnreadableFile, match="as no spreadsheet program does"):
        read(path)


def test_the_library_gets_the_parts_that_were_checked_and_no_others(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"A": PEOPLE})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/workbook.bin", b"another format")
        archive.writestr("xl/media/picture.png", b"a picture")
    with path.open("rb") as file, zipfile.ZipFile(checked(file)) as archive:
        assert not any(name.endswith((".bin", ".png")) for name in archive.namelist())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("XL/worksheets/sheet1.xml", b"<worksheet/>")
    with pytest.raises(UnreadableFile, match="there twice"):
        read(path)


def test_rows_and_columns_of_nothing_by_which_programs_fill_a_sheet_do_no_harm(tmp_path: Path) -> None:
    columns = '<table:table-cell table:number-columns-repeated="16381"/>'
    rows = f'<table:table-row table:number-rows-repeated="1048571">{columns}</table:table-row>'
    ods = rewrite(
        write_ods(tmp_path / "a.ods", PEOPLE), "content.xml", "</table:table-row>", f"{columns}</table:table-row>"
    )
    rewrite(ods, "content.xml", "</table:table>", f"{rows}</table:table>")
    xlsx = write_xlsx(tmp_path / "a.xlsx", {"A": PEOPLE})
    styled = '<row r="1048576"><c r="A1048576" s="1"/><c r="XFD1048576" s="1"/></row></sheetData>'
    rewrite(xlsx, _SHEET, "<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>')
    rewrite(xlsx, _SHEET, "</sheetData>", styled)
    for path in (ods, xlsx):
        assert [line for line, _ in read(path)] == [2, 4]


def test_an_ods_file_with_a_password_is_said_to_have_one(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "a.ods", PEOPLE)
    rewrite(path, "META-INF/manifest.xml", "</manifest:manifest>", "<manifest:encryption-data/></manifest:manifest>")
    with pytest.raises(UnreadableFile, match="has a password"):
        read(path)


def test_a_row_may_be_as_long_as_a_record_of_a_csv_file(tmp_path: Path) -> None:
    rows = [["email", "name"], ["a@example.org", "x" * 65_000], ["b@example.org", "é" * 33_000]]
    with pytest.raises(BrokenFile, match="line 3: this row is longer than 64 KB"):
        read(write_xlsx(tmp_path / "a.xlsx", {"A": rows}))
