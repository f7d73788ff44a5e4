"""Writing: what a mail says to readers who are to write to others themselves: to whom, and which letter.

A letter is in a language that need not be the mail's, and may run the other way. What stands in its places is the same
for many readers; only the name is somebody's own.
"""

from dataclasses import dataclass
from typing import Literal

from mailer.mail.types import Pieces

#: for how many addressees a mail has room
MOST = 12
#: the fields of its links
URLS = frozenset({*(f"to_{number}_url" for number in range(1, MOST + 1)), "to_more_url"})


@dataclass(frozen=True, slots=True)
class Passage:
    """Words in one language. A line end in a paragraph stays."""

    language: str  # BCP 47
    direction: Literal["ltr", "rtl"]
    paragraphs: tuple[Pieces, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to copy, or to read beside one."""

    subject: Pieces
    words: Passage


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """Somebody whom the reader writes to."""

    heading: str  # in the mail's language
    name: Pieces
    details: Pieces  # where they are reached: one slot of several lines
    rules: Passage | None  # what not to write to them
    letter: Letter | None
    reading: Letter | None  # the same for the reader, who does not read that one
    same_as: Pieces  # the name of the one above to whom the same letter goes; () for none
    points: Pieces  # what to ask for, for who wants no copies: likewise one slot; () for none
    url: Pieces  # of the page with the letter


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """All that stands below a mail's own words."""

    asks: Passage | None  # a paragraph each
    addressed: tuple[Addressed, ...]
    more_url: Pieces  # of the page with all letters, if there are more addressees; else ()
    room: int  # bytes of HTML that what fills its slots takes at most
