"""Folding: what two spellings of a name have in common, of a country, a language, a union, a list or a column,
in files and on forms."""

import unicodedata
from functools import lru_cache

#: signs that people and programs write for an apostrophe, and letters that stand for one
_APOSTROPHES = "'’‘‛′`´ʹʻʼʽˈ＇"
#: letters that Unicode does not take apart into one of ASCII and a mark
ASCII_FOR = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i"}
)
_SIGNS = str.maketrans(dict.fromkeys(_APOSTROPHES, "") | {"&": " and "})

#: combining classes below this one are signs that make another word, as in Hindi, Thai and Japanese, but for these
_FIRST_ACCENT = 200
_VOWEL_POINTS = range(10, 36)  # of Hebrew and Arabic, which are usually left out


@lru_cache(maxsize=4096)  # the rows of a file name the same few unions
def fold(text: str) -> str:
    """A name without what people do not see or do not type: capitals, accents, apostrophes and other punctuation, and
    how words are spaced. "DOCKERS’  UNION" and "Dockers' union" are one, and so is a name from a Mac, which takes
    accents apart.

    :returns: words with one space between them, to be compared and never shown; "" where there is no letter or digit.
    """
    lower = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text.translate(_SIGNS)).casefold())
    kept = "".join(_kept(char) for char in lower.translate(ASCII_FOR))
    return " ".join(unicodedata.normalize("NFC", kept).split())


def fold_whole(text: str) -> str:
    """Likewise in one piece: "E-Mail" is "email" too, as columns of files are called and filled in.

    :returns: letters and digits without a space between them.
    """
    return fold(text).replace(" ", "")


def _kept(char: str) -> str:
    """A character of a folded name: itself, a space in its place, or nothing."""
    if char.isalnum():
        return char
    accent = unicodedata.combining(char)
    category = unicodedata.category(char)
    if accent >= _FIRST_ACCENT or accent in _VOWEL_POINTS or category in ("Cf", "Me"):
        return ""
    return char if category in ("Mn", "Mc") else " "
