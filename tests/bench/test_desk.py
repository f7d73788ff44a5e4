"""The desk of a large installation: each page is shown, and those who look on are answered."""

from pathlib import Path

from mailer.bench import desk, installation


def test_every_page_of_the_desk_is_shown(tmp_path: Path) -> None:
    measured = installation.make(tmp_path, people=10)
    found = desk.measure(measured, "sqlite", campaigns=3, entries=5, each=2, seconds=1)
    assert {page.path: page.visits.answers for page in found.pages} == {page.path: {"200": 2} for page in found.pages}
    assert found.looking_on.answers == {"200": 25}
