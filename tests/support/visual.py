"""What people see of a mail that is written from right to left: its lines in visual order (UAX #9)."""

import re
from html.parser import HTMLParser

from bidi import get_display

_INLINE = frozenset({"a", "bdi", "code", "em", "s", "span", "strong", "sup"})
_UNSEEN = frozenset({"style", "title", "script"})
_ISOLATES = {"ltr": "\u2066", "rtl": "\u2067"}
_CLOSE = "\u2069"
_CONTROLS = re.compile("[\u2066-\u2069]")


def lines_of_html(html: str) -> list[str]:
    """The lines of a page in a mail program that drops `<bdi>` and `dir="auto"`, as many do."""
    reader = _Reader()
    reader.feed(html)
    return lines_of_text(re.sub(r"[^\S\n]+", " ", "".join(reader.words)))


def lines_of_text(text: str) -> list[str]:
    """The lines of a plain text that a mail program shows from right to left."""
    return [_CONTROLS.sub("", get_display(line.strip(), base_dir="R")) for line in text.splitlines()]


def of(value: str) -> str:
    """A value by itself, as people see it."""
    return _CONTROLS.sub("", get_display(f"\u2068{value}{_CLOSE}", base_dir="R"))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._ends: list[str] = []  # of the spans that are open
        self._unseen = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen |= tag in _UNSEEN
        if tag == "span":
            isolate = _ISOLATES.get(dict(attrs).get("dir") or "", "")
            self.words.append(isolate)
            self._ends.append(_CLOSE if isolate else "")
        elif tag not in _INLINE:
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._unseen &= tag not in _UNSEEN
        if tag == "span":
            self.words.append(self._ends.pop())
        elif tag not in _INLINE:
            self.words.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.words.append(data.replace("\n", " "))
