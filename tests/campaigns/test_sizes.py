"""Sizes: how many people an audience has adds up, by whatever they are counted."""

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import segments, sizes
from mailer.campaigns.segments import Segment
from tests.support.factories import make_list, make_subscriber, make_union, subscribe


@pytest.mark.parametrize(
    "segment",
    [
        Segment(),
        Segment(countries=("@NORDIC", "GB")),
        Segment(exclude_countries=("NO",)),
        Segment(unions=("federation",)),
        Segment(exclude_unions=("dockers",)),
        Segment(languages=("fr",)),
        Segment(exclude_languages=("fr", "en")),
        Segment(languages=("fr", "en"), exclude_languages=("fr-CA",), exclude_countries=("GB",)),
        Segment(lists=("news",)),
        Segment(exclude_lists=("news",), only_known_country=True),
    ],
)
def test_each_way_of_counting_finds_the_people_who_would_get_it(session: Session, segment: Segment) -> None:
    alerts, news = make_list(session), make_list(session, "news", name="News")
    federation = make_union(session, "federation")
    unions = (None, federation, make_union(session, "dockers", parent=federation))
    kinds = [("GB", "en"), ("NO", "fr"), ("SE", "fr-CA"), (None, "fr"), ("GB", None), (None, None)]
    for number, (country, language) in enumerate(kinds * 3):
        person = make_subscriber(session, alerts, country=country, language=language, union=unions[number % 3])
        if number % 2:
            subscribe(session, person, news)
    size = sizes.of(session, alerts.id, segment)
    assert size.people == segments.count(session, alerts.id, segment) > 0
    assert sum(size.by_country.values()) == sum(size.by_union.values()) == size.people
    groups = segments.groups(session, alerts.id, segment)
    for counts, kind in ((size.by_country, "country"), (size.by_union, "union_id"), (size.by_language, "language")):
        assert counts == {
            value: sum(group.people for group in groups if getattr(group, kind) == value)
            for value in {getattr(group, kind) for group in groups}
        }


def test_nobody_is_counted_where_nobody_is_meant(session: Session) -> None:
    size = sizes.of(session, make_list(session).id, Segment())
    assert (size.people, dict(size.by_country), dict(size.by_union), dict(size.by_language)) == (0, {}, {}, {})
