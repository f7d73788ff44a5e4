"""Which words of a mail hardly stand out from what is behind them: to people, and to filters that look for hidden
words."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import NamedTuple

_COLOUR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
_VOID = frozenset({"br", "hr", "meta"})
_DARK = "@media (prefers-color-scheme: dark)"


def _luminance(colour: tuple[int, ...]) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [c / 255 for c in colour]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def between(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """How much two colours differ (WCAG 2.2): from 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def pairs(html: str, *, scheme: str | None) -> dict[tuple[str, str], str]:
    """Each pair of ink and paper in a mail, with words that are written so.

    :param scheme: of those who see the mail: "light" or "dark". None for a filter, which looks at no style sheet, and
        at what is hidden too.
    """
    sheet = "".join(re.findall(r"<style[^>]*>(.*?)</style>", html, re.DOTALL)) if scheme else ""
    reader = _Reader(list(_rules(sheet, dark=scheme == "dark")), sees_hidden=scheme is None)
    reader.feed(re.sub(r"<!--.*?-->|<head>.*?</head>", "", html, flags=re.DOTALL))
    return reader.found


def of(pair: tuple[str, str]) -> float:
    """The contrast of such a pair."""
    ink, paper = (tuple(bytes.fromhex(colour[1:])) for colour in pair)
    return between(ink, paper)


class _Rule(NamedTuple):
    parts: tuple[str, ...]  # of the selector: what an element and those around it must be
    colours: dict[str, str]
    is_important: bool


class _Element(NamedTuple):
    tag: str
    names: frozenset[str]  # its tag, and its classes as ".name"
    ink: str
    paper: str
    is_seen: bool


def _rules(sheet: str, *, dark: bool) -> Iterator[_Rule]:
    """What a style sheet says of colours, the strongest last."""
    blocks = re.findall(r"(@media[^{]*?)\s*\{((?:[^{}]*\{[^{}]*\})*)\s*\}|([^{}@]+)\{([^{}]*)\}", sheet)
    plain = [(selector, said) for _, _, selector, said in blocks if selector]
    special = [rule for media, rules, _, _ in blocks if media == _DARK for rule in _split(rules)]
    found = [rule for selectors, said in plain + (special if dark else []) for rule in _read(selectors, said)]
    yield from sorted(found, key=lambda rule: (rule.is_important, sum(part[0] == "." for part in rule.parts)))


def _split(rules: str) -> list[tuple[str, str]]:
    return re.findall(r"([^{}]+)\{([^{}]*)\}", rules)


def _read(selectors: str, said: str) -> Iterator[_Rule]:
    for selector in selectors.split(","):
        if ":" not in selector:
            yield _Rule(tuple(selector.split()), _colours(said), "!important" in said)


def _colours(style: str) -> dict[str, str]:
    found = {}
    for each in style.split(";"):
        name, _, value = each.partition(":")
        if colour := _COLOUR.search(value):
            name = name.strip().lower()
            found["paper" if name.startswith("background") else "ink" if name == "color" else name] = colour[0].lower()
    return found


class _Reader(HTMLParser):
    """Walks through a mail, and knows which colours hold where it is."""

    def __init__(self, rules: list[_Rule], *, sees_hidden: bool) -> None:
        super().__init__()
        self.found: dict[tuple[str, str], str] = {}
        self._rules = rules
        self._sees_hidden = sees_hidden
        self._open = [_Element("", frozenset(), "#000000", "#ffffff", is_seen=True)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            return
        said = {name: value or "" for name, value in attrs}
        names = frozenset({tag, *(f".{name}" for name in said.get("class", "").split())})
        within = [*(element.names for element in self._open), names]
        matching = [rule for rule in self._rules if _matches(rule.parts, within)]
        colours = {"ink": self._open[-1].ink, "paper": self._open[-1].paper}
        for rule in matching:
            colours |= rule.colours if not rule.is_important else {}
        colours |= _colours(said.get("style", ""))
        for rule in matching:
            colours |= rule.colours if rule.is_important else {}
        hides = not self._sees_hidden and "display: none" in said.get("style", "")
        is_seen = self._open[-1].is_seen and not hides
        self._open.append(_Element(tag, names, colours["ink"], colours["paper"], is_seen))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self._open[-1].is_seen:
            self.found.setdefault((self._open[-1].ink, self._open[-1].paper), data.strip())


def _matches(parts: tuple[str, ...], within: list[frozenset[str]]) -> bool:
    *around, last = parts
    if last not in within[-1]:
        return False
    outer = iter(within[:-1])
    return all(any(part in names for names in outer) for part in around)
