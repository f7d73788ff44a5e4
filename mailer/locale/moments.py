"""Moments, as somebody reads them who works with others in many zones: with the short name of the zone."""

from datetime import datetime, tzinfo

from babel import Locale
from babel.dates import format_date, format_interval, format_time, get_datetime_format

from mailer.locale import zones

_NO_BREAK = "\N{NO-BREAK SPACE}"


def written(moment: datetime, zone: tzinfo, locale: Locale) -> str:
    """A moment by the clock of a zone, such as "30 Nov 2026, 10:42 UTC".

    :param moment: aware.
    """
    local = moment.astimezone(zone)
    clock = format_time(local.replace(tzinfo=None), "short", locale=locale)
    return _on_day(local, f"{clock}{_NO_BREAK}{zones.short_name(local)}", locale)


def span(start: datetime, end: datetime, zone: tzinfo, locale: Locale) -> str:
    """From when to when, by the same clock, without the zone: "30 Nov 2026, 7:50–8:00 pm".

    :param start: aware.
    :param end: less than a day later.
    """
    local, until = (each.astimezone(zone).replace(tzinfo=None) for each in (start, end))
    hours = "Hm" if "H" in locale.time_formats["short"].pattern else "hm"
    return _on_day(local, format_interval(local, until, hours, locale=locale), locale)


def _on_day(local: datetime, clock: str, locale: Locale) -> str:
    both = str(get_datetime_format("medium", locale)).replace("'", "")  # "{1}, {0}"; quotes mark what is no pattern
    return both.format(clock, format_date(local, "medium", locale=locale))
