"""What differs between two wordings is shown in place, and nothing of either is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.web.desk.differing import Piece, near, pieces

WORDS = st.text(alphabet="ab \n.é", max_size=60)


@pytest.fixture
def backend() -> str:
    return "sqlite"  # nothing is read


@given(before=WORDS, after=WORDS)
def test_each_wording_can_be_read_in_what_is_shown(before: str, after: str) -> None:
    found = pieces(before, after)
    assert "".join(each.words for each in found if each.of != "after") == before
    assert "".join(each.words for each in found if each.of != "before") == after
    assert all(each.words for each in found)


def test_words_are_compared_and_what_changed_in_one_place_stands_together() -> None:
    assert pieces("Write to the old embassy.\nToday.\n", "Write to a new embassy.\nToday.\n") == [
        Piece("Write to ", "both"),
        Piece("the old ", "before"),
        Piece("a new ", "after"),
        Piece("embassy.\nToday.\n", "both"),
    ]


def test_what_was_not_there_before_is_all_new() -> None:
    assert pieces("", "Write.") == [Piece("Write.", "after")]
    assert pieces("Write.", "") == [Piece("Write.", "before")]


def test_a_long_text_that_was_written_anew_is_compared_by_lines() -> None:
    before, after = ("\n".join(f"{word} {number}" for number in range(3_000)) for word in ("old", "new"))
    found = pieces(before, after)
    assert [each.of for each in found] == ["before", "after"]


def test_of_what_is_the_same_for_long_only_that_is_shown_which_stands_beside_a_change() -> None:
    page = "All the same here.\n" * 100
    found = near(pieces(f"{page}Old words. {page}", f"{page}New words. {page}"))
    assert [each.of for each in found] == ["neither", "both", "before", "after", "both", "neither"]
    assert found[1].words.endswith("here.\n") and found[4].words.startswith("words. All")
    assert all(len(each.words) <= 300 for each in found)


@given(before=WORDS, after=WORDS)
def test_of_short_wordings_nothing_is_left_out(before: str, after: str) -> None:
    found = pieces(before, after)
    assert near(found) == found


def test_of_very_many_lines_what_lies_between_the_first_and_the_last_change_is_one_block() -> None:
    before = [f"{number}\n" for number in range(3_000)]
    after = [line if number % 2 else f"new {line}" for number, line in enumerate(before)]
    found = pieces("".join(["Same.\n", *before, "Same too.\n"]), "".join(["Same.\n", *after, "Same too.\n"]))
    assert [each.of for each in found] == ["both", "before", "after", "both"]
