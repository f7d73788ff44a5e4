"""Campaigns as files: a folder of campaign.toml and one Markdown text per language becomes a draft."""

import re
import secrets
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import editions, personal_links, segments
from mailer.campaigns.segments import Segment, audience
from mailer.campaigns.targets import Target
from mailer.errors import MailerError
from mailer.locale import countries, languages
from mailer.mail import addresses, fields, leftovers
from mailer.people import lists
from mailer.store import slugs
from mailer.store.crypto import keyring_of
from mailer.store.db import add_unique
from mailer.store.models import Campaign, CampaignStatus, CampaignText
from mailer.unions import directory

SETTINGS_FILE = "campaign.toml"
_KNOWN_KEYS = frozenset(
    [
        "kind",
        "list",
        "language",
        "deadline",
        "latest_start",
        "public",
        "forwardable",
        "fallbacks",
        "audience",
        "targets",
    ]
)
_TARGET_KEYS = frozenset(["countries", "name", "email", "address"])
_TEXT_KEYS = frozenset(["subject", "preheader"])
_MAX_FILE_BYTES = 1_000_000
_THE_REST = ""  # what a target without countries is for
_DOUBLE_TARGET = (
    "two targets have no countries, but only one can be for everyone else: give the other one its countries, such as "
    'countries = ["GB"]'
)
T = TypeVar("T")

#: a deadline that names a day and no time means until that day is over
_END_OF_DAY = time(23, 59, 59, tzinfo=UTC)


class InvalidFile(MailerError):
    """{file}:{line}: {problem}"""


class NoSuchFolder(MailerError):
    """{folder} is not a campaign folder: it has no campaign.toml, or cannot be read. Name the folder that holds it."""


class LoadedElsewhere(MailerError):
    """Somebody else has just loaded a campaign "{slug}" for the first time. Check that it is the same one, and load it
    again."""


class AlreadyStarted(MailerError):
    """Campaign "{slug}" is {status}: its texts and audience are frozen. Copy the folder under a new name to send
    something else."""


@dataclass(frozen=True, slots=True)
class _Text:
    language: str
    subject: str
    preheader: str
    body: str
    body_line: int


def load(session: Session, folder: Path, *, fallbacks: Mapping[str, Sequence[str]] = MappingProxyType({})) -> Campaign:
    """Make or update the draft of a campaign from its folder, whose name is the slug.

    Everything is read and tried before the draft is touched.

    :param fallbacks: of languages for which the folder names none.
    :raises InvalidFile: with the file and line of what is wrong.
    :raises fields.TextFieldError: likewise, in a text.
    :raises AlreadyStarted: the campaign is no draft any more.
    :raises LoadedElsewhere: it was made at the same moment.
    :raises lists.UnknownList: a list that is named does not exist yet.
    :raises directory.UnknownUnion: a union that is named does not exist yet.
    """
    folder = folder.resolve()
    if not _is_file(folder / SETTINGS_FILE):
        raise NoSuchFolder(folder=folder)
    slug = slugs.check(folder.name)
    draft = session.scalar(select(Campaign).where(Campaign.slug == slug).with_for_update())
    if draft is not None and draft.status is not CampaignStatus.DRAFT:
        raise AlreadyStarted(slug=slug, status=draft.status)
    values = _read_settings(session, folder / SETTINGS_FILE)
    values["fallbacks"] = {**fallbacks, **values["fallbacks"]}
    texts = _read_texts(folder)
    if values["language"] not in [text.language for text in texts]:
        raise InvalidFile(
            file=SETTINGS_FILE,
            line=_line_of(_read(folder / SETTINGS_FILE), "language"),
            problem=f"the campaign's own language is {values['language']}, but there is no {values['language']}.md",
        )
    if draft is None:
        draft = Campaign(
            slug=slug,
            salt=secrets.token_bytes(16),
            message_key=keyring_of(session).link_keys[0].id,
            status=CampaignStatus.DRAFT,
            **values,
        )
        if not add_unique(session, draft):
            raise LoadedElsewhere(slug=slug)
    for key, value in values.items():
        setattr(draft, key, value)
    draft.texts.clear()
    session.flush()
    draft.texts.extend(
        CampaignText(
            language=text.language,
            subject=text.subject,
            preheader=text.preheader,
            body=text.body,
            body_line=text.body_line,
        )
        for text in texts
    )
    session.flush()
    for source in editions.Texts(draft).sources.values():
        _check_comparisons(session, source)
    editions.discard(session, draft)
    editions.try_out(session, draft)
    return draft


# --- campaign.toml --------------------------------------------------------------------------------------------------


def _read_settings(session: Session, path: Path) -> dict[str, Any]:
    """The columns of a campaign, checked."""
    written = _read(path)
    table = _parse_toml(written, path, first_line=1)
    problem = _Complaint(path.name, written)
    problem.refuse_unknown(table, _KNOWN_KEYS)
    kind = problem.text(table, "kind")
    if kind not in editions.kinds():
        problem.about("kind", f'there is no template for kind "{kind}"; known are {", ".join(editions.kinds())}')
    mailing_list = problem.check("list", lambda: lists.named(session, problem.text(table, "list")))
    language = problem.check("language", lambda: languages.normalise(problem.text(table, "language")))
    segment = _read_segment(session, table.get("audience", {}), mailing_list.id, problem)
    return {
        "kind": kind,
        "list_id": mailing_list.id,
        "language": language,
        "deadline": _read_time(table, "deadline", problem),
        "latest_start": _read_time(table, "latest_start", problem),
        "public": problem.flag(table, "public"),
        "forwardable": problem.flag(table, "forwardable"),
        "fallbacks": _read_fallbacks(table.get("fallbacks", {}), problem),
        "audience": segment.to_json(),
        "targets": [target.to_json() for target in _read_targets(table.get("targets", []), problem)],
    }


def _read_fallbacks(table: object, problem: "_Complaint") -> dict[str, list[str]]:
    if not isinstance(table, dict) or not all(
        isinstance(others, list) and others and all(isinstance(other, str) for other in others)
        for others in table.values()
    ):
        problem.about("fallbacks", 'must say which languages stand in for which, such as { kk = ["ru", "en"] }')
    return problem.check("fallbacks", lambda: languages.read_fallbacks(table))


def _read_segment(session: Session, table: object, list_id: int, problem: "_Complaint") -> Segment:
    if not isinstance(table, dict):
        problem.about("audience", "must be a table: write [audience]")
    read: dict[str, object] = {}
    problem.table = "[audience]"
    for key, value in table.items():
        read[key] = value = problem.check(key, lambda: _slugs(session, key, value))  # noqa: B023  # called at once
        # One key at a time, so that the line named is the one that is wrong; compiling finds unknown unions and lists.
        problem.check(key, lambda: audience(session, list_id, Segment.parse({key: value})))  # noqa: B023  # called at once
    problem.table = ""
    return Segment.parse(read)


def _slugs(session: Session, key: str, value: object) -> object:
    """What stands under a key of an audience, with the slugs of unions and lists in place of their names."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return value
    if key.endswith("unions"):
        return [directory.named(session, each).slug for each in value]
    return [lists.named(session, each).slug for each in value] if key.endswith("lists") else value


def _read_targets(tables: object, problem: "_Complaint") -> list[Target]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problem.about("targets", "must be tables: write [[targets]] above each")
    targets: list[Target] = []
    seen: set[str] = set()
    problem.table = "[[targets]]"
    for number, table in enumerate(tables, start=1):
        problem.nth = number
        problem.refuse_unknown(table, _TARGET_KEYS)
        codes = table.get("countries", [])
        if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
            problem.about("countries", 'must be a list of texts in quotes, such as ["GB"]')
        named = problem.check("countries", lambda: [segments.country_or_group(code) for code in codes])  # noqa: B023  # called at once
        target = Target(
            countries=tuple(sorted({code for code in named if not code.startswith("@")})),
            name=problem.text(table, "name"),
            email=_read_address(table, problem),
            address=problem.optional_text(table, "address"),
            groups=tuple(sorted({code for code in named if code.startswith("@")})),
        )
        for code in sorted(target.states) or [_THE_REST]:
            if code in seen:
                problem.about("countries", _DOUBLE_TARGET if code == _THE_REST else f"two targets are for {code}")
            seen.add(code)
        targets.append(target)
    problem.table, problem.nth = "", 1
    return targets


def _read_address(table: Mapping[str, Any], problem: "_Complaint") -> str:
    """A target's e-mail address, or "": some embassies have none."""
    written = problem.optional_text(table, "email")
    return problem.check("email", lambda: addresses.parse(written).text) if written else ""


def _read_time(table: Mapping[str, Any], key: str, problem: "_Complaint") -> datetime | None:
    value = table.get(key)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            problem.about(key, "must have a time zone, such as 2035-12-15T18:00:00+01:00, or be a day only")
        if not 1 < value.year < 9999:
            problem.about(key, "is not a possible time")
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, _END_OF_DAY)
    if value is not None:
        problem.about(key, "must be a day, or a time with a time zone, without quotes")
    return None


class _Complaint:
    """Says what is wrong in a TOML file, on which line."""

    def __init__(self, file: str, text: str, *, first_line: int = 1) -> None:
        self.file = file
        self._text = text
        self._first_line = first_line
        self.table = ""  # the header of the table that is being read: "[audience]", "[[targets]]"
        self.nth = 1  # which of several of that header

    def about(self, key: str, problem: object) -> NoReturn:
        """:raises InvalidFile: always."""
        raise InvalidFile(file=self.file, line=self.line_of(key), problem=f"{key}: {problem}")

    def line_of(self, key: str) -> int:
        """The line of the file on which a key stands, else that of the table."""
        return _line_of(self._text, key, table=self.table, nth=self.nth) + self._first_line - 1

    def check(self, key: str, read: Callable[[], T]) -> T:
        """Add the line to whatever `read` complains of."""
        try:
            return read()
        except InvalidFile:
            raise
        except MailerError as error:
            self.about(key, error)

    def refuse_unknown(self, table: Mapping[str, Any], known: frozenset[str]) -> None:
        for key in table:
            if key not in known:
                self.about(key, f"unknown key; known keys: {', '.join(sorted(known))}")

    def text(self, table: Mapping[str, Any], key: str) -> str:
        value = self.optional_text(table, key)
        if not value:
            self.about(key, "is missing or empty")
        return value

    def optional_text(self, table: Mapping[str, Any], key: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            self.about(key, "must be a text in quotes")
        return str(value).strip()

    def flag(self, table: Mapping[str, Any], key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            self.about(key, "must be true or false, without quotes")
        return bool(value)


def _line_of(text: str, key: str, *, table: str = "", nth: int = 1) -> int:
    """The line on which a key of a table stands, else the line of that table's header, else 1.

    tomllib keeps no positions, and an error needs one.

    :param table: the header as it is written, "" for what stands before the first.
    :param nth: which of the tables with this header, from 1.
    """
    current, met, found = "", 0, 1
    names = rf"""\s*(\[\[?\s*)?(["']?){re.escape(key)}\2\s*(=|\.|\]|$)"""
    for number, line in enumerate(text.split("\n"), start=1):
        if _HEADER.match(line) and not re.match(names, line):
            current = "".join(line.partition("#")[0].split())
            met += current == table
            if current == table and met == nth:
                found = number
        elif current == table and (met == nth or not table) and re.match(names, line):
            return number
    return found


_HEADER = re.compile(r"""\s*\[\[?\s*["']?[\w-]+["']?\s*\]""")


# --- texts ----------------------------------------------------------------------------------------------------------


def _read_texts(folder: Path) -> list[_Text]:
    """The texts of all languages."""
    texts: dict[str, _Text] = {}
    # A Mac leaves ._en.md beside en.md on what it copies to, and Emacs .#en.md: hidden from who made them.
    for path in sorted(path for path in folder.glob("*.md") if not path.name.startswith(".")):
        text = _read_text(path)
        if text.language in texts:
            raise InvalidFile(file=path.name, line=1, problem=f"there is already a text in {text.language}")
        texts[text.language] = text
    return list(texts.values())


def _read_text(path: Path) -> _Text:
    """One language's text: TOML front matter between +++ lines, then Markdown."""
    try:
        language = languages.normalise(path.stem)
    except languages.InvalidLanguage as error:
        raise InvalidFile(file=path.name, line=1, problem=f"the file's name must be its language: {error}") from None
    written = _read(path)
    lines = written.split("\n")
    marks = [number for number, line in enumerate(lines) if line.strip() == "+++"][:2]
    if len(marks) < 2 or any(line.strip() for line in lines[: marks[0]]):
        raise InvalidFile(
            file=path.name, line=1, problem="must begin with a line +++, then subject and preheader, then a line +++"
        )
    start, end = marks
    matter = "\n".join(lines[start + 1 : end])
    front = _parse_toml(matter, path, first_line=start + 2)
    problem = _Complaint(path.name, matter, first_line=start + 2)
    problem.refuse_unknown(front, _TEXT_KEYS)
    subject, preheader = (_read_line(front, key, problem) for key in ("subject", "preheader"))
    body = "\n".join(lines[end + 1 :]).rstrip("\n") + "\n"
    if not body.strip():
        raise InvalidFile(file=path.name, line=end + 1, problem="there is no text under the front matter")
    editions.parse_source(body, file=path.name, line=end + 2)
    return _Text(language=language, subject=subject, preheader=preheader, body=body, body_line=end + 2)


def _read_line(front: Mapping[str, Any], key: str, problem: _Complaint) -> str:
    """The subject or the preheader."""
    value = problem.text(front, key)
    if len(value.splitlines()) > 1:
        problem.about(key, "must be one line")
    line = editions.parse_source(value, file=problem.file, line=problem.line_of(key))
    for variant in line.samples():
        # Tried again with the draft, which keeps no line of it.
        problem.check(key, lambda: personal_links.check_line(line.places(variant), ()))  # noqa: B023  # called at once
        if signs := leftovers.find_in_line(line.resolve(variant)):
            problem.about(key, f"is no Markdown, so {signs} would go out as it stands. Write plain words")
    return value


def _check_comparisons(session: Session, source: editions.Source) -> None:
    """Refuse conditions that can never hold: whom they were written for would get another text, unnoticed."""
    if sum(part.tests for part in source.parts) > editions.MOST_TESTS:
        problem = f"has more than {editions.MOST_TESTS} conditions"
        raise InvalidFile(file=source.file, line=1, problem=problem)
    for comparison in source.comparisons:
        try:
            usual = _usual(session, comparison)
        except MailerError as error:
            raise InvalidFile(file=source.file, line=comparison.line, problem=error) from None
        if usual != comparison.value:
            problem = f'{comparison.name} is never "{comparison.value}"; write "{usual}"'
            raise InvalidFile(file=source.file, line=comparison.line, problem=problem)


def _usual(session: Session, comparison: fields.Comparison) -> str:
    """The value as people's own values are stored."""
    match comparison.name:
        case "country":
            return countries.parse(comparison.value)
        case "union":
            return directory.named(session, comparison.value).slug
        case _:
            return languages.normalise(comparison.value)


def _parse_toml(text: str, path: Path, *, first_line: int) -> dict[str, Any]:
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Not only its own error: a number of 5,000 digits and a thousand brackets are too much for Python itself.
        message = str(error)
        line = first_line + text.count("\n")
        if "(at line " in message:
            message, _, position = message.partition(" (at line ")
            line = first_line - 1 + int(position.split(",")[0])
        raise InvalidFile(file=path.name, line=line, problem=_explain_toml(message)) from None
    escape = _ESCAPED_NUL.search(text)
    if escape and _holds_nul(table):
        line = first_line + text.count("\n", 0, escape.end())
        raise InvalidFile(file=path.name, line=line, problem="contains a NUL character, which is not allowed")
    return table


def _explain_toml(message: str) -> str:
    """What the TOML parser says, with what to do about its most frequent complaints."""
    for said, advice in _TOML_ADVICE.items():
        if message.startswith(said):
            return f"not valid TOML: {advice}"
    return f"not valid TOML: {message}"


#: what the parser says at its beginning → what to do
_TOML_ADVICE = {
    "Invalid value": 'this value cannot be read. Put a text in straight quotes, as in list = "urgent-actions"; '
    "write true, false and days such as 2035-12-15 without quotes",
    "Expected newline": "there is something after this value. Put a text in quotes; write a day as 2035-12-15",
    "Illegal character": 'a text is not closed on its line. Close it with the quote it began with: "…"',
    "Unterminated string": 'a text is not closed. Close it with the quote it began with: "…"',
    "Unclosed array": "a list is not closed. Close it with ]",
    "Cannot overwrite a value": "this is written twice; keep one",
    "Cannot declare": "this table is written twice; keep one",
    "Expected '=' after a key": 'this line is not a key = "value", a [table] or a # comment',
}

#: how TOML writes a NUL; one that is written as it is was refused when the file was read
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\(?:u0000|U00000000|x00)")


def _holds_nul(value: object) -> bool:
    """Whether a NUL stands anywhere in what TOML was read as."""
    if isinstance(value, dict):
        return any(map(_holds_nul, value.items()))
    if isinstance(value, list | tuple):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the path is too long, or leads through a folder that may not be read
        return False


def _read(path: Path) -> str:
    try:
        # A folder, a broken link and a pipe, which would never end, are no texts.
        data = path.read_bytes() if path.is_file() and path.stat().st_size <= _MAX_FILE_BYTES else None
    except OSError as error:
        raise InvalidFile(file=path.name, line=1, problem=f"cannot be read: {error.strerror}") from None
    if data is None:
        problem = f"is not a file, or is larger than {_MAX_FILE_BYTES // 1000} kB"
        raise InvalidFile(file=path.name, line=1, problem=problem)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidFile(file=path.name, line=line, problem="is not UTF-8 text; save it as UTF-8") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InvalidFile(file=path.name, line=line, problem="contains a NUL byte; save it as UTF-8 text")
    return text.replace("\r\n", "\n")
