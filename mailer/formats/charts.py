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

# Columns, of which there may be so many that each is a pixel wide.
_COLUMNS_TOP = 64  # height of the title, and of the largest number below it
_COLUMNS = 120  # height of the highest column
_COLUMNS_BELOW = 28  # height of the names below
_LINE = 18  # height of one more line of them
_MOST_COLUMNS = _WIDTH - 2 * _MARGIN
_NUMBERED = 6  # columns that have room for a number each

# A page that holds a chart gives it other colours by these classes, as for the dark.
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


def columns(title: str, rows: Sequence[tuple[str, int | None]], *, hidden: str, empty: str) -> str:
    """Draw numbers over time as columns side by side, as one SVG element; all else as for `bars`. Only the first and
    the last have their names below: whoever hears it gets all.

    :param rows: name → number, of times that are equally long and follow each other; the last few hundred are drawn.
    """
    chart = _Chart(title, hidden)
    if not any(number != 0 for _, number in rows):
        return chart.draw([], empty)
    return chart.draw_columns(rows[-_MOST_COLUMNS:], rows)


class _Chart:
    """Draws from one side to the other: `start` is the left, or the right where the title is read from there."""

    def __init__(self, title: str, hidden: str) -> None:
        self._title = _clean(title)
        self._hidden = _clean(hidden)
        self._direction = _direction(self._title, "ltr")
        self._name = f"chart-{sha256(self._title.encode()).hexdigest()[:8]}"  # several may stand on one page

    def draw(self, rows: Sequence[tuple[str, int | None]], empty: str) -> str:
        """The whole element, with the sentence `empty` where there are no rows."""
        most = max((number or 0 for _, number in rows), default=0)
        parts = [self._row(_TITLE + place * _ROW, *row, most=most) for place, row in enumerate(rows)]
        if not rows:
            parts = [self._text(0, _TITLE + 13, _shortened(_clean(empty)))]
        return self._element(_TITLE + max(len(rows), 1) * _ROW, self._spoken(rows) or _clean(empty), parts)

    def draw_columns(self, rows: Sequence[tuple[str, int | None]], spoken: Sequence[tuple[str, int | None]]) -> str:
        """The whole element, of which more can be said than is drawn."""
        most = max((number or 0 for _, number in rows), default=0)
        foot = _COLUMNS_TOP + _COLUMNS
        room = (_WIDTH - 2 * _MARGIN) / len(rows)
        parts = [self._column(place, number, room, most=most) for place, (_, number) in enumerate(rows)]
        parts.append(self._rect(_MARGIN, foot, _WIDTH - 2 * _MARGIN, 1, _HATCH, "chart-line"))
        ends = [_clean(rows[0][0]), *([_clean(rows[-1][0])] if len(rows) > 1 else [])]
        lower = 0 if all(_shortened(name, _NAME_CELLS // 2) == name for name in ends) else (len(ends) - 1) * _LINE
        parts.append(self._text(0, foot + 18, _shortened(ends[0])))
        for name in ends[1:]:
            parts.append(self._text(_WIDTH - 2 * _MARGIN, foot + 18 + lower, _shortened(name), to_end=True))
        if most and len(rows) > _NUMBERED:
            parts.append(self._text(0, _COLUMNS_TOP - 8, self._words(most)))
            parts.append(self._rect(_MARGIN, _COLUMNS_TOP, _WIDTH - 2 * _MARGIN, 1, _HATCH, "chart-line"))
        return self._element(foot + _COLUMNS_BELOW + lower, self._spoken(spoken), parts)

    def _element(self, height: int, spoken: str, parts: Sequence[str]) -> str:
        return "".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" role="img" class="chart" viewBox="0 0 {_WIDTH} {height}"',
                f' width="{_WIDTH}" height="{height}" direction="{self._direction}"',
                f' font-family="system-ui, sans-serif" font-size="13" fill="{_INK}"',
                f' aria-labelledby="{self._name}-title {self._name}-numbers">',
                f'<title id="{self._name}-title">{escape(self._title)}</title>',
                f'<desc id="{self._name}-numbers">{escape(spoken)}</desc>',
                self._hatching(),
                f'<rect width="{_WIDTH}" height="{height}" fill="{_PAPER}" class="chart-paper"/>',
                self._text(0, 24, _shortened(self._title), attributes=' font-weight="bold"'),
                *parts,
                "</svg>",
            ]
        )

    def _spoken(self, rows: Sequence[tuple[str, int | None]]) -> str:
        return "; ".join(f"{_clean(name)}: {self._words(number)}" for name, number in rows)

    def _row(self, top: int, name: str, number: int | None, *, most: int) -> str:
        room = _WIDTH - 2 * _MARGIN - _NUMBER
        length = _STUB if number is None else round(room * number / most) if number else 0
        if number:
            length = max(length, 2)
        left = _MARGIN if self._direction == "ltr" else _WIDTH - _MARGIN - length
        return "".join(
            [
                self._text(0, top + 13, _shortened(_clean(name))),
                self._filled(left, top + 19, length, _BAR, number) if length else "",
                self._text(length + 6 if length else 0, top + 32, self._words(number)),
            ]
        )

    def _column(self, place: int, number: int | None, room: float, *, most: int) -> str:
        if number == 0:
            return ""
        height = _STUB if number is None else max(round(_COLUMNS * number / most), 2)
        width = room if room < 3 else room - 1 if room < 20 else room * 0.8
        start = place * room + (room - width) / 2
        left = _MARGIN + start if self._direction == "ltr" else _WIDTH - _MARGIN - start - width
        top = _COLUMNS_TOP + _COLUMNS - height
        label = self._text(place * room, top - 6, self._words(number)) if self._has_numbers(room) else ""
        return self._filled(round(left, 2), top, round(width, 2), height, number) + label

    def _has_numbers(self, room: float) -> bool:
        return room * (_NUMBERED + 1) > _WIDTH - 2 * _MARGIN

    def _filled(self, left: float, top: int, width: float, height: int, number: int | None) -> str:
        if number is None:
            edge = f' stroke="{_HATCH}"'
            return self._rect(left, top, width, height, f"url(#{self._name}-hidden)", "chart-hidden", edge)
        return self._rect(left, top, width, height, _FILL, "chart-bar")

    def _rect(
        self, left: float, top: int, width: float, height: int, fill: str, kind: str, attributes: str = ""
    ) -> str:
        return (
            f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="{fill}" class="{kind}"{attributes}/>'
        )

    def _text(self, from_start: float, baseline: int, words: str, *, to_end: bool = False, attributes: str = "") -> str:
        """A line of text at a distance from where the chart begins; one of the other direction ends there.

        :param to_end: it ends there, instead of beginning.
        """
        own = _direction(words, self._direction)
        x = _MARGIN + from_start if self._direction == "ltr" else _WIDTH - _MARGIN - from_start
        anchor = "start" if (own == self._direction) is not to_end else "end"
        return (
            f'<text x="{round(x, 2)}" y="{baseline}" direction="{own}" text-anchor="{anchor}"{attributes}>'
            f"{escape(words)}</text>"
        )

    def _words(self, number: int | None) -> str:
        return self._hidden if number is None else f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")

    def _hatching(self) -> str:
        return (
            f'<defs><pattern id="{self._name}-hidden" width="6" height="6" patternUnits="userSpaceOnUse"'
            f' patternTransform="rotate(45)"><rect width="6" height="6" fill="{_PAPER}" class="chart-paper"/>'
            f'<rect width="2" height="6" fill="{_HATCH}" class="chart-hatch"/></pattern></defs>'
        )


def _clean(words: str) -> str:
    return " ".join(_NOT_IN_XML.sub("", words).split())


def _direction(words: str, otherwise: str) -> str:
    """By the first letter that has one (UAX #9, P2)."""
    for char in words:
        if (kind := unicodedata.bidirectional(char)) in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return otherwise


def _shortened(words: str, cells: int = _NAME_CELLS) -> str:
    """As much as fits into a line, or into so many of its cells."""
    room = cells
    for place, char in enumerate(words):
        room -= 2 if unicodedata.east_asian_width(char) in "WF" else 0 if unicodedata.combining(char) else 1
        if room < 0:
            return words[: place - 1].rstrip() + "…"
    return words
