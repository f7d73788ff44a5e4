"""The site under load: what the sign-up form accepts is kept, and each letter is shown."""

from pathlib import Path

from mailer.bench import installation, site


def test_every_sign_up_that_is_accepted_is_kept(tmp_path: Path) -> None:
    measured = installation.make(tmp_path, people=10)
    load = site.measure(measured, "sqlite", stretches=[(10, 1), (20, 1)])
    assert [sum(visits.answers.values()) for visits in load.stretches] == [10, 20]
    assert load.accepted == load.kept == 30


def test_the_page_of_each_letter_is_shown(tmp_path: Path) -> None:
    measured = installation.make(tmp_path, people=10)
    visits = site.measure_letters(measured, "sqlite", stretch=(20, 1)).visits
    assert visits.answers == {"200": 20}
