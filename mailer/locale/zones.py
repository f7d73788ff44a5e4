"""Time zones: which one a country has, and what it is called."""

from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.core import get_global
from babel.dates import get_timezone, get_timezone_gmt, get_timezone_name

UTC = "Etc/UTC"

#: What IANA calls a zone now → the older name under which CLDR has it. Babel asks for it by the one that is now.
_IN_CLDR = {now: old for old, now in get_global("zone_aliases").items() if old in get_global("meta_zones")}


def of_country(code: str, moment: datetime) -> tzinfo | None:
    """The time zone of a country; None where clocks in it differ, or CLDR knows of none.

    :param code: ISO 3166-1 alpha-2.
    :param moment: aware; a country's zones may agree at one time of the year and not at another.
    """
    zones = [get_timezone(name) for name in get_global("territory_zones").get(code, [])]
    offsets = {moment.astimezone(zone).utcoffset() for zone in zones}
    return zones[0] if len(offsets) == 1 else None


def is_zone(name: str) -> bool:
    """Whether this machine knows a time zone.

    :param name: as IANA calls it.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def or_utc(name: str) -> tzinfo:
    """A time zone; UTC for one that this machine does not know: another time zone database did when it was chosen.

    :param name: as IANA calls it.
    """
    try:
        return get_timezone(name)
    except LookupError:
        return get_timezone("UTC")


def name_of(zone: str, moment: datetime, locale: Locale) -> str:
    """What a time zone is called, as `name` says; one that this machine does not know, as IANA calls it.

    :param zone: as IANA calls it: "Europe/Berlin".
    :param moment: aware.
    """
    try:
        local = moment.astimezone(get_timezone(zone))
    except LookupError:  # another time zone database knew it when it was written down
        return zone
    return name(local, locale)


def short_name(local: datetime) -> str:
    """What a zone is called beside a clock, in all languages: as its people abbreviate it, such as "UTC", "CET" or
    "EST"; where they have nothing shorter, by its distance from UTC, such as "UTC+5:30".

    :param local: aware, in that zone.
    """
    abbreviation = local.tzname() or ""
    if abbreviation.isalpha():
        return abbreviation
    minutes = round((local.utcoffset() or timedelta(0)) / timedelta(minutes=1))
    hours, rest = divmod(abs(minutes), 60)
    sign = "+" if minutes > 0 else "\N{MINUS SIGN}"
    return f"UTC{sign}{hours}{f':{rest:02}' if rest else ''}" if minutes else "UTC"


def name(local: datetime, locale: Locale) -> str:
    """What the time zone of a moment is called, the same in summer and winter where CLDR has such a name, else by its
    distance from UTC.

    :param local: in that zone, from `of_country`.
    """
    distance = get_timezone_gmt(local, locale=locale)
    usual = get_timezone_name(local, locale=locale, zone_variant="generic")
    found = usual if usual != distance else get_timezone_name(local, locale=locale)
    return found if found != distance else _by_older_name(local, locale) or distance


def _by_older_name(local: datetime, locale: Locale) -> str:
    zone = get_global("meta_zones").get(_IN_CLDR.get(str(local.tzinfo), ""))
    names = locale.meta_zones.get(zone, {}).get("long", {})
    return str(names.get("generic") or names.get("daylight" if local.dst() else "standard", ""))


def name_of_utc(locale: Locale) -> str:
    """What Coordinated Universal Time is called."""
    names = locale.time_zones.get(UTC, {}).get("long", {})
    return str(names.get("standard", "UTC"))
