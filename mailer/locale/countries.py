"""Countries: codes, names and groups. Names are CLDR's, which say "Taiwan" and "Kosovo" as people do."""

import re
import unicodedata
from difflib import get_close_matches
from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError
from babel.core import get_global

from mailer.errors import MailerError


class UnknownCountry(MailerError):
    """There is no country "{text}".{hint} Use an ISO 3166 code such as GB, or its English name such as United
    Kingdom."""


class UnknownCountryGroup(MailerError):
    """There is no country group "{text}". Known groups: {known}."""


#: What CLDR lists as territories without their being a country to live in: groupings, pseudo-locales, unknown.
_NOT_COUNTRIES = frozenset({"CQ", "EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})

#: Names that people write and that CLDR does not have in English.
_EVERYDAY_NAMES = {
    "america": "US",
    "bosnia": "BA",
    "britain": "GB",
    "burma": "MM",
    "cape verde": "CV",
    "czech republic": "CZ",
    "democratic republic of the congo": "CD",
    "drc": "CD",
    "east timor": "TL",
    "england": "GB",
    "great britain": "GB",
    "holland": "NL",
    "hong kong": "HK",
    "ivory coast": "CI",
    "macao": "MO",
    "macau": "MO",
    "macedonia": "MK",
    "myanmar": "MM",
    "northern ireland": "GB",
    "palestine": "PS",
    "republic of ireland": "IE",
    "republic of the congo": "CG",
    "scotland": "GB",
    "swaziland": "SZ",
    "turkey": "TR",
    "u.k.": "GB",
    "u.s.": "US",
    "u.s.a.": "US",
    "uae": "AE",
    "united states of america": "US",
    "vatican": "VA",
    "wales": "GB",
}

#: ISO 3166 short names that are far from CLDR's: lists that other programs export carry them.
_ISO_NAMES = {
    "bolivia, plurinational state of": "BO",
    "brunei darussalam": "BN",
    "iran, islamic republic of": "IR",
    "korea, democratic people's republic of": "KP",
    "korea, republic of": "KR",
    "lao people's democratic republic": "LA",
    "moldova, republic of": "MD",
    "russian federation": "RU",
    "syrian arab republic": "SY",
    "taiwan, province of china": "TW",
    "tanzania, united republic of": "TZ",
    "venezuela, bolivarian republic of": "VE",
    "viet nam": "VN",
}

_EU = (
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU"),
    *("LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
)

#: Country groups that an audience may name, as of November 2026.
GROUPS: dict[str, frozenset[str]] = {
    "EU": frozenset(_EU),  # European Union: 27 members since 2020-02-01
    "EEA": frozenset({*_EU, "IS", "LI", "NO"}),  # European Economic Area: 30 members since 2020-02-01
    "EFTA": frozenset({"CH", "IS", "LI", "NO"}),  # European Free Trade Association: since 1995-01-01
    "G7": frozenset({"CA", "DE", "FR", "GB", "IT", "JP", "US"}),  # since 2014-03-24
    "NORDIC": frozenset({"DK", "FI", "IS", "NO", "SE"}),  # sovereign members of the Nordic Council
}


@lru_cache(maxsize=4096)
def parse(text: str) -> str:
    """The ISO 3166-1 alpha-2 code that a text means.

    :param text: an alpha-2 or alpha-3 code or an English name, in any case, with or without accents.
    :raises UnknownCountry: it means no country, or more than one (such as a state that broke up).
    """
    written = text.strip()
    code = _codes().get(written.upper()) or _names().get(_fold(written))
    if code is None:
        raise UnknownCountry(text=text, hint=_similar(written))
    return code


@lru_cache(maxsize=4096)
def _similar(written: str) -> str:
    """A question whether another country was meant, where one has nearly that name."""
    alike = get_close_matches(_fold(written), _names(), n=1, cutoff=0.8)
    return f" Did you mean {name(_names()[alike[0]], 'en')}?" if alike else ""


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


def expand(group: str) -> frozenset[str]:
    """The countries of a group.

    :param group: "@" and a key of GROUPS, such as "@EU".
    :raises UnknownCountryGroup: there is no such group.
    """
    countries = GROUPS.get(group.removeprefix("@").upper()) if group.startswith("@") else None
    if countries is None:
        raise UnknownCountryGroup(text=group, known=", ".join(f"@{known}" for known in GROUPS))
    return countries


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
    codes = {"XKX": "XK", **{code: code for code in countries}}
    for alias, replacements in get_global("territory_aliases").items():
        if alias.isalpha() and len(replacements) == 1 and replacements[0] in countries:
            codes.setdefault(alias, replacements[0])
    return codes


@cache
def _names() -> dict[str, str]:
    """Folded English name → alpha-2."""
    names = {_fold(_territories("en")[code]): code for code in set(_codes().values())}
    return names | {_fold(other): code for other, code in (_EVERYDAY_NAMES | _ISO_NAMES).items()}


def _fold(text: str) -> str:
    """Without case, accents, punctuation and spelling of "and", so that "Cote d'Ivoire" is "Côte d’Ivoire"."""
    decomposed = unicodedata.normalize("NFKD", text.replace("&", " and ")).casefold()
    letters = (char if char.isalnum() else " " for char in decomposed if not unicodedata.combining(char))
    return " ".join(word for word in "".join(letters).split() if word != "the").replace("saint ", "st ")
