"""JSON that others wrote: whatever it holds, and wherever, reading it raises nothing but `Malformed`."""

import json
from typing import NoReturn

from mailer.mail.webhooks.types import Malformed

#: characters of a text that are read: a server's answer is shorter
LONGEST = 4_000


def parse(text: bytes | str) -> object:
    """The value of a JSON document (RFC 8259). Of names that come twice in an object, the last counts.

    :raises Malformed: it is none, is nested too deep, or has numbers that nobody needs.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise Malformed(why="it is nested too deep") from None
    except ValueError:  # no JSON, no UTF-8, or a whole number of more than 4,300 digits
        raise Malformed(why="it is no JSON") from None


def _refuse(_constant: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


def at(value: object, *path: str) -> object:
    """What stands at a path of names; None if nothing does."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text(value: object, *path: str) -> str:
    """The text, or whole number, at a path of names; "" if there is none. Only its beginning, if it is long."""
    found = at(value, *path)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found[:LONGEST] if isinstance(found, str) else ""


def number(value: object, *path: str) -> int | None:
    """The whole number at a path of names, which may be written as a text; None if there is none, or a huge one."""
    written = text(value, *path)
    return int(written) if written.isascii() and written.isdigit() and len(written) < 12 else None


def events(body: bytes) -> list[object]:
    """The events of a post that holds one, or a list of them.

    :raises Malformed: as `parse`.
    """
    posted = parse(body)
    return posted if isinstance(posted, list) else [posted]


def items(value: object, *path: str) -> list[object]:
    """The list at a path of names; empty if there is none."""
    found = at(value, *path)
    return found if isinstance(found, list) else []
