"""Small numbers are hidden, and cannot be told from what is shown."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.people import small_numbers
from mailer.people.small_numbers import SMALLEST_SHOWN, Sum, hidden_in_sums, hide_small
from tests.support.inference import Range, narrowed

COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 40), min_size=1)


@given(COUNTS)
def test_no_hidden_number_can_be_told_from_those_shown_and_the_total(counts: Mapping[str, int]) -> None:
    shown = hide_small(counts)
    assert set(shown) == set(counts)
    assert all(number is None or number == counts[key] for key, number in shown.items())
    assert not any(0 < (number or 0) < SMALLEST_SHOWN for number in shown.values())
    hidden = [key for key, number in shown.items() if number is None]
    if not hidden or len(hidden) == sum(1 for number in counts.values() if number):
        return  # nothing to tell, or nothing but the total to tell it from
    # Another table with the same total shows the same, and gives each hidden number another value.
    for key in hidden:
        swaps = ({**counts, key: counts[other], other: counts[key]} for other in hidden if counts[other] != counts[key])
        assert any(hide_small(table) == shown for table in swaps)


@given(COUNTS)
def test_the_order_of_hidden_numbers_does_not_tell_which_is_larger(counts: Mapping[str, int]) -> None:
    hidden = [key for key, number in hide_small(counts).items() if number is None]
    assert hidden == sorted(hidden)


# --- totals of totals -----------------------------------------------------------------------------------------------


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, int], list[Sum[str]]]:
    """A tree of sums of random shape and size, its numbers mostly near the border."""
    counts: dict[str, int] = {}
    sums: list[Sum[str]] = []
    numbers = st.one_of(st.integers(0, 3), st.integers(0, 30))

    def grow(name: str, depth: int) -> None:
        width = (
            draw(st.integers(2, 12 if depth == 0 else 4)) if depth < 3 and (depth == 0 or draw(st.booleans())) else 0
        )
        parts = [f"{name}.{number}" for number in range(width)]
        if parts:
            sums.append(Sum(name, parts))
        for part in parts:
            grow(part, depth + 1)
        counts[name] = sum(counts[part] for part in parts) if parts else draw(numbers)

    grow("all", 0)
    return counts, sums


@given(tables())
def test_no_hidden_number_can_be_told_from_totals_of_totals(table: tuple[dict[str, int], list[Sum[str]]]) -> None:
    counts, sums = table
    hidden = hidden_in_sums(counts, sums)
    assert {name for name, count in counts.items() if 0 < count < SMALLEST_SHOWN} <= hidden
    # A number that is hidden is not nought, unless its total is hidden too.
    may_be_nought = {part for each in sums if each.total in hidden for part in each.parts}
    shown: dict[str, Range] = {
        name: (0 if name in may_be_nought else 1, float("inf")) if name in hidden else (count, count)
        for name, count in counts.items()
    }
    known = narrowed(shown, sums)
    for name, count in counts.items():
        least, most = known[name]
        assert least <= count <= most
        assert (least < most) is (name in hidden)


@given(tables())
def test_below_a_hidden_number_all_is_hidden(table: tuple[dict[str, int], list[Sum[str]]]) -> None:
    counts, sums = table
    hidden = hidden_in_sums(counts, sums)
    assert all(hidden.issuperset(each.parts) for each in sums if each.total in hidden)


SHAPES: dict[str, dict[str, Sequence[str]]] = {
    "unions of one federation": {"all": "abcd"},
    "a federation beside a union": {"all": ["A", "b"], "A": "xyz"},
    "two federations": {"all": ["A", "B"], "A": "xy", "B": "zw"},
    "a federation within a federation": {"all": ["A", "r"], "A": ["B", "x"], "B": "yz"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_nor_by_somebody_who_knows_this_program(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tables of a kind, with a border of 3 instead of 10: those that look the same have in each place that hides
    a small number two different ones."""
    monkeypatch.setattr(small_numbers, "SMALLEST_SHOWN", 3)
    largest = 9
    sums = [Sum(total, list(parts)) for total, parts in SHAPES[shape].items()]
    leaves = sorted({part for each in sums for part in each.parts} - set(SHAPES[shape]))
    lookalikes = defaultdict(list)
    for numbers in product(range(largest + 1), repeat=len(leaves)):
        counts = dict(zip(leaves, numbers, strict=True))
        for each in reversed(sums):
            counts[each.total] = sum(counts[part] for part in each.parts)
        hidden = hidden_in_sums(counts, sums)
        lookalikes[tuple((name, None if name in hidden else counts[name]) for name in sorted(counts))].append(counts)
    checked = 0
    for shown, tables in lookalikes.items():
        if any(counts[leaf] == largest for counts in tables for leaf in leaves):
            continue  # there are more of these than were made
        for name in (name for name, number in shown if number is None and tables[0][name] < 3):
            assert len({counts[name] for counts in tables}) > 1
            checked += 1
    assert checked > 20


def test_where_every_part_is_one_the_total_is_hidden_too() -> None:
    counts = {"all": 212, "ten": 12, "other": 200} | {f"b{number}": 1 for number in range(12)}
    sums = [Sum("all", ["ten", "other"]), Sum("ten", [f"b{number}" for number in range(12)])]
    assert hidden_in_sums(counts, sums) == set(counts) - {"all"}


def test_what_needs_no_protection_is_shown() -> None:
    counts = {"all": 125, "A": 75, "x": 15, "y": 60, "B": 50, "z": 47, "u": 2, "v": 1}
    sums = [Sum("all", ["A", "B"]), Sum("A", ["x", "y"]), Sum("B", ["z", "u", "v"])]
    assert hidden_in_sums(counts, sums) == {"u", "v"}
    counts |= {"u": 3, "v": 0}
    assert hidden_in_sums(counts, sums) == {"u", "z"}
