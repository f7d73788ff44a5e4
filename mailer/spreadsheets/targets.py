"""Targets as a CSV file, in and out."""

import re
import zoneinfo
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from mailer.cases import target_book
from mailer.cases.targets import NOBODY, ROLES, Target
from mailer.errors import MailerError
from mailer.formats.cells import restore
from mailer.formats.csv_output import CsvWriter, whole_file
from mailer.formats.tables import PLAIN, BrokenFile, Dress, TableFile, TableRow
from mailer.locale import countries, country_groups, languages, telephones
from mailer.mail import addresses, headers
from mailer.spreadsheets.rows import InvalidRow, Problems, past, truth
from mailer.store import scope
from mailer.store.db import utcnow
from mailer.store.models import TargetRole

#: beside these, `name:TAG` and `salutation:TAG` for each language
COLUMNS = (
    *("slug", "role", "case", "about", "countries", "name", "languages", "email", "url"),
    *("phone", "phone_hours", "phone_zone", "address", "address_latin", "own_words"),
    *("verified_on", "verified_by", "source"),
)
#: what stands in a cell that is to be emptied
NOTHING = "-"

#: column → field, of what there is in several languages
_IN_LANGUAGES = {"name": "names", "salutation": "salutations"}
_IN_A_LANGUAGE = re.compile(r"\s*(name|salutation)\s*:(.*)", re.IGNORECASE | re.DOTALL)
_SEVERAL_LINES = frozenset(["address", "address_latin"])
_LONGEST = 2000
#: of one file: all are taken in one transaction, and who wants to write waits for it
_MOST_ROWS = 5000
_URL = re.compile(r"https?://[^\s/]\S*")
_EMPTY = {field.name: getattr(NOBODY, field.name) for field in fields(Target)}

#: field → value; of names and salutations by language, None for one that is to be taken out
Given = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TargetImportReport:
    """What an import did, or would do. Each row counts in exactly one of the first three."""

    added: int
    changed: int
    unchanged: int
    warnings: tuple[str, ...]


# --- in -------------------------------------------------------------------------------------------------------------


def import_file(session: Session, path: Path, *, update: bool = False, dry_run: bool = False) -> TargetImportReport:
    """Add the targets in a CSV file, and fill in what is not known of those that are there: all of it, or nothing.

    :param path: a file as `tables.TableFile` describes, with `COLUMNS`, and names and salutations by language; only
        `slug` must be there.
    :param update: overwrite what is known with what the file says. An empty cell never erases anything; `-` does.
    :param dry_run: decide everything, write nothing.
    Whatever is raised, nothing was changed.

    :raises tables.UnreadableFile: there is no such file, or no right to read it.
    :raises tables.BrokenFile: the file is no CSV that we can read, or a column's language is none.
    :raises rows.RefusedFile: with all that is wrong in its rows.
    :raises scope.ForOrganisers: the session is a union's.
    """
    scope.refuse(session)
    with TableFile(path, columns=COLUMNS) as file:
        by_language = _language_columns(file)
        warnings = file.remarks(handled=by_language)
        problems = Problems(path)
        rows = list(_read(file, by_language, problems))
    problems.raise_any()
    count: Counter[str] = Counter()
    with session.begin_nested() as attempt:
        for line, slug, given in rows:
            with problems.noted(line):
                known = target_book.find(session, slug)
                target = _changed(known, given, update=update) if known else _new(slug, given)
                if known and not target.is_reachable and known.is_reachable:
                    warnings.append(f'line {line}: there is no way any more to write to "{slug}"')
                if known and (kept := _differing(target, _taken_over(known, given))):
                    warnings.append(f'line {line}: "{slug}" has another {" and ".join(kept)}; --update takes this one')
                if target != known:
                    target_book.put(session, target)
                count["added" if known is None else "unchanged" if target == known else "changed"] += 1
        problems.raise_any()
        named = {slug for _, slug, _ in rows}
        warnings += _rivals(session, named)
        if dry_run:
            attempt.rollback()
    return TargetImportReport(count["added"], count["changed"], count["unchanged"], tuple(warnings))


def _rivals(session: Session, named: set[str]) -> Iterator[str]:
    for one, other in target_book.rivals(target_book.all_targets(session)):
        if named & {one.slug, other.slug}:
            yield f'"{one.slug}" and "{other.slug}" are embassies for the same people, who are asked to write to both'


def _language_columns(file: TableFile) -> dict[int, tuple[str, str]]:
    """Position → field and language, of the columns that have one.

    :raises BrokenFile: it is no language, there twice, or a salutation has none.
    """
    found: dict[int, tuple[str, str]] = {}
    for position, name in file.unread_columns().items():
        problem = None
        if name.strip().lower() == "salutation":
            problem = "the column salutation needs a language, such as salutation:en"
        elif parts := _IN_A_LANGUAGE.fullmatch(name):
            try:
                what = _IN_LANGUAGES[parts[1].lower()], languages.parse(parts[2].strip())
            except MailerError as error:
                problem = f"the column {name}: {error}"
            else:
                if what in found.values():
                    problem = f"the column {name} is there more than once; keep one"
                found[position] = what
        if problem:
            raise BrokenFile(path=file.path, line=file.header_line, problem=problem.rstrip("."))
    return found


def _read(
    file: TableFile, by_language: Mapping[int, tuple[str, str]], problems: Problems
) -> Iterator[tuple[int, str, Given]]:
    lines: dict[str, int] = {}
    now = utcnow()
    for record in file.records():
        with problems.noted(record.line):
            text = file.texts(record)
            slug = text.pop("slug")
            if not slug:
                raise InvalidRow(problem="there is no slug: give the target a short name, such as embassy-by-de")
            first = lines.setdefault(slug, record.line)
            if first != record.line:
                raise InvalidRow(problem=f'the target "{slug}" is already on line {first}; keep one')
            if len(lines) > _MOST_ROWS:
                raise InvalidRow(
                    problem=f"there are more than {_MOST_ROWS:,} targets; bring the rest in with another file"
                )
            yield record.line, slug, _parse(text, now) | _in_languages(record, by_language)


def _parse(text: Mapping[str, str], now: datetime) -> Given:
    given: Given = {}
    for column, cell in text.items():
        if cell == NOTHING:
            given |= {"countries": (), "groups": ()} if column == "countries" else {column: _EMPTY[column]}
        elif cell:
            try:
                given |= _value(column, _clean(column, cell), now)
            except InvalidRow:
                raise
            except MailerError as problem:  # which does not say what it is about
                raise InvalidRow(problem=f"{column}: {problem}") from None
    return given


def _value(column: str, text: str, now: datetime) -> Given:
    """What a cell says, checked."""
    match column:
        case "role":
            return {column: _role(text)}
        case "about":
            return {column: countries.parse(text)}
        case "countries":
            named = _countries(text)
            groups = {code for code in named if code.startswith("@")}
            return {"countries": tuple(sorted(named - groups)), "groups": tuple(sorted(groups))}
        case "languages":
            tags = re.split(r"[\s,;]+", text)
            return {column: tuple(dict.fromkeys(languages.normalise(tag) for tag in tags if tag))}
        case "email":
            return {column: addresses.parse(text).text}
        case "url":
            return {column: _url(text)}
        case "phone":
            return {column: telephones.check(text)}
        case "phone_zone":
            return {column: _zone(text)}
        case "own_words":
            return {column: truth(column, text)}
        case "verified_on":
            return {column: past(column, text, now).date()}
        case _:
            return {column: text}


def _clean(column: str, text: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    if len(text) > _LONGEST:
        raise InvalidRow(problem=f"{column} is longer than {_LONGEST:,} characters; shorten it")
    if len(lines) > 1 and column not in _SEVERAL_LINES:
        raise InvalidRow(problem=f"{column} must be one line")
    cleaned = "\n".join(filter(None, lines))
    if any((ord(char) < ord(" ") and char != "\n") or char == "\x7f" for char in cleaned):
        raise InvalidRow(problem=f"{column} has a character that cannot be shown; type it anew")
    # What turns words around comes along unseen where a name or a number is copied from a list of contacts.
    return "\n".join(filter(None, (headers.clean(line).strip() for line in cleaned.splitlines())))


def _in_languages(record: TableRow, by_language: Mapping[int, tuple[str, str]]) -> Given:
    given: Given = {}
    for position, (field, tag) in by_language.items():
        cell = restore(record.cells[position]).strip() if position < len(record.cells) else ""
        if cell:
            column = f"{'name' if field == 'names' else 'salutation'}:{tag}"
            given.setdefault(field, {})[tag] = None if cell == NOTHING else _clean(column, cell)
    return given


def _role(text: str) -> TargetRole:
    try:
        return TargetRole(text.lower())
    except ValueError:
        raise InvalidRow(problem=f'role "{text}" is not one of {ROLES}') from None


def _countries(text: str) -> set[str]:
    """Codes and groups with spaces between them, or names with commas."""
    found: set[str] = set()
    for part in filter(None, map(str.strip, re.split(r"[,;\n]", text))):
        if code := countries.find(part):
            found.add(code)
        else:
            found |= {country_groups.country_or_group(word) for word in part.split()}
    return found


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise InvalidRow(problem=f'url "{text}" is not the address of a page, such as https://example.org/contact')
    return text


def _zone(text: str) -> str:
    if text not in zoneinfo.available_timezones():
        raise InvalidRow(problem=f'phone_zone "{text}" is not a time zone, such as Europe/London')
    return text


# --- what becomes of a target ---------------------------------------------------------------------------------------


def _new(slug: str, given: Given) -> Target:
    if not given.get("role") or not given.get("name"):
        missing = "name" if given.get("role") else "role"
        raise InvalidRow(problem=f'there is no target "{slug}" yet, and a new one needs a {missing}')
    target = _taken_over(replace(NOBODY, slug=slug), given)
    if not target.is_reachable:
        raise InvalidRow(problem="there is no way to write to it: give an email, a url, a phone or an address")
    return target


def _changed(known: Target, given: Given, *, update: bool) -> Target:
    if update:
        if (day := given.get("verified_on")) and known.verified_on and day < known.verified_on:
            # Somebody has made sure of it since the file was written: to correct an address must not undo that.
            given = {key: value for key, value in given.items() if key not in ("verified_on", "verified_by")}
        return _taken_over(known, given)
    # One without countries is for everyone, and one without a case for all: these are known.
    known_anyway = {"countries", "groups", "case", "about"}
    missing = {
        key: {tag: words for tag, words in value.items() if tag not in getattr(known, key)}
        if key in _IN_LANGUAGES.values()
        else value
        for key, value in given.items()
        if key in _IN_LANGUAGES.values() or not (key in known_anyway or getattr(known, key))
    }
    return _taken_over(known, missing)


def _differing(known: Target, other: Target) -> list[str]:
    """In which columns another target says something else than the one that is known. That somebody made sure of it
    before is no news."""
    is_older = known.verified_on and other.verified_on and other.verified_on <= known.verified_on
    columns = [column for column in COLUMNS if not (is_older and column in ("verified_on", "verified_by"))]
    return [column for column in columns if _cell(known, column) != _cell(other, column)] + [
        f"{column}:{tag}"
        for column, field in _IN_LANGUAGES.items()
        for tag in sorted({*getattr(known, field), *getattr(other, field)})
        if getattr(known, field).get(tag) != getattr(other, field).get(tag)
    ]


def _taken_over(target: Target, given: Given) -> Target:
    """A target with what was given in place of what was known."""
    values = dict(given)
    for field in _IN_LANGUAGES.values():
        if field in values:
            merged = {**getattr(target, field), **values[field]}
            values[field] = {tag: words for tag, words in sorted(merged.items()) if words is not None}
    return replace(target, **values)


# --- out ------------------------------------------------------------------------------------------------------------


def export(session: Session, path: Path, *, dress: Dress = PLAIN) -> int:
    """Write all targets, in the columns that an import reads. The file is readable for its owner only, and is there
    whole or not at all.

    :param path: where to write it; a file of that name is replaced.
    :param dress: how to write it, such as with a byte order mark for Excel.
    :returns: how many targets it has.
    :raises tables.UnwritableFile: there is no room, or no right to write; no file was made or replaced.
    :raises scope.ForOrganisers: the session is a union's.
    """
    scope.refuse(session)
    everything = target_book.all_targets(session)
    by_language = [
        (f"{column}:{tag}", field, tag)
        for column, field in _IN_LANGUAGES.items()
        for tag in sorted(set().union(*(getattr(target, field) for target in everything)))
    ]
    with whole_file(path) as file:
        writer = CsvWriter(file, [*COLUMNS, *(column for column, _, _ in by_language)], dress)
        for target in everything:
            cells = [_cell(target, column) for column in COLUMNS]
            writer.write([*cells, *(getattr(target, field).get(tag) for _, field, tag in by_language)])
    return len(everything)


def _cell(target: Target, column: str) -> str | None:
    value = getattr(target, column)
    match column:
        case "countries":
            return " ".join((*target.countries, *target.groups))
        case "languages":
            return " ".join(value)
        case "own_words":
            return "yes" if value else "no"
        case "verified_on":
            return value.isoformat() if value else None
        case _:
            return value or None
