"""Which letters the shipped fonts have."""

import re
import struct
import unicodedata
from functools import cache
from pathlib import Path

FONTS = Path(__file__).parent / "fonts"


def missing_letter(text: str) -> str | None:
    """The first letter, digit or mark of a text that cannot be printed, if there is one."""
    return next((char for char in text if char not in _printable() and _carries_meaning(char)), None)


def drop_unprintable(text: str) -> str:
    """A text without the symbols that the fonts lack, such as emoji, and with single spaces; no-break ones stay."""
    kept = (char if char in _printable() else " " if char.isspace() else "" for char in text)
    return re.sub(" +", " ", "".join(kept)).strip(" ")


def _carries_meaning(char: str) -> bool:
    """Whether the text says something else without it; a variation selector only chooses a look."""
    category = unicodedata.category(char)
    return category[0] in "LN" or (category in {"Mn", "Mc"} and not unicodedata.name(char, "").startswith("VARIATION"))


@cache
def _printable() -> frozenset[str]:
    """The characters of both scripts' fonts; the bold ones have the same."""
    codes = set[int]()
    for name in ("NotoSans-Regular.ttf", "NotoSansArabic-Regular.ttf"):
        codes |= characters((FONTS / name).read_bytes())
    codes.discard(0xFEFF)  # a byte order mark: PDF/UA-1 forbids it
    return frozenset(char for char in map(chr, codes) if unicodedata.category(char) != "Cc")


def characters(font: bytes) -> set[int]:
    """The code points that a TrueType font maps to a glyph (OpenType specification, "cmap", formats 4 and 12)."""
    (tables,) = struct.unpack_from(">H", font, 4)
    records = (struct.unpack_from(">4s4xI", font, 12 + 16 * index) for index in range(tables))
    cmap = next(offset for tag, offset in records if tag == b"cmap")
    (count,) = struct.unpack_from(">H", font, cmap + 2)
    codes = set[int]()
    for index in range(count):
        (offset,) = struct.unpack_from(">I", font, cmap + 8 + 8 * index)
        (kind,) = struct.unpack_from(">H", font, cmap + offset)
        if kind == 4:
            codes |= _of_format_4(font, cmap + offset)
        elif kind == 12:
            codes |= _of_format_12(font, cmap + offset)
    return codes


def _of_format_4(font: bytes, start: int) -> set[int]:
    (twice,) = struct.unpack_from(">H", font, start + 6)
    ends = struct.unpack_from(f">{twice // 2}H", font, start + 14)
    starts = struct.unpack_from(f">{twice // 2}H", font, start + 16 + twice)
    return {code for first, last in zip(starts, ends, strict=True) for code in range(first, last + 1)} - {0xFFFF}


def _of_format_12(font: bytes, start: int) -> set[int]:
    (count,) = struct.unpack_from(">I", font, start + 12)
    groups = (struct.unpack_from(">II", font, start + 16 + 12 * index) for index in range(count))
    return {code for first, last in groups for code in range(first, last + 1)}
