"""Spelling: what a letter counts for when words are compared that somebody may have written in another way.

Without case and accents; letters of one sound that neighbours write differently count as one (Persian and Arabic "ی"
and "ي"), and so do letters that look alike (Unicode Technical Standard 39). A word is read in several ways, because "ü"
is "u" to some and "ue" to others.
"""

import enum
import unicodedata
from collections.abc import Mapping
from functools import cache

_LATIN = "abcdefghijklmnopqrstuvwxyz"
#: letters that Unicode does not take apart into one of ASCII and a mark
_PLAIN = {
    "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ħ": "h", "ı": "i", "ə": "e", "ŋ": "n",
}  # fmt: skip
#: what is written for letters with these signs where a keyboard has none
_TWO_LETTERS = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "đ": "dj", "ŋ": "ng", "ə": "a"}
#: letters that writers of Arabic, Persian, Urdu and Kurdish put for each other, and two nasal signs of Hindi
_NEIGHBOURS = {
    **dict.fromkeys("یىې", "ي"),
    **dict.fromkeys("ةەہھۃ", "ه"),
    "ک": "ك",
    "ٱ": "ا",
    "ँ": "ं",
}
#: their letters are not taken apart: a syllable or a voiced sound is another one
_WHOLE = frozenset(["HANGUL", "HIRAGANA", "KATAKANA", "CJK"])
#: signs above and below are vowels here, without which it would be another word
_SPELT_WITH_SIGNS = {
    "DEVANAGARI",
    "BENGALI",
    "GURMUKHI",
    "GUJARATI",
    "ORIYA",
    "TAMIL",
    "TELUGU",
    "KANNADA",
    "MALAYALAM",
}
_SPELT_WITH_SIGNS |= {"SINHALA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"}
_NUKTA = 7  # the combining class of a dot that is often left out
#: sounds like a letter of its own, though Unicode calls it a sign: 佐々木
_REPETITION = "々"


class Reading(enum.Enum):
    """A way in which letters are read."""

    PLAIN = "ü is u"
    TWO_LETTERS = "ü is ue"
    LOOKS = "a letter that looks like a Latin one is that one, as it stands there: a Greek capital Ν is n"
    LOOKS_SMALL = "likewise, but as its small letter looks: it is v, and so is the small ν"


@cache
def letters(char: str, reading: Reading) -> str:
    """What a character of a text in NFKC counts for: small letters and digits, or nothing."""
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    if reading is Reading.TWO_LETTERS and (two := _TWO_LETTERS.get(char.casefold())):
        return two
    parts = char if script(char) in _WHOLE else unicodedata.normalize("NFKD", char)
    if reading is Reading.LOOKS:
        small = "".join(_look_alikes().get(each) or each.casefold() for each in parts)
    elif reading is Reading.LOOKS_SMALL:
        small = "".join(_look_alikes().get(each, _look_alikes().get(each.upper(), each)) for each in parts.casefold())
    else:
        small = parts.casefold()
    return "".join(_NEIGHBOURS.get(each, _PLAIN.get(each, each)) for each in small if _counts(each))


def _counts(char: str) -> bool:
    category = unicodedata.category(char)
    if category[0] == "M":
        return script(char) in _SPELT_WITH_SIGNS and unicodedata.combining(char) != _NUKTA
    return category[0] in "LN" and (category != "Lm" or char == _REPETITION)


@cache
def script(char: str) -> str:
    """The script of a letter as Unicode names it ("LATIN"), "DIGIT" of a number, "" of anything else."""
    if char.isdecimal():
        return "DIGIT"
    return unicodedata.name(char, "").partition(" ")[0] if unicodedata.category(char)[0] in "LM" else ""


class Table(dict[int, str]):
    """For `str.translate`: fills itself with what each character counts for. A whole mail takes a millisecond."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def __missing__(self, code: int) -> str:
        self[code] = found = letters(chr(code), self._reading)
        return found


@cache
def _look_alikes() -> Mapping[str, str]:
    """Letter of another alphabet, as it is written → the small Latin one that it looks like."""
    # Here, not above: it reads a megabyte, and few processes ever compare a word.
    from confusable_homoglyphs import confusables

    alike = {"Ι": "i", "І": "i"}  # Greek and Cyrillic; to Unicode they look like a small l, as a Latin capital I does
    for latin in _LATIN + _LATIN.upper():
        for entry in confusables.is_confusable(latin, greedy=True) or ():
            for found in entry["homoglyphs"]:
                other = found["c"]
                # Alphabets with capitals, such as Greek. A stroke of Arabic or Hebrew looks like too many others.
                if len(other) == 1 and not other.isascii() and other.lower() != other.upper():
                    alike.setdefault(other, latin.lower())
    return alike
