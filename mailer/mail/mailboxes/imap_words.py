"""What IMAP says, read and written (RFC 3501): what `imaplib` gives back as it came, and takes as it is to go out."""

import base64
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

#: what `imaplib` gives back: lines, and pairs of a line with the literal that it announces
Answer = Sequence[bytes | tuple[bytes, bytes] | None]

_UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)", re.IGNORECASE)
_CAME_AT = re.compile(rb'\bINTERNALDATE "([ \d]\d-[A-Za-z]{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4})"', re.IGNORECASE)
#: a beginning so short that the server writes it in quotation marks, or none at all
_SHORT = re.compile(rb'\bBODY\[\](?:<\d+>)? (?:"((?:[^"\\]|\\.)*)"|NIL)', re.IGNORECASE)
_PREFIX = re.compile(rb'\(\("((?:[^"\\]|\\.)*)"')


class Listed(NamedTuple):
    """A message, as a list of them has it."""

    uid: int
    size: int  # octets
    came_at: datetime | None  # when it came into the folder, or into the one that it was moved from


def listed(answer: Answer) -> list[Listed]:
    """The messages in an answer to FETCH (UID RFC822.SIZE INTERNALDATE). What a server tells besides, of changes
    that others made, has no size."""
    found = []
    for line in answer:
        if isinstance(line, bytes) and (uid := _UID.search(line)) and (size := _SIZE.search(line)):
            found.append(Listed(int(uid[1]), int(size[1]), _came_at(line)))
    return sorted(found, key=lambda each: each.uid)


def _came_at(line: bytes) -> datetime | None:
    found = _CAME_AT.search(line)
    try:
        return parsedate_to_datetime(found[1].decode("ascii")).astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        return None


def bodies(answer: Answer) -> dict[int, bytes]:
    """The beginnings of messages by UID, in an answer to FETCH (UID BODY.PEEK[]<…>)."""
    found = {}
    for before, literal, behind in _with_what_follows(answer):
        uid = _UID.search(before) or _UID.search(behind)
        if uid is None:
            continue
        if literal is not None:
            found[int(uid[1])] = literal
        elif short := _SHORT.search(before):
            found[int(uid[1])] = re.sub(rb"\\(.)", rb"\1", short[1] or b"")
    return found


def _with_what_follows(answer: Answer) -> Iterator[tuple[bytes, bytes | None, bytes]]:
    """Each line, its literal, and what stands behind that: the UID may be there."""
    for part, behind in zip(answer, [*answer[1:], None], strict=True):
        if isinstance(part, tuple):
            yield part[0], part[1], behind if isinstance(behind, bytes) else b""
        elif isinstance(part, bytes):
            yield part, None, b""


def last(answer: Answer) -> bytes:
    """The last line of an answer, which is the newest; empty if there is none."""
    return next((part for part in reversed(answer) if isinstance(part, bytes)), b"")


def prefix(answer: Answer) -> str:
    """What the names of somebody's own folders begin with, by an answer to NAMESPACE (RFC 2342)."""
    found = _PREFIX.match(last(answer))
    return re.sub(rb"\\(.)", rb"\1", found[1]).decode("ascii", "replace") if found else ""


def quoted(text: str) -> str:
    """A text as a quoted string.

    :raises ValueError: it cannot be written so.
    """
    if not text.isascii() or set(text) & set("\r\n\0"):
        raise ValueError("has letters that cannot be written in IMAP")
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))


def folder_name(text: str) -> str:
    """A folder's name, as a quoted string in modified UTF-7 (RFC 3501, 5.1.3)."""
    pieces = re.split(r"([^\x20-\x7e]+)", text.replace("&", "&-"))
    return quoted("".join(_shifted(piece) if number % 2 else piece for number, piece in enumerate(pieces)))


def _shifted(text: str) -> str:
    written = base64.b64encode(text.encode("utf-16-be"), b"+,").decode("ascii").rstrip("=")
    return f"&{written}-"
