"""Files that people write: TOML, and Markdown below a front matter of TOML. Each mistake is told with its line."""

import json
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from mailer.errors import MailerError

_MAX_FILE_BYTES = 1_000_000
#: what names a day and no time means until that day is over
_END_OF_DAY = time(23, 59, 59, tzinfo=UTC)
T = TypeVar("T")


class InvalidFile(MailerError):
    """{file}:{line}: {problem}"""


@dataclass(frozen=True, slots=True)
class Article:
    """A text in one language: what its front matter says, and Markdown."""

    file: str
    front: Mapping[str, Any]
    problem: "Complaint"  # to say what is wrong in the front matter
    body: str
    body_line: int  # the line of the file on which the body starts


def read_toml(path: Path) -> tuple[dict[str, Any], "Complaint"]:
    """The values of a TOML file, and with what to complain of them.

    :raises InvalidFile: it cannot be read, or is no TOML.
    """
    written = _read(path)
    return _parse_toml(written, path, first_line=1), Complaint(path.name, written)


def find_articles(folder: Path) -> list[Path]:
    """The Markdown files of a folder."""
    # A Mac leaves ._en.md beside en.md on what it copies to, and Emacs .#en.md: hidden from who made them.
    return sorted(path for path in folder.glob("*.md") if not path.name.startswith("."))


def read_articles(paths: Iterable[Path], known: Collection[str], read_name: Callable[[str], T]) -> dict[T, Article]:
    """Markdown files, by what their names mean.

    :param known: the keys that may stand in their front matter, the most important first.
    :param read_name: what a file's name without its ending means, such as a language; raises MailerError where nothing.
    :raises InvalidFile: as `_read_article`, or two names mean the same, or one means nothing.
    """
    articles: dict[T, Article] = {}
    for path in paths:
        try:
            name = read_name(path.stem)
        except InvalidFile:
            raise
        except MailerError as error:
            problem = f"the file's name must be its language: {error}"
            raise InvalidFile(file=path.name, line=1, problem=problem) from None
        if name in articles:
            problem = f"its name means the same as that of {articles[name].file}. Keep one of the two"
            raise InvalidFile(file=path.name, line=1, problem=problem)
        articles[name] = _read_article(path, known)
    return articles


def _read_article(path: Path, known: Collection[str]) -> Article:
    """A text: TOML front matter between +++ lines, then Markdown.

    :param known: the keys that may stand in the front matter.
    :raises InvalidFile: it cannot be read, has another form or another key, or nothing stands under the front matter.
    """
    written = _read(path)
    lines = written.split("\n")
    marks = [number for number, line in enumerate(lines) if line.strip() == "+++"][:2]
    if len(marks) < 2 or any(line.strip() for line in lines[: marks[0]]):
        *others, last = known
        keys = " and ".join(filter(None, (", ".join(others), last)))
        problem = f"must begin with a line +++, then {keys}, then a line +++"
        raise InvalidFile(file=path.name, line=1, problem=problem)
    start, end = marks
    matter = "\n".join(lines[start + 1 : end])
    front = _parse_toml(matter, path, first_line=start + 2)
    complaint = Complaint(path.name, matter, first_line=start + 2)
    complaint.refuse_unknown(front, known)
    body = _ended("\n".join(lines[end + 1 :]))
    if not body.strip():
        raise InvalidFile(file=path.name, line=end + 1, problem="there is no text under the front matter")
    return Article(path.name, front, complaint, body, end + 2)


def quoted(text: str) -> str:
    """A text as TOML writes it on one line."""
    # Every escape of JSON is one of TOML, which wants DEL escaped, too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def written(value: object) -> str:
    """A value as TOML writes it on one line: a text, a list of texts, a table of these, a number, a moment.

    :raises TypeError: it is something else.
    """
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{key} = {written(each)}" for key, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    raise TypeError(type(value))


def toml_text(table: Mapping[str, object]) -> str:
    """The lines of a table."""
    return "".join(f"{key} = {written(value)}\n" for key, value in table.items())


def article_of(file: str, front: Mapping[str, object], body: str) -> Article:
    """A text that was written elsewhere, as if it had been read from the file that `article_text` makes of it."""
    matter = _matter(front)
    return Article(file, front, Complaint(file, matter, first_line=2), _ended(body), 3 + matter.count("\n") + 1)


def article_text(front: Mapping[str, object], body: str) -> str:
    """A text as a file: front matter, and Markdown below."""
    return f"+++\n{_matter(front)}\n+++\n{_ended(body)}"


def _matter(front: Mapping[str, object]) -> str:
    return toml_text(front).rstrip("\n")


def _ended(body: str) -> str:
    return body.rstrip("\n") + "\n"


class Complaint:
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

    def line_of_text(self, key: str, number: int) -> int:
        """The line on which one of a list of texts begins.

        :param number: from 0.
        """
        first = self.line_of(key)
        rest = "\n".join(self._text.split("\n")[first - self._first_line :]).partition("=")[2]
        texts = [found for found in _TEXT_OR_COMMENT.finditer(rest) if not found[0].startswith("#")]
        if number >= len(texts):  # what is written looks like something else
            return first
        found = texts[number]
        return first + rest.count("\n", 0, found.end("begin") if found["begin"] else found.start())

    def check(self, key: str, read: Callable[[], T]) -> T:
        """Add the line to whatever `read` complains of."""
        try:
            return read()
        except InvalidFile:
            raise
        except MailerError as error:
            self.about(key, error)

    def refuse_unknown(self, table: Mapping[str, Any], known: Collection[str]) -> None:
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

    def texts(self, table: Mapping[str, Any], key: str, *, example: str) -> list[str]:
        """A list of texts, which may be empty or missing.

        :param example: of what may be written.
        """
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.about(key, f"must be a list of texts in quotes, such as {example}")
        return [str(each) for each in value]

    def flag(self, table: Mapping[str, Any], key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            self.about(key, "must be true or false, without quotes")
        return bool(value)

    def time(self, table: Mapping[str, Any], key: str) -> datetime | None:
        """A moment; where a day is written, the end of it."""
        value = table.get(key)
        if isinstance(value, datetime):
            if value.tzinfo is None:
                self.about(key, "must have a time zone, such as 2035-12-15T18:00:00+01:00, or be a day only")
            if not 1 < value.year < 9999:
                self.about(key, "is not a possible time")
            return value.astimezone(UTC)
        if isinstance(value, date):
            return datetime.combine(value, _END_OF_DAY)
        if value is not None:
            self.about(key, "must be a day, or a time with a time zone, without quotes")
        return None


def _line_of(text: str, key: str, *, table: str = "", nth: int = 1) -> int:
    """The line on which a key of a table stands, else the line of that table's header, else 1.

    tomllib keeps no positions, and an error needs one.

    :param table: the header as it is written, "" for what stands before the first.
    :param nth: which of the tables with this header, from 1.
    """
    current, met, found = "", 0, 0
    names = rf"""\s*(\[\[?\s*)?(["']?){re.escape(key)}\2\s*(=|\.|\]|$)"""
    below = f"[{table.strip('[]')}.{key}]"  # a table in it
    for number, line in enumerate(_LONG_TEXT.sub(_blank, text).split("\n"), start=1):
        is_header, is_named = _HEADER.match(line), re.match(names, line) or (table and _header(line) == below)
        if is_header and (not is_named or _header(line) == table):
            current = _header(line)
            met += current == table
            if current == table and met == nth:
                found = number
        elif (is_named and current == table and (met == nth or not table)) or (is_header and not table):
            return number
    if not found and table:  # it is no table of its own, but stands in one line: consent = { by = "family" }
        return _line_of(text, table.strip("[]"))
    return found or 1


#: comments are met for the quotes in them; a text in three quotes may begin on the next line
_TEXT_OR_COMMENT = re.compile(
    r"""#[^\n]*|(?P<begin>(?P<quotes>"{3}|'{3})\n?).*?(?P=quotes)|"(?:\\.|[^"\\\n])*"|'[^'\n]*'""", re.DOTALL
)
_HEADER = re.compile(r"""\s*\[\[?\s*["']?[\w-]+["']?\s*\]""")
_LONG_TEXT = re.compile(r"""("{3}|\'{3}).*?\1""", re.DOTALL)


def _header(line: str) -> str:
    return "".join(line.partition("#")[0].split())


def _blank(found: re.Match[str]) -> str:
    """As many lines, with nothing on them that looks like a key."""
    return '""' + "\n" * found[0].count("\n")


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
    "Duplicate inline table key": "this is written twice; keep one",
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


def is_file(path: Path) -> bool:
    """Whether there is a file there that can be looked at."""
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
