"""Whom people are asked to write to, by country."""

from mailer.campaigns.targets import Target, Targets


def test_a_target_is_found_by_country_else_the_fallback() -> None:
    london, rest = Target(("GB", "IE"), "London", "", ""), Target((), "Ministry", "", "")
    targets = Targets([rest, london])
    assert targets.for_country("IE") is london
    assert targets.for_country("FR") is targets.for_country(None) is rest
    assert targets.has_own("GB") and not targets.has_own("FR")
    assert Targets([london]).for_country("FR") is None
    assert Target.from_json(london.to_json()) == london
