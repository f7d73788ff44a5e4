"""Nobody who lives under the authorities that a campaign addresses gets the words for others."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import editions, gate, segments
from mailer.campaigns.editions import EditionRenderer, Reader
from mailer.campaigns.readiness import Refused
from mailer.delivery import control
from mailer.kits import making
from mailer.store.models import (
    Campaign,
    Delivery,
    HomeRule,
    Kit,
    MailingList,
    Union,
    UnionStatus,
)
from tests.support.factories import SENDER, add_text, make_campaign, make_list, make_subscriber, make_union

OWN_WORDS = '{% if country == "FR" %}Please do nothing.{% else %}Write to the embassy.{% endif %}\n'


@pytest.fixture
def urgent(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, urgent: MailingList) -> Campaign:
    """One that addresses France."""
    campaign = make_campaign(session, urgent, body="Write to the embassy.\n")
    campaign.about = "FR"
    session.flush()
    return campaign


def codes(session: Session, campaign: Campaign) -> list[str]:
    return [finding.code for finding in gate.findings(session, campaign)]


def reached(session: Session, campaign: Campaign) -> set[str | None]:
    """The countries of whom a started campaign was planned for."""
    return set(session.scalars(select(Delivery.country).where(Delivery.campaign_id == campaign.id)))


def test_an_alert_that_does_not_say_whose_authorities_it_addresses_is_refused(
    session: Session, campaign: Campaign, urgent: MailingList
) -> None:
    make_subscriber(session, urgent)
    campaign.about = None
    with pytest.raises(Refused, match='Write about = "CC"'):
        control.start(session, campaign, SENDER)
    campaign.about = "none"
    assert control.start(session, campaign, SENDER) == 1


@pytest.mark.parametrize("place", ["FR", "RE"])
def test_readers_at_home_keep_an_alert_until_somebody_has_decided(
    session: Session, campaign: Campaign, urgent: MailingList, place: str
) -> None:
    make_subscriber(session, urgent, country=place)
    make_subscriber(session, urgent, country="GB")
    with pytest.raises(Refused, match="some of the audience live in France"):
        control.start(session, campaign, SENDER)
    campaign.home = HomeRule.EXCLUDE
    assert control.start(session, campaign, SENDER) == 1
    assert reached(session, campaign) == {"GB"}


def test_readers_of_whom_no_country_is_known_count_as_home(
    session: Session, campaign: Campaign, urgent: MailingList
) -> None:
    make_subscriber(session, urgent, country=None)
    make_subscriber(session, urgent, country="GB")
    with pytest.raises(Refused, match="the country of some is not known"):
        control.start(session, campaign, SENDER)
    campaign.unknown_home = HomeRule.EXCLUDE
    assert segments.count(session, urgent.id, segments.segment_of(campaign)) == 1
    campaign.unknown_home = HomeRule.INCLUDE
    assert control.start(session, campaign, SENDER) == 2


@pytest.mark.parametrize(
    "body",
    [
        "Write to the embassy.\n",
        '{% if country == "FR" %}Write  to\n the embassy.{% else %}Write to the embassy.{% endif %}\n',
        '{% if union == "dockers" %}Write.{% elif country == "FR" %}Do nothing.{% else %}Write.{% endif %}\n',
    ],
    ids=["no condition", "only other spaces", "not for each union"],
)
def test_readers_at_home_get_words_that_nobody_else_gets(
    session: Session, campaign: Campaign, urgent: MailingList, body: str
) -> None:
    dockers = make_union(session, "dockers")
    for country, union in (("FR", None), ("FR", dockers), ("GB", None), ("GB", dockers)):
        make_subscriber(session, urgent, country=country, union=union)
    campaign.home = HomeRule.INCLUDE
    campaign.texts[0].body = body
    with pytest.raises(Refused, match=r"en\.md: people in France would get the same words as others"):
        control.start(session, campaign, SENDER)
    campaign.texts[0].body = OWN_WORDS
    assert control.start(session, campaign, SENDER) == 4


def test_readers_at_home_do_not_get_the_words_of_another_union_either(
    session: Session, campaign: Campaign, urgent: MailingList
) -> None:
    make_subscriber(session, urgent, country="FR")
    make_subscriber(session, urgent, country="GB", union=make_union(session, "dockers"))
    campaign.home = HomeRule.INCLUDE
    body = '{% if union == "dockers" %}Write.{% elif country == "FR" %}Write.{% else %}Sign.{% endif %}\n'
    campaign.texts[0].body = body
    assert codes(session, campaign) == ["home-same-words"]


def test_each_text_needs_words_for_home(session: Session, campaign: Campaign, urgent: MailingList) -> None:
    make_subscriber(session, urgent, country="FR", language="fr")
    make_subscriber(session, urgent, country="FR", language="en")
    campaign.home = HomeRule.INCLUDE
    campaign.texts[0].body = OWN_WORDS
    add_text(session, campaign, "fr", "Écrivez à l’ambassade.\n")
    assert [finding.where for finding in gate.findings(session, campaign)] == ["fr.md"]


def test_a_territory_needs_words_of_its_own_too(session: Session, campaign: Campaign, urgent: MailingList) -> None:
    make_subscriber(session, urgent, country="RE")
    campaign.home = HomeRule.INCLUDE
    campaign.texts[0].body = OWN_WORDS
    with pytest.raises(Refused, match=r'people in Réunion .* {% if country == "RE" %}'):
        control.start(session, campaign, SENDER)


def test_who_decided_what_home_gets_may_do_so_for_nobody(
    session: Session, campaign: Campaign, urgent: MailingList
) -> None:
    make_subscriber(session, urgent, country="GB")
    campaign.home = HomeRule.INCLUDE
    assert codes(session, campaign) == []


def test_what_has_started_is_not_asked_about_people_who_came_later(
    session: Session, campaign: Campaign, urgent: MailingList
) -> None:
    make_subscriber(session, urgent, country="GB")
    control.start(session, campaign, SENDER)
    control.pause(session, campaign, reason="a break")
    make_subscriber(session, urgent, country="FR")
    control.resume(session, campaign, SENDER)
    assert reached(session, campaign) == {"GB"}


def test_unions_at_home_get_no_kit_unless_there_are_words_for_their_members(
    session: Session, campaign: Campaign, urgent: MailingList
) -> None:
    make_subscriber(session, urgent, country="GB")
    for slug, country in (("there", "FR"), ("abroad", "GB"), ("everywhere", None)):
        union = make_union(session, slug)
        union.country, union.status = country, UnionStatus.AFFILIATED
    campaign.forwardable = True
    control.start(session, campaign, SENDER)
    making.plan_missing(session)
    slugs = select(Union.slug).join(Kit, Kit.union_id == Union.id).order_by(Union.slug)
    assert session.scalars(slugs).all() == ["abroad", "everywhere"]
    campaign.home = HomeRule.INCLUDE
    making.plan_missing(session)
    assert session.scalars(slugs).all() == ["abroad", "everywhere", "there"]


def test_what_unions_at_home_would_forward_needs_words_of_its_own(
    session: Session, campaign: Campaign, urgent: MailingList
) -> None:
    make_subscriber(session, urgent, country="GB")
    union = make_union(session, "there")
    union.country, union.status = "FR", UnionStatus.AFFILIATED
    campaign.home, campaign.forwardable = HomeRule.INCLUDE, True
    assert codes(session, campaign) == ["home-same-words"]
    campaign.texts[0].body = OWN_WORDS
    assert codes(session, campaign) == []


# --- any audience ---------------------------------------------------------------------------------------------------

_COUNTRIES = ("FR", "RE", "GB", "DE", None)
_PEOPLE = st.lists(
    st.tuples(st.sampled_from(_COUNTRIES), st.sampled_from(["en", "fr", None]), st.booleans()), min_size=1, max_size=6
)
_TESTS = ('country == "FR"', 'country in ["FR", "RE"]', 'country == "GB"', 'union == "dockers"', 'language == "fr"')


def _bodies() -> st.SearchStrategy[str]:
    """Texts of a few words, with conditions inside conditions."""
    words = st.sampled_from(["Write.", "Write.", "Wait.", " Write. "])

    def branch(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.builds(
            lambda test, yes, no: f"{{% if {test} %}}{yes}{{% else %}}{no}{{% endif %}}",
            st.sampled_from(_TESTS),
            inner,
            inner,
        )

    return st.recursive(words, branch, max_leaves=4)


def _said(session: Session, campaign: Campaign) -> Iterator[tuple[str | None, tuple[str, str]]]:
    """The country of each whom the campaign went to, and in which language it told them what."""
    renderer = EditionRenderer(session, campaign, editions.TRIAL_SENDER)
    planned = select(Delivery.language, Delivery.country, Delivery.union_id)
    for language, country, union_id in session.execute(planned.where(Delivery.campaign_id == campaign.id)):
        key = renderer.choose(Reader(language, country, union_id))
        yield country, (key[0], " ".join(str(piece) for piece in renderer.wording(key)[2]).strip())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    people=_PEOPLE,
    bodies=st.tuples(_bodies(), _bodies()),
    home=st.sampled_from([None, *HomeRule]),
    unknown_home=st.sampled_from([None, *HomeRule]),
)
def test_of_any_audience_nobody_at_home_gets_the_words_for_others(
    session: Session,
    people: list[tuple[str | None, str | None, bool]],
    bodies: tuple[str, str],
    home: HomeRule | None,
    unknown_home: HomeRule | None,
) -> None:
    with session.begin_nested() as tried:
        urgent, dockers = make_list(session, slug="any"), make_union(session, "dockers")
        for country, language, is_docker in people:
            make_subscriber(session, urgent, country=country, language=language, union=dockers if is_docker else None)
        campaign = make_campaign(session, urgent, slug="any", body=bodies[0] + "\n")
        campaign.about, campaign.home, campaign.unknown_home = "FR", home, unknown_home
        add_text(session, campaign, "fr", bodies[1] + "\n")
        try:
            control.start(session, campaign, SENDER)
            said = list(_said(session, campaign))
        except (Refused, control.NobodyToSendTo):
            said = []
        at_home = {words for country, words in said if country in ("FR", "RE")}
        assert at_home.isdisjoint(words for country, words in said if country not in ("FR", "RE"))
        assert home is HomeRule.INCLUDE or not at_home
        assert unknown_home is HomeRule.INCLUDE or None not in {country for country, _words in said}
        tried.rollback()
    session.expunge_all()
