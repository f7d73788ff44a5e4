"""Telephone numbers are found as people write them, and dates and sums are none."""

import pytest

from mailer.locale import telephones

NUMBERS = [
    ("Call +44 1632 960001 now", [], "+441632960001"),
    ("tel:+441632960001", [], "+441632960001"),
    ("+٩٨ ٩١٢ ٣٤٥ ٦٧٨٩", [], "+989123456789"),
    ("٠٩١٢٣٤٥٦٧٨٩", ["IR"], "+989123456789"),
    ("(11) 91234-5678", ["BR"], "+5511912345678"),
    ("8 (495) 123-45-67", ["RU"], "+74951234567"),
    ("030 123456", ["BR", "DE"], "+4930123456"),
]
OTHERS = [
    "on 12.05.2026 at 10:30, 2026-11-05 and 1990-2005",
    "case 0001234-56.2026.8.26.0100, no. 4521/2024",
    "CEP 01310-100, São Paulo; 10115 Berlin",
    "5,000,000 people and $1 500 000",
    "DE89 3704 0044 0532 0130 00",
    "https://example.org/2026/11/0211",
]


@pytest.mark.parametrize(("text", "countries", "number"), NUMBERS)
def test_a_number_is_found_in_the_digits_and_the_form_of_its_country(
    text: str, countries: list[str], number: str
) -> None:
    assert [found for _start, found in telephones.find(f"x {text}.", countries)] == [number]


@pytest.mark.parametrize("text", OTHERS)
def test_dates_sums_and_files_are_no_numbers(text: str) -> None:
    assert list(telephones.find(text, ["BR", "DE", "RU", "IR", "GB"])) == []


def test_a_language_is_at_home_where_most_speak_it() -> None:
    homes = {tag: telephones.home_of(tag) for tag in ("pt", "pt-PT", "de", "ar", "zh-Hant", "fa", "eo")}
    assert homes == {"pt": "BR", "pt-PT": "PT", "de": "DE", "ar": "EG", "zh-Hant": "CN", "fa": "IR", "eo": None}
