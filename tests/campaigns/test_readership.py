"""Which readers a campaign has, to look at the mail of one."""

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns.editions import Reader
from mailer.campaigns.readership import Readership, Readerships, Trait
from mailer.campaigns.segments import Group
from mailer.store.models import Campaign, MailingList, Union
from tests.support.factories import add_text, make_campaign, make_list, make_subscriber, make_union

DOCKERS, MINERS = 1, 2
READERS = Readership(
    [
        Group("de", "AT", None, 3),
        Group("en", "GB", DOCKERS, 50),
        Group("en", "IE", MINERS, 20),
        Group("fr", "FR", None, 10),
        Group(None, None, None, 1),
    ]
)


def test_without_a_wish_the_most_frequent_reader_is_chosen() -> None:
    chosen = READERS.choose({})
    assert chosen.reader == Reader("en", "GB", DOCKERS)
    assert not chosen.missed


@pytest.mark.parametrize(
    ("wanted", "reader"),
    [
        ({"language": "fr"}, Reader("fr", "FR", None)),
        ({"country": "IE"}, Reader("en", "IE", MINERS)),
        ({"union_id": MINERS}, Reader("en", "IE", MINERS)),
        ({"language": None}, Reader(None, None, None)),
        ({"language": "de", "country": "AT", "union_id": None}, Reader("de", "AT", None)),
    ],
)
def test_a_wish_that_some_reader_fulfils_is_fulfilled(wanted: dict[Trait, str | int | None], reader: Reader) -> None:
    chosen = READERS.choose(wanted)
    assert (chosen.reader, chosen.missed) == (reader, frozenset())


def test_what_no_reader_has_together_is_said_and_a_real_reader_shown() -> None:
    chosen = READERS.choose({"language": "fr", "country": "GB", "union_id": MINERS})
    assert chosen.reader == Reader("fr", "FR", None)
    assert chosen.missed == {"country", "union_id"}
    assert READERS.choose({"language": "xx"}).missed == {"language"}


def test_what_fits_what_was_chosen_is_told_from_what_does_not() -> None:
    chosen = READERS.choose({"language": "en", "country": "IE"})
    assert set(chosen.fitting["language"]) == {"en", "fr", "de", None}
    assert set(chosen.fitting["country"]) == {"GB", "IE"}
    assert set(chosen.others["country"]) == {"FR", "AT", None}
    assert chosen.fitting["union_id"] == [MINERS]


# --- of a campaign --------------------------------------------------------------------------------------------------


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, news: MailingList) -> Campaign:
    campaign = make_campaign(session, news)
    add_text(session, campaign, "pt", "Olá\n")
    return campaign


@pytest.fixture
def union(session: Session) -> Union:
    return make_union(session)


def test_only_readers_of_the_audience_are_offered(
    session: Session, news: MailingList, campaign: Campaign, union: Union
) -> None:
    make_subscriber(session, news, country="GB", union=union)
    make_subscriber(session, news, country="FR", language="fr")
    campaign.audience = {"countries": ["GB"]}
    chosen = Readership.of(session, campaign).choose({})
    assert chosen.reader == Reader("en", "GB", union.id)
    assert chosen.fitting["country"] == ["GB"]
    assert chosen.others["country"] == [None]  # of a text that none of them reads


def test_a_campaign_that_reaches_nobody_is_looked_at_by_its_texts(session: Session, campaign: Campaign) -> None:
    assert set(Readership.of(session, campaign).choose({}).fitting["language"]) == {"en", "pt"}
    campaign.audience = {"unions": ["no-such-union"]}
    assert Readership.of(session, campaign).choose({"language": "pt"}).reader == Reader("pt", None, None)


def test_each_text_is_tried_on_its_most_frequent_reader(
    session: Session, news: MailingList, campaign: Campaign
) -> None:
    for country, language in (("PT", "pt"), ("BR", "pt-BR"), ("BR", "pt-BR"), ("KZ", "kk")):
        make_subscriber(session, news, country=country, language=language)
    assert Readership.of(session, campaign).of_texts(campaign) == {"en": "KZ", "pt": "BR"}
    campaign.audience = {"countries": ["KZ"]}
    assert Readership.of(session, campaign).of_texts(campaign) == {"en": "KZ", "pt": None}


def test_readers_are_looked_up_once_for_a_while(session: Session, news: MailingList, campaign: Campaign) -> None:
    make_subscriber(session, news, country="GB")
    now = 0.0
    known = Readerships(seconds=60, clock=lambda: now)
    first = known.of(session, campaign)
    make_subscriber(session, news, country="FR")
    assert known.of(session, campaign) is first
    now = 61.0
    assert "FR" in known.of(session, campaign).choose({}).fitting["country"]


def test_other_readers_are_looked_up_when_the_audience_changes(
    session: Session, news: MailingList, campaign: Campaign
) -> None:
    for country in ("GB", "FR"):
        make_subscriber(session, news, country=country)
    known = Readerships(most=1)
    both = known.of(session, campaign)
    campaign.audience = {"countries": ["FR"]}
    assert known.of(session, campaign).choose({"language": "en"}).fitting["country"] == ["FR"]
    campaign.audience = {}
    assert known.of(session, campaign) is not both  # one is kept
