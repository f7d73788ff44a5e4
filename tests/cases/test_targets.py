"""Whom people are asked to write to, by country."""

import json
from collections.abc import Iterable
from datetime import date

from mailer.cases.targets import Target, Targets
from mailer.store.models import TargetRole

AUTHORITY, EMBASSY = TargetRole.AUTHORITY, TargetRole.EMBASSY


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


def test_what_is_stored_reads_back_the_same_whatever_is_known() -> None:
    full = Target(
        ("DE",),
        "Prison",
        "p@example.org",
        "ул. Ленина, 1",
        ("@EU",),
        slug="prison",
        role=TargetRole.PRISONER,
        case="leila",
        names={"fr": "Prison"},
        salutations={"en": "Dear Leila"},
        languages=("ru", "en"),
        own_words=True,
        verified_on=date(2026, 11, 20),
    )
    assert Target.from_json(json.loads(json.dumps(full.to_json()))) == full


# --- by role --------------------------------------------------------------------------------------------------------


def of(role: TargetRole, slug: str, *countries: str, case: str | None = None) -> Target:
    groups = tuple(each for each in countries if each.startswith("@"))
    places = tuple(each for each in countries if not each.startswith("@"))
    return Target(places, slug, "", "", groups, slug=slug, role=role, case=case)


def slugs(found: Iterable[Target]) -> list[str]:
    return [each.slug for each in found]


def test_people_write_to_all_of_a_role_that_are_equally_near_role_by_role_in_the_order_asked_for() -> None:
    court, ministry = of(AUTHORITY, "court", case="leila"), of(AUTHORITY, "ministry", case="leila")
    berlin, brussels, far = of(EMBASSY, "berlin", "DE"), of(EMBASSY, "brussels", "@EU"), of(EMBASSY, "geneva")
    targets = Targets([far, court, berlin, ministry, brussels])
    assert slugs(targets.of_roles([EMBASSY, AUTHORITY], "DE")) == ["berlin", "court", "ministry"]
    assert slugs(targets.of_roles([AUTHORITY, EMBASSY], "GP")) == ["court", "ministry", "brussels"]
    assert slugs(targets.of_roles([EMBASSY], "JP")) == slugs(targets.of_roles([EMBASSY], None)) == ["geneva"]
    assert targets.of_roles([TargetRole.COMPANY], "DE") == []


def test_of_equally_near_ones_those_of_the_case_are_meant() -> None:
    ours, all_cases = of(EMBASSY, "leilas", "DE", case="leila"), of(EMBASSY, "berlin", "DE")
    everywhere = of(EMBASSY, "leilas-rest", case="leila")
    paris = of(EMBASSY, "paris", "FR")
    targets = Targets([all_cases, ours, everywhere, paris])
    assert slugs(targets.of_roles([EMBASSY], "DE")) == ["leilas"]
    assert slugs(targets.of_roles([EMBASSY], "FR")) == ["paris"]
    assert slugs(targets.of_roles([EMBASSY], "JP")) == ["leilas-rest"]
    others = Targets([of(EMBASSY, "geneva"), everywhere])
    assert slugs(others.of_roles([EMBASSY], "JP")) == slugs(others.of_roles([EMBASSY], None)) == ["leilas-rest"]
