"""The usual kinds of CSV are read, and a broken file is refused before anything is written."""

import os
import resource
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from mailer.formats.csv_output import RejectsFile
from mailer.formats.tables import BrokenFile, TableFile, UnreadableFile
from mailer.spreadsheets.importing import import_file
from mailer.store.db import session_scope
from mailer.store.models import ConsentText, Subscriber
from tests.support.factories import make_list


@pytest.fixture
def database(engine: Engine) -> Engine:
    """A database with the list "urgent-actions"."""
    with session_scope(engine) as session:
        make_list(session)
    return engine


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_the_usual_kinds_of_csv_are_read(
    database: Engine, tmp_path: Path, delimiter: str, bom: bytes, line_end: str
) -> None:
    path = tmp_path / "supporters.csv"
    rows = [["Name", " E-Mail", "EMAIL"], ["Ana, Borís; & Co", "x", "ana@example.org"], ["", "", ""]]
    text = line_end.join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    path.write_bytes(bom + text.encode())
    report = import_file(database, path, list_slug="urgent-actions", consent="Yes.")
    assert (report.read, report.created, len(report.warnings)) == (1, 1, 1)
    with session_scope(database, read_only=True) as session:
        assert session.scalars(select(Subscriber.name)).one() == "Ana, Borís; & Co"


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", 1, "empty"),
        (b"name,country\nAna,GB\n", 1, "no column"),
        (b"email,name,EMAIL\n", 1, "more than once"),
        (b"email,First name,Prenom,first-name\n", 1, "the column name is there more than once"),
        (b"ana@example.org\nben@example.org\n", 1, "Put a line above it"),
        (b"sep=;\n", 1, "empty"),
        (b"sep=;\nname;country\n", 2, "no column"),
        (b'email,name\nana@example.org,"Ana" x ,\n', 2, "not valid CSV"),
        (b'email,name\nana@example.org,"Ana" ,"B\n', 2, "not valid CSV"),
        (b"email\nana@example.org\n\xff\xfeb\x00\n", 3, "NUL"),
        (b"email\nana@example.org\njos\xe9@example.org\n", 3, "not UTF-8"),
        (b"email\nana@example.org\njos\xe9@example.org\n", 3, "CSV UTF-8"),
        (b"email\nana@example.org\nb\x00@example.org\n", 3, "NUL"),
        (b'email,name\nana@example.org,"Ana\nb@example.org,B\n', 2, "never closed"),
        (b'email,name\nana@example.org,"Ana"x\n', 2, "not valid CSV"),
        (b"email\nana@example.org\n" + b"x" * 70_000 + b"\n", 3, "64 KB"),
        (b'email,name\nana@example.org,"Ana\n' + b"b@example.org,B\n" * 5000, 4097, "64 KB"),
    ],
)
def test_a_broken_file_is_refused_whole_with_its_line(
    database: Engine, content: bytes, line: int, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    with pytest.raises(BrokenFile, match=reason) as refused:
        import_file(database, path, list_slug="urgent-actions", consent="Yes.")
    assert refused.value.fields["line"] == line
    with session_scope(database, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Subscriber)) == 0
        assert session.scalar(select(func.count()).select_from(ConsentText)) == 0


def test_a_hundred_megabytes_on_one_line_cost_no_memory(database: Engine, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(b"email\n")
        file.truncate(100_000_000)
        file.seek(6)
        for _ in range(100):
            file.write(b"x" * 1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BrokenFile, match="64 KB"):
        import_file(database, path, list_slug="urgent-actions", consent="Yes.")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB
    path.unlink()


def test_a_file_that_is_not_there_or_no_file_is_refused(database: Engine, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    workbook = tmp_path / "supporters.xlsx"
    workbook.write_bytes(b"PK\x03\x04\x14\x00" + bytes(100))
    for path, reason in {
        tmp_path / "nowhere.csv": "No such file",
        tmp_path: "it is a folder",
        pipe: "it is not a file",
        workbook: "no .xlsx or .ods file",
    }.items():
        with pytest.raises(UnreadableFile, match=reason):
            import_file(database, path, list_slug="urgent-actions", consent="Yes.")


def cells(path: Path, content: str | bytes) -> list[list[str]]:
    """What is read of a file's columns email, name and country, after its header."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    spellings = {"email": ["courriel"], "name": ["first name", "full name"], "country": ["ülke", "البلد"]}
    with TableFile(path, columns=("email", "name", "country"), spellings=spellings) as file:
        return [list(file.texts(record).values()) for record in file.records()]


@pytest.mark.parametrize(
    "content",
    [
        'email, name, country\nana@example.org, "Ana", GB\nben@example.org, "Example, Ben", FR\n',
        'email , name\t, country\nana@example.org , "Ana" ,"GB"\nben@example.org,"Example, Ben"   , FR\n',
        '"email" ; "name" ; "country"\n"ana@example.org" ; "Ana" ; "GB" \n"ben@example.org" ; "Example, Ben" ; "FR"',
        "sep=;\nemail;name;country\nana@example.org;Ana;GB\nben@example.org;Example, Ben;FR\n",
        '"sep=|"\r\nemail|name|country\r\nana@example.org|Ana|GB\r\nben@example.org|Example, Ben|FR\r\n',
        "\ufeffSEP=\t\nemail\tname\tcountry\nana@example.org\tAna\tGB\nben@example.org\tExample, Ben\tFR\n",
        "\n\nemail;name;country\nana@example.org;Ana;GB\n\nben@example.org;Example, Ben;FR\n",
        'email,name,country\rana@example.org,Ana,GB\rben@example.org,"Example, Ben",FR\r',
        'email,name,country\nana@example.org,Ana,GB\rben@example.org,"Example, Ben",FR\r\n',
    ],
)
def test_files_that_are_typed_by_hand_or_written_by_old_programs_are_read(content: str, tmp_path: Path) -> None:
    read = cells(tmp_path / "supporters.csv", content)
    assert read == [["ana@example.org", "Ana", "GB"], ["ben@example.org", "Example, Ben", "FR"]]


def test_a_quotation_mark_in_a_cell_with_spaces_behind_it_stays(tmp_path: Path) -> None:
    content = 'email,name,country\nana@example.org,"Ana ""the, dock"" , er" , GB\n'
    assert cells(tmp_path / "supporters.csv", content) == [["ana@example.org", 'Ana "the, dock" , er', "GB"]]


def test_lines_of_old_macs_are_counted_and_read_across_any_piece_of_the_file(tmp_path: Path) -> None:
    rows = [f"person{number}@example.org,{'x' * (number % 90)},GB" for number in range(5000)]
    path = tmp_path / "supporters.csv"
    read = cells(path, "\r".join(["email,name,country", *rows]))
    assert read == [row.split(",") for row in rows]
    with TableFile(path, columns=("email",)) as file:
        assert [record.line for record in file.records()] == list(range(2, 5002))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("E-Mail,First Name,COUNTRY", ["a@example.org", "Ana", "GB"]),
        ("e_mail,first-name,Country ", ["a@example.org", "Ana", "GB"]),
        ("Courriel,first name,Ulke", ["a@example.org", "Ana", "GB"]),
        ("COURRIEL,FullName,البلد", ["a@example.org", "Ana", "GB"]),
        ("email,phone,e-mail", ["a@example.org", "", ""]),  # its own name goes first
        ("email,full name,First name", ["a@example.org", "GB", ""]),  # the first spelling goes first
        ("Notes,email,Notes", ["Ana", "", ""]),  # what nobody reads may be there twice
        ("email,,", ["a@example.org", "", ""]),
    ],
)
def test_columns_are_known_by_their_usual_names(header: str, expected: list[str], tmp_path: Path) -> None:
    assert cells(tmp_path / "supporters.csv", f"{header}\na@example.org,Ana,GB\n") == [expected]


def test_what_is_read_under_another_name_and_what_is_not_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "supporters.csv"
    path.write_text("email,First name,E-mail,city,full name,rejected_line\n")
    with TableFile(path, columns=("email", "name"), spellings={"name": ["first name", "full name"]}) as file:
        assert file.remarks() == [
            'column 2 "First name" was read as the name',
            'column 3 "E-mail" was ignored, because column 1 is the email',
            'column 4 "city" is not known, and was ignored',
            'column 5 "full name" was ignored, because column 2 is the name',
        ]


@pytest.mark.parametrize(
    ("header", "called"), [("ADI", "adı"), ("Ad\u0131", "adi"), ("KOŁO", "kolo"), ("Prénom", "prenom")]
)
def test_a_column_is_known_by_the_folding_that_names_have_everywhere(tmp_path: Path, header: str, called: str) -> None:
    path = tmp_path / "supporters.csv"
    path.write_text(f"email,{header}\nana@example.org,Ana\n")
    with TableFile(path, columns=("email", "name"), spellings={"name": [called]}) as file:
        assert [file.texts(record)["name"] for record in file.records()] == ["Ana"]


@pytest.mark.parametrize(("line_end", "inside"), [("\n", "\r"), ("\r", "\n"), ("\r\n", "\n"), ("\r\n", "\r")])
def test_a_cell_of_several_lines_goes_back_as_one_whatever_ends_the_files_lines(
    tmp_path: Path, line_end: str, inside: str
) -> None:
    source, rejects = tmp_path / "people.csv", tmp_path / "rejects.csv"
    written = f'email,name{line_end}ana,"Ana{inside}bo@example.org"{line_end}'
    source.write_bytes(written.encode())
    with TableFile(source, columns=["email", "name"]) as table, RejectsFile(rejects, table) as file:
        (record,) = table.records()
        file.write([record], {record.line: "no address"})
    with TableFile(rejects, columns=["email", "name"]) as table:
        assert [record.cells for record in table.records()] == [[*record.cells, "2", "no address"]]
