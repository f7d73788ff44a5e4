"""Charts: what they show is drawn, said aloud, and nothing else."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.formats import charts

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [("Quaysiders", 120), ("Nurses Together", 60), ("Teachers", None), ("Poets", 0)]


def drawn(title: str = "Joined", rows: list[tuple[str, int | None]] | None = None) -> ElementTree.Element:
    return ElementTree.fromstring(
        charts.bars(title, ROWS if rows is None else rows, hidden="under 10", empty="Nobody joined.")
    )


def words(chart: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in chart.iter(f"{SVG}text")]


def rectangles(chart: ElementTree.Element) -> list[ElementTree.Element]:
    """The bars: neither the paper below them nor the hatching."""
    return [each for each in chart.findall(f"{SVG}rect") if each.get("y")]


def test_names_and_numbers_stand_in_order_and_bars_are_as_long_as_they_say() -> None:
    chart = drawn()
    assert words(chart) == [
        "Joined",
        "Quaysiders",
        "120",
        "Nurses Together",
        "60",
        "Teachers",
        "under 10",
        "Poets",
        "0",
    ]
    longest, half, stub = (float(bar.get("width") or 0) for bar in rectangles(chart))
    assert longest == pytest.approx(2 * half, abs=1)
    assert 0 < stub < half


def test_a_hidden_number_is_hatched_and_its_bar_says_nothing_of_its_size() -> None:
    alone, beside = rectangles(drawn(rows=[("a", None)]))[0], rectangles(drawn(rows=[("b", 5000), ("a", None)]))[1]
    assert alone.get("width") == beside.get("width")
    assert (alone.get("fill") or "").startswith("url(#")


def test_a_small_number_beside_a_large_one_has_a_bar_that_can_be_seen() -> None:
    assert float(rectangles(drawn(rows=[("a", 100_000), ("b", 1)]))[1].get("width") or 0) >= 2


def test_what_is_drawn_is_read_aloud() -> None:
    chart = drawn()
    assert chart.get("role") == "img"
    said = {each.get("id"): each.text for each in chart if each.tag in (f"{SVG}title", f"{SVG}desc")}
    assert list(said) == (chart.get("aria-labelledby") or "").split()
    assert list(said.values()) == ["Joined", "Quaysiders: 120; Nurses Together: 60; Teachers: under 10; Poets: 0"]


def test_in_arabic_bars_begin_on_the_right() -> None:
    chart = drawn("انضموا", [("رابطة معلّمي الأرز", 30), ("Nurses", 15)])
    assert chart.get("direction") == "rtl"
    ends = {float(bar.get("x") or 0) + float(bar.get("width") or 0) for bar in rectangles(chart)}
    assert len(ends) == 1
    _, arabic, _, latin, _ = chart.iter(f"{SVG}text")
    assert (arabic.get("x"), arabic.get("text-anchor")) == (latin.get("x"), "start")
    assert (latin.get("direction"), latin.get("text-anchor")) == ("ltr", "end")


def test_it_fits_a_phone_however_long_a_name_is_and_says_the_whole_of_it() -> None:
    chart = drawn(rows=[("Confederation " * 14, 10), ("港湾労働者" * 20, 7)])
    assert float(chart.get("width") or 0) <= 390
    assert all(len(each) <= 48 for each in words(chart))
    assert ("港湾労働者" * 20) in (chart.findtext(f"{SVG}desc") or "")
    assert charts.bars("Joined", [("Nurses Together", 1)], hidden="", empty="").count("…") == 0


def test_where_every_number_is_nought_a_sentence_stands_instead() -> None:
    nobody: list[list[tuple[str, int | None]]] = [[], [("Poets", 0), ("Nurses Together", 0)]]
    for rows in nobody:
        chart = drawn(rows=rows)
        assert rectangles(chart) == []
        assert words(chart) == ["Joined", "Nobody joined."]
        assert chart.findtext(f"{SVG}desc") == "Nobody joined."
        assert float(chart.get("height") or 0) < 100
    assert "Nobody joined." not in words(drawn(rows=[("Poets", None)]))


def over_time(*numbers: int | None, title: str = "Sent") -> ElementTree.Element:
    rows = [(f"{hour}:00", number) for hour, number in enumerate(numbers)]
    return ElementTree.fromstring(charts.columns(title, rows, hidden="under 10", empty="Nothing went out."))


def bars_of(chart: ElementTree.Element, kind: str = "chart-bar") -> list[ElementTree.Element]:
    return [each for each in chart.findall(f"{SVG}rect") if each.get("class") == kind]


def test_columns_stand_on_one_line_in_the_order_of_time_and_are_as_high_as_they_say() -> None:
    high, half = bars_of(over_time(400, 0, 200))
    assert float(high.get("height") or 0) == pytest.approx(2 * float(half.get("height") or 0), abs=1)
    assert len({int(each.get("y") or 0) + int(each.get("height") or 0) for each in (high, half)}) == 1
    assert float(high.get("x") or 0) < float(half.get("x") or 0)


def test_a_few_columns_have_their_numbers_and_of_many_the_highest_is_told() -> None:
    assert words(over_time(400, None)) == ["Sent", "400", "under 10", "0:00", "1:00"]
    assert words(over_time(*range(1, 41))) == ["Sent", "0:00", "39:00", "40"]
    assert over_time(*range(41)).findtext(f"{SVG}desc", "").count(";") == 40


def test_in_arabic_time_runs_to_the_left() -> None:
    first, second = bars_of(over_time(5, 5, title="أُرسلت"))
    assert float(first.get("x") or 0) > float(second.get("x") or 0)


def test_columns_fit_however_many_there_are() -> None:
    for many in (1, 7, 48, 2000):
        chart = over_time(*[3] * many)
        assert all(12 <= float(each.get("x") or 0) <= 378 for each in bars_of(chart))
        assert chart.findtext(f"{SVG}desc", "").count(";") == many - 1


def test_over_a_time_in_which_nothing_was_counted_a_sentence_stands_instead() -> None:
    assert words(over_time(0, 0)) == ["Sent", "Nothing went out."]


ANYTHING = st.text(max_size=60)


@given(ANYTHING, st.lists(st.tuples(ANYTHING, st.none() | st.integers(0, 10**9)), max_size=5), ANYTHING)
def test_whatever_names_hold_it_is_one_element_that_runs_and_loads_nothing(
    title: str, rows: list[tuple[str, int | None]], hidden: str
) -> None:
    chart = ElementTree.fromstring(charts.bars(title, rows, hidden=hidden, empty=""))
    allowed = {"svg", "title", "desc", "defs", "pattern", "rect", "text"}
    assert {each.tag.removeprefix(SVG) for each in chart.iter()} <= allowed
    assert not any(name.startswith("on") or "href" in name for each in chart.iter() for name in each.attrib)
    for bar in rectangles(chart):
        left, length = float(bar.get("x") or 0), float(bar.get("width") or 0)
        assert left >= 0
        assert left + length <= 390
