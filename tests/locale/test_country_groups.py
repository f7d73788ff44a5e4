"""Groups have the members and territories that their treaties say, and territories the embassies of their state."""

import pytest

from mailer.locale import countries, country_groups


@pytest.mark.parametrize(("name", "states"), [("@EU", 27), ("@EEA", 30), ("@EFTA", 4), ("@G7", 7), ("@NORDIC", 5)])
def test_groups_have_their_members(name: str, states: int) -> None:
    group = country_groups.get(name)
    assert len(group.states) == states
    assert all(countries.parse(code) == code for code in group.everywhere)
    assert country_groups.expand(["US", name.lower()]) == group.everywhere | {"US"}


@pytest.mark.parametrize("group", ["EU", "@", "@MARS", ""])
def test_an_unknown_group_is_refused_with_those_there_are(group: str) -> None:
    with pytest.raises(country_groups.UnknownCountryGroup, match="@EU"):
        country_groups.get(group)


@pytest.mark.parametrize(
    ("group", "within", "outside"),
    [
        ("@EU", "AX GF GP MF MQ RE YT", "AW BL BQ CW FO GI GL IM JE NC PF PM SX TF WF"),
        ("@EEA", "AX GF GP MF MQ RE YT", "AW BL BQ CW FO GL NC PF PM SJ SX TF WF"),
        ("@EFTA", "NO", "SJ"),
        ("@G7", "BM GI GP JE NC PR VI", "FO HK MO TW"),
        ("@NORDIC", "AX FO GL SJ", "BV"),
    ],
)
def test_a_group_has_the_territories_that_its_treaty_says(group: str, within: str, outside: str) -> None:
    places = country_groups.expand([group])
    assert set(within.split()) <= places
    assert places.isdisjoint(outside.split())


def test_what_a_group_leaves_out_are_territories_of_its_members_that_nothing_else_names() -> None:
    outside = frozenset(["AW", "BL", "BQ", "CW", "FO", "GL", "NC", "PF", "PM", "SX", "TF", "WF"])
    assert country_groups.left_out(["@EU"]) == outside
    assert country_groups.left_out(["@EU", "NC", "@NORDIC"]) == outside - {"NC", "FO", "GL"} | {"BV"}


def test_what_a_country_leaves_out_are_its_territories_that_nothing_else_names() -> None:
    assert country_groups.left_out(["DK", "HK"]) == {"FO", "GL"}
    assert country_groups.left_out(["DK", "GL"]) == {"FO"}
    assert country_groups.left_out(["DK", "@NORDIC"]) == {"BV"}
    assert country_groups.left_out(["ES", "RE"]) == frozenset()


@pytest.mark.parametrize(
    ("place", "state"),
    [
        *(("RE", "FR"), ("NC", "FR"), ("GL", "DK"), ("GI", "GB"), ("PR", "US"), ("CW", "NL"), ("NU", "NZ")),
        *(("IC", "ES"), ("AC", "GB"), ("FR", "FR")),
        *((own, own) for own in ("HK", "MO", "TW", "XK", "PS", "EH", "AQ")),
    ],
)
def test_a_territory_counts_for_the_embassies_of_its_state(place: str, state: str) -> None:
    assert country_groups.state_of(place) == state


def test_a_territory_belongs_to_one_state_which_is_none_itself() -> None:
    offered = {code for code, _ in countries.all_in("en")}
    assert set(country_groups.STATE_OF) | set(country_groups.STATE_OF.values()) <= offered
    assert set(country_groups.STATE_OF).isdisjoint(country_groups.STATE_OF.values())
    for group in country_groups.GROUPS.values():
        assert all(country_groups.STATE_OF[place] in group.states for place in group.territories)
