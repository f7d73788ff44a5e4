"""What must never appear: names and words that would harm somebody, found however they are written.

Compared are letters and digits alone, after NFKC, without case, marks and spaces. Letters of another alphabet that look
like a Latin one count as that one: a Cyrillic "а" in a Latin name hides nothing (Unicode Technical Standard 39).
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from confusable_homoglyphs import confusables

_LATIN = "abcdefghijklmnopqrstuvwxyz"
#: with fewer letters than these, a form counts only as a word of its own: "Al" stands in too many others
_LONG_ENOUGH = 4
#: Scripts that write words together, or put "and", "of" and "to" right before a name: a form may begin within a word.
_JOINED = ("ARABIC", "HEBREW", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "CJK", "HIRAGANA", "KATAKANA", "SYRIAC")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was found that must never appear."""

    where: str  # "en.md"
    line: int


class Never:
    """The forms that must not appear. Nothing here shows one of them: not an error, not a `repr`."""

    def __init__(self, forms: Iterable[str]) -> None:
        self._forms = [folded for form in forms if (folded := _fold(form).letters)]

    def find(self, where: str, text: str, *, first_line: int = 1) -> Iterator[Place]:
        """The lines of a text on which a form begins, each once."""
        folded = _fold(text)
        lines = {line for form in self._forms for line in folded.lines_with(form)}
        for line in sorted(lines):
            yield Place(where, line + first_line)


@dataclass(frozen=True, slots=True)
class _Folded:
    letters: str
    lines: list[int]  # of each letter, from 0
    starts: list[bool]  # whether a word begins with it, one more for the end

    def lines_with(self, form: str) -> Iterator[int]:
        """The lines on which a folded form begins."""
        is_joined = unicodedata.name(form[0], "").startswith(_JOINED)
        at = self.letters.find(form)
        while at >= 0:
            ends_word = len(form) >= _LONG_ENOUGH or is_joined or self.starts[at + len(form)]
            if (is_joined or self.starts[at]) and ends_word:
                yield self.lines[at]
            at = self.letters.find(form, at + 1)


def _fold(text: str) -> _Folded:
    letters, lines, starts = [], [], []
    line, begins = 0, True
    for char in unicodedata.normalize("NFC", text):
        line += char == "\n"
        kept = _letters(char)
        for letter in kept:
            letters.append(letter)
            lines.append(line)
            starts.append(begins)
            begins = False
        # A mark, a soft hyphen or a zero-width sign does not begin a word.
        begins = begins or (not kept and unicodedata.category(char)[0] not in "MC") or char == "\n"
    return _Folded("".join(letters), lines, [*starts, True])


@cache
def _letters(char: str) -> str:
    """What a character counts for: letters and digits, or nothing."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", char).casefold())
    return "".join(_look_alikes().get(letter, letter) for letter in plain if letter.isalnum())


@cache
def _look_alikes() -> dict[str, str]:
    """Small letter of another alphabet → the Latin one that it looks like, or whose capital its own looks like."""
    small = {other: letter for letter in _LATIN for other in _like(letter) if other == other.casefold()}
    capitals = {other.casefold(): letter for letter in _LATIN for other in _like(letter.upper()) if other.isupper()}
    return {other: letter for other, letter in (capitals | small).items() if not other.isascii()}


def _like(letter: str) -> Iterator[str]:
    """The single letters that look like one."""
    for entry in confusables.is_confusable(letter, greedy=True) or ():
        yield from (found["c"] for found in entry["homoglyphs"] if len(found["c"]) == 1 and found["c"].isalpha())
