"""Charts as SVG: static, readable aloud, with nothing loaded from anywhere."""

import re
import unicodedata
from collections.abc import Sequence
from hashlib import sha256
from html import escape

#: XML 1.0, 2.2: what no XML may hold
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# In CSS pixels: as wide as a phone shows. Measured for 13-pixel letters of what sans-serif a reader's machine has.
_WIDTH = 390
_MARGIN = 12
_TITLE = 40  # height of the title with the space below it
_ROW = 44  # height of a name, its bar below, and the space between two
_BAR = 16  # height of a bar
_STUB = 28  # length of the bar of a hidden number
_NUMBER = 90  # kept free behind the longest bar
_NAME_CELLS = 48  # letters of a name that fit; a wide one (UAX #11) counts twice

_INK, _PAPER, _FILL, _HATCH = "#1b2430", "#ffffff", "#2c5a8c", "#6b7480"


def bars(title: str, rows: Sequence[tuple[str, int | None]], *, hidden: str, empty: str) -> str:
    """Draw numbers as horizontal bars with their names, as one SVG element.

    It is as wide as a phone, and begins on the right if its title does. Whoever hears it gets the numbers as words.

    :param title: what is counted.
    :param rows: name → number, 0 or more, in the order to be drawn; None for a number too small to show.
    :param hidden: the word for such a number, such as "under 10".
    :param empty: the sentence that stands there instead where every number is 0.
    """
    return _Chart(title, hidden).draw(rows if any(number != 0 for _, number in rows) else [], empty)


class _Chart:
    """Draws from one side to the other: `start` is the left, or the right where the title is read from there."""

    def __init__(self, title: str, hidden: str) -> None:
        self._title = _clean(title)
        self._hidden = _clean(hidden)
        self._direction = _direction(self._title, "ltr")
        self._name = f"chart-{sha256(self._title.encode()).hexdigest()[:8]}"  # several may stand on one page

    def draw(self, rows: Sequence[tuple[str, int | None]], empty: str) -> str:
        """The whole element, with the sentence `empty` where there are no rows."""
        height = _TITLE + max(len(rows), 1) * _ROW
        most = max((number or 0 for _, number in rows), default=0)
        spoken = "; ".join(f"{_clean(name)}: {self._words(number)}" for name, number in rows) or _clean(empty)
        return "".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"',
                f' height="{height}" direction="{self._direction}" font-family="system-ui, sans-serif" font-size="13"',
                f' fill="{_INK}" aria-labelledby="{self._name}-title {self._name}-numbers">',
                f'<title id="{self._name}-title">{escape(self._title)}</title>',
                f'<desc id="{self._name}-numbers">{escape(spoken)}</desc>',
                self._hatching(),
                f'<rect width="{_WIDTH}" height="{height}" fill="{_PAPER}"/>',
                self._text(0, 24, _shortened(self._title), ' font-weight="bold"'),
                *([] if rows else [self._text(0, _TITLE + 13, _shortened(_clean(empty)))]),
                *(self._row(_TITLE + place * _ROW, *row, most=most) for place, row in enumerate(rows)),
                "</svg>",
            ]
        )

    def _row(self, top: int, name: str, number: int | None, *, most: int) -> str:
        room = _WIDTH - 2 * _MARGIN - _NUMBER
        length = _STUB if number is None else round(room * number / most) if number else 0
        if number:
            length = max(length, 2)
        left = _MARGIN if self._direction == "ltr" else _WIDTH - _MARGIN - length
        fill = f"url(#{self._name}-hidden)" if number is None else _FILL
        edge = f' stroke="{_HATCH}"' if number is None else ""
        bar = f'<rect x="{left}" y="{top + 19}" width="{length}" height="{_BAR}" fill="{fill}"{edge}/>'
        return "".join(
            [
                self._text(0, top + 13, _shortened(_clean(name))),
                bar if length else "",
                self._text(length + 6 if length else 0, top + 32, self._words(number)),
            ]
        )

    def _text(self, from_start: int, baseline: int, words: str, attributes: str = "") -> str:
        """A line of text at a distance from where the chart begins; one of the other direction ends there."""
        own = _direction(words, self._direction)
        x = _MARGIN + from_start if self._direction == "ltr" else _WIDTH - _MARGIN - from_start
        anchor = "start" if own == self._direction else "end"
        return (
            f'<text x="{x}" y="{baseline}" direction="{own}" text-anchor="{anchor}"{attributes}>{escape(words)}</text>'
        )

    def _words(self, number: int | None) -> str:
        return self._hidden if number is None else f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")

    def _hatching(self) -> str:
        return (
            f'<defs><pattern id="{self._name}-hidden" width="6" height="6" patternUnits="userSpaceOnUse"'
            f' patternTransform="rotate(45)"><rect width="6" height="6" fill="{_PAPER}"/>'
            f'<rect width="2" height="6" fill="{_HATCH}"/></pattern></defs>'
        )


def _clean(words: str) -> str:
    return " ".join(_NOT_IN_XML.sub("", words).split())


def _direction(words: str, otherwise: str) -> str:
    """By the first letter that has one (UAX #9, P2)."""
    for char in words:
        if (kind := unicodedata.bidirectional(char)) in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return otherwise


def _shortened(words: str) -> str:
    """As much as fits into a line."""
    room = _NAME_CELLS
    for place, char in enumerate(words):
        room -= 2 if unicodedata.east_asian_width(char) in "WF" else 0 if unicodedata.combining(char) else 1
        if room < 0:
            return words[: place - 1].rstrip() + "…"
    return words
