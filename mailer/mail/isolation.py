"""Values in words of another script, set apart so that neither turns the other around (UAX #9).

In HTML by `<span dir>`: Gmail, Outlook, Yahoo and Mail.ru drop `<bdi>`, and what HTML leaves to a reader, `dir="auto"`,
is computed here. In plain text by isolates, where nothing else is known to a mail program.
"""

import html
import re
import unicodedata
from typing import Literal

OPEN, CLOSE = "\u2068", "\u2069"  # FIRST STRONG ISOLATE, POP DIRECTIONAL ISOLATE
_OPEN_AS = {"ltr": "\u2066", "rtl": "\u2067"}  # LEFT-TO-RIGHT ISOLATE, RIGHT-TO-LEFT ISOLATE
_SIGNS = re.compile(f"[{OPEN}{CLOSE}{''.join(_OPEN_AS.values())}]")

#: What stays in order by itself, and what a program that makes it a link should find nothing beside.
_ADDRESS = re.compile(r"(?:[A-Za-z][!-~]*@|https?://)[!-~]*[A-Za-z0-9]")


def direction(value: str) -> Literal["ltr", "rtl"]:
    """Which way a value runs: that of its first letter (UAX #9, P2); left to right if it has none."""
    for character in value:
        match unicodedata.bidirectional(character):
            case "L":
                return "ltr"
            case "R" | "AL":
                return "rtl"
    return "ltr"


def in_html(value: str) -> str:
    """A value between tags, escaped."""
    return f'<span dir="{direction(value)}">{html.escape(value)}</span>' if value else ""


def in_text(value: str, around: str) -> str:
    """A value in a plain text. Where all runs from left to right, it stays as it is.

    :param around: the direction of the text, "ltr" or "rtl".
    """
    if not value or _ADDRESS.fullmatch(value):
        return value
    turns = around == "rtl" or any(unicodedata.bidirectional(each) in ("R", "AL", "AN") for each in value)
    return f"{OPEN}{value}{CLOSE}" if turns else value


def turned(line: str, direction: str) -> str:
    """A line of plain text that runs another way than the text around it."""
    return f"{_OPEN_AS[direction]}{line}{CLOSE}"


def over_lines(lines: list[str]) -> list[str]:
    """The lines of a paragraph, an isolate that a line end would close being opened again behind it."""
    opened: list[str] = []
    whole = []
    for line in lines:
        again = "".join(opened)
        for sign in _SIGNS.findall(line):  # a loop over every letter would take 5 µs a mail
            if sign != CLOSE:
                opened.append(sign)
            elif opened:
                opened.pop()
        whole.append(again + line + CLOSE * len(opened))
    return whole
