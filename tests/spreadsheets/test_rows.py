"""What an e-mail cell may hold."""

import pytest

from mailer.spreadsheets.rows import InvalidRow, name_and_address


@pytest.fixture
def backend() -> str:
    return "sqlite"  # nothing is read


def test_a_name_is_told_from_an_address() -> None:
    assert name_and_address('"Ana" <ana@example.org>') == ("Ana", "ana@example.org")
    assert name_and_address("ana@example.org") == ("", "ana@example.org")


def test_a_cell_that_is_far_too_long_for_an_address_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidRow, match="more than 1,000 characters"):
        name_and_address("a" * 1_001)
