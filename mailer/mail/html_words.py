"""What a reader of HTML gets to see of it, and what its links hold."""

from collections.abc import Sequence
from html.parser import HTMLParser

#: stands within a line of words; everything else begins a new one
_INLINE = {
    "a",
    "abbr",
    "b",
    "bdi",
    "bdo",
    "cite",
    "code",
    "del",
    "dfn",
    "em",
    "font",
    "i",
    "ins",
    "kbd",
    "mark",
    "q",
    "s",
}
_INLINE |= {"samp", "small", "span", "strong", "sub", "sup", "u", "var"}
_HIDDEN = frozenset(["style", "script"])
_SHOWN = frozenset(["href", "title", "alt", "src", "aria-label"])


def read(html: str) -> tuple[str, Sequence[str]]:
    """The words of some HTML, a new line for each block; and the addresses, titles and descriptions in its tags."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return "".join(reader.words), reader.attributes


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.attributes: list[str] = []
        self._hidden = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.extend(value for name, value in attrs if name in _SHOWN and value)
        self._hidden = tag if tag in _HIDDEN else self._hidden
        self._part(tag)

    def handle_endtag(self, tag: str) -> None:
        self._hidden = "" if tag == self._hidden else self._hidden
        self._part(tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)

    def _part(self, tag: str) -> None:
        if tag not in _INLINE | _HIDDEN:
            self.words.append("\n")
