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
