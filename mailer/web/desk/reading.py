"""Reading: a text as its author wrote it, in blocks that read well on any screen. No sign of it is left out."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from markupsafe import Markup, escape

#: signs that nobody sees, or that turn the words around them: controls, and formats but for those that are as usual as
#: spaces: what joins or parts letters in Persian and emoji, and the marks between directions that times in Arabic have
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u115f\u1160\u180e\u200b\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_BETWEEN = re.compile(r"\n(?:[ \t]*\n)+")
#: what only the first line of a block has
_BEGINS = re.compile(
    r"[ \t]*(?:(?P<heading>#{1,6})[ \t]|(?P<item>[-*+]|\d{1,9}[.)])[ \t]|(?P<quote>>)|[|~`=]|\{%|-{3})"
)
# Within a tag stands no end of one, so that there is one way to read a line: many tags in a row cost nothing.
_CONDITION = re.compile(r"\s*(?:\{%(?:(?!%\}).)*%\}\s*)+")
_ENDS_LINE = ("  ", "\\")
#: where all lines are shorter, their author and not an editor ended them: an address, a closing formula
_NARROW_COLUMNS = 50


class Kind(StrEnum):
    """What a block is, by how it begins."""

    HEADING = "heading"
    ITEM = "item"
    QUOTE = "quote"
    CONDITION = "condition"  # who gets what follows
    PARAGRAPH = "paragraph"


@dataclass(frozen=True, slots=True)
class Block:
    """Some lines that belong together."""

    kind: Kind
    words: str  # as written, but for white space: lines that an editor broke are joined


def blocks(source: str) -> list[Block]:
    """A text in Markdown, block by block."""
    return [_block(lines) for lines in _groups(source)]


def _groups(source: str) -> Iterator[list[str]]:
    for chunk in _BETWEEN.split(source):
        group: list[str] = []
        for line in chunk.split("\n"):
            if group and (_BEGINS.match(line) or _kind(group[0]) in (Kind.HEADING, Kind.CONDITION)):
                yield group
                group = []
            if line.strip():
                group.append(line)
        if group:
            yield group


def _kind(line: str) -> Kind:
    if _CONDITION.fullmatch(line):
        return Kind.CONDITION
    begins = _BEGINS.match(line)
    return Kind(begins.lastgroup) if begins and begins.lastgroup else Kind.PARAGRAPH


def _block(lines: Sequence[str]) -> Block:
    is_narrow = all(len(line) < _NARROW_COLUMNS for line in lines)
    words = lines[0]
    for line in lines[1:]:
        words += ("\n" if is_narrow or words.endswith(_ENDS_LINE) else " ") + line
    return Block(_kind(lines[0]), words)


def visible(words: str) -> Markup:
    """Words for a page, on which what nobody would see is shown by its number."""
    if not _HIDDEN.search(words):  # nearly always
        return escape(words)
    pieces = [escape(piece) for piece in _HIDDEN.split(words)]
    signs = [Markup('<span class="sign">U+{:04X}</span>').format(ord(sign)) for sign in _HIDDEN.findall(words)]
    return Markup("").join(part for pair in zip(pieces, (*signs, Markup("")), strict=True) for part in pair)
