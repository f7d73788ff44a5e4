"""Today, for tests that midnight may fall into."""

from datetime import date, datetime, timedelta

from mailer.store.db import utcnow


def lately() -> tuple[datetime, datetime]:
    """Now, and a moment before the test began: of these, one has the day, or the week's end, that the program saw."""
    now = utcnow()
    return now - timedelta(minutes=10), now


def is_today(*days: date | None) -> bool:
    """Whether all of these are the day on which the test runs."""
    return set(days) <= {moment.date() for moment in lately()}
