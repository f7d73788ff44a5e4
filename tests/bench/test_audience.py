"""Choosing audiences on an installation: each size that is asked for is answered."""

from pathlib import Path

from mailer.bench import audience, installation


def test_every_kind_of_audience_is_counted(tmp_path: Path) -> None:
    measured = installation.make(tmp_path, people=30)
    found = audience.measure(measured, "sqlite", each=2, rate=10)
    assert {each.what: each.visits.answers for each in found.kinds} == {each.what: {"200": 2} for each in found.kinds}
    assert found.groups > 20
