"""Moments, as somebody reads them who works with others in many zones: with the short name of the zone."""

from datetime import datetime, tzinfo

from babel import Locale
from babel.dates import format_date, format_time, get_datetime_format

from mailer.locale import zones

_NO_BREAK = "\N{NO-BREAK SPACE}"


def written(moment: datetime, zone: tzinfo, locale: Locale) -> str:
    """A moment by the clock of a zone, such as "30 Nov 2026, 10:42 UTC".

    :param moment: aware.
    """
    local = moment.astimezone(zone)
    both = str(get_datetime_format("medium", locale)).replace("'", "")  # "{1}, {0}"; quotes mark what is no pattern
    clock = format_time(local.replace(tzinfo=None), "short", locale=locale)
    on = format_date(local, "medium", locale=locale)
    return both.format(f"{clock}{_NO_BREAK}{zones.short_name(local)}", on)
