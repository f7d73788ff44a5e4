"""Acting under load: what is accepted is kept, and what is counted are the rows."""

from pathlib import Path

from mailer.bench import acting, installation


def test_every_act_and_signature_that_is_accepted_is_kept_and_counted(tmp_path: Path) -> None:
    measured = installation.make(tmp_path, people=20)
    found = acting.measure(measured, "sqlite", stretches=[(10, 1), (20, 1)], counted=25)
    assert [visits.answers for visits in found.stretches] == [{"200": 5, "303": 5}, {"200": 10, "303": 10}]
    assert found.accepted == found.kept == 30
