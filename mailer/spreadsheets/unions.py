"""Unions as a CSV file, in and out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from mailer.formats.csv_output import CsvWriter, whole_file
from mailer.formats.tables import PLAIN, Dress, TableFile
from mailer.locale import countries
from mailer.locale.folding import fold
from mailer.mail import addresses
from mailer.spreadsheets import headers
from mailer.spreadsheets.rows import InvalidRow, Problems, past, truth
from mailer.store import scope
from mailer.store.db import utcnow
from mailer.store.models import Union, UnionStatus
from mailer.unions import contacts, directory
from mailer.unions.contacts import AskedLately, ContactAlready, NotToBeAsked
from mailer.unions.recognition import KnownUnions

COLUMNS = (
    *("slug", "name", "country", "parent", "status", "languages", "members"),
    *("interested_at", "affiliated_at", "lapsed_at", "resolution", "is_named"),
)
#: of a person to invite; no export has them
CONTACT_COLUMNS = ("contact_email", "contact_name", "contact_role")

_DATES = ("interested_at", "affiliated_at", "lapsed_at")


@dataclass(frozen=True, slots=True)
class UnionImportReport:
    """What an import did, or would do. Each row counts in exactly one of the first three."""

    added: int
    changed: int
    unchanged: int
    invited: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A line of the file, checked on its own. What is None stands nowhere in it."""

    line: int
    slug: str
    name: str | None
    country: str | None
    parent: str | None
    status: UnionStatus | None
    languages: tuple[str, ...] | None
    members: int | None
    dates: dict[str, date]
    resolution: str | None
    is_named: bool | None
    contact: dict[str, str]  # parameter of `contacts.invite` → text; nobody where it is empty


# --- reading --------------------------------------------------------------------------------------------------------


def import_file(
    session: Session, path: Path, *, update: bool = False, dry_run: bool = False, invite: bool = False
) -> UnionImportReport:
    """Add the unions in a CSV file, and fill in what is not known of those that are there: all of it, or nothing.

    A parent may stand anywhere in the file. Nobody is told that their union is affiliated by it. A union that asks not
    to be named gets a random slug, whatever the file calls it; a file that calls it by another slug finds it by its
    name.

    :param path: a file as `tables.TableFile` describes, with `COLUMNS`; only `slug` must be there.
    :param update: overwrite what is known with what the file says. An empty cell never erases anything.
    :param dry_run: decide everything, write nothing.
    :param invite: ask each contact in the file whether they want to be one.
    Whatever is raised, nothing was changed.

    :raises tables.UnreadableFile: there is no such file, or no right to read it.
    :raises tables.BrokenFile: the file is no CSV that we can read.
    :raises rows.RefusedFile: with all that is wrong in its rows.
    :raises scope.ForOrganisers: the session is a union's.
    """
    scope.refuse(session)
    with TableFile(path, columns=(*COLUMNS, *CONTACT_COLUMNS), spellings=headers.UNIONS) as file:
        warnings = file.remarks()
        problems = Problems(path)
        rows = list(_read(file, problems))
    problems.raise_any()
    with session.begin_nested() as attempt:
        outcome = _Import(session, problems, update=update)
        for row in rows:
            with problems.noted(row.line):
                outcome.take_over(row)
        problems.raise_any()
        outcome.put_under_parents(rows)
        problems.raise_any()
        if invite:
            outcome.invite(rows)
        problems.raise_any()
        changed = outcome.changed()
        namesakes = outcome.namesakes()
        if dry_run:
            attempt.rollback()
    people = sum(bool(row.contact) for row in rows)
    if people and not invite:
        warnings.append(f"{people} contacts were not invited; to invite them, add --invite")
    return UnionImportReport(
        outcome.added,
        changed,
        len(rows) - outcome.added - changed,
        outcome.invited,
        (*warnings, *outcome.warnings, *namesakes, *(() if dry_run else outcome.renamed())),
    )


def _read(file: TableFile, problems: Problems) -> Iterator[_Row]:
    lines: dict[str, int] = {}
    now = utcnow()
    for record in file.records():
        with problems.noted(record.line):
            row = _parse(record.line, file.texts(record), now)
            first = lines.setdefault(row.slug, record.line)
            if first != record.line:
                raise InvalidRow(problem=f'the union "{row.slug}" is already on line {first}')
            yield row


def _parse(line: int, text: Mapping[str, str], now: datetime) -> _Row:
    return _Row(
        line=line,
        slug=text["slug"],
        name=text["name"] or None,
        country=text["country"] or None,
        parent=text["parent"] or None,
        status=_status(text["status"]) if text["status"] else None,
        languages=tuple(text["languages"].split()) or None,
        members=_number(text["members"]) if text["members"] else None,
        dates={column: past(column, text[column], now).date() for column in _DATES if text[column]},
        resolution=directory.checked_resolution(text["resolution"]) if text["resolution"] else None,
        is_named=truth("is_named", text["is_named"]) if text["is_named"] else None,
        contact=_contact(text),
    )


def _status(text: str) -> UnionStatus:
    try:
        return UnionStatus(text.lower())
    except ValueError:
        raise InvalidRow(problem=f'status "{text}" is not one of {", ".join(UnionStatus)}') from None


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise InvalidRow(problem=f'members "{text}" is not a whole number from 1 to 999999999')
    return int(text)


def _contact(text: Mapping[str, str]) -> dict[str, str]:
    told = {name.removeprefix("contact_"): text[name] for name in CONTACT_COLUMNS if text[name]}
    if not told:
        return {}
    if "email" not in told:
        raise InvalidRow(problem="there is a contact without contact_email")
    addresses.parse(told["email"])
    return {"address": told.pop("email"), **told}


# --- writing to the database ----------------------------------------------------------------------------------------


class _Import:
    """An import under way, inside one transaction."""

    def __init__(self, session: Session, problems: Problems, *, update: bool) -> None:
        self._session = session
        self._problems = problems
        self._update = update
        # By slug in the file: what was known of unions that were there, and the union's own slug, where it is another.
        self._before: dict[str, tuple[object, ...]] = {}
        self._slugs: dict[str, str] = {}
        self._unnamed = [union for union in directory.all_unions(session) if not union.is_named]  # that were there
        self._renamed: list[tuple[_Row, str]] = []
        self._new: list[_Row] = []
        self.added = 0
        self.invited = 0
        self.warnings: list[str] = []

    def take_over(self, row: _Row) -> None:
        """Add a union, or change what is known of it; its parent may not be there yet."""
        union = directory.find(self._session, row.slug) or self._unnamed_like(row)
        if union is None:
            self._add(row)
        else:
            self._slugs[row.slug] = union.slug
            self._before[row.slug] = _facts(union)
            self._change(union, row)

    def _unnamed_like(self, row: _Row) -> Union | None:
        """The union that a row means by its name, because it asked not to be named and its slug is random."""
        if row.is_named is not False or row.name is None:
            return None
        alike = [union for union in self._unnamed if fold(union.name) == fold(row.name)]
        if len(alike) > 1 and row.country:
            alike = [union for union in alike if union.country == countries.parse(row.country)]
        if len(alike) > 1:
            raise InvalidRow(problem=f'several unnamed unions are called "{row.name}"; give the slug, not "{row.slug}"')
        return alike[0] if alike else None

    def _slug(self, slug: str) -> str:
        """What a union is called that the file calls so."""
        return self._slugs.get(slug, slug)

    def _note_slug(self, row: _Row, slug: str) -> None:
        if slug != self._slug(row.slug):
            self._slugs[row.slug] = slug
            self._renamed.append((row, slug))

    def namesakes(self) -> list[str]:
        """What to say of new unions that files and forms cannot tell by name from others."""
        known = KnownUnions(self._session)
        warnings = []
        for row in self._new:
            union = directory.get(self._session, self._slug(row.slug))
            if others := [each.slug for each in known.alike(union.name, union.country) if each.id != union.id]:
                warnings.append(
                    f'line {row.line}: "{union.name}" is the same name to us as that of {", ".join(others)}; who gives '
                    "no more than this name is stored as a member of none of them"
                )
        return warnings

    def renamed(self) -> list[str]:
        """What to say of unions that have got a random slug."""
        return [
            f'line {row.line}: the union asked not to be named, so its short name is random: {slug}, not "{row.slug}"'
            for row, slug in self._renamed
        ]

    def _add(self, row: _Row) -> None:
        if row.name is None:
            raise InvalidRow(problem=f'there is no union "{row.slug}" yet, and a new one needs a name')
        union = directory.add(
            self._session,
            row.slug,
            row.name,
            country=row.country,
            languages=row.languages or (),
            members=row.members,
            is_named=row.is_named is not False,
        )
        self.added += 1
        self._new.append(row)
        self._note_slug(row, union.slug)
        _set_standing(union, row)

    def _change(self, union: Union, row: _Row) -> None:
        replaces = self._update
        directory.change(
            self._session,
            union.slug,
            name=row.name if replaces else None,
            country=row.country if replaces or union.country is None else None,
            languages=row.languages if replaces or not union.languages else None,
            members=row.members if replaces or union.members is None else None,
            is_named=row.is_named if replaces or row.is_named is False else None,  # "no" counts whoever says it
        )
        self._note_slug(row, union.slug)
        if replaces:
            _set_standing(union, row)
        elif row.resolution is not None and union.resolution is None:
            union.resolution = row.resolution

    def put_under_parents(self, rows: Sequence[_Row]) -> None:
        """Have each union belong to its federation, now that all are there."""
        moved = []
        for row in rows:
            union = directory.find(self._session, self._slug(row.slug))
            is_free = self._update or row.slug not in self._before
            if row.parent is None or union is None:
                continue
            if union.parent is not None and union.parent.slug == self._slug(row.parent):
                continue
            if is_free or union.parent is None:
                moved.append(row)
                union.parent = None  # else one that moves below another that moves could seem to close a circle
        self._session.flush()
        for row in moved:
            with self._problems.noted(row.line):
                directory.change(self._session, self._slug(row.slug), parent_slug=self._slug(row.parent or ""))

    def invite(self, rows: Sequence[_Row]) -> None:
        """Ask each contact whether they want to be one."""
        for row in rows:
            if row.contact:
                with self._problems.noted(row.line):
                    self._invite(row)

    def _invite(self, row: _Row) -> None:
        union = directory.get(self._session, self._slug(row.slug))
        try:
            contacts.invite(self._session, union, **row.contact)
        except (ContactAlready, AskedLately, NotToBeAsked) as reason:
            self.warnings.append(f"line {row.line}: {reason}")
        else:
            self.invited += 1

    def changed(self) -> int:
        """Count the unions that were there and have changed."""
        known = {slug: directory.get(self._session, self._slug(slug)) for slug in self._before}
        return sum(_facts(union) != self._before[slug] for slug, union in known.items())


def _set_standing(union: Union, row: _Row) -> None:
    """Where a union stands with us, and since when: now, unless the file says otherwise."""
    if row.status is not None and row.status is not union.status:
        directory.move(union, row.status)
    for column, day in row.dates.items():
        setattr(union, column, day)
    if union.status is UnionStatus.LISTED and any(getattr(union, column) for column in _DATES):
        raise InvalidRow(problem="a union whose status is listed has no such dates; give another status")
    if row.resolution is not None:
        union.resolution = row.resolution


def _facts(union: Union) -> tuple[object, ...]:
    return tuple(_cells(union).values())


# --- out ------------------------------------------------------------------------------------------------------------


def export(session: Session, path: Path, *, dress: Dress = PLAIN) -> int:
    """Write all unions, in the columns that an import reads: no contacts, logos and introductions. The file is readable
    for its owner only, and is there whole or not at all.

    :param path: where to write it; a file of that name is replaced.
    :param dress: how to write it, such as with a byte order mark for Excel.
    :returns: how many unions it has.
    :raises tables.UnwritableFile: there is no room, or no right to write; no file was made or replaced.
    :raises scope.ForOrganisers: the session is a union's.
    """
    scope.refuse(session)
    everything = directory.all_unions(session)
    with whole_file(path) as file:
        writer = CsvWriter(file, COLUMNS, dress)
        for union in everything:
            writer.write(list(_cells(union).values()))
    return len(everything)


def _cells(union: Union) -> dict[str, str | None]:
    """Column → what stands in it."""
    dates: dict[str, date | None] = {column: getattr(union, column) for column in _DATES}
    return {
        "slug": union.slug,
        "name": union.name,
        "country": union.country,
        "parent": union.parent.slug if union.parent else None,
        "status": union.status.value,
        "languages": " ".join(union.languages),
        "members": str(union.members) if union.members is not None else None,
        **{column: day.isoformat() if day else None for column, day in dates.items()},
        "resolution": union.resolution,
        "is_named": "yes" if union.is_named else "no",
    }
