"""Audiences: whom a segment means, on both databases, and what is read to find out."""

import random
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, text
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle, segments
from mailer.campaigns.segments import InvalidSegment, Segment
from mailer.locale import countries, country_groups, languages
from mailer.people import lists
from mailer.store.models import ActKind, DeliveryState, MailingList, Purpose, SubscriptionStatus, Union
from mailer.unions import directory
from tests.support.factories import (
    deliver,
    make_act,
    make_campaign,
    make_list,
    make_subscriber,
    make_union,
    subscribe,
)

COUNTRIES = (None, "GB", "FR", "DE", "NO", "BR")
UNIONS = (None, "federation", "branch", "sub-branch", "other")
LANGUAGES = (None, "en", "fr", "pt", "pt-BR")
#: union → itself and what contains it
ABOVE = {
    "federation": {"federation"},
    "branch": {"branch", "federation"},
    "sub-branch": {"sub-branch", "branch", "federation"},
    "other": {"other"},
}


@dataclass(frozen=True)
class Person:
    country: str | None
    union: str | None
    language: str | None
    lists: frozenset[str]
    got: frozenset[str]
    acted: frozenset[str]
    mailable: bool


@dataclass(frozen=True)
class World:
    session: Session
    list_id: int
    people: list[Person]


@pytest.fixture
def known_unions(session: Session) -> dict[str | None, Union | None]:
    federation = make_union(session, "federation", country=None)
    branch = make_union(session, "branch", parent=federation)
    sub_branch = make_union(session, "sub-branch", parent=branch)
    return {
        None: None,
        "federation": federation,
        "branch": branch,
        "sub-branch": sub_branch,
        "other": make_union(session, "other"),
    }


@pytest.fixture
def world(session: Session, known_unions: dict[str | None, Union | None]) -> World:
    """300 people of all kinds, always the same."""
    rng = random.Random(7)
    made = {slug: make_list(session, slug) for slug in ("main", "news", "press")}
    # Whose list a campaign went to does not matter, as long as it has the same owner.
    sent = {slug: make_campaign(session, made[to], slug=slug) for slug, to in (("alert", "main"), ("report", "press"))}
    people: list[Person] = []
    for _ in range(300):
        fates = {slug: rng.choice([*DeliveryState, None]) for slug in sent}
        person = Person(
            rng.choice(COUNTRIES),
            rng.choice(UNIONS),
            rng.choice(LANGUAGES),
            frozenset(slug for slug in ("news", "press") if rng.random() < 0.3),
            frozenset(slug for slug, fate in fates.items() if fate in ("sent", "unknown")),
            frozenset(slug for slug in sent if rng.random() < 0.3),
            rng.random() < 0.8,
        )
        subscriber = make_subscriber(
            session,
            made["main"],
            country=person.country,
            union=known_unions[person.union],
            language=person.language,
            status=SubscriptionStatus.ACTIVE if person.mailable else SubscriptionStatus.UNSUBSCRIBED,
        )
        for slug in person.lists:
            subscribe(session, subscriber, made[slug])
        for slug, fate in fates.items():
            if fate is not None:
                deliver(session, sent[slug], subscriber, fate, fence=1 if fate is DeliveryState.SENDING else None)
        for slug in person.acted:
            make_act(session, sent[slug], subscriber, rng.choice(list(ActKind)))
        people.append(person)
    make_act(session, sent["alert"], None)  # of somebody who was erased
    session.commit()
    return World(session, made["main"].id, people)


def expected(people: list[Person], segment: dict[str, list[str]]) -> int:
    """What a person would count by hand."""

    def is_meant(person: Person) -> bool:
        facts: dict[str, AbstractSet[str | None]] = {
            "countries": {person.country}
            | {f"@{name}" for name, group in country_groups.GROUPS.items() if person.country in group.everywhere},
            "unions": ABOVE[person.union] if person.union else set(),
            "languages": set(languages.forms(person.language)) if person.language else set(),
            "lists": person.lists,
            "got": person.got,
            "acted": person.acted,
        }
        included = all(facts[key] & set(values) for key, values in segment.items() if key in facts)
        excluded = any(
            facts[key.removeprefix("exclude_").removeprefix("not_")] & set(values)
            for key, values in segment.items()
            if key not in facts
        )
        return person.mailable and included and not excluded

    return sum(map(is_meant, people))


def some(*values: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


COUNTRY_LISTS = some("GB", "FR", "DE", "NO", "BR", "JP", "@EU", "@EEA", "@NORDIC")
UNION_LISTS = some("federation", "branch", "sub-branch", "other")
SEGMENTS = st.fixed_dictionaries(
    {},
    optional={
        "countries": COUNTRY_LISTS,
        "exclude_countries": COUNTRY_LISTS,
        "unions": UNION_LISTS,
        "exclude_unions": UNION_LISTS,
        "languages": some("en", "fr", "pt", "pt-BR", "ja"),
        "exclude_languages": some("en", "fr", "pt", "pt-BR", "ja"),
        "lists": some("news", "press"),
        "exclude_lists": some("news", "press"),
        "got": some("alert", "report"),
        "not_got": some("alert", "report"),
        "acted": some("alert", "report"),
        "not_acted": some("alert", "report"),
    },
)


# The world is read, never changed, so one will do for all examples.
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SEGMENTS)
def test_a_segment_means_whom_a_person_would_count_by_hand(world: World, data: dict[str, list[str]]) -> None:
    segment = Segment.parse(data)
    wanted = expected(world.people, data)
    assert segments.count(world.session, world.list_id, segment) == wanted
    rows = segments.audience(world.session, world.list_id, segment).add_columns(func.count())
    assert world.session.scalar(rows) == wanted
    tally = segments.tally(world.session, world.list_id, segment)
    assert sum(row.people for row in world.session.execute(tally.select())) == wanted


def test_who_did_not_say_matches_no_include_and_no_exclude(session: Session) -> None:
    news = make_list(session)
    make_union(session, "dockers")
    make_subscriber(session, news, country=None, union=None, language=None)
    for key, value in (("countries", "GB"), ("unions", "dockers"), ("languages", "en")):
        assert segments.count(session, news.id, Segment.parse({key: [value]})) == 0
        assert segments.count(session, news.id, Segment.parse({f"exclude_{key}": [value]})) == 1


@pytest.mark.parametrize("status", [SubscriptionStatus.PENDING, SubscriptionStatus.UNSUBSCRIBED])
def test_who_may_not_be_mailed_is_never_meant(session: Session, status: SubscriptionStatus) -> None:
    news, other = make_list(session), make_list(session, "other")
    person = make_subscriber(session, news, status=status)
    subscribe(session, person, other)
    assert segments.count(session, news.id, Segment()) == 0
    assert segments.count(session, news.id, Segment.parse({"lists": ["other"]})) == 0


def test_having_left_another_list_is_not_being_on_it(session: Session) -> None:
    news, other = make_list(session), make_list(session, "other")
    subscribe(session, make_subscriber(session, news), other, status=SubscriptionStatus.UNSUBSCRIBED)
    assert segments.count(session, news.id, Segment.parse({"lists": ["other"]})) == 0
    assert segments.count(session, news.id, Segment.parse({"exclude_lists": ["other"]})) == 1


def test_countries_may_be_named_and_groups_written_in_any_case() -> None:
    assert Segment.parse({"countries": ["united kingdom", "fra", "@eu"]}).countries == ("GB", "FR", "@EU")


def test_a_segment_survives_its_storage() -> None:
    segment = Segment(countries=("@EU", "GB"), exclude_unions=("dockers",), languages=("pt-BR",))
    assert Segment.parse(segment.to_json()) == segment
    assert Segment().to_json() == {}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"country": ["GB"]}, 'unknown audience key "country"'),
        ({"countries": "GB"}, "must be a list of texts"),
        ({"countries": [1]}, "must be a list of texts"),
        ({"unions": []}, "is an empty list"),
    ],
)
def test_what_is_no_segment_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSegment, match=message):
        Segment.parse(data)


@pytest.mark.parametrize("key", ["countries", "exclude_countries"])
def test_unknown_countries_and_groups_are_refused(key: str) -> None:
    with pytest.raises(countries.UnknownCountry, match='"Atlantis"'):
        Segment.parse({key: ["Atlantis"]})
    with pytest.raises(country_groups.UnknownCountryGroup, match="@EU"):
        Segment.parse({key: ["@MARS"]})


def test_unknown_languages_unions_and_lists_are_refused(session: Session) -> None:
    news = make_list(session)
    with pytest.raises(languages.InvalidLanguage):
        Segment.parse({"languages": ["klingon"]})
    with pytest.raises(directory.UnknownUnion, match="no union"):
        segments.count(session, news.id, Segment.parse({"unions": ["nobody"]}))
    with pytest.raises(lists.UnknownList, match="no list"):
        segments.count(session, news.id, Segment.parse({"exclude_lists": ["nothing"]}))


@pytest.mark.parametrize("key", ["lists", "exclude_lists"])
def test_only_lists_of_the_same_union_or_of_none_may_choose_an_audience(session: Session, key: str) -> None:
    bakers, dockers = make_union(session, "bakers"), make_union(session, "dockers")
    main = make_list(session, "main")
    owned = {slug: make_list(session, slug) for slug in ("bakers-a", "bakers-b", "dockers-a")}
    for slug, mailing_list in owned.items():
        mailing_list.owner_id = bakers.id if slug.startswith("bakers") else dockers.id
    session.flush()
    for named in ("bakers-b", "main"):
        segments.audience(session, owned["bakers-a"].id, Segment.parse({key: [named]}))
    for mailing_list, named in ((main, "bakers-a"), (owned["bakers-a"], "dockers-a")):
        with pytest.raises(segments.ForeignList, match=f'"{named}" belongs to a union'):
            segments.audience(session, mailing_list.id, Segment.parse({key: ["main", named]}))
        with pytest.raises(segments.ForeignList):
            segments.count(session, mailing_list.id, Segment.parse({key: [named]}))


# --- who got another campaign ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", DeliveryState)
def test_who_was_sent_a_campaign_or_may_have_been_got_it_and_nobody_else(
    session: Session, state: DeliveryState
) -> None:
    news = make_list(session)
    alert = make_campaign(session, news)
    deliver(session, alert, make_subscriber(session, news), state, fence=1)
    has_it = state in (DeliveryState.SENT, DeliveryState.UNKNOWN)
    assert segments.count(session, news.id, Segment(got=(alert.slug,))) == has_it
    assert segments.count(session, news.id, Segment(not_got=(alert.slug,))) == (not has_it)


def test_a_test_mail_is_not_getting_a_campaign(session: Session) -> None:
    news = make_list(session)
    alert = make_campaign(session, news)
    deliver(session, alert, make_subscriber(session, news), DeliveryState.SENT, purpose=Purpose.TEST)
    assert segments.count(session, news.id, Segment(got=(alert.slug,))) == 0
    assert segments.count(session, news.id, Segment(not_got=(alert.slug,))) == 1


def test_who_was_erased_since_changes_nothing_for_others(session: Session) -> None:
    news = make_list(session)
    alert = make_campaign(session, news)
    deliver(session, alert, None, DeliveryState.SENT)
    make_subscriber(session, news)
    assert segments.count(session, news.id, Segment(got=(alert.slug,))) == 0
    assert segments.count(session, news.id, Segment(not_got=(alert.slug,))) == 1


def test_who_got_it_by_another_list_is_found_and_who_has_left_is_not_mailed(session: Session) -> None:
    news, press = make_list(session), make_list(session, "press")
    alert = make_campaign(session, press)
    for status in SubscriptionStatus:
        person = make_subscriber(session, news, status=status)
        subscribe(session, person, press)
        deliver(session, alert, person, DeliveryState.SENT)
    assert segments.count(session, news.id, Segment(got=(alert.slug,))) == 1
    assert segments.count(session, press.id, Segment(got=(alert.slug,))) == len(SubscriptionStatus)


@pytest.mark.parametrize("key", ["got", "not_got", "acted", "not_acted"])
def test_only_campaigns_of_the_same_owner_may_choose_an_audience(session: Session, key: str) -> None:
    bakers, dockers = make_union(session, "bakers"), make_union(session, "dockers")
    owners = {"main": None, "main-b": None, "bakers": bakers.id, "bakers-b": bakers.id, "dockers": dockers.id}
    owned = {slug: make_list(session, slug) for slug in owners}
    for slug, mailing_list in owned.items():
        mailing_list.owner_id = owners[slug]
        make_campaign(session, mailing_list, slug=f"to-{slug}")
    session.flush()
    for mailing_list, owner_id in ((owned["main"], None), (owned["bakers"], bakers.id)):
        for slug in owned:
            segment = Segment.parse({key: [f"to-{slug}"]})
            if owners[slug] == owner_id:
                segments.audience(session, mailing_list.id, segment)
                continue
            for compiled in (segments.audience, segments.tally, segments.count):
                with pytest.raises(segments.ForeignCampaign, match=f'"to-{slug}" goes to a list of somebody else'):
                    compiled(session, mailing_list.id, segment)
    with pytest.raises(lifecycle.UnknownCampaign, match='no campaign "nothing"'):
        segments.count(session, owned["main"].id, Segment.parse({key: ["nothing"]}))


# --- what is read ---------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(session: Session, engine: Engine, known_unions: dict[str | None, Union | None]) -> Iterator[MailingList]:
    """20,000 people, enough for a planner to prefer the index, written by SQL because people one by one are slow."""
    news = make_list(session)
    session.commit()
    numbers = (
        "(WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 20000) SELECT n FROM g)"
        if engine.dialect.name == "sqlite"
        else "(SELECT n FROM generate_series(1, 20000) g(n))"
    )
    key = "CAST(n AS BLOB)" if engine.dialect.name == "sqlite" else "CAST(CAST(n AS text) AS bytea)"
    statements = [
        f"INSERT INTO subscribers (id, email, email_index, created_at) "
        f"SELECT n, {key}, {key}, CURRENT_TIMESTAMP FROM {numbers} AS numbers",
        f"INSERT INTO subscriptions (subscriber_id, list_id, status, created_at, mailable, country, language) "
        f"SELECT n, {news.id}, 'active', CURRENT_TIMESTAMP, n % 20 > 0, "
        f"CASE n % 3 WHEN 0 THEN 'GB' WHEN 1 THEN 'FR' END, CASE n % 2 WHEN 0 THEN 'en' ELSE 'fr' END "
        f"FROM {numbers} AS numbers",
    ]
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    if engine.dialect.name == "postgresql":
        # Only a vacuumed table's index answers without a look at the table.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE subscriptions"))
    yield news


def plan_of(session: Session, statement: Any) -> str:
    """How the database means to answer a statement, in its own words."""
    bind = session.get_bind()
    if bind.dialect.name == "postgresql":
        # What reads a million rows from the index reads these few from the table: it is smaller.
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_bitmapscan = off"))
    compiled = statement.compile(bind, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN" if bind.dialect.name == "sqlite" else "EXPLAIN"
    return "\n".join(str(row[-1]) for row in session.execute(text(f"{explain} {compiled}")))


def test_a_language_takes_in_its_forms_as_a_text_does(session: Session) -> None:
    mailing_list = make_list(session)
    for tag in ("fr", "fr-CA", "fr-BE", "zh", "zh-TW", "nb", None):
        make_subscriber(session, mailing_list, language=tag)

    def count(**segment: list[str]) -> int:
        return segments.count(session, mailing_list.id, Segment.parse(segment))

    assert count(languages=["fr"]) == 3
    assert count(languages=["fr-CA"]) == 1
    assert count(languages=["zh"]) == count(languages=["zh-Hant"]) == count(languages=["no"]) == 1
    assert count(exclude_languages=["fr", "no"]) == 3
    assert count(languages=["fr"], exclude_languages=["fr-BE"]) == 2


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"countries": ["GB", "FR"]},
        {"exclude_countries": ["@EU"], "exclude_unions": ["federation"]},
        {"languages": ["en"]},
        {"countries": ["@EU"], "unions": ["federation"]},
    ],
)
def test_an_audience_is_counted_from_one_index_alone(
    session: Session, crowd: MailingList, data: dict[str, Any]
) -> None:
    segment = Segment.parse(data)
    counted = segments.audience(session, crowd.id, segment).add_columns(func.count())
    for statement in (counted, segments.tally(session, crowd.id, segment).select()):
        plan = plan_of(session, statement)
        wanted = (
            "COVERING INDEX ix_audience"
            if session.get_bind().dialect.name == "sqlite"
            else "Index Only Scan using ix_audience"
        )
        assert wanted in plan, plan
        reads = [line for line in plan.splitlines() if "SEARCH" in line or "Scan" in line]
        assert all(wanted in line for line in reads), plan
