"""Tables as CSV: which bytes, and how a cell is kept from becoming a spreadsheet formula."""

import csv
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self, TextIO

from mailer.errors import MailerError

#: What a rejects file has behind the original columns. An import ignores them, so that it can be fed back.
REJECT_COLUMNS = ("rejected_line", "rejected_reason")

MAX_RECORD_BYTES = 64 * 1024

_DELIMITERS = (",", ";", "\t")
_BOM = "\ufeff"
_ZIP = b"PK\x03\x04"  # what .xlsx and .ods files begin with
_SAVE = 'In Excel save it as "CSV UTF-8", in LibreOffice as "Text CSV" with the character set UTF-8'
#: What makes a spreadsheet take a cell for a formula, also as East Asian keyboards type it, and the mark that prevents
#: it. Spaces and quotation marks before it count for nothing.
_FORMULA = r"""[ "]*[=+\-@＝＋－＠\t\r\n']"""
_IS_FORMULA = re.compile(_FORMULA)
#: A program that takes another delimiter for ours, or does not know our quotation marks, begins a new cell here.
_NEW_CELL = r"[;\t\r\n]"
_HIDDEN_FORMULA = re.compile(rf"({_NEW_CELL})(?={_FORMULA})")
_MARKED_FORMULA = re.compile(rf"({_NEW_CELL})'(?={_FORMULA})")


class UnreadableFile(MailerError):
    """{path} cannot be read: {problem}."""


class UnwritableFile(MailerError):
    """{path} cannot be written: {problem}."""


class BrokenFile(MailerError):
    """{path}, line {line}: {problem}."""


class TooManyCells(MailerError):
    """there are {cells} cells, but the header names {columns} columns"""


def defuse(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would run as a formula. `restore` is its inverse.

    Also within a cell, wherever a spreadsheet that takes semicolons or tabs for delimiters would begin another. Such a
    cell has an apostrophe at its start too, by which `restore` knows it.
    """
    marked = _HIDDEN_FORMULA.sub(r"\1'", cell)
    return f"'{marked}" if marked != cell or _IS_FORMULA.match(cell) else cell


def restore(cell: str) -> str:
    """Take off the apostrophes that `defuse` put there, or that a person put there for the same reason."""
    marked = cell[1:]
    if cell[:1] == "'" and (_IS_FORMULA.match(marked) or _MARKED_FORMULA.search(marked)):
        return _MARKED_FORMULA.sub(r"\1", marked)
    return cell


@dataclass(frozen=True, slots=True)
class TableRow:
    """One record of a file: the number of its first line, from 1, and its cells as written."""

    line: int
    cells: list[str]


class TableFile:
    """A CSV file with a header: UTF-8 with or without BOM, with comma, semicolon or tab,
    read as a stream.

    `header` has the column names as compared: trimmed, in lower case.
    """

    def __init__(self, path: Path, *, columns: Sequence[str]) -> None:
        """Open a file and read its header.

        :param columns: that there may be; the first one has to be.
        :raises UnreadableFile: it is not there, or not a file.
        :raises BrokenFile: it is empty, or its header lacks the first column or has one twice.
        """
        self._path = path
        self._columns = columns
        try:
            if path.exists() and not path.is_file():
                problem = "it is a folder" if path.is_dir() else "it is not a file; save it as one first"
                raise UnreadableFile(path=path, problem=problem)
            self._file: BinaryIO = path.open("rb")
        except OSError as problem:
            raise UnreadableFile(path=path, problem=problem.strerror) from None
        try:
            if self._file.read(len(_ZIP)) == _ZIP:
                raise UnreadableFile(path=path, problem=f"it is a spreadsheet file, not a CSV file. {_SAVE}")
            self._file.seek(0)
            lines = _Lines(self._file, path)
            first = next(lines, None)
            if first is None:
                raise BrokenFile(path=path, line=1, problem="the file is empty; its first line must name the columns")
            self._delimiter = _delimiter(first, columns[0])
            self.written_header = next(self._records()).cells
            self.header = tuple(restore(cell).strip().lower() for cell in self.written_header)
            self._check_header()
            self._positions = {name: self.header.index(name) if name in self.header else None for name in columns}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def unknown_columns(self) -> list[str]:
        """A warning for each column that is not one there may be, nor one of a rejects file."""
        known = {*self._columns, *REJECT_COLUMNS}
        return [
            f'column {position} "{name}" is not known, and was ignored'
            for position, name in enumerate(self.header, start=1)
            if name not in known
        ]

    def texts(self, record: TableRow) -> dict[str, str]:
        """Column → its text in a record, empty where the file has no such column or the record ends before it.

        :raises TooManyCells: there is text in cells that no column is named for.
        """
        cells, width = record.cells, len(self.header)
        if any(map(str.strip, cells[width:])):
            raise TooManyCells(cells=len(cells), columns=width)
        return {
            name: restore(cells[position]).strip() if position is not None and position < len(cells) else ""
            for name, position in self._positions.items()
        }

    def is_same_as(self, other: Path) -> bool:
        """Whether another path leads to this file.

        :raises UnwritableFile: nobody can tell, since that path cannot be followed.
        """
        try:
            return other.exists() and other.samefile(self._path)
        except OSError as problem:
            raise UnwritableFile(path=other, problem=problem.strerror) from None

    def check(self) -> int:
        """Read the whole file once, so that a broken one is refused before anything is done with it.

        :returns: how many records it has.
        :raises BrokenFile: it is not UTF-8, has a NUL byte, a record over 64 KB, or quotation marks that do not
            pair up; with the line.
        """
        return sum(1 for _ in self.records())

    def records(self) -> Iterator[TableRow]:
        """The records after the header, from the start at each call. Lines with nothing in any cell are skipped.

        :raises BrokenFile: as `check`.
        """
        records = self._records()
        next(records)
        return (record for record in records if any(map(str.strip, record.cells)))

    def _records(self) -> Iterator[TableRow]:
        self._file.seek(0)
        lines = _Lines(self._file, self._path)
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        while True:
            lines.begin_record()
            start = lines.number + 1
            try:
                cells = next(reader, None)
            except csv.Error as problem:
                raise BrokenFile(path=self._path, line=start, problem=_explain(problem)) from None
            if cells is None:
                return
            yield TableRow(start, cells)

    def _check_header(self) -> None:
        if self._columns[0] not in self.header:
            names = ", ".join(self._columns)
            problem = f'there is no column "{self._columns[0]}"; the first line must name the columns: {names}'
            raise BrokenFile(path=self._path, line=1, problem=problem)
        doubled = sorted({name for name in self.header if name and self.header.count(name) > 1})
        if doubled:
            problem = f"the column {', '.join(doubled)} is there more than once; keep one"
            raise BrokenFile(path=self._path, line=1, problem=problem)


class _Lines:
    """The lines of a file, decoded, none of them longer than a record may be, whatever the file holds."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._record_bytes = 0
        self.number = 0  # of the line last read

    def begin_record(self) -> None:
        """Count bytes anew."""
        self._record_bytes = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        raw = self._file.readline(MAX_RECORD_BYTES + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        self._record_bytes += len(raw)
        if self._record_bytes > MAX_RECORD_BYTES:
            raise self._broken("this record is longer than 64 KB; is a quotation mark or a line end missing?")
        if b"\0" in raw:
            raise self._broken(f"there is a NUL byte. {_SAVE}")
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise self._broken(f"this is not UTF-8. {_SAVE}") from None
        return text.removeprefix(_BOM) if self.number == 1 else text

    def _broken(self, problem: str) -> BrokenFile:
        return BrokenFile(path=self._path, line=self.number, problem=problem)


def _delimiter(header: str, needed: str) -> str:
    """The delimiter by which the header has the column that it needs; else the one by which it has most columns."""

    def columns(delimiter: str) -> list[str]:
        return [cell.strip().strip('"').lower() for cell in header.split(delimiter)]

    return max(_DELIMITERS, key=lambda delimiter: (needed in columns(delimiter), len(columns(delimiter))))


def _explain(problem: csv.Error) -> str:
    if "unexpected end of data" in str(problem):
        return "a quotation mark that opens in this record is never closed"
    return f"this is not valid CSV ({problem})"


class CsvWriter:
    """Writes records as an import reads them: UTF-8, comma, every cell defused."""

    def __init__(self, file: TextIO, header: Sequence[str]) -> None:
        self._writer = csv.writer(file)
        self.write(header)

    def write(self, cells: Sequence[str | None]) -> None:
        """Write one record; None is an empty cell."""
        self._writer.writerow([defuse(cell or "") for cell in cells])


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A file to write text to that is readable for its owner only, and is there whole or not at all.

    :param path: where it will be; a file of that name is replaced.
    :raises OSError: no file was made or replaced.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


class RejectsFile:
    """The file of lines to be corrected and imported again, if one is wanted."""

    def __init__(self, path: Path | None, source: TableFile) -> None:
        self._file: TextIO | None = None
        self._kept = [i for i, name in enumerate(source.header) if name not in REJECT_COLUMNS]
        self._width = len(source.header)
        if path is None:
            return
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.fchmod(descriptor, 0o600)  # a file that was there before kept its own mode
        except OSError as problem:
            raise UnwritableFile(path=path, problem=problem.strerror) from None
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", newline="")
        header = [restore(source.written_header[i]) for i in self._kept]
        self._writer = CsvWriter(self._file, [*header, *REJECT_COLUMNS])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, records: Iterable[TableRow], remarks: dict[int, str]) -> None:
        """Write the records that a remark was made on."""
        if self._file is None or not remarks:
            return
        for record in records:
            if record.line in remarks:
                cells = [restore(cell) for cell in record.cells]
                kept = [cells[i] if i < len(cells) else "" for i in self._kept]
                # Cells that no column is named for stay behind the last one, to be seen and corrected.
                self._writer.write([*kept, str(record.line), remarks[record.line], *cells[self._width :]])
        self._file.flush()
