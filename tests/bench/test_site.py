"""The sign-up form under load: what is accepted is kept."""

from pathlib import Path

from mailer.bench import installation, site


def test_every_sign_up_that_is_accepted_is_kept(tmp_path: Path) -> None:
    measured = installation.make(tmp_path, people=10)
    load = site.measure(measured, "sqlite", stretches=[(10, 1), (20, 1)])
    assert [sum(visits.answers.values()) for visits in load.stretches] == [10, 20]
    assert load.accepted == load.kept == 30
