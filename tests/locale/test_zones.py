"""Time zones: which a country has, and what readers call it."""

import re
from datetime import UTC, datetime

import pytest

from mailer.locale import countries, languages, zones

WINTER = datetime(2035, 12, 15, 17, 0, tzinfo=UTC)
SUMMER = datetime(2035, 6, 15, 17, 0, tzinfo=UTC)


def written(moment: datetime, tag: str, country: str | None) -> str:
    return re.sub(r"\s", " ", languages.written(moment, tag, country))  # CLDR has narrow spaces in it


@pytest.mark.parametrize(
    ("country", "clock"),
    [("GB", "17:00"), ("DE", "18:00"), ("KZ", "22:00"), ("AR", "14:00"), ("IN", "22:30"), ("TR", "20:00")],
)
def test_a_country_has_the_time_that_its_clocks_agree_on(country: str, clock: str) -> None:
    zone = zones.of_country(country, WINTER)
    assert zone is not None
    assert WINTER.astimezone(zone).strftime("%H:%M") == clock


@pytest.mark.parametrize("country", ["US", "RU", "ES", "CN", "XK", "ZZ"])
def test_a_country_whose_clocks_differ_has_none(country: str) -> None:
    assert zones.of_country(country, WINTER) is None


@pytest.mark.parametrize(
    ("tag", "country", "words"),
    [
        ("en", "DE", "15 December 2035, 6:00 pm (Central European Time)"),
        ("fr", "FR", "15 décembre 2035, 18:00 (heure d’Europe centrale)"),
        ("en", "GB", "15 December 2035, 5:00 pm (Greenwich Mean Time)"),
        ("de", "IN", "15. Dezember 2035, 22:30 (Indische Normalzeit)"),
        ("en", "AR", "15 December 2035, 2:00 pm (Argentina Time)"),
        ("de", "TR", "15. Dezember 2035, 20:00 (GMT+03:00)"),
        ("fr", "US", "15 décembre 2035, 17:00 (temps universel coordonné)"),
        ("ru", None, "15 декабря 2035 г., 17:00 (Всемирное координированное время)"),
    ],
)
def test_a_deadline_is_in_the_readers_time_else_in_one_that_has_a_name(
    tag: str, country: str | None, words: str
) -> None:
    assert written(WINTER, tag, country) == words


def test_a_deadline_is_on_the_readers_day() -> None:
    late = WINTER.replace(hour=20)
    assert written(late, "en", "JP").startswith("16 December 2035, 5:00 am")


def test_summer_time_counts() -> None:
    assert written(SUMMER, "en", "DE").endswith("7:00 pm (Central European Time)")
    assert written(SUMMER, "en", "GB").endswith("6:00 pm (British Summer Time)")


@pytest.mark.parametrize("tag", languages.SITE_LANGUAGES)
def test_every_deadline_has_a_zone_with_a_name(tag: str) -> None:
    universal = languages.written(WINTER, tag)
    assert "UTC" not in universal
    for code, _name in countries.all_in("en"):
        shown = languages.written(WINTER, tag, code)
        assert shown.endswith(")") and "Unknown" not in shown


def test_a_deadline_that_is_a_day_is_that_day_everywhere() -> None:
    assert languages.written(WINTER.replace(hour=23, minute=59), "en", "JP") == "15 December 2035"


def test_a_zone_that_this_machine_does_not_know_is_called_as_it_was_written_down() -> None:
    english = languages.locale("en")
    assert zones.name_of("Europe/Berlin", WINTER, english) == "Central European Time"
    assert zones.name_of("Europe/Port_Veldara", WINTER, english) == "Europe/Port_Veldara"


@pytest.mark.parametrize(
    ("name", "is_known"),
    [
        ("Europe/Berlin", True),
        ("UTC", True),
        ("Berlin", False),
        ("", False),
        ("../etc/passwd", False),
        ("x" * 300, False),
    ],
)
def test_a_zone_is_known_by_the_name_that_iana_gave_it(name: str, is_known: bool) -> None:
    assert zones.is_zone(name) is is_known
