"""Whom people are asked to write to, by country."""

from mailer.cases.targets import Target, Targets


def test_a_target_is_found_by_country_else_the_fallback() -> None:
    london, rest = Target(("GB", "IE"), "London", "", ""), Target((), "Ministry", "", "")
    targets = Targets([rest, london])
    assert targets.for_country("IE") is london
    assert targets.for_country("FR") is targets.for_country(None) is rest
    assert targets.has_own("GB") and not targets.has_own("FR")
    assert Targets([london]).for_country("FR") is None
    assert Target.from_json(london.to_json()) == london


def test_people_in_a_territory_write_to_the_embassy_for_its_state_unless_it_has_its_own() -> None:
    paris, noumea, rest = (
        Target(("FR",), "Paris", "", ""),
        Target(("NC",), "Nouméa", "", ""),
        Target((), "Rest", "", ""),
    )
    targets = Targets([paris, noumea, rest])
    assert targets.for_country("RE") is targets.for_country("PF") is targets.for_country("CP") is paris
    assert targets.for_country("NC") is noumea
    assert targets.has_own("RE") and not targets.has_own("GL")
    for own in ("HK", "MO", "TW", "XK", "PS", "EH", "GL"):
        assert targets.for_country(own) is rest


def test_a_target_for_a_group_is_for_the_territories_in_it_that_have_none_of_their_own() -> None:
    union, saint_denis, rest = (
        Target((), "Union", "", "", ("@EU",)),
        Target(("RE",), "Saint-Denis", "", ""),
        Target((), "Rest", "", ""),
    )
    targets = Targets([union, saint_denis, rest])
    assert targets.for_country("FR") is targets.for_country("GP") is targets.for_country("IC") is union
    assert targets.for_country("RE") is saint_denis
    assert targets.for_country("GL") is targets.for_country("NC") is rest
    assert Target.from_json(union.to_json()) == union
