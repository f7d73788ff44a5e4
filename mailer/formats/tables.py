"""Tables as CSV or in workbooks: how a file is read, whoever wrote it."""

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from mailer.errors import MailerError
from mailer.formats.cells import restore
from mailer.formats.workbook_parts import NoWorkbook
from mailer.formats.workbooks import Workbook
from mailer.locale.folding import fold_whole

#: What a rejects file has behind the original columns. An import ignores them, so that it can be fed back.
REJECT_COLUMNS = ("rejected_line", "rejected_reason")

MAX_RECORD_BYTES = 64 * 1024

_DELIMITERS = (",", ";", "\t")
BOM = "\ufeff"
#: A first line by which Excel is told the delimiter; it is no part of the table.
_EXCELS_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_ZIP = b"PK\x03\x04"  # what .xlsx and .ods files begin with
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"  # what .xls files begin with, and workbooks with a password
_SAVE = 'In Excel save it as "CSV UTF-8", in LibreOffice as "Text CSV" with the character set UTF-8'


class UnreadableFile(MailerError):
    """{path} cannot be read: {problem}."""


class UnwritableFile(MailerError):
    """{path} cannot be written: {problem}."""


class BrokenFile(MailerError):
    """{path}, line {line}: {problem}."""


class TooManyCells(MailerError):
    """there are {cells} cells, but the header names {columns} columns"""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One record of a file: the number of its first line, from 1, and its cells as written."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Dress:
    """How a file is written, so that what comes out of it can be written alike."""

    delimiter: str = ","
    bom: bool = False
    excels_line: str = ""  # `sep=;`, with its line end
    line_end: str = "\r\n"


#: how files of ours are written
PLAIN = Dress()

#: What may be asked for where a file is written: name → delimiter.
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}


class _Source(Protocol):
    """Where records come from."""

    @property
    def dress(self) -> Dress:
        """How a CSV file is written that goes with it."""

    @property
    def lines_before(self) -> int:
        """How many lines there are before its header."""

    @property
    def remarks(self) -> list[str]:
        """What to say of it."""

    def records(self) -> Iterator[TableRow]:
        """All records from the header on, from the start at each call."""


class TableFile:
    """A table with a header: a CSV file in UTF-8 with or without BOM, with comma, semicolon or tab, lines ended in any
    of the three ways, and perhaps Excel's line `sep=;` before the header, read as a stream; or an .xlsx or .ods file,
    of which the first sheet is read that has something in it.

    `written_header` has the columns' names as they are written.
    """

    def __init__(
        self,
        path: Path,
        *,
        columns: Sequence[str],
        spellings: Mapping[str, Sequence[str]] | None = None,
        stream: BinaryIO | None = None,
    ) -> None:
        """Open a file and read its header.

        :param columns: that there may be; the first one has to be.
        :param spellings: column → what else it may be called. Its own name goes before these, and these before one
            another.
        :param stream: what the file holds, where that does not stand in it as it is; closed with this.
        :raises UnreadableFile: it is not there, or not a file.
        :raises BrokenFile: it is empty, or its header lacks the first column or has one twice that is read.
        """
        self._path = path
        self._columns = columns
        self._file = stream if stream is not None else _opened(path)
        try:
            names = {column: [column, *(spellings or {}).get(column, ())] for column in columns}
            self._names = {column: [fold_whole(name) for name in called] for column, called in names.items()}
            self._source = self._recognised(self._names[columns[0]])
            self.dress = self._source.dress
            header = next(self._source.records())
            self.written_header = [restore(cell).strip() for cell in header.cells]
            self._folded = [fold_whole(cell) for cell in self.written_header]
            self._positions = {column: self._position(column, called) for column, called in self._names.items()}
            self._check_header(header)
        except BaseException:
            self._file.close()
            raise

    def _recognised(self, needed: Sequence[str]) -> _Source:
        start = self._file.read(len(_ZIP))
        self._file.seek(0)
        if start == _OLD_OFFICE:
            problem = f"it is an old Excel file, or has a password. Save it as .xlsx or .ods without one. {_SAVE}"
            raise UnreadableFile(path=self._path, problem=problem)
        return _Sheet(self._file, self._path) if start == _ZIP else _CsvText(self._file, self._path, needed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def unread_columns(self) -> dict[int, str]:
        """The columns that are neither ones there may be, nor of a rejects file: position, from 0 → name."""
        known = {*(p for p in self._positions.values() if p is not None), *self.reject_columns()}
        return {i: name for i, name in enumerate(self.written_header) if i not in known}

    def reject_columns(self) -> set[int]:
        """The positions of what a rejects file has behind the original columns."""
        reject_columns = {fold_whole(name) for name in REJECT_COLUMNS}
        return {i for i, name in enumerate(self._folded) if name in reject_columns}

    def remarks(self, *, handled: Collection[int] = ()) -> list[str]:
        """What to say of the columns: which are read though they are called otherwise, and which are not read.

        :param handled: the positions of others that somebody makes use of.
        """
        called_otherwise = [
            f'column {position + 1} "{self.written_header[position]}" was read as the {column}'
            for column, position in self._positions.items()
            if position is not None and self._folded[position] != fold_whole(column)
        ]
        unread = self.unread_columns().items()
        return [*self._source.remarks, *called_otherwise] + [
            self._ignored(i, name) for i, name in unread if i not in handled
        ]

    def _ignored(self, position: int, name: str) -> str:
        for column, called in self._names.items():
            read = self._positions[column]
            if self._folded[position] in called and read is not None:
                return f'column {position + 1} "{name}" was ignored, because column {read + 1} is the {column}'
        return f'column {position + 1} "{name}" is not known, and was ignored'

    def texts(self, record: TableRow) -> dict[str, str]:
        """Column → its text in a record, empty where the file has no such column or the record ends before it.

        :raises TooManyCells: there is text in cells that no column is named for.
        """
        cells, width = record.cells, len(self.written_header)
        if any(map(str.strip, cells[width:])):
            raise TooManyCells(cells=len(cells), columns=width)
        return {
            name: restore(cells[position]).strip() if position is not None and position < len(cells) else ""
            for name, position in self._positions.items()
        }

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    @property
    def header_line(self) -> int:
        """The line that names the columns."""
        return self._source.lines_before + 1

    def is_same_as(self, other: Path) -> bool:
        """Whether another path leads to this file.

        :raises UnwritableFile: nobody can tell, since that path cannot be followed.
        """
        try:
            return other.exists() and other.samefile(self._path)
        except OSError as problem:
            raise UnwritableFile(path=other, problem=problem.strerror) from None

    def records(self) -> Iterator[TableRow]:
        """The records after the header, from the start at each call. Lines with nothing in any cell are skipped.

        :raises BrokenFile: it is not UTF-8, has a NUL byte, a record over 64 KB, or quotation marks that do not
            pair up; with the line. Read it once before anything is done with it.
        """
        records = self._source.records()
        next(records)
        return (record for record in records if any(map(str.strip, record.cells)))

    def _position(self, column: str, called: Sequence[str]) -> int | None:
        """Where a column stands that may have several names; None if it is not there.

        :raises BrokenFile: it stands there twice by one name.
        """
        named = [i for i, name in enumerate(self.written_header) if name.lower() == column]
        alike = ([i for i, name in enumerate(self._folded) if name == spelling] for spelling in called)
        places = next((places for places in (named, *alike) if places), [])
        if len(places) > 1:
            problem = f"the column {column} is there more than once; keep one"
            raise BrokenFile(path=self._path, line=self.header_line, problem=problem)
        return places[0] if places else None

    def _check_header(self, header: TableRow) -> None:
        if self._positions[self._columns[0]] is None:
            names = ", ".join(self._columns)
            problem = f'there is no column "{self._columns[0]}"; the first line must name the columns: {names}'
            if any("@" in name for name in self.written_header):
                problem += f". Put a line above it that does, such as: {self._columns[0]}"
            raise BrokenFile(path=self._path, line=header.line, problem=problem)


def _opened(path: Path) -> BinaryIO:
    try:
        if path.exists() and not path.is_file():
            problem = "it is a folder" if path.is_dir() else "it is not a file; save it as one first"
            raise UnreadableFile(path=path, problem=problem)
        return path.open("rb")
    except OSError as problem:
        raise UnreadableFile(path=path, problem=problem.strerror) from None


class _Sheet:
    """A sheet of a workbook as a source of records. What is corrected of it goes into a CSV file for Excel."""

    dress = Dress(bom=True)

    def __init__(self, file: BinaryIO, path: Path) -> None:
        """:raises UnreadableFile: it is no workbook that we can read."""
        try:
            self._book = Workbook(file)
        except NoWorkbook as problem:
            raise UnreadableFile(path=path, problem=problem) from None
        self._path = path
        filled = (number for number, cells in self._book.rows() if any(map(str.strip, cells)))
        self.lines_before = next(filled, 1) - 1
        self.remarks = [f'of its sheets, "{self._book.chosen}" was read'] if self._book.chosen else []

    def records(self) -> Iterator[TableRow]:
        """All rows from the header on, from the start at each call."""
        for number, cells in self._book.rows():
            if sum(len(cell.encode()) for cell in cells) > MAX_RECORD_BYTES:
                raise BrokenFile(
                    path=self._path, line=number, problem="this row is longer than 64 KB; shorten its cells"
                )
            if number > self.lines_before:
                yield TableRow(number, cells)


class _CsvText:
    """A CSV file as a source of records."""

    def __init__(self, file: BinaryIO, path: Path, needed: Sequence[str]) -> None:
        """:param needed: what the column may be called that has to be there, folded."""
        self._file = file
        self._path = path
        self.remarks: list[str] = []
        self.dress, self.lines_before = self._look(needed)

    def _look(self, needed: Sequence[str]) -> tuple[Dress, int]:
        """How the file is written, and how many lines there are before its header."""
        self._file.seek(0)
        bom = self._file.read(len(BOM.encode())) == BOM.encode()
        self._file.seek(0)
        lines = _Lines(self._file, self._path)
        first = next((line for line in lines if line.strip()), None)
        excels = _EXCELS_LINE.fullmatch(first) if first is not None else None
        header = next((line for line in lines if line.strip()), None) if excels else first
        if first is None or header is None:
            problem = "the file is empty; its first line must name the columns"
            raise BrokenFile(path=self._path, line=1, problem=problem)
        return Dress(
            delimiter=excels[1] if excels else _delimiter(header, needed),
            bom=bom,
            excels_line=first if excels else "",
            line_end=header[len(header.rstrip("\r\n")) :] or "\r\n",
        ), lines.number - 1

    def records(self) -> Iterator[TableRow]:
        """All records from the header on."""
        self._file.seek(0)
        lines = _Lines(self._file, self._path)
        for _ in range(self.lines_before):
            next(lines)
        # A space before a quotation mark belongs to neither cell: files that are typed by hand have them.
        reader = csv.reader(lines, delimiter=self.dress.delimiter, skipinitialspace=True, strict=True)
        while True:
            lines.begin_record()
            start = lines.number + 1
            try:
                cells = next(reader, None)
            except csv.Error as problem:
                cells = _spaced_cells("".join(lines.record), self.dress.delimiter)
                if cells is None:
                    raise BrokenFile(path=self._path, line=start, problem=_explain(problem)) from None
            if cells is None:
                return
            yield TableRow(start, cells)


class _Lines:
    """The lines of a file, decoded, none of them longer than a record may be, whatever the file holds."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._lines = _raw_lines(file)
        self._path = path
        self._record_bytes = 0
        self.record: list[str] = []  # the lines since `begin_record`
        self.number = 0  # of the line last read

    def begin_record(self) -> None:
        """Count bytes anew."""
        self._record_bytes = 0
        self.record = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        raw = next(self._lines)
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
        line = text.removeprefix(BOM) if self.number == 1 else text
        self.record.append(line)
        return line

    def _broken(self, problem: str) -> BrokenFile:
        return BrokenFile(path=self._path, line=self.number, problem=problem)


def _raw_lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines with their ends: LF, CR and LF, or CR alone, as old Macs write them. What is longer than a record may be is
    handed out in pieces."""
    most = MAX_RECORD_BYTES + 1
    rest = b""
    while chunk := rest + file.readline(most - len(rest)):
        rest = b""
        end = 2 if chunk.endswith(b"\r\n") else 1
        if chunk.find(b"\r", 0, len(chunk) - end) < 0:
            yield chunk
            continue
        *lines, last = chunk.splitlines(keepends=True)
        yield from lines
        if last.endswith(b"\n"):
            yield last
        else:
            rest = last  # more of it may follow


def _delimiter(header: str, needed: Sequence[str]) -> str:
    """The delimiter by which the header has the column that it needs; else the one by which it has most columns.

    :param needed: what that column may be called, folded.
    """

    def columns(delimiter: str) -> list[str]:
        return [fold_whole(cell) for cell in header.split(delimiter)]

    def rank(delimiter: str) -> tuple[bool, int]:
        found = columns(delimiter)
        return any(name in found for name in needed), len(found)

    return max(_DELIMITERS, key=rank)


def _spaced_cells(record: str, delimiter: str) -> list[str] | None:
    """The cells of a record with spaces behind closing quotation marks, or an address behind a quoted name, which `csv`
    refuses; None if that is not what is wrong with it."""
    edge = re.escape(delimiter)
    in_marks = r'"((?:[^"]|"")*+)" *'
    mailbox = r'"[^"\r\n]*" *<[^<>"\r\n]*>'  # of a mailing list manager's members
    without = rf'[^"{edge}\r\n][^{edge}\r\n]*|'
    cell = re.compile(rf" *(?:{in_marks}|({mailbox}|{without}))(?:({edge})|[\r\n]*\Z)")
    cells = []
    position = 0
    while found := cell.match(record, position):
        quoted, plain, more = found.groups()
        cells.append(plain if quoted is None else quoted.replace('""', '"'))
        if not more:
            return cells
        position = found.end()
    return None


def _explain(problem: csv.Error) -> str:
    if "unexpected end of data" in str(problem):
        return "a quotation mark that opens in this record is never closed"
    return f"this is not valid CSV ({problem})"
