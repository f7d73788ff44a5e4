"""Time zones to choose from: each once, where people look for it."""

import pytest

from mailer.locale import zone_choices

LANGUAGES = ("en", "fr", "ru", "ar")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_zone_is_offered_once_and_under_a_name_of_its_own(language: str) -> None:
    offered = [each for region in zone_choices.by_region(language) for each in region.choices]
    assert len({each.zone for each in offered}) == len({each.words for each in offered}) == len(offered) > 400
    assert not [each.words for each in offered if "/" in each.words], "a country stands before its city already"


def test_zones_stand_in_the_part_of_the_world_that_people_look_in() -> None:
    place = {each.zone: region.name for region in zone_choices.by_region("en") for each in region.choices}
    assert place["UTC"] == ""
    for zone in ("America/Argentina/Buenos_Aires", "Pacific/Honolulu", "Atlantic/Bermuda"):
        assert place[zone] == "Americas"
    assert place["Atlantic/Canary"] == place["Asia/Omsk"] == place["Arctic/Longyearbyen"] == "Europe"
    assert place["Indian/Mauritius"] == "Africa" and place["Australia/Perth"] == "Oceania"
