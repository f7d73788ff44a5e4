"""Numbers as people type them."""

import unicodedata

#: what stands between groups of digits somewhere in the world; spaces are of many kinds
_BETWEEN = frozenset(",.'’٬،_·")


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
