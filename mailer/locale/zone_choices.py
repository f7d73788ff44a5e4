"""Time zones to choose from, by country: people know where they live, and few know what their zone is called."""

from functools import lru_cache
from typing import NamedTuple

from babel.core import get_global
from babel.dates import get_timezone_location

from mailer.locale import countries, languages, zones


class Choice(NamedTuple):
    """A time zone that somebody may choose."""

    zone: str  # as IANA calls it
    words: str  # the country, and the city where it has several
    also: str  # older names, by which some browsers still know it


@lru_cache(maxsize=16)
def of_countries(language: str) -> tuple[Choice, ...]:
    """The time zones of all countries, in the order of their names, and UTC before them."""
    locale = languages.locale(language)
    older: dict[str, list[str]] = {}
    for old, now in get_global("zone_aliases").items():
        older.setdefault(now, []).append(old)
    found = [Choice("UTC", zones.name_of_utc(locale), " ".join(older.get(zones.UTC, ())))]
    for code, country in countries.all_in(language):
        theirs = [zone for zone in get_global("territory_zones").get(code, []) if zones.is_zone(zone)]
        cities = sorted((get_timezone_location(zone, locale=locale, return_city=True), zone) for zone in theirs)
        for city, zone in cities:
            words = country if len(cities) == 1 else f"{country} – {city}"
            found.append(Choice(zone, words, " ".join(older.get(zone, ()))))
    return tuple(found)
