"""Moments, as somebody reads them who works with others in many zones: with the short name of the zone."""

from datetime import datetime, timedelta, tzinfo

from babel import Locale
from babel.dates import format_date, format_interval, format_time, get_datetime_format

from mailer.locale import zones

_NO_BREAK = "\N{NO-BREAK SPACE}"


def written(moment: datetime, zone: tzinfo, locale: Locale) -> str:
    """A moment by the clock of a zone, such as "30 Nov 2026, 10:42 UTC".

    :param moment: aware.
    """
    local = moment.astimezone(zone)
    return _on_day(local, _with_zone(local, locale), locale)


def span(start: datetime, end: datetime, zone: tzinfo, locale: Locale) -> str:
    """From when to when, by the same clock, without the zone: "30 Nov 2026, 7:50–8:00 pm". With it near the night in
    which the clocks are put back or forward, when an hour comes twice.

    :param start: aware.
    :param end: less than a day later.
    """
    first, last = (each.astimezone(zone) for each in (start, end))
    hours = "Hm" if "H" in locale.time_formats["short"].pattern else "hm"
    if first.utcoffset() != last.utcoffset():
        clock = f"{_with_zone(first, locale)} – {_with_zone(last, locale)}"
    else:
        clock = format_interval(first.replace(tzinfo=None), last.replace(tzinfo=None), hours, locale=locale)
        if _is_near_a_change(start, zone):
            clock += f"{_NO_BREAK}{zones.short_name(first)}"
    return _on_day(first, clock, locale)


def _is_near_a_change(moment: datetime, zone: tzinfo) -> bool:
    around = (moment - timedelta(hours=12), moment + timedelta(hours=12))
    return len({each.astimezone(zone).utcoffset() for each in around}) > 1


def _with_zone(local: datetime, locale: Locale) -> str:
    clock = format_time(local.replace(tzinfo=None), "short", locale=locale)
    return f"{clock}{_NO_BREAK}{zones.short_name(local)}"


def _on_day(local: datetime, clock: str, locale: Locale) -> str:
    both = str(get_datetime_format("medium", locale)).replace("'", "")  # "{1}, {0}"; quotes mark what is no pattern
    return both.format(clock, format_date(local, "medium", locale=locale))
