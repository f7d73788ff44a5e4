"""Time zones to choose from, by country: people know where they live, and few know what their zone is called."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from babel.core import get_global
from babel.dates import get_timezone_location

from mailer.locale import countries, languages, zones

_AFRICA, _AMERICAS, _ASIA, _EUROPE, _OCEANIA = "002", "019", "142", "150", "009"  # UN M49
_ANTARCTICA = "AQ"
#: what IANA begins the names of zones with → the region
_REGIONS: Mapping[str, str] = {
    "Africa": _AFRICA,
    "America": _AMERICAS,
    "Antarctica": _ANTARCTICA,
    "Arctic": _EUROPE,
    "Asia": _ASIA,
    "Australia": _OCEANIA,
    "Europe": _EUROPE,
    "Pacific": _OCEANIA,
}
#: of countries that lie in an ocean, or mostly elsewhere than most of their people live
_REGION_OF: Mapping[str, str] = {
    **dict.fromkeys(("CV", "IO", "KM", "MG", "MU", "RE", "SC", "SH", "TF", "YT"), _AFRICA),
    **dict.fromkeys(("BM", "EC", "FK", "GS"), _AMERICAS),
    **dict.fromkeys(("ES", "FO", "IS", "RU"), _EUROPE),
    **dict.fromkeys(("CC", "CX"), _OCEANIA),
    "MV": _ASIA,
}


class Choice(NamedTuple):
    """A time zone that somebody may choose."""

    zone: str  # as IANA calls it
    words: str  # the country, and the city where it has several
    also: str  # older names, by which some browsers still know it


class Region(NamedTuple):
    """Time zones of one part of the world."""

    name: str  # empty: of all of it
    choices: Sequence[Choice]


@lru_cache(maxsize=16)
def by_region(language: str) -> tuple[Region, ...]:
    """The time zones of all countries, in the order of their names, by regions; and UTC before them. None comes twice.

    :param language: a BCP 47 tag.
    """
    locale = languages.locale(language)
    older: dict[str, list[str]] = {}
    for old, now in get_global("zone_aliases").items():
        older.setdefault(now, []).append(old)
    regions: dict[str, list[Choice]] = {}
    for code, country in countries.all_in(language):
        theirs = [zone for zone in get_global("territory_zones").get(code, []) if zones.is_zone(zone)]
        cities = sorted((_city(zone, language), zone) for zone in theirs)
        for city, zone in cities:
            words = country if len(cities) == 1 else f"{country} – {city}"
            here = regions.setdefault(_region(code, theirs), [])
            here.append(Choice(zone, words, " ".join(older.get(zone, ()))))
    everywhere = Region("", [Choice("UTC", "UTC", " ".join(older.get(zones.UTC, ())))])
    named = sorted((locale.territories.get(region, region), region) for region in regions)
    return everywhere, *(Region(name, regions[region]) for name, region in named)


def _city(zone: str, language: str) -> str:
    """What a zone's city is called; without its state or its country, which IANA puts before a few."""
    return get_timezone_location(zone, locale=languages.locale(language), return_city=True).rpartition("/")[2]


def _region(code: str, theirs: Sequence[str]) -> str:
    """Where most of a country's zones lie."""
    if code in _REGION_OF:
        return _REGION_OF[code]
    places = Counter(_REGIONS[place] for zone in theirs if (place := zone.partition("/")[0]) in _REGIONS)
    return places.most_common(1)[0][0]
