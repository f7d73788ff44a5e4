"""The usual kinds of CSV are read, and a broken file is refused before anything is written."""

import os
import resource
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from mailer.formats.tables import BrokenFile, UnreadableFile
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
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
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
        workbook: 'spreadsheet.*"CSV UTF-8"',
    }.items():
        with pytest.raises(UnreadableFile, match=reason):
            import_file(database, path, list_slug="urgent-actions", consent="Yes.")
