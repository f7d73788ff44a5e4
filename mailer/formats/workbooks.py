"""Workbooks: the rows of an .xlsx or .ods file, as texts. The format is Calamine's affair; which sheet is read, and how
a cell is written, is ours."""

import datetime
from collections.abc import Iterator
from typing import BinaryIO

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetVisibleEnum

from mailer.formats.workbook_parts import NoWorkbook, checked

Cell = object


class Workbook:
    """The first sheet of a file that is not hidden and not empty, read into memory whole."""

    def __init__(self, file: BinaryIO) -> None:
        """:raises NoWorkbook: it cannot be read, or is too large."""
        parts = checked(file)
        try:
            book = CalamineWorkbook.from_filelike(parts)
            sheets = [each.name for each in book.sheets_metadata if each.visible == SheetVisibleEnum.Visible]
            found = ((name, book.get_sheet_by_name(name)) for name in sheets)
            filled = next(((name, sheet) for name, sheet in found if sheet.height), None)
        except PasswordError:
            raise NoWorkbook("it has a password; save it without one first") from None
        except (CalamineError, OSError, ValueError) as problem:
            raise NoWorkbook(f"it is no .xlsx or .ods file that we can read ({problem})") from None
        if filled is None:
            raise NoWorkbook("none of its sheets has anything in it")
        self._sheet: CalamineSheet = filled[1]
        #: the sheet that is read, where there are others; "" where it is the only one
        self.chosen = filled[0] if len(sheets) > 1 else ""

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The number of each row, from 1, and its cells; empty ones too."""
        for number, row in enumerate(self._sheet.iter_rows(), start=1):
            yield number, [_written(cell) for cell in row]


def _written(cell: Cell) -> str:
    """A cell as a CSV file would have it."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime.date | datetime.time):  # a moment is a date, too
        return cell.isoformat()
    return str(cell)
