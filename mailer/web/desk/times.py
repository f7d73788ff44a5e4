"""Times as somebody at the desk reads and types them: in their zone, which is named where they read."""

from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

from babel.dates import format_date
from markupsafe import Markup

from mailer.locale import languages, moments, zones
from mailer.store.db import utcnow
from mailer.web import language
from mailer.web.desk.visit import visit

_FIELD = "%Y-%m-%dT%H:%M"


class NoSuchTime(ValueError):
    """Clocks were put forward past this time."""


# --- to read ----------------------------------------------------------------------------------------------------------


def written(moment: datetime, zone: tzinfo | None = None) -> Markup:
    """A moment in the viewer's zone, with the zone's name, for a page: as a `time` element that machines read, too.

    :param moment: aware.
    :param zone: to show it in where nobody is signed in; a script shows it by the browser's own clock.
    """
    there = zone or visit().zone
    machines = moment.astimezone(there).isoformat(timespec="seconds")
    here = Markup(" data-here") if zone else ""
    return Markup('<time datetime="{}"{}>{}</time>').format(machines, here, _in_words(moment, there))


def in_words(moment: datetime) -> str:
    """Likewise, in words alone.

    :param moment: aware.
    """
    return _in_words(moment, visit().zone)


def _in_words(moment: datetime, zone: tzinfo) -> str:
    return moments.written(moment, zone, languages.locale(language.current()))


def span(start: datetime, end: datetime) -> str:
    """From when to when, such as "30 Nov 2026, 7:50–8:00 pm". The zone is named where many of them stand together.

    :param start: aware.
    :param end: less than a day later.
    """
    return moments.span(start, end, visit().zone, languages.locale(language.current()))


def zone_name(at: datetime) -> str:
    """What the viewer's zone is called beside a time, such as "CET".

    :param at: aware; clocks that are put forward go by another name.
    """
    return zones.short_name(at.astimezone(visit().zone))


def zone_to_type_in() -> str:
    """What the viewer's zone is called where they type a time, of whichever day of the year."""
    zone = str(visit().zone)
    return zone if zone == "UTC" else zones.name_of(zone, utcnow(), languages.locale(language.current()))


def day(on: date) -> Markup:
    """A day, likewise. It is the same in all zones."""
    return Markup('<time datetime="{}">{}</time>').format(on.isoformat(), day_in_words(on))


def day_in_words(on: date) -> str:
    """Likewise, in words alone."""
    return format_date(on, "medium", locale=languages.locale(language.current()))


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
