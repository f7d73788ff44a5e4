"""Times as somebody at the desk reads them: in their zone, which is named."""

from datetime import date, datetime

from babel.dates import format_date, format_time, get_datetime_format
from markupsafe import Markup

from mailer.locale import languages, zones
from mailer.web import language
from mailer.web.desk.visit import visit


def day(moment: datetime) -> Markup:
    """A day, of which no hour is known, as it is in UTC.

    :param moment: its midnight.
    """
    words = format_date(moment, "medium", locale=languages.locale(language.current()))
    return Markup('<time datetime="{}">{}</time>').format(moment.date().isoformat(), words)


def written(moment: datetime) -> Markup:
    """A moment in the viewer's zone, with the zone's name, for a page: as a `time` element that machines read, too.

    :param moment: aware.
    """
    local = moment.astimezone(visit().zone)
    return Markup('<time datetime="{}">{}</time>').format(local.isoformat(timespec="seconds"), in_words(moment))


def in_words(moment: datetime) -> str:
    """Likewise, in words alone.

    :param moment: aware.
    """
    zone, locale = visit().zone, languages.locale(language.current())
    local = moment.astimezone(zone)
    both = str(get_datetime_format("medium", locale)).replace("'", "")  # "{1}, {0}"; quotes mark what is no pattern
    clock = format_time(local.replace(tzinfo=None), "short", locale=locale)
    on = format_date(local, "medium", locale=locale)
    return f"{both.format(clock, on)} ({zones.name_of(str(zone), moment, locale)})"


def written_day(on: date) -> Markup:
    """A day, likewise. It is the same in all zones."""
    words = format_date(on, "medium", locale=languages.locale(language.current()))
    return Markup('<time datetime="{}">{}</time>').format(on.isoformat(), words)
