"""Countries: codes and names. Names are CLDR's, which say "Taiwan" and "Kosovo" as people do."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from functools import cache, lru_cache
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.core import get_global

from mailer.errors import MailerError
from mailer.locale.folding import fold
from mailer.locale.languages import SITE_LANGUAGES


class UnknownCountry(MailerError):
    """There is no country "{text}".{hint} Use an ISO 3166 code such as GB, or its name such as United Kingdom."""


#: What CLDR lists as territories without their being a country to live in: groupings, pseudo-locales, unknown.
_NOT_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})

#: Parts of a country that CLDR lists beside it, since customs or the post tell them apart, and ISO 3166-1 does not →
#: the country. Kosovo, which ISO does not list either, is a country of its own.
PARTS = {"AC": "SH", "CP": "FR", "CQ": "GG", "DG": "IO", "EA": "ES", "IC": "ES", "TA": "SH"}


def parse(text: str) -> str:
    """The ISO 3166-1 alpha-2 code that a text means.

    :param text: an alpha-2 or alpha-3 code, or a name in a language of the site, as CLDR, ISO, the UN or people write
        it: in any case and order of its words, with or without accents.
    :raises UnknownCountry: it means no country, or more than one (such as a state that broke up).
    """
    code = find(text)
    if code is None:
        raise UnknownCountry(text=text, hint=suggestion(text))
    return code


@lru_cache(maxsize=4096)
def find(text: str) -> str | None:
    """As `parse`, or None where that raises: in microseconds, since it looks for no suggestion."""
    return _codes().get(text.strip().upper()) or _named(text)


def _named(text: str) -> str | None:
    words = _words(text)
    code = _names().get(_key(words))
    if code is None and (bare := _without_kind(words)) != words:
        code = _names().get(_key(bare))
        return None if code in _lore().told_apart_by_kind else code
    return code


@lru_cache(maxsize=4096)
def suggestion(text: str) -> str:
    """A question whether other countries were meant by what means none, behind a space; "" where nothing is near
    enough, since no question is better than a silly one."""
    words = _words(text)
    bare = _without_kind(words)
    alike = {code for other, code in _spellings().items() if words and set(words) < set(other.split())}
    if not 1 < len(alike) <= _MOST_ALIKE:
        alike = _nearly(" ".join(words)) | _nearly(" ".join(bare))
    if bare != words:
        alike -= _lore().told_apart_by_kind
    return f" Did you mean {' or '.join(sorted(name(code, 'en') for code in alike))}?" if alike else ""


def _nearly(spelling: str) -> set[str]:
    """The countries whose name is nearly that, those alone that come nearest."""
    near = get_close_matches(spelling, _spellings(), n=_MOST_ALIKE, cutoff=_ALIKE)
    ratios = {each: SequenceMatcher(None, each, spelling).ratio() for each in near}
    return {_spellings()[each] for each in near if ratios[each] > max(ratios.values()) - _NO_NEARER}


def name(code: str, language: str) -> str:
    """What a country is called in a language.

    :param code: ISO 3166-1 alpha-2.
    :param language: BCP 47; where CLDR has no such language or name, the English one is given, else the code.
    """
    return _territories(language).get(code) or _territories("en").get(code) or code


@lru_cache(maxsize=64)
def all_in(language: str) -> tuple[tuple[str, str], ...]:
    """Every country's code and name, in the order in which readers of a language look for it.

    :param language: BCP 47, as for `name`.
    """
    named = ((code, name(code, language)) for code in set(_codes().values()))
    return tuple(sorted(named, key=lambda country: _alphabetical(country[1], language.partition("-")[0])))


def likely(accept_language: str) -> str | None:
    """The country that a browser's languages speak for, or None where they name none.

    Only the preferred language counts: "de,en-US;q=0.7" is what a browser in Vienna sends, whose user is not in the
    United States.

    :param accept_language: the header (RFC 9110, section 12.5.4), such as "fr-CA,fr;q=0.8".
    """
    preferred = sorted(
        map(_weighed, accept_language.split(",")[:_MOST_LANGUAGES]), key=lambda tag: tag[0], reverse=True
    )
    language = preferred[0][1][0]
    for weight, (own, *subtags) in preferred:
        if own == language and weight > 0:
            for subtag in subtags:
                if len(subtag) == 2 and subtag.upper() in _codes():
                    return _codes()[subtag.upper()]
    return None


_MOST_LANGUAGES = 20  # a browser sends a few; who sends a thousand is none


def _weighed(preference: str) -> tuple[float, list[str]]:
    """A part of the header: its weight, and the subtags of its language."""
    tag, _, parameter = preference.partition(";")
    weight = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", parameter, re.IGNORECASE)
    return float(weight[1]) if weight else 1.0, tag.strip().lower().split("-")


@lru_cache(maxsize=256)
def _territories(language: str) -> dict[str, str]:
    try:
        return dict(Locale.parse(language, sep="-").territories)
    except (UnknownLocaleError, ValueError):
        return {}


#: Alphabets in which an accent makes a letter of its own, or whose order is not that of Unicode.
_ALPHABETS = {
    "ar": "ءآابتثجحخدذرزسشصضطظعغفقكلمنهوىي",
    "es": "abcdefghijklmnñopqrstuvwxyz",
    "kk": "аәбвгғдежзийкқлмнңоөпрстуұүфхһцчшщъыіьэюя",
    "ru": "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "tr": "abcçdefgğhıijklmnoöpqrsştuüvwxyz",
}


def _alphabetical(text: str, language: str) -> tuple[list[tuple[int, int]], str]:
    """What to sort by: signs before letters, accents only where an alphabet counts them (CLDR's root collation, near
    enough for names)."""
    alphabet = _ALPHABETS.get(language, "")
    if language == "tr":
        text = text.replace("İ", "i").replace("I", "ı")
    places = []
    for char in text.casefold().replace("æ", "ae").replace("ø", "o"):
        plain = [char] if char in alphabet else unicodedata.normalize("NFKD", char)
        for letter in plain:
            if letter in alphabet:
                places.append((1, alphabet.index(letter)))
            elif not unicodedata.combining(letter):
                places.append((2 if letter.isalpha() else 0, ord(letter)))
    return places, text


@cache
def _codes() -> dict[str, str]:
    """Every alpha-2 and alpha-3 code → alpha-2."""
    countries = {
        code for code in _territories("en") if len(code) == 2 and code.isalpha() and code not in _NOT_COUNTRIES
    }
    # XKX is what the World Bank, the EU and others write for Kosovo, which has no ISO 3166 code.
    codes = {"XKX": "XK", **{code: PARTS.get(code, code) for code in countries}}
    for alias, replacements in get_global("territory_aliases").items():
        if alias.isalpha() and len(replacements) == 1 and replacements[0] in countries:
            codes.setdefault(alias, codes[replacements[0]])
    return codes


# --- names, as files and forms have them ----------------------------------------------------------------------------

#: 1.0 is the same. At 0.83 "Frnace" is still France, and "Somaliland" is not Somalia.
_ALIKE = 0.83
_NO_NEARER = 0.03
_MOST_ALIKE = 3


@dataclass(frozen=True, slots=True)
class _Lore:
    """What country_names.toml knows, folded."""

    small_words: frozenset[str]
    kinds: frozenset[str]
    told_apart_by_kind: frozenset[str]
    abbreviations: Mapping[str, str]
    names: Mapping[str, Sequence[str]]  # alpha-2 → as written


@cache
def _lore() -> _Lore:
    table = tomllib.loads(Path(__file__).with_name("country_names.toml").read_text(encoding="utf-8"))
    return _Lore(
        small_words=frozenset(map(fold, table["small_words"])),
        kinds=frozenset(map(fold, table["kinds"])),
        told_apart_by_kind=frozenset(table["told_apart_by_kind"]),
        abbreviations=table["abbreviations"],
        names=table["names"],
    )


def _words(text: str) -> list[str]:
    """The words of a name that tell which country it is."""
    lore = _lore()
    words = (lore.abbreviations.get(word, word) for word in fold(text).split())
    return [word for word in words if word not in lore.small_words]


def _without_kind(words: list[str]) -> list[str]:
    return [word for word in words if word not in _lore().kinds]


def _key(words: list[str]) -> str:
    """The same for "Korea, Republic of" as for "Republic of Korea"."""
    return " ".join(sorted(words))


@cache
def _names() -> dict[str, str]:
    """The key of every name that means one country → alpha-2."""
    meant: dict[str, set[str]] = {}
    for code in _territories("en"):
        if (country := _codes().get(code)) is not None:
            for each in (*(name(code, language) for language in SITE_LANGUAGES), *_lore().names.get(code, ())):
                meant.setdefault(_key(_words(each)), set()).add(country)
    return {key: codes.pop() for key, codes in meant.items() if len(codes) == 1}


@cache
def _spellings() -> dict[str, str]:
    """CLDR's names in the languages of the site, also without the word for the kind of state → alpha-2."""
    spellings: dict[str, str] = {}
    for language in reversed(SITE_LANGUAGES):  # an English name counts
        for code in set(_codes().values()):
            words = _words(name(code, language))
            spellings |= {" ".join(words): code, " ".join(_without_kind(words)): code}
    return spellings
