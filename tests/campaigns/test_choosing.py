"""Choosing an audience: what is saved is what was meant, in a draft that is still as it was seen."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.campaigns import choosing, lifecycle
from mailer.campaigns.choosing import ChangedMeanwhile, OwnCampaign, WrongAudience
from mailer.campaigns.lifecycle import NoDraft
from mailer.locale.countries import UnknownCountry
from mailer.people import lists
from mailer.store.db import session_scope
from mailer.store.models import Campaign, CampaignStatus, MailingList
from tests.support.concurrency import Beside
from tests.support.factories import make_campaign, make_list, make_union


@pytest.fixture
def alerts(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, alerts: MailingList) -> Campaign:
    campaign = make_campaign(session, alerts)
    session.commit()
    return campaign


def test_names_are_understood_and_so_are_several_in_one_text(
    session: Session, alerts: MailingList, campaign: Campaign
) -> None:
    make_union(session, "wharves", name="Dockers, Lighters and Wharves")
    make_union(session, "miners", name="Miners")
    said = {"unions": ["dockers, lighters and wharves", "Miners"], "countries": ["Norway; NO, @eu"]}
    segment, wrong = choosing.read(session, campaign.slug, alerts.id, said)
    assert segment.to_json() == {"countries": ["NO", "@EU"], "unions": ["wharves", "miners"]} and not wrong


def test_what_means_nothing_is_told_one_by_one(session: Session, alerts: MailingList, campaign: Campaign) -> None:
    said = {"countries": ["GB, Norwhere", "FR"], "not_acted": [campaign.slug]}
    segment, wrong = choosing.read(session, campaign.slug, alerts.id, said)
    assert segment.to_json() == {"countries": ["GB", "FR"]}
    assert [(each.key, each.text, type(each.why)) for each in wrong] == [
        ("countries", "Norwhere", UnknownCountry),
        ("not_acted", campaign.slug, OwnCampaign),
    ]
    seen = choosing.mark(campaign)
    with pytest.raises(WrongAudience, match="Norwhere"):
        choosing.choose(session, campaign, alerts, said, seen=seen)
    assert choosing.mark(campaign) == seen


def test_only_a_draft_can_be_for_others(session: Session, alerts: MailingList, campaign: Campaign) -> None:
    campaign.status = CampaignStatus.SCHEDULED
    with pytest.raises(NoDraft, match="is scheduled"):
        choosing.choose(session, campaign, alerts, {"countries": ["GB"]}, seen=choosing.mark(campaign))
    assert campaign.audience == {}


def test_the_same_again_changes_nothing_whatever_was_seen(
    session: Session, alerts: MailingList, campaign: Campaign
) -> None:
    assert choosing.choose(session, campaign, alerts, {"countries": ["GB"]}, seen=choosing.mark(campaign))
    assert not choosing.choose(session, campaign, alerts, {"countries": ["United Kingdom"]}, seen="of long ago")


def test_of_two_who_choose_at_once_the_second_waits_and_is_told_of_the_first(
    engine: Engine, campaign: Campaign
) -> None:
    seen, slug = choosing.mark(campaign), campaign.slug

    def choose(session: Session, country: str) -> None:
        found, said = lifecycle.get(session, slug), {"countries": [country]}
        assert choosing.choose(session, found, lists.get(session, "urgent-actions"), said, seen=seen)

    def choose_another() -> None:
        with session_scope(engine) as session:
            choose(session, "FR")

    with session_scope(engine) as session:
        choose(session, "GB")
        other = Beside(choose_another)
        other.must_wait()
    with pytest.raises(ChangedMeanwhile):
        other.result()
    with session_scope(engine) as session:
        assert lifecycle.get(session, slug).audience == {"countries": ["GB"]}
