"""What may stand in a row of any file: what is refused, and moments."""

import re
from datetime import UTC, datetime

from mailer.errors import MailerError

_NAMED_ADDRESS = re.compile(r'"?(?P<name>[^<>"]*)"?\s*<(?P<address>[^<>]+)>')


class InvalidRow(MailerError):
    """{problem}"""


class RejectsFileIsInput(MailerError):
    """The rejects would overwrite {path}, the file that is being imported. Name another file."""


def name_and_address(text: str) -> tuple[str, str]:
    """What an e-mail cell has: `Ana <ana@example.org>`, as mailing list managers write it, or the address alone."""
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
