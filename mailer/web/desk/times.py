"""Times as somebody at the desk reads and types them: in their zone, which is named where they read."""

from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, get_datetime_format
from markupsafe import Markup

from mailer.locale import languages, zones
from mailer.web import language
from mailer.web.desk.visit import visit

_FIELD = "%Y-%m-%dT%H:%M"


class NoSuchTime(ValueError):
    """Clocks were put forward past this time."""


# --- to read ----------------------------------------------------------------------------------------------------------


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
    # "UTC" is known everywhere, and its name in words takes half a line of a phone.
    name = "UTC" if str(zone) == "UTC" else zones.name_of(str(zone), moment, locale)
    return f"{both.format(clock, on)} ({name})"


def day(on: date) -> Markup:
    """A day, likewise. It is the same in all zones."""
    words = format_date(on, "medium", locale=languages.locale(language.current()))
    return Markup('<time datetime="{}">{}</time>').format(on.isoformat(), words)


# --- to type ----------------------------------------------------------------------------------------------------------


def read(text: str, zone: tzinfo) -> datetime:
    """What a field for a date and a time was filled in with, in UTC. Of a time that comes twice, because clocks are put
    back, the first.

    :param zone: whose clock it is.
    :raises NoSuchTime: it never comes.
    :raises ValueError: it is no time.
    """
    clock = datetime.fromisoformat(text)
    if clock.tzinfo is not None:
        raise ValueError(text)
    own = ZoneInfo(str(zone))  # the kind that takes a clock as it is
    moment = clock.replace(tzinfo=own).astimezone(UTC)
    if moment.astimezone(own).replace(tzinfo=None) != clock:
        raise NoSuchTime(text)
    return moment


def field(moment: datetime, zone: tzinfo) -> str:
    """A moment as such a field has it."""
    return moment.astimezone(zone).strftime(_FIELD)
