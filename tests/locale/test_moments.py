"""Moments, with the short name of a zone."""

from datetime import UTC, datetime, timedelta

import pytest
from babel import Locale
from babel.dates import get_timezone

from mailer.locale import moments

WINTER, SUMMER = (datetime(2035, month, 15, 10, 42, tzinfo=UTC) for month in (12, 7))


@pytest.mark.parametrize("language", ["en", "fr", "ru", "ar"])
def test_utc_is_called_so_in_every_language(language: str) -> None:
    written = moments.written(WINTER, get_timezone("UTC"), Locale.parse(language))
    assert written.endswith("\N{NO-BREAK SPACE}UTC")


@pytest.mark.parametrize(
    ("zone", "moment", "ends"),
    [
        ("Europe/Berlin", WINTER, "11:42 CET"),
        ("Europe/Berlin", SUMMER, "12:42 CEST"),
        ("America/New_York", WINTER, "05:42 EST"),
        ("America/Sao_Paulo", WINTER, "07:42 UTC−3"),
        ("Asia/Kathmandu", WINTER, "16:27 UTC+5:45"),
    ],
)
def test_others_are_called_as_their_people_do_or_by_their_distance(zone: str, moment: datetime, ends: str) -> None:
    written = moments.written(moment, get_timezone(zone), Locale.parse("fr"))
    assert written.replace("\N{NO-BREAK SPACE}", " ").endswith(ends)


@pytest.mark.parametrize(
    ("language", "minutes", "said"),
    [
        ("en-001", 10, "15 Dec 2035, 11:42 – 11:52 am"),
        ("en-001", 60, "15 Dec 2035, 11:42 am – 12:42 pm"),
        ("fr", 10, "15 déc. 2035, 11:42 – 11:52"),
        ("ru", 60, "15 дек. 2035 г., 11:42–12:42"),
    ],
)
def test_a_span_says_from_when_to_when_as_a_language_does(language: str, minutes: int, said: str) -> None:
    end = WINTER + timedelta(minutes=minutes)
    written = moments.span(WINTER, end, get_timezone("Europe/Berlin"), Locale.parse(language, sep="-"))
    assert " ".join(written.split()) == said


@pytest.mark.parametrize(
    ("hour", "minute", "said"),
    [
        (0, 0, "25 Oct 2026, 02:00–02:10 CEST"),
        (0, 50, "25 Oct 2026, 02:50 CEST – 02:00 CET"),
        (1, 0, "25 Oct 2026, 02:00–02:10 CET"),
        (20, 0, "25 Oct 2026, 21:00–21:10"),
    ],
)
def test_a_span_names_the_zone_where_the_same_hour_comes_twice(hour: int, minute: int, said: str) -> None:
    start = datetime(2026, 10, 25, hour, minute, tzinfo=UTC)
    written = moments.span(
        start, start + timedelta(minutes=10), get_timezone("Europe/Berlin"), Locale.parse("en-GB", sep="-")
    )
    assert " ".join(written.split()) == said
