"""Moments as somebody types them: by the clock of their own zone."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

_WRITTEN = "%Y-%m-%dT%H:%M"


class NoSuchTime(ValueError):
    """Clocks were put forward past this time."""


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
    return moment.astimezone(zone).strftime(_WRITTEN)
