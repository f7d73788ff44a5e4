"""What may stand in a row of any file: what is refused, row by row or the whole file; moments, yes and no."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from mailer.errors import MailerError

_NAMED_ADDRESS = re.compile(r'"?(?P<name>[^<>"]*)"?\s*<(?P<address>[^<>]+)>')
_LONGEST_MAILBOX = 1_000  # characters of a name and an address: the time to match grows with the square
_TRUTH = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_MOST_SHOWN = 20


class RefusedFile(MailerError):
    """Nothing was imported from {path}:{problems}"""


class InvalidRow(MailerError):
    """{problem}"""


class RejectsFileIsInput(MailerError):
    """The rejects would overwrite {path}, the file that is being imported. Name another file."""


class Problems:
    """What is wrong with a file of which all is taken or nothing, line by line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: list[str] = []

    @contextmanager
    def noted(self, line: int) -> Iterator[None]:
        """Note what the block refuses, and go on after it."""
        try:
            yield
        except MailerError as problem:
            self._found.append(f"line {line}: {problem}")

    def raise_any(self) -> None:
        """:raises RefusedFile: something was noted."""
        if self._found:
            more = len(self._found) - _MOST_SHOWN
            shown = [*self._found[:_MOST_SHOWN], *([f"… and {more:,} more"] if more > 0 else [])]
            raise RefusedFile(path=self._path, problems="".join(f"\n{line}" for line in shown))


def name_and_address(text: str) -> tuple[str, str]:
    """What an e-mail cell has: `Ana <ana@example.org>`, as mailing list managers write it, or the address alone.

    :raises InvalidRow: it is too long to be either.
    """
    if len(text) > _LONGEST_MAILBOX:
        raise InvalidRow(
            problem=f"the e-mail cell has more than {_LONGEST_MAILBOX:,} characters; is it another column?"
        )
    found = _NAMED_ADDRESS.fullmatch(text)
    return (found["name"].strip(), found["address"].strip()) if found else ("", text)


def past(column: str, text: str, now: datetime) -> datetime:
    """An ISO 8601 date or time, UTC where it names no zone.

    :raises InvalidRow: it is something else, or in the future.
    """
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        problem = f'{column} "{text}" is not an ISO date or time, such as 2026-03-31 or 2026-03-31T09:30Z'
        raise InvalidRow(problem=problem) from None
    if moment > now:
        raise InvalidRow(problem=f'{column} "{text}" is in the future')
    return moment


def truth(column: str, text: str) -> bool:
    """Yes or no.

    :raises InvalidRow: it is neither.
    """
    if text.lower() not in _TRUTH:
        raise InvalidRow(problem=f'{column} "{text}" is neither yes nor no')
    return _TRUTH[text.lower()]
