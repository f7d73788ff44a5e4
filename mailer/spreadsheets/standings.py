"""Who left, as a file of another program says it: such a column is understood, or the file is refused."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mailer.errors import MailerError
from mailer.formats.cells import restore
from mailer.formats.tables import TableFile, TableRow
from mailer.locale.folding import fold_whole
from mailer.spreadsheets import programs
from mailer.spreadsheets.programs import Standing

_MOST_SHOWN = 5
_DATE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}")

_KNOWN: dict[str, dict[str, Standing]] = {}
_FILLED: dict[str, Standing] = {}
for _each in programs.KNOWN:
    _KNOWN.setdefault(fold_whole(_each.column), {}).update({fold_whole(k): v for k, v in _each.values.items()})
    if _each.filled is not None:
        _FILLED[fold_whole(_each.column)] = _each.filled


def _all(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(fold_whole, names))


_TELLING_NAMES, _TELLING_ENDS = _all(programs.TELLING_NAMES), _all(programs.TELLING_ENDS)
_OTHER_NAMES = _all(programs.OTHER_NAMES)
_JOINING_NAMES, _JOINING_ENDS = _all(programs.JOINING_NAMES), programs.JOINING_ENDS
_TELLING_VALUES = frozenset(_all(programs.TELLING_VALUES))
_AGREEING_NAMES, _SAYING_NO = _all(programs.AGREEING_NAMES), frozenset(_all(programs.SAYING_NO))


class NotUnderstood(MailerError):
    """Nothing was imported from {path}. It may say who left, and nobody who left may be mailed:{columns}Say how to take
    each of them. --only "COLUMN=VALUE" takes only the rows with that value, and may be repeated; without VALUE it means
    empty cells. --ignore "COLUMN" takes all rows, whatever stands there."""


class NoSuchColumn(MailerError):
    """{path} has no column "{column}"{which}. It has: {columns}."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a row says of a person in one column."""

    column: str
    value: str
    standing: Standing

    def __str__(self) -> str:
        return f'the file says that they {_WORDS[self.standing]} ({self.column}: "{_cut(self.value)}")'


_WORDS = {
    Standing.LEFT: "left",
    Standing.BOUNCED: "cannot be reached",
    Standing.COMPLAINED: "reported mail as spam",
    Standing.OUTSIDE: "are not subscribed",
}


class Standings:
    """What a file says of who left.

    Of the columns that are not read otherwise: those that `programs` knows, and those that whoever imports the file
    named.
    """

    def __init__(self, file: TableFile, *, ignored: Sequence[str] = (), only: Sequence[tuple[str, str]] = ()) -> None:
        """:param ignored: columns that say nothing of that.
        :param only: column and value; of such a column only rows with one of its values are taken.
        :raises NoSuchColumn: there is no such column, or one that is to say nothing of who left is read otherwise.
        """
        self._file = file
        self._names = file.unread_columns()
        skipped = {i for column in ignored for i in self._places(column, self._names, which=" that could say who left")}
        every = dict(enumerate(file.written_header))
        self._only: dict[int, set[str]] = {}
        for column, value in only:
            for i in self._places(column, every):
                self._only.setdefault(i, set()).add(fold_whole(value))
        open_columns = [i for i in self._names if i not in skipped and i not in self._only]
        self._known = {i: fold_whole(self._names[i]) for i in open_columns if fold_whole(self._names[i]) in _KNOWN}
        others = [i for i in open_columns if i not in self._known and not _is_about_other(fold_whole(self._names[i]))]
        self._telling = {i for i in others if self._is_telling(fold_whole(self._names[i]))}
        self._any = {
            i: _TELLING_VALUES | (_SAYING_NO if _is_about_agreeing(fold_whole(self._names[i])) else frozenset())
            for i in others
            if i not in self._telling
        }  # column → values that say so
        self._problems: dict[int, dict[str, int]] = {}  # column → value → line

    def _places(self, column: str, among: Mapping[int, str], *, which: str = "") -> list[int]:
        places = [i for i, name in among.items() if fold_whole(name) == fold_whole(column)]
        if not places:
            names = ", ".join(filter(None, among.values())) or "none"
            raise NoSuchColumn(path=self._file.path, column=column, which=which, columns=names)
        return places

    def _is_telling(self, name: str) -> bool:
        if name == "donotmail" and "donotemail" in map(fold_whole, self._names.values()):
            return False  # CiviCRM's, and about letters
        joins = any(part in name for part in _JOINING_NAMES) and name.endswith(_JOINING_ENDS) and "unsub" not in name
        return not joins and (any(part in name for part in _TELLING_NAMES) or name.endswith(_TELLING_ENDS))

    @property
    def says_anything(self) -> bool:
        """Whether the file has a column that says of each row whether its person wants mail."""
        return bool(self._known)

    def handled(self) -> set[int]:
        """The columns that are understood, or were named: positions, from 0."""
        return {*self._known, *self._only}

    def warnings(self) -> list[str]:
        """What the file does not say though it looks as if it did."""
        names = {fold_whole(name) for name in self._names.values()}
        return [text for columns, text in programs.INCOMPLETE.items() if names.issuperset(map(fold_whole, columns))]

    def survey(self) -> Iterator[TableRow]:
        """All records, once, with the file's other checks.

        :raises NotUnderstood: at the end, if a column may say who left and nobody said how to take it.
        """
        for record in self._file.records():
            self._note(record)
            yield record
        if self._problems:
            columns = "".join(map(self._problem, sorted(self._problems)))
            raise NotUnderstood(path=self._file.path, columns=f"{columns}\n")

    def _note(self, record: TableRow) -> None:
        for i in self._telling:
            if value := _cell(record, i):
                self._ask(i, value, record)
        for i, name in self._known.items():
            if _meaning(name, value := _cell(record, i)) is None:
                self._ask(i, value, record)
        for i, telling in self._any.items():
            if (value := _cell(record, i)) and fold_whole(value) in telling:
                self._ask(i, value, record)

    def _ask(self, i: int, value: str, record: TableRow) -> None:
        found = self._problems.setdefault(i, {})
        if len(found) <= _MOST_SHOWN:
            found.setdefault(value, record.line)

    def _problem(self, i: int) -> str:
        values = list(self._problems[i].items())
        shown = ", ".join(f'"{_cut(value)}" (line {line})' for value, line in values[:_MOST_SHOWN])
        more = ", …" if len(values) > _MOST_SHOWN else ""
        return f'\n  column {i + 1} "{self._names[i]}" with {shown}{more}'

    def of(self, record: TableRow) -> list[Said]:
        """What keeps a row's person out; nothing where they want mail, or the file does not say.

        To be asked after `survey`.
        """
        said = []
        for i, name in self._known.items():
            value = _cell(record, i)
            standing = _meaning(name, value)
            if standing is not None and standing is not Standing.WANTS:
                said.append(Said(self._names[i], value, standing))
        return said

    def is_chosen(self, record: TableRow) -> bool:
        """Whether a row has the values that were asked for."""
        return all(fold_whole(_cell(record, i)) in values for i, values in self._only.items())


@lru_cache(maxsize=1024)  # a column has few values, in very many rows
def _meaning(column: str, value: str) -> Standing | None:
    """What a value of a known column says; None if it is not understood."""
    meanings: Mapping[str, Standing] = _KNOWN[column]
    found = meanings.get(fold_whole(value), _FILLED.get(column))
    if found is None and _DATE.match(value) and meanings.get("") is Standing.WANTS:
        return meanings["yes"]  # since when they are out
    return found


def _is_about_agreeing(name: str) -> bool:
    return any(part in name for part in _AGREEING_NAMES)


def _is_about_other(name: str) -> bool:
    return any(part in name for part in _OTHER_NAMES)


def _cell(record: TableRow, i: int) -> str:
    return restore(record.cells[i]).strip() if i < len(record.cells) else ""


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
