"""Costly words: what spam filters hold against a mail, though people mean well by it.

The points are SpamAssassin 4.0.1's, without Bayes and without the network; tests/servers/test_filters.py measures them.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markdown_it.token import Token

from mailer.mail.markdown import flattened
from mailer.mail.markers import Markers
from mailer.mail.types import Pieces, Warned


class Costly(NamedTuple):
    """Words that cost a point or more, what they cost, and what to write in their place."""

    pattern: re.Pattern[str]
    points: float
    remedy: str


def _costly(pattern: str, points: float, remedy: str) -> Costly:
    return Costly(re.compile(pattern, re.IGNORECASE), points, remedy)


#: its rules DEAR_FRIEND, DEAR_SOMETHING, URG_BIZ, EXCUSE_REMOVE and US_DOLLARS_3
COSTLY = (
    _costly(r"\A\s*Dear friend\b", 2.7, "Write another salutation, such as Dear supporter, or Hello."),
    _costly(
        r"\bDear (?:IT\W|internet|candidate|sirs?|madam|investor|travell?er|web)\b",
        2.0,
        "Write another salutation, such as Your Excellency, or Dear Minister.",
    ),
    _costly(
        r"urgent.{0,16}(?:assistance|business|buy|confidential|notice|proposal|reply|request|response)",
        1.8,
        "Say by when to act instead.",
    ),
    _costly(
        r"to be removed from.{0,20}(?:mailings|offers)",
        2.9,
        "Leave it out: every mail ends with a link to unsubscribe.",
    ),
    _costly(r"(?:\$|usd).?\d{1,3}[,.]\d{3}[,.]\d{3}", 1.0, "Write the sum in words, such as 1.5 million dollars."),
)

#: of SpamAssassin, as it is installed
LIMIT = 5


def find(tokens: Sequence[Token], markers: Markers) -> Iterator[Warned]:
    """The costly words of a text.

    :param tokens: as `markdown.read` returns them.
    """
    for token in flattened(tokens):
        if token.type == "inline":
            parts = [part for child in token.children or [] for part in _parts(child, markers)]
            words = "".join(shown for shown, _ in parts)
            for costly in COSTLY:
                if found := costly.pattern.search(words):
                    yield _warned(costly, found, about=_as_written(parts, found))


def find_in_line(line: Pieces) -> Iterator[Warned]:
    """The costly words of a subject or a preheader."""
    words = "".join(piece if isinstance(piece, str) else piece.default for piece in line)
    for costly in COSTLY:
        if found := costly.pattern.search(words):
            yield _warned(costly, found)


def _parts(token: Token, markers: Markers) -> Iterator[tuple[str, str]]:
    """What readers see of a token in a paragraph, piece by piece, and how each begins in the file, if that is known."""
    if "break" in token.type:
        yield " ", ""
    if token.type not in ("text", "code_inline"):
        return
    for piece in markers.cut(token.content):
        yield (piece, piece) if isinstance(piece, str) else (piece.default, f"{{{{ {piece.field} or ")


def _as_written(parts: Sequence[tuple[str, str]], found: re.Match[str]) -> str:
    """The longest piece of what was found, as it is written in the file."""
    begin, pieces = 0, []
    for shown, source in parts:
        if begin < found.end() and begin + len(shown) > found.start():
            cut = shown[max(found.start() - begin, 0) : found.end() - begin]
            pieces.append(cut.strip() if source == shown else source)
        begin += len(shown)
    return max(pieces, key=len)


def _warned(costly: Costly, found: re.Match[str], *, about: str = "") -> Warned:
    cost = f"costs up to {costly.points} of the {LIMIT} points at which SpamAssassin takes a mail for spam"
    return Warned("spam-words", f'"{found[0].strip()}" {cost}', costly.remedy, about)
