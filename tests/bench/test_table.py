"""What becomes of the measurements."""

from datetime import date
from pathlib import Path

import pytest

from mailer.bench.meter import Cost, Run
from mailer.bench.suite import Case, Measurement, SuiteResults
from mailer.bench.table import NoPlaceForTable, markdown, ratios, write

TODAY = date(2026, 3, 1)


def run(rate: float, *, cpu_seconds_each: float = 1e-4) -> Run:
    return Run(1000, (Cost(0.0, 1000 / rate, 1000 * cpu_seconds_each, 50_000_000),))


def results(*measurements: Measurement, recipients: int = 10_000) -> SuiteResults:
    return SuiteResults("sqlite", recipients, 11_500, 0.5, measurements)


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_the_rates() -> None:
    # The machine was busy in the second round, and slowed both alike.
    engine = Measurement(Case.ENGINE, (run(6000), run(600), run(6000)))
    limit = Measurement(Case.LIMIT, (run(10_000), run(1000), run(7500)))
    [ratio] = ratios([results(engine, limit)])
    assert (ratio.name, ratio.shown, ratio.reach) == ("(b) to the limit (a)", "0.60", "≥ 0.60")


def test_two_processes_count_together_from_the_first_start_to_the_last_end() -> None:
    both = Run(300, (Cost(10.0, 12.0, 0.2, 60), Cost(11.0, 13.0, 0.4, 70)))
    assert both.rate == 100
    assert both.cpu_seconds_each == pytest.approx(0.002)
    assert both.peak_bytes == 70


def test_a_large_audience_is_compared_with_the_smallest() -> None:
    small = results(Measurement(Case.ENGINE, (run(5000, cpu_seconds_each=1e-4),)))
    large = results(Measurement(Case.ENGINE, (run(5000, cpu_seconds_each=1.2e-4),)), recipients=1_000_000)
    [ratio] = ratios([small, large])
    assert (ratio.where, ratio.shown) == ("sqlite, 1,000,000 to 10,000", "1.20")


def test_the_table_replaces_the_last_one_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("Before\n\n<!-- written by: make bench -->\n\nold\n\n<!-- until here -->\n\nAfter\n")
    table = markdown([results(Measurement(Case.ENGINE, (run(5000),)))], today=TODAY)
    for _ in range(2):
        write(page, table)
    text = page.read_text()
    assert text.startswith("Before\n\n<!-- written by: make bench -->\n\nMeasured on 2026-03-01 on ")
    assert text.endswith("\n<!-- until here -->\n\nAfter\n")
    assert text.count("| sqlite | 10,000 | b: one worker | 5,000 | 100 | 50 |") == 1
    assert "old" not in text


def test_a_page_without_a_place_for_the_table_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- until here -->\n<!-- written by: make bench -->\n")
    with pytest.raises(NoPlaceForTable):
        write(page, "table")
    assert page.read_text() == "<!-- until here -->\n<!-- written by: make bench -->\n"
