"""Languages: their tags, their names, which way they are written, and how they write a date."""

import functools
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Literal

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_date, format_time, get_datetime_format
from babel.localedata import locale_identifiers

from mailer.errors import MailerError
from mailer.locale import zones
from mailer.locale.folding import fold_whole

#: that the site and the system mails speak; English is what their sources are written in
SITE_LANGUAGES = ("en", "fr", "de", "it", "es", "el", "ru", "kk", "tr", "ar")

# RFC 5646: language, script, region, variants. Extensions and private use name no language that anyone writes in.
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})([-_](?P<script>[a-z]{4}))?([-_](?P<region>[a-z]{2}|\d{3}))?"
    r"(?P<variants>([-_]([a-z\d]{5,8}|\d[a-z\d]{3}))*)",
    re.IGNORECASE,
)

#: what the database has room for; two variants of a variety of a language make more, and no text is written in them
MAX_LENGTH = 20

#: CLDR's scriptMetadata, "RTL" column, for scripts in modern use.
_RIGHT_TO_LEFT_SCRIPTS = frozenset(
    {"Adlm", "Arab", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi"}
)


#: Norwegian is Bokmål to CLDR, which has both codes for it, and Nynorsk beside it (supplementalData, parentLocales).
_SAME: Mapping[str, tuple[str, ...]] = {"no": ("nb",), "nb": ("no",), "nn": ("no",)}


#: What ISO 639 has codes for without its being a language: several, none, another, unknown.
_NO_LANGUAGES = frozenset({"mis", "mul", "und", "zxx"})


class InvalidLanguage(MailerError):
    """ "{tag}" is not a language. Use a tag such as en, pt-BR or zh-Hant (BCP 47), of at most 20 characters."""


def normalise(tag: str) -> str:
    """A language tag in its usual form: "PT_br" → "pt-BR".

    :raises InvalidLanguage: when it is no BCP 47 tag, too long to store, or CLDR knows no such language.
    """
    tag = tag.strip()
    match = _TAG.fullmatch(tag)
    if not match or len(tag) > MAX_LENGTH or match["language"].lower() not in _known_languages():
        raise InvalidLanguage(tag=tag)
    subtags = [
        match["language"].lower(),
        (match["script"] or "").title(),
        (match["region"] or "").upper(),
        match["variants"].lower().replace("_", "-").strip("-"),
    ]
    return "-".join(filter(None, subtags))


def parse(text: str) -> str:
    """The tag of a language that a text means.

    :param text: a tag as `normalise` reads it, or its name in a language of the site by CLDR: "French", "français".
    :raises InvalidLanguage: it is no tag, and means no language or more than one.
    """
    try:
        return normalise(text)
    except InvalidLanguage:
        if (tag := _named().get(fold_whole(text))) is None:
            raise
        return tag


@functools.lru_cache(maxsize=1024)  # asked for each reader
def forms(tag: str) -> tuple[str, ...]:
    """A language and what it is a form of, the nearest first: a text in any of them suits its readers.

    "fr-CA" is a form of fr. By CLDR, what is written in another script is another thing to read: "zh-TW" is a form of
    zh-Hant, and not of zh, which is zh-Hans. A language of a macro-language is a form of that: "cmn" of zh, "nb" of no.
    """
    match = _TAG.fullmatch(tag)
    if match is None:
        return (tag,)
    language, region, variants = match["language"].lower(), (match["region"] or "").upper(), match["variants"].lower()
    script = (match["script"] or "").title()
    canonical, _, its_script = get_global("language_aliases").get(language, language).partition("_")
    found = [tag]
    for name in dict.fromkeys((language, canonical, *_SAME.get(language, ()))):
        written = script or (name != language and its_script) or _likely_script(f"{name}-{region}")
        regions = dict.fromkeys((region, ""))
        for end in dict.fromkeys((variants.replace("_", "-"), "")):
            for place in regions:
                for letters in dict.fromkeys((script, written, "")):
                    form = "-".join(filter(None, (name, letters, place))) + end
                    if letters or _likely_script(f"{name}-{place}") == written:
                        found.append(form)
    return tuple(dict.fromkeys(found))


def nearest(
    tag: str | None, offered: Collection[str], fallbacks: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> str | None:
    """What to offer somebody who reads a language: that, or what it is a form of, or what it falls back to.

    :param fallbacks: language → others that its readers understand, the best first.
    """
    own = forms(tag) if tag else ()
    wishes = [own, *(forms(other) for form in own for other in fallbacks.get(form, ()))]
    return next((form for wish in wishes for form in wish if form in offered), None)


@functools.lru_cache(maxsize=1024)  # asked for each link that is made, so for each mail
def of_site(tag: str | None) -> str | None:
    """The language of the site that a language is, or is a form of ("fr" for "fr-CA"); None where it speaks none."""
    return nearest(tag, SITE_LANGUAGES)


def read_fallbacks(table: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Check what languages fall back to.

    :raises InvalidLanguage: a key or a value names no language.
    """
    return {normalise(tag): [normalise(other) for other in others] for tag, others in table.items()}


def direction(tag: str) -> Literal["ltr", "rtl"]:
    """Which way a language is written, by its script.

    :param tag: as `normalise` gives it.
    """
    return "rtl" if script(tag) in _RIGHT_TO_LEFT_SCRIPTS else "ltr"


def script(tag: str) -> str:
    """The script that a language is written in, by its ISO 15924 code: "Arab" for "fa".

    :param tag: as `normalise` gives it.
    """
    named = re.search(r"-([A-Z][a-z]{3})\b", tag)
    return named[1] if named else _likely_script(tag)


def locale(tag: str) -> Locale:
    """The CLDR locale that dates are written by in a language: its own, or English where CLDR has none.

    English of no country is the world's ("30 April 2035"), which CLDR calls en-001; its "en" is American.

    :param tag: as `normalise` gives it; a region that CLDR does not know writes as its language does.
    """
    for candidate in (tag, tag.partition("-")[0]):
        if candidate != "en":
            try:
                return Locale.parse(candidate, sep="-")
            except (UnknownLocaleError, ValueError):
                continue
    return Locale("en", "001")


@functools.cache
def name(tag: str) -> str:
    """What a language is called by those who speak it, as it begins a line: "Français"; the tag where CLDR has no name.

    :param tag: as `normalise` gives it.
    """
    known = locale(tag)
    if known.language != tag.partition("-")[0]:
        return tag
    own = (known.get_display_name() if "-" in tag else known.get_language_name()) or tag
    return own[:1].upper() + own[1:]  # CLDR leaves the capital to where it stands


@functools.cache
def name_in_english(tag: str) -> str:
    """Likewise in English; the tag where CLDR has no name.

    :param tag: as `normalise` gives it.
    """
    known = locale(tag)
    if known.language != tag.partition("-")[0]:
        return tag
    return (known.get_display_name("en") if "-" in tag else known.get_language_name("en")) or tag


@functools.lru_cache(maxsize=1024)  # asked for each country of an audience
def written(moment: datetime, tag: str, country: str | None = None) -> str:
    """A deadline as people of a language write it: a day, and a time unless it is the end of that day in UTC.

    The time is that of their country where all of it has the same, else UTC; the zone is named either way, since people
    pass a deadline on.

    :param moment: in UTC.
    :param tag: as `normalise` gives it.
    :param country: of the reader, as ISO 3166-1 alpha-2, if it is known.
    """
    if (moment.hour, moment.minute) == (23, 59):
        return day(moment, tag)
    known = locale(tag)
    zone = zones.of_country(country, moment) if country else None
    local = moment.astimezone(zone) if zone else moment
    of_zone = zones.name(local, known) if zone else zones.name_of_utc(known)
    both = str(get_datetime_format("medium", known)).replace("'", "")  # "{1}, {0}"; quotes mark what is no pattern
    clock = format_time(local.replace(tzinfo=None), "short", locale=known)
    return f"{both.format(clock, day(local, tag))} ({of_zone})"


def day(moment: date, tag: str) -> str:
    """A day as people of a language write it.

    :param tag: as `normalise` gives it.
    """
    return format_date(moment, "long", locale=locale(tag))


@functools.cache
def written_ones() -> tuple[str, ...]:
    """Languages that CLDR has dates for, and so knows to be written: to choose one of."""
    known = {identifier.partition("_")[0] for identifier in locale_identifiers()} & _known_languages()
    return tuple(sorted(normalise(tag) for tag in known - _NO_LANGUAGES if _TAG.fullmatch(tag)))


@functools.cache
def _known_languages() -> frozenset[str]:
    return frozenset(Locale("en").languages)


@functools.cache
def _named() -> dict[str, str]:
    """The folded name of every language in the languages of the site → its tag; no name of two languages."""
    meant: dict[str, set[str]] = {}
    for language in SITE_LANGUAGES:
        names = Locale(language).languages
        for code in filter(_TAG.fullmatch, _known_languages() - _NO_LANGUAGES):
            meant.setdefault(fold_whole(names.get(code, code)), set()).add(normalise(code))
    return {folded: tags.pop() for folded, tags in meant.items() if len(tags) == 1}


def _likely_script(tag: str) -> str:
    """The script that CLDR thinks a language is written in, where its tag names none."""
    likely: Mapping[str, str] = get_global("likely_subtags")
    found = likely.get(tag.replace("-", "_")) or likely.get(tag.split("-")[0], "")
    return next((part for part in found.split("_") if len(part) == 4), "Latn")
