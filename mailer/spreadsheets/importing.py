"""Supporters from a CSV file: each row becomes a person on a list, or a line that says why not."""

import gc
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from mailer.errors import MailerError
from mailer.formats.csv_output import RejectsFile
from mailer.formats.tables import TableFile, TableRow
from mailer.locale import countries, languages
from mailer.locale.folding import fold
from mailer.mail import addresses
from mailer.people import consents, lists, subscribers, suppression
from mailer.spreadsheets import enrolment, headers
from mailer.spreadsheets.enrolment import Candidate, Decision, Fate, Terms
from mailer.spreadsheets.rows import InvalidRow, RejectsFileIsInput, name_and_address, past
from mailer.spreadsheets.standings import Standings
from mailer.store.crypto import Keyring, keyring_of
from mailer.store.db import DatabaseUnavailable, session_scope, utcnow
from mailer.unions.recognition import KnownUnions

COLUMNS = ("email", "name", "country", "union", "language", "consent_at", "source")

#: A transaction holds SQLite's write lock for 0.3 s at this size; larger ones are hardly faster.
ROWS_PER_TRANSACTION = 4000

T = TypeVar("T")

_EXAMPLES = 5
_ATTEMPTS = 3

_LEFT = "left or was removed before; not imported"

#: columns that hold a name of something, which is known here or not
_NAMED = frozenset({"union", "country"})
_MOST_LISTED = 20  # values that are not known, of a column
_MOST_COUNTED = 10_000  # of these, so that a file of any size is read in constant memory
_MOST_COMPARED = 500  # values that are compared with all names there are: some milliseconds each


class NoConsentText(MailerError):
    """The words that people agreed to are empty. Give them as they were shown: --consent "I want urgent actions by
    e-mail." """


class ImportInterrupted(MailerError):
    """Interrupted after {done} of {total} rows. These are imported; the rest are not. Run the same command again: it
    leaves what is imported as it is."""


class ImportStopped(MailerError):
    """Stopped after {done} of {total} rows. These are imported; the rest are not. The reason: {problem} Then run the
    same command again: it leaves what is imported as it is."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Unknown:
    """A union or country of a file that is not known here, or not which of several."""

    column: str
    text: str
    lines: int
    suggestion: str  # the question whether another was meant, or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupporterImportReport:
    """What an import did, or would do. Each row counts in exactly one of created, subscribed, updated, unchanged,
    rejected, left, left_elsewhere and not_chosen."""

    read: int
    created: int  # people nobody knew, now on the list
    subscribed: int  # known from another list, now on this one too
    updated: int  # on the list already, filled in or changed
    unchanged: int  # on the list already, nothing new
    rejected: int  # not imported for what the row says
    left: int  # not imported because they had left or were removed
    left_elsewhere: int  # not imported because the file says that they left, or do not want mail
    not_chosen: int  # not imported because other values of a column were asked for
    unknown_unions: int  # imported, but without their union, which is not known here
    unknown_countries: int  # imported, but without their country, which is none that we know
    unread: int  # imported, but without something else that cannot be read
    unions_dropped: int  # imported, but without their union, for want of a consent text
    warnings: tuple[str, ...]
    unknown: tuple[Unknown, ...]  # the unions and countries that are not known, those in the most lines first
    remarked: int  # lines of the rejects: not imported, or not as they stand
    examples: tuple[str, ...]  # the first few of them, with their reasons


def import_file(
    engine: Engine,
    path: Path,
    *,
    list_slug: str,
    consent: str,
    union_consent: str | None = None,
    update: bool = False,
    dry_run: bool = False,
    ignored: Sequence[str] = (),
    only: Sequence[tuple[str, str]] = (),
    rejects: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SupporterImportReport:
    """Enrol the supporters in a CSV file on a list.

    The whole file is checked before anything is written. Then it is imported in transactions of its own; after an
    interruption at any point the same call goes on where it was, since it leaves alone whom it finds on the list.

    :param path: a file as `tables.TableFile` describes.
    :param consent: the exact words that these people agreed to.
    :param union_consent: the words by which they agreed that we store their union; without it none is stored.
    :param update: overwrite what is known with what the file says, instead of only filling in what is not known.
    :param dry_run: decide everything, write nothing but the rejects.
    :param ignored: columns that do not say who left, whatever stands in them.
    :param only: column and value: of such a column only rows with one of its values are imported.
    :param rejects: where to write the lines that were not imported as they stand, with line and reason, to be
        corrected and imported; made readable for its owner only.
    :param progress: called with the rows done and the rows there are.
    :raises tables.BrokenFile: the file is no CSV that we can read; nothing was written.
    :raises standings.NotUnderstood: it may say who left in a way that we do not know; nothing was written.
    :raises MailerError: another, of what was asked for; nothing was written.
    :raises ImportInterrupted: on Ctrl-C.
    :raises ImportStopped: the database or the disk failed on the way.
    """
    asked = Asked(
        list_slug=list_slug,
        consent=consent,
        union_consent=union_consent,
        update=update,
        ignored=tuple(ignored),
        only=tuple(only),
    )
    asked.require_words()
    with TableFile(path, columns=COLUMNS, spellings=headers.SUPPORTERS) as file:
        if rejects is not None and file.is_same_as(rejects):
            raise RejectsFileIsInput(path=path)
        open_rejects = partial(RejectsFile, rejects, file)
        return import_table(engine, file, asked, open_rejects, dry_run=dry_run, progress=progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody asks of an import: as `import_file` takes it."""

    list_slug: str
    consent: str
    union_consent: str | None = None
    update: bool = False
    ignored: tuple[str, ...] = ()
    only: tuple[tuple[str, str], ...] = ()
    import_id: int | None = None  # as `enrolment.Terms` has it

    def require_words(self) -> None:
        """:raises NoConsentText: nobody can have agreed to that."""
        if not self.consent.strip() or (self.union_consent is not None and not self.union_consent.strip()):
            raise NoConsentText


def import_table(
    engine: Engine,
    file: TableFile,
    asked: Asked,
    open_rejects: Callable[[], RejectsFile],
    *,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> SupporterImportReport:
    """Likewise, of a table that is open.

    :param open_rejects: called once it is known that something can be imported.
    :param progress: what it raises ends the import, as far as it is.
    """
    asked.require_words()
    standings = Standings(file, ignored=asked.ignored, only=asked.only)
    total, out = _survey(file, standings, keyring_of(engine))
    with out:
        terms, parser = _prepare(engine, file, asked, dry_run=dry_run)
        tally = _Tally([*file.remarks(handled=standings.handled()), *standings.warnings()])
        with open_rejects() as rejected, _Seen() as seen, _older_objects_spared():
            try:
                for records in _batches(file.records()):
                    batch = _read(parser, standings, out, seen, records)
                    batch.decisions = _enrol(engine, terms, batch.candidates, dry_run=dry_run)
                    rejected.write(records, batch.remarks())
                    tally.add(records, batch)
                    if progress is not None:
                        progress(tally.read, total)
            except KeyboardInterrupt:
                raise ImportInterrupted(done=tally.read, total=total) from None
            except (DatabaseUnavailable, OSError, sqlite3.Error) as problem:
                raise ImportStopped(done=tally.read, total=total, problem=problem) from problem
        return tally.report(parser)


def _prepare(engine: Engine, file: TableFile, asked: Asked, *, dry_run: bool) -> tuple[Terms, "_RowParser"]:
    """Look up the list and the unions, and keep the consent texts."""
    with session_scope(engine, read_only=dry_run) as session:
        terms = Terms(
            list_id=lists.get(session, asked.list_slug).id,
            text_id=None if dry_run else consents.text_id(session, asked.consent.strip()),
            union_text_id=None
            if dry_run or asked.union_consent is None
            else consents.text_id(session, asked.union_consent.strip()),
            update=asked.update,
            import_id=asked.import_id,
        )
        known_unions = None if asked.union_consent is None else KnownUnions(session)
    return terms, _RowParser(file, keyring_of(engine), known_unions)


def _enrol(engine: Engine, terms: Terms, candidates: Sequence[Candidate], *, dry_run: bool) -> list[Decision]:
    """Decide and write in one transaction, in which nobody is erased."""
    for _ in range(_ATTEMPTS):
        try:
            with session_scope(engine, read_only=dry_run) as session:
                if not dry_run:
                    suppression.lock_shared(session)
                decisions = enrolment.decide(session, terms, candidates)
                if not dry_run:
                    enrolment.carry_out(session, terms, decisions)
            return decisions
        except IntegrityError:  # a sign-up or another import was quicker with one of these people
            continue
    raise DatabaseUnavailable(problem="other programs keep writing about the same people")


@contextmanager
def _older_objects_spared() -> Iterator[None]:
    """Keep the garbage collector off objects that existed before: rows make it run often, and going through the
    program's 300,000 other objects each time took a tenth of an import."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


# --- rows -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Gap:
    """A cell without which a person is imported, since nobody knows what it means."""

    column: str
    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that can be imported, and what has to be said of it."""

    candidate: Candidate
    gaps: tuple[_Gap, ...]
    union_dropped: bool


@dataclass(slots=True)
class _Batch:
    """What a transaction's worth of records came to."""

    rows: list[_Row] = field(default_factory=list)
    rejections: dict[int, str] = field(default_factory=dict)  # line → reason
    outside: dict[int, str] = field(default_factory=dict)  # line → what the file says of who left
    not_chosen: int = 0
    decisions: list[Decision] = field(default_factory=list)  # one for each row

    @property
    def candidates(self) -> list[Candidate]:
        return [row.candidate for row in self.rows]

    def imported(self) -> Iterator[_Row]:
        """The rows of people who did not leave."""
        return (row for row, made in zip(self.rows, self.decisions, strict=True) if made.fate is not Fate.LEFT)

    def remarks(self) -> dict[int, str]:
        """What the rejects file says: line → reason."""
        remarks = (
            self.rejections | self.outside | {d.candidate.line: _LEFT for d in self.decisions if d.fate is Fate.LEFT}
        )
        for row in self.imported():
            if row.gaps:
                remarks[row.candidate.line] = " ".join(gap.problem for gap in row.gaps)
        return remarks


def _batches(records: Iterator[TableRow]) -> Iterator[list[TableRow]]:
    while batch := list(islice(records, ROWS_PER_TRANSACTION)):
        yield batch


def _survey(file: TableFile, standings: Standings, keyring: Keyring) -> tuple[int, "_Seen"]:
    """Read the whole file once, before anything is written.

    :returns: how many rows it has, and the addresses of those who left, as any of its rows says.
    :raises tables.BrokenFile: as `import_file`.
    :raises standings.NotUnderstood: as `import_file`.
    """
    total = 0
    out = _Seen()
    try:
        for record in standings.survey():
            total += 1
            if not standings.of(record):
                continue
            try:
                address = addresses.parse(name_and_address(file.texts(record)["email"])[1])
            except MailerError:  # a row without an address says it of nobody
                continue
            out.first_line(keyring.blind_index(address.folded), record.line)
    except BaseException:
        out.close()
        raise
    return total, out


def _read(
    parser: "_RowParser", standings: Standings, out: "_Seen", seen: "_Seen", records: Iterable[TableRow]
) -> _Batch:
    """Parse records, and leave out those that cannot be imported, repeat an address, or are about who left."""
    batch = _Batch()
    for record in records:
        if said := standings.of(record):
            batch.outside[record.line] = f"{said[0]}; not imported"
            continue
        if not standings.is_chosen(record):
            batch.not_chosen += 1
            continue
        try:
            row = parser.parse(record)
        except MailerError as problem:
            batch.rejections[record.line] = str(problem)
            continue
        if line := out.line(row.candidate.email_index):
            batch.outside[record.line] = f"line {line} says that they do not want mail; not imported"
            continue
        first_line = seen.first_line(row.candidate.email_index, record.line)
        if first_line == record.line:
            batch.rows.append(row)
        else:
            batch.rejections[record.line] = f"same address as line {first_line}"
    return batch


class _RowParser:
    """Turns a record into a person, or says what is wrong with it. Only the address has to be right: of what cannot be
    read besides, the person is imported without it."""

    def __init__(self, file: TableFile, keyring: Keyring, known_unions: KnownUnions | None) -> None:
        """:param known_unions: None where no union may be stored."""
        self._file = file
        self._keyring = keyring
        self._known_unions = known_unions
        self._now = utcnow()
        self._suggestions: dict[tuple[str, str], str] = {}

    def parse(self, record: TableRow) -> _Row:
        """:raises MailerError: with the reason for the rejects file."""
        text = self._file.texts(record)
        if not text["email"]:
            raise InvalidRow(problem="there is no address")
        display_name, email = name_and_address(text["email"])
        address = addresses.parse(email)
        text["name"] = text["name"] or display_name
        gaps: list[_Gap] = []

        def read(column: str, reader: Callable[[str], T | None]) -> T | None:
            try:
                return reader(text[column]) if text[column] else None
            except MailerError as problem:
                gaps.append(_Gap(column, text[column], self._explain(column, text[column], problem)))
                return None

        country = read("country", _country)
        candidate = Candidate(
            line=record.line,
            email=address.text,
            email_index=self._keyring.blind_index(address.folded),
            name=read("name", lambda name: _short(name, "name")),
            country=country,
            union_id=read("union", lambda union: self._union(union, country)),
            language=read("language", languages.parse),
            consent_at=read("consent_at", lambda day: past("consent_at", day, self._now)),
            source=read("source", lambda source: _short(source, "source")),
        )
        return _Row(candidate, tuple(gaps), union_dropped=bool(text["union"]) and self._known_unions is None)

    def _union(self, text: str, country: str | None) -> int | None:
        """:raises InvalidRow: there is no such union, or there are several."""
        if self._known_unions is None:
            return None
        exact = self._known_unions.of_slug(text)
        alike = [exact] if exact else self._known_unions.alike(text, country)
        if not alike:
            raise InvalidRow(problem=f'there is no union "{text}"')
        if len(alike) > 1:
            slugs = ", ".join(union.slug for union in alike)
            raise InvalidRow(problem=f'several unions are called "{text}": {slugs}; write the slug')
        return alike[0].id

    def _explain(self, column: str, text: str, problem: MailerError) -> str:
        """What the rejects say of a cell."""
        if column == "language":
            return f"Imported without a language: {str(problem).strip()}"
        return f"{problem}; imported without it.{self.suggestion(column, text)}"

    def suggestion(self, column: str, text: str) -> str:
        """A question whether something else was meant, or ""."""
        asked = (column, text)
        if asked not in self._suggestions and len(self._suggestions) < _MOST_COMPARED:
            self._suggestions[asked] = self._find_suggestion(column, text)
        return self._suggestions.get(asked, "")

    def _find_suggestion(self, column: str, text: str) -> str:
        if column == "country":
            return countries.suggestion(text)
        if column == "union" and self._known_unions is not None and not self._known_unions.alike(text):
            return self._known_unions.suggestion(text)
        return ""


def _country(text: str) -> str:
    code = countries.find(text)
    if code is None:
        raise InvalidRow(problem=f'there is no country "{text}"')
    return code


def _short(text: str, column: str) -> str | None:
    line = subscribers.one_line(text)
    if line is not None and len(line) > subscribers.MAX_TEXT_LENGTH:
        raise InvalidRow(problem=f"the {column} is longer than {subscribers.MAX_TEXT_LENGTH} characters")
    return line


class _Seen:
    """Which addresses a file has had, and where. In a temporary SQLite file, which holds keyed hashes only, because
    a set of a million would not fit into constant memory."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA cache_size = -8000")
        self._database.execute("CREATE TABLE seen (hash INTEGER PRIMARY KEY, line INTEGER NOT NULL)")
        self._database.execute("BEGIN")
        self._is_empty = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    def first_line(self, email_index: bytes, line: int) -> int:
        """The line on which an address came first, which is this one if it did not come before."""
        statement = "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO UPDATE SET line = line RETURNING line"
        self._is_empty = False
        first: int = self._database.execute(statement, (_hash64(email_index), line)).fetchone()[0]
        return first

    def line(self, email_index: bytes) -> int | None:
        """The line on which an address came first; None if it did not come."""
        if self._is_empty:
            return None
        found = self._database.execute("SELECT line FROM seen WHERE hash = ?", (_hash64(email_index),)).fetchone()
        return found[0] if found else None


def _hash64(email_index: bytes) -> int:
    """64 bits are small and fast to find, and no two of a million addresses share them in 10**7 imports."""
    return int.from_bytes(email_index[:8], signed=True)


# --- what is told afterwards ----------------------------------------------------------------------------------------


class _Tally:
    """Counts as batches are done."""

    def __init__(self, warnings: list[str]) -> None:
        self.read = 0
        self._warnings = warnings
        self._fates: Counter[Fate] = Counter()
        self._rejected = self._left_elsewhere = self._not_chosen = 0
        self._without: Counter[str] = Counter()  # column → lines
        self._unknown: Counter[tuple[str, str]] = Counter()  # column and folded text → lines
        self._spellings: dict[tuple[str, str], str] = {}  # how each was first written
        self._unread = 0
        self._unions_dropped = 0
        self._remarked = 0
        self._examples: list[str] = []

    def add(self, records: Sequence[TableRow], batch: _Batch) -> None:
        """Count a batch that is committed."""
        self.read += len(records)
        self._fates.update(decision.fate for decision in batch.decisions)
        self._rejected += len(batch.rejections)
        self._left_elsewhere += len(batch.outside)
        self._not_chosen += batch.not_chosen
        for row in batch.imported():
            columns = {gap.column for gap in row.gaps}
            self._without.update(columns & _NAMED)
            self._unread += bool(columns - _NAMED)
            for gap in row.gaps:
                self._count_unknown(gap)
            self._unions_dropped += row.union_dropped
        remarks = batch.remarks()
        self._remarked += len(remarks)
        if len(self._examples) < _EXAMPLES:
            shown = sorted(remarks.items())[: _EXAMPLES - len(self._examples)]
            self._examples += [f"line {line}: {reason}" for line, reason in shown]

    def _count_unknown(self, gap: _Gap) -> None:
        key = gap.column, fold(gap.text)
        if gap.column in _NAMED and (key in self._unknown or len(self._unknown) < _MOST_COUNTED):
            self._unknown[key] += 1
            self._spellings.setdefault(key, gap.text)

    def _most_frequent(self, parser: _RowParser) -> Iterator[Unknown]:
        for column in sorted(_NAMED, reverse=True):
            of_column = Counter({key: lines for key, lines in self._unknown.items() if key[0] == column})
            for key, lines in of_column.most_common(_MOST_LISTED):
                text = self._spellings[key]
                yield Unknown(column, text, lines, parser.suggestion(column, text).strip())

    def report(self, parser: _RowParser) -> SupporterImportReport:
        """What it came to."""
        warnings = list(self._warnings)
        if self._unions_dropped:
            warnings.append(
                f"{self._unions_dropped} people were imported without their union: to store it, give the words with "
                "which they agreed to that (--union-consent)"
            )
        return SupporterImportReport(
            read=self.read,
            **{fate.value: self._fates[fate] for fate in Fate},
            rejected=self._rejected,
            left_elsewhere=self._left_elsewhere,
            not_chosen=self._not_chosen,
            unknown_unions=self._without["union"],
            unknown_countries=self._without["country"],
            unread=self._unread,
            unknown=tuple(self._most_frequent(parser)),
            unions_dropped=self._unions_dropped,
            warnings=tuple(warnings),
            remarked=self._remarked,
            examples=tuple(self._examples),
        )
