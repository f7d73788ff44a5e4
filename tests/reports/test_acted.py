"""Who acted on a campaign is told in numbers, and no small number of it to anybody."""

import json

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.people import subscribers
from mailer.reports import acted
from mailer.reports.acted import Row
from mailer.reports.spreads import By
from mailer.store.models import ActKind, Campaign, CampaignStatus
from tests.support.factories import make_act, make_campaign, make_list, make_subscriber
from tests.support.statements import watched

WROTE, SIGNED = ActKind.WROTE, ActKind.SIGNED


@pytest.fixture
def campaign(session: Session) -> Campaign:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.targets = [{"name": "The embassy", "email": "", "address": "", "countries": []}]
    session.flush()
    return campaign


def acts(session: Session, campaign: Campaign, people: int, kind: ActKind = WROTE, **about: str | None) -> None:
    for _ in range(people):
        make_act(session, campaign, make_subscriber(session), kind, **({"country": "GB", "language": "en"} | about))


def test_what_is_asked_for_is_counted_and_what_is_not_is_not_told(session: Session, campaign: Campaign) -> None:
    assert acted.numbers(session, campaign) == {WROTE: 0}
    acts(session, campaign, 12)
    acts(session, campaign, 3, SIGNED)  # from before the petition was taken out
    assert acted.numbers(session, campaign) == {WROTE: 12, SIGNED: None}
    campaign.targets, campaign.kind = [], "update"
    assert acted.numbers(session, make_campaign(session, campaign.mailing_list, slug="another")) == {}


def test_countries_and_languages_are_told_without_small_numbers(session: Session, campaign: Campaign) -> None:
    acts(session, campaign, 30)
    acts(session, campaign, 20, country="FR", language="fr")
    acts(session, campaign, 2, country=None, language="fr")
    found = acted.count(session, campaign)[WROTE]
    assert found.people == 52
    assert found.by[By.COUNTRY] == [Row("GB", "United Kingdom", 30), Row("", "", None), Row("FR", "France", None)]
    assert found.by[By.LANGUAGE] == [Row("en", "en", 30), Row("fr", "fr", 22)]
    assert json.loads(json.dumps(found.to_json()))["by"]["language"][1] == {"key": "fr", "name": "fr", "people": 22}


def test_of_so_few_that_their_number_is_hidden_no_country_is_named(session: Session, campaign: Campaign) -> None:
    acts(session, campaign, 9)
    found = acted.count(session, campaign)[WROTE]
    assert found.people is None and set(found.by.values()) == {None}


def test_an_erasure_changes_no_number(session: Session, campaign: Campaign) -> None:
    acts(session, campaign, 10)
    person = make_subscriber(session, email="ana@example.org", country="GB")
    make_act(session, campaign, person)
    before = acted.count(session, campaign)
    subscribers.erase(session, "ana@example.org")
    session.expire_all()
    assert acted.count(session, campaign) == before and before[WROTE].people == 11


def test_all_is_counted_by_the_database_in_one_statement(engine: Engine, session: Session, campaign: Campaign) -> None:
    acts(session, campaign, 15)
    for count in (acted.numbers, acted.count):
        with watched(engine) as statements:
            count(session, campaign)
        assert len(statements) == 1 and "GROUP BY" in statements[0]
