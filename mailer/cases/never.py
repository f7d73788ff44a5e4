"""What must never appear: names and words that would harm somebody, found however they are written.

Letters are compared as `spelling` reads them. What stands between them does not count, but white space does: "I am in"
is no "Amin". Where a word may begin and end depends on its script.
"""

import functools
import html
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote

from mailer.cases import spelling
from mailer.cases.spelling import Reading, Table

#: with as many letters, a form is found inside another word: #FreeAmalOdeh
_UNMISTAKABLE = 7
#: with fewer, only as a word of its own
_TAKES_ENDINGS = 4
#: with fewer, "A m a l" is not it: "a l" is nobody
_MAY_BE_SPACED = 3

# --- where words begin and end --------------------------------------------------------------------------------------

#: no white space between words, so that there may be some anywhere
_SPACELESS = frozenset(["CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "DIGIT"])
#: what is written right before a word: "and", "in", "to", "the"
_BEFORE = {
    "ARABIC": "[وف]?[بكل]?(ا?ل)?",
    "HEBREW": "[והבכלמש]{0,3}",
    "SYRIAC": "[ܘܒܕܠ]{0,3}",
    "ETHIOPIC": ".{0,2}",
}
#: endings of cases and possession, as they are written right behind a name
_AFTER = {
    "LATIN": "|a|as|e|em|en|ens|es|i|ie|iem|im|in|ja|ka|le|lla|n|na|nak|ne|nek|nin|ns|om|os|ot|ou|ov|ova|ovi|ow|owi|s|"
    "ta|u|un|us|val|vel|y|yi|ya|ye|yla|yle",
    "CYRILLIC": "|а|ам|ами|ах|е|ев|еви|ем|ею|и|ий|ию|ия|о|ов|ові|ой|ом|ою|у|ы|ь|ю|я|ям|ями|ях|їв|і|ів",
    "ARABIC": "|.|ها|ات",
    "HEBREW": ".?",
    "GREEK": ".{0,2}",
    "DEVANAGARI": ".{0,2}",
}
_NOTHING, _A_FEW, _ANYTHING = "", ".{0,5}", ".*"
#: more letters than any of these but the last one takes, so that a "word" of a hundred thousand is not read for each
_FAR = 12
#: where words are written together, or their parts are words themselves
_ANYWHERE = _SPACELESS - {"DIGIT"} | {"HANGUL"}
#: between two letters of a word these do not count: what marks words up, hyphens, apostrophes, what nobody sees
_INSIDE = frozenset("*_~`\\[]-‐‑.'’‘·")
_INSIDE_CATEGORIES = frozenset(["Cf", "Lm", "Sk", "Mn", "Me"])
_SOFT_HYPHEN = "\u00ad"
_HYPHENS = frozenset("-‐‑")


def _before(script: str) -> str:
    return _ANYTHING if script in _ANYWHERE else _BEFORE.get(script, _NOTHING)


def _after(script: str, length: int) -> str:
    """:param length: of the form, in letters."""
    if script in _ANYWHERE:
        return _ANYTHING
    takes_endings = length >= _TAKES_ENDINGS or script == "ETHIOPIC"  # whose letters are syllables
    return _AFTER.get(script, _A_FEW) if takes_endings and script != "DIGIT" else _NOTHING


# --- words ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """A line on which something begins that must never appear. Not what."""

    line: int
    form: int  # its number in the list, from 0


class Never:
    """The forms that must not appear. Nothing here shows one of them: not an error, not a `repr`."""

    def __init__(self, forms: Iterable[str]) -> None:
        self._forms = _by_reading(tuple(forms))

    def find(self, text: str, *, first_line: int = 1) -> list[Hit]:
        """Where a form begins in a text, each once a line.

        :param text: plain, Markdown or an address, in which `&#65;`, `%41` and `xn--…` are read as what they stand for.
        """
        if not self._forms[Reading.PLAIN]:  # most campaigns have none, and a kit for each union
            return []
        plain = "\n".join(" ".join(html.unescape(line).splitlines()) for line in text.split("\n"))
        found = {hit for each in {plain, _decoded(plain)} for hit in self._find(unicodedata.normalize("NFKC", each))}
        return sorted(Hit(hit.line + first_line, hit.form) for hit in found)

    def holds(self, *texts: str) -> bool:
        """Whether a form stands in any of some texts."""
        return any(self.find(text) for text in texts)

    def _find(self, text: str) -> Iterator[Hit]:
        """With lines from 0."""
        for reading, forms in self._forms.items():
            # Most texts hold none, and need no closer look.
            letters = text.translate(_TABLES[reading])
            near = [(number, form) for number, form in forms if form.letters and form.letters in letters]
            if near:
                words = _Words(text, reading)
                yield from (Hit(line, number) for number, form in near for line in words.lines_with(form))


@functools.lru_cache(maxsize=64)  # a check of a campaign asks for each of its letters, and each of its texts
def _by_reading(forms: tuple[str, ...]) -> Mapping[Reading, Sequence[tuple[int, "_Words"]]]:
    return {reading: [(number, _Words(form, reading)) for number, form in enumerate(forms)] for reading in Reading}


_TABLES: Mapping[Reading, Table] = MappingProxyType({reading: Table(reading) for reading in Reading})


def _decoded(text: str) -> str:
    """A text with what percent signs and Punycode stand for, on the same lines."""
    # Twice: an address that is part of another's is quoted again.
    lines = (" ".join(unquote(unquote(line)).splitlines()) if "%" in line else line for line in text.split("\n"))
    return _PUNYCODE.sub(_unicode, "\n".join(lines))


def _unicode(found: re.Match[str]) -> str:
    try:
        return found[1].encode("ascii").decode("punycode")
    except UnicodeError:
        return found[0]


#: a label of a domain, RFC 5890
_PUNYCODE = re.compile(r"\bxn--([a-z0-9-]+)", re.IGNORECASE | re.ASCII)


class _Words:
    """A text in NFKC as it is compared: letters, and of each its script, its line and what stands before it."""

    __slots__ = ("begins", "letters", "lines", "parted", "scripts", "spaced")

    def __init__(self, text: str, reading: Reading) -> None:
        self.letters = ""
        self.scripts: list[str] = []
        self.lines: list[int] = []  # from 0
        self.begins: list[bool] = []  # whether a word begins with it; one more for the end
        self.spaced: list[bool] = []  # whether white space stands before it, or what parts words as well
        self.parted: list[bool] = []  # likewise, or a hyphen
        self._read(unicodedata.normalize("NFKC", text), reading)

    def _read(self, text: str, reading: Reading) -> None:
        line, before, last = 0, "", ""
        begins = spaced = parted = True
        read: list[str] = []
        for char in text:
            found = spelling.letters(char, reading)
            if not found:
                line += char == "\n"
                begins |= unicodedata.category(char) not in ("Mn", "Me") and char != _SOFT_HYPHEN
                spaced |= _is_space(char) and not (char == "\n" and last == "-")
                parted |= spaced or char in _HYPHENS
                last = char
                continue
            begins |= _changes(before, char)
            read.append(found)
            for _ in found:
                self.scripts.append(spelling.script(char) or "DIGIT")
                self.lines.append(line)
                self.begins.append(begins)
                self.spaced.append(spaced)
                self.parted.append(parted)
                begins = spaced = parted = False
            before = last = char
        self.letters = "".join(read)
        self.begins.append(True)

    def lines_with(self, form: "_Words") -> Iterator[int]:
        """The lines on which a form begins."""
        at = self.letters.find(form.letters)
        while at >= 0:
            if self._has(form, at):
                yield self.lines[at]
            at = self.letters.find(form.letters, at + 1)

    def _has(self, form: "_Words", at: int) -> bool:
        """Whether a form that has the same letters as we from some place on stands there."""
        length = len(form.letters)
        gaps = [k for k in range(1, length) if self._is_spaced(at + k)]
        words = [0, *(k for k in range(1, length) if form.parted[k]), length]
        for start, end in itertools.pairwise(words):
            inside = sum(start < k < end for k in gaps)
            is_spaced_out = inside == end - start - 1 and end - start >= _MAY_BE_SPACED
            if inside and not is_spaced_out:
                return False
        if length < _TAKES_ENDINGS and not set(form.scripts) & set(self.scripts[at : at + length]):
            return False  # it looks like another alphabet's word, and is one: Greek "ένα" is no "Eva"
        if length >= _UNMISTAKABLE and not gaps:
            return True
        before, after = self.letters[self._begin(at) : at], self.letters[at + length : self._end(at + length)]
        return bool(
            re.fullmatch(_before(form.scripts[0]), before) and re.fullmatch(_after(form.scripts[-1], length), after)
        )

    def _is_spaced(self, at: int) -> bool:
        return self.spaced[at] and not {self.scripts[at - 1], self.scripts[at]} <= _SPACELESS

    def _begin(self, at: int) -> int:
        """Where the word begins that a letter is in, unless that is far away."""
        nearest = max(0, at - _FAR)
        while at > nearest and not self.begins[at]:
            at -= 1
        return at

    def _end(self, at: int) -> int:
        """Where the next word begins, from a letter on, unless that is far away."""
        farthest = min(len(self.letters), at + _FAR)
        while at < farthest and not self.begins[at]:
            at += 1
        return at


def _is_space(char: str) -> bool:
    """Whether what is no letter parts words."""
    return char not in _INSIDE and unicodedata.category(char) not in _INSIDE_CATEGORIES


def _changes(before: str, char: str) -> bool:
    """Whether a word begins between two letters: in "2026Amal", "在Amal" and "freeAmal"."""
    if not before or unicodedata.category(char)[0] == "M":
        return False
    return spelling.script(before) != spelling.script(char) or (before.islower() and char.isupper())
