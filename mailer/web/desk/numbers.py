"""Numbers as people type them."""

import unicodedata

#: what stands between groups of digits somewhere in the world; spaces are of many kinds
_BETWEEN = frozenset(",.'’٬،_·")

#: the largest that a number of a row can be
MOST_ROWS = 2**31 - 1


def row_number(text: str) -> int:
    """The number of a row, as an address has it. No database can be asked for a larger one.

    :raises ValueError: it is none.
    """
    number = int(text)
    if not 0 <= number <= MOST_ROWS:
        raise ValueError(text)
    return number


def read(text: str) -> int | None:
    """A whole number, with or without something between its groups of digits, in the digits of any script; None if it
    is none.
    """
    kept = [
        sign
        for sign in text.strip()
        if sign not in _BETWEEN and not sign.isspace() and unicodedata.category(sign) != "Cf"
    ]
    if not kept or len(kept) > 15 or not all(sign.isdecimal() for sign in kept):
        return None
    return int("".join(kept))
