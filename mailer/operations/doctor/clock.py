"""This machine's clock, beside those of others."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mailer.operations.doctor.findings import Finding, Level

_SLIGHTLY = timedelta(seconds=30)
_BADLY = timedelta(minutes=5)


def compare(whose: str, theirs: datetime, ours: datetime) -> Iterator[Finding]:
    """Find out whether two clocks go apart.

    :param whose: the other clock, as in "the mail server".
    :param theirs: what it said, aware.
    :param ours: what this machine's clock said at the same moment, aware.
    """
    apart = abs(ours - theirs)
    if apart <= _SLIGHTLY:
        return
    level = Level.ERROR if apart > _BADLY else Level.WARNING
    direction = "ahead of" if ours > theirs else "behind"
    what = (
        f"this machine's clock is {round(apart.total_seconds()):,} seconds {direction} that of {whose}, so mails carry "
        "a wrong Date, and campaigns may start at the wrong time"
    )
    remedy = "Run NTP on both: `timedatectl set-ntp true`, then see `timedatectl`."
    yield Finding(level, "clock-off", "clock", what, remedy)
