"""CSV out: records as an import reads them, and a file that is there whole or not at all."""

import csv
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TextIO

from mailer.formats.cells import defuse, restore
from mailer.formats.tables import BOM, PLAIN, REJECT_COLUMNS, Dress, TableFile, TableRow, UnwritableFile


class CsvWriter:
    """Writes records as an import reads them: UTF-8, every cell defused."""

    def __init__(self, file: TextIO, header: Sequence[str], dress: Dress = PLAIN) -> None:
        file.write((BOM if dress.bom else "") + dress.excels_line)
        self._writer, self._quoting = (
            csv.writer(file, delimiter=dress.delimiter, lineterminator=dress.line_end, quoting=quoting)
            for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
        )
        self.write(header)

    def write(self, cells: Sequence[str | None]) -> None:
        """Write one record; None is an empty cell."""
        defused = [defuse(cell or "") for cell in cells]
        # Python quotes a cell for the file's own line end alone; a reader takes each of the three for one.
        has_lines = any("\n" in cell or "\r" in cell for cell in defused)
        (self._quoting if has_lines else self._writer).writerow(defused)


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A file to write text to that is readable for its owner only, and is there whole or not at all.

    :param path: where it will be; a file of that name is replaced.
    :raises UnwritableFile: no file was made or replaced.
    """
    try:
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
    except OSError as problem:
        raise UnwritableFile(path=path, problem=problem.strerror) from None


class RejectsFile:
    """The file of lines to be corrected and imported again, if one is wanted. It is written like the file they are
    from, so that the same program opens it as well."""

    def __init__(self, path: Path | None, source: TableFile, *, file: TextIO | None = None) -> None:
        """:param path: where to write it; or `file`, to write it into; None for neither."""
        self._file = file
        rejects = source.reject_columns()
        self._kept = [i for i in range(len(source.written_header)) if i not in rejects]
        self._width = len(source.written_header)
        if path is not None:
            self._file = _own_file(path)
        if self._file is not None:
            header = [source.written_header[i] for i in self._kept]
            self._writer = CsvWriter(self._file, [*header, *REJECT_COLUMNS], source.dress)

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


def _own_file(path: Path) -> TextIO:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.fchmod(descriptor, 0o600)  # a file that was there before kept its own mode
    except OSError as problem:
        raise UnwritableFile(path=path, problem=problem.strerror) from None
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")
