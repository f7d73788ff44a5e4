"""What of a workbook its library is given: the parts that make up sheets, and only after they were read to the end.
The library builds a sheet as a whole rectangle with each text in full: a small file could ask for any memory."""

import io
import re
import zipfile
import zlib
from array import array
from collections.abc import Mapping
from typing import BinaryIO, Protocol
from xml.parsers import expat

#: of all that is packed in a file, and of the texts of all cells: a few MB of ZIP can hold any number of GB
MOST_BYTES = 1024**3
#: of all sheets together, up to the last row and column that have something: 32 bytes each
MOST_CELLS = 20_000_000

_CHUNK_BYTES = 1 << 18
_SHEET_OR_LIST = r"xl/(?:[^/]+/)?[^/]+\.xml"
_WANTED = re.compile(
    rf"mimetype|content\.xml|META-INF/manifest\.xml|\[Content_Types\]\.xml|_rels/\.rels|xl/_rels/[^/]+\.rels|{_SHEET_OR_LIST}",
    re.IGNORECASE,
)
_SHARED = "xl/sharedstrings.xml"
_REFERENCE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
_NUMBER = re.compile(r"[0-9]{1,10}")
_TOO_LARGE_TEXT = "it holds more than 1 GB once it is unpacked; save it as CSV"
_TOO_MANY_CELLS = (
    "its sheets reach over more than {most:,} cells, up to the last that has something in it; delete what stands far "
    "outside the table, or save the sheet as CSV"
)


class NoWorkbook(Exception):
    """What is wrong with a file, in words that go on after a colon."""


def checked(file: BinaryIO) -> BinaryIO:
    """The parts of a workbook that make up its sheets, as a new file in memory, which is no larger than that one.

    :raises NoWorkbook: it cannot be read, has a password, or its sheets are too large.
    """
    made = io.BytesIO()
    try:
        with zipfile.ZipFile(file) as archive, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as to:
            _copy(archive, to)
    except (expat.ExpatError, zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as problem:
        raise NoWorkbook(f"it is no .xlsx or .ods file that we can read ({problem})") from None
    made.seek(0)
    return made


def _copy(archive: zipfile.ZipFile, to: zipfile.ZipFile) -> None:
    if sum(each.file_size for each in archive.infolist()) > MOST_BYTES:
        raise NoWorkbook(_TOO_LARGE_TEXT)
    parts: dict[str, tuple[str, zipfile.ZipInfo]] = {}  # folded name → name, and where it stands
    for each in archive.infolist():
        name = each.filename.replace("\\", "/")
        if _WANTED.fullmatch(name):
            if name.lower() in parts:
                raise ValueError(f"{name} is there twice")
            parts[name.lower()] = name, each
    manifest = parts.get("meta-inf/manifest.xml")
    if manifest is not None and b"encryption-data" in archive.read(manifest[1]):
        raise NoWorkbook("it has a password; save it without one first")
    total = _Total()
    for folded in sorted(parts, key=lambda name: name != _SHARED):  # what sheets refer to goes first
        name, part = parts[folded]
        reader = _reader(folded, total)
        with archive.open(part) as source, to.open(name, "w") as target:
            while chunk := source.read(_CHUNK_BYTES):
                if reader is not None:
                    reader.Parse(chunk, False)
                target.write(chunk)
        if reader is not None:
            reader.Parse(b"", True)


class _Total:
    """How large all sheets are that were read, and what they refer to."""

    def __init__(self) -> None:
        self.shared = array("L")  # length of each text that cells of .xlsx refer to, in characters
        self._cells = self._characters = 0

    def add_sheet(self, *, rows: int, columns: int) -> None:
        """:raises NoWorkbook: they are too many by now."""
        self._cells += rows * columns
        if self._cells > MOST_CELLS:
            raise NoWorkbook(_TOO_MANY_CELLS.format(most=MOST_CELLS))

    def add_text(self, characters: int) -> None:
        """:raises NoWorkbook: they are too many by now."""
        self._characters += characters
        if self._characters > MOST_BYTES:
            raise NoWorkbook(_TOO_LARGE_TEXT)


class _Handler(Protocol):
    """What makes sense of a part."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""

    def text(self, text: str) -> None:
        """Some of what stands in it."""

    def end(self, name: str) -> None:
        """It ends."""


def _reader(folded: str, total: _Total) -> expat.XMLParserType | None:
    """What reads a part; None for one that makes no cells.

    Whatever two parsers could understand in two ways is refused, so that the library sees what was seen here.
    """
    handler: _Handler
    if folded == "content.xml":
        handler = _OdsSheets(total)
    elif folded == _SHARED:
        handler = _SharedTexts(total)
    elif re.fullmatch(_SHEET_OR_LIST, folded):
        handler = _XlsxSheet(total)
    else:
        return None
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = handler.start
    parser.CharacterDataHandler = handler.text
    parser.EndElementHandler = handler.end
    parser.StartDoctypeDeclHandler = _refuse
    parser.CommentHandler = lambda text: _refuse() if text.startswith((">", "->")) else None
    parser.ProcessingInstructionHandler = lambda _target, data: _refuse() if ">" in data else None
    return parser


def _refuse(*_: object) -> None:
    raise ValueError("it is written as no spreadsheet program does")


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text[:20]!r} is no number")
    return int(text)


class _SharedTexts:
    """The texts that cells of .xlsx refer to."""

    def __init__(self, total: _Total) -> None:
        self._total = total
        self._length = 0

    def start(self, name: str, _attributes: Mapping[str, str]) -> None:
        if name.rpartition(":")[2] == "si":
            self._length = 0

    def text(self, text: str) -> None:
        self._length += len(text)

    def end(self, name: str) -> None:
        if name.rpartition(":")[2] == "si":
            self._total.shared.append(self._length)


class _XlsxSheet:
    """How far a sheet of .xlsx reaches. Cells that have only a look do not count: the library passes them over."""

    def __init__(self, total: _Total) -> None:
        self._total = total
        self._row = self._column = 0  # of the last row, and the last cell in it, from 1
        self._at = (0, 0)  # row and column of the cell that is open
        self._is_open = self._is_shared = self._is_value = False
        self._value = ""
        self._rows = self._columns = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(":")[2]
        if local == "c":
            self._begin_cell(attributes)
        elif local == "row":
            self._row = _number(attributes["r"]) if "r" in attributes else self._row + 1
            self._column = 0
        elif self._is_open:
            self._rows, self._columns = max(self._rows, self._at[0]), max(self._columns, self._at[1])
            self._is_value = self._is_shared and local == "v"
            self._value = ""

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        row, self._column = self._row, self._column + 1
        if "r" in attributes:
            found = _REFERENCE.fullmatch(attributes["r"])
            if found is None:
                raise ValueError(f"{attributes['r'][:20]!r} is no cell")
            row, self._column = int(found[2]), 0
            for letter in found[1].upper():
                self._column = self._column * 26 + ord(letter) - ord("A") + 1
        self._at = (max(row, 1), self._column)
        self._is_open = True
        self._is_shared = attributes.get("t") == "s"

    def text(self, text: str) -> None:
        if self._is_value:
            self._value += text

    def end(self, name: str) -> None:
        if self._is_value:
            self._is_value = False
            position = _number(self._value.strip()) if self._value.strip() else 0
            self._total.add_text(self._total.shared[position] if position < len(self._total.shared) else 0)
        local = name.rpartition(":")[2]
        if local == "c":
            self._is_open = False
        elif local == "sheetData":
            self._total.add_sheet(rows=self._rows, columns=self._columns)


class _OdsSheets:
    """How far the sheets of an .ods file reach. Rows and columns of nothing at the end do not count: LibreOffice fills
    sheets with them, and the library passes them over."""

    def __init__(self, total: _Total) -> None:
        self._total = total
        self._row = self._row_repeats = self._column = self._column_repeats = 0
        self._rows = self._columns = 0  # up to the last that has something
        self._is_cell = self._has_something = self._is_row_filled = False
        self._length = 0  # of what the cell has, in characters

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(":")[2]
        if local in {"table", "table-row", "table-cell", "covered-table-cell"}:
            if self._is_cell:
                raise ValueError("a cell has a table in it")
            self._begin(local, attributes)
        elif self._is_cell:
            self._has_something = True
            if local == "s":  # that many spaces
                self._length += _number(attributes.get("text:c", "1"))

    def _begin(self, local: str, attributes: Mapping[str, str]) -> None:
        if local == "table":
            self._row = self._rows = self._columns = 0
        elif local == "table-row":
            self._row_repeats = _number(attributes.get("table:number-rows-repeated", "1"))
            self._column = 0
            self._is_row_filled = False
        else:
            self._column_repeats = _number(attributes.get("table:number-columns-repeated", "1"))
            values = [value for key, value in attributes.items() if key.startswith("office:") or key == "table:formula"]
            self._is_cell = True
            self._has_something = bool(values)
            self._length = sum(map(len, values))

    def text(self, text: str) -> None:
        if self._is_cell:
            self._length += len(text)

    def end(self, name: str) -> None:
        local = name.rpartition(":")[2]
        if local in {"table-cell", "covered-table-cell"}:
            self._column += self._column_repeats
            if self._has_something:
                self._columns = max(self._columns, self._column)
                self._is_row_filled = True
                self._total.add_text(self._length * self._column_repeats * self._row_repeats)
            self._is_cell = False
        elif local == "table-row":
            self._row += self._row_repeats
            if self._is_row_filled:
                self._rows = self._row
        elif local == "table":
            self._total.add_sheet(rows=self._rows, columns=self._columns)
