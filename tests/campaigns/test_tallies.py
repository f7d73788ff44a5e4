"""Tallies: what everybody is told of how many acted on a campaign, and until when."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import tallies
from mailer.store.db import utcnow
from mailer.store.models import ActKind, Asking, Campaign, CampaignStatus
from tests.support.factories import make_act, make_campaign, make_list

WROTE, SIGNED = ActKind.WROTE, ActKind.SIGNED


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """One for which 12 people wrote and 23 signed."""
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.started_at, campaign.deadline = utcnow(), utcnow() + timedelta(days=3)
    campaign.ask, campaign.petition, campaign.goal = ["embassy"], {"to": {"en": "the President"}}, 50
    for language, kind in [("en", WROTE)] * 7 + [("fr", WROTE)] * 5 + [("ar", SIGNED)] * 23:
        make_act(session, campaign, None, kind, language=language)
    return campaign


def told(session: Session, campaign: Campaign) -> list[tuple[ActKind, int, int | None]]:
    session.flush()
    return [(each.kind, each.number, each.goal) for each in tallies.of(session, campaign)]


def test_there_is_one_number_over_all_languages_rounded_down_and_the_goal_is_for_who_signs(
    session: Session, campaign: Campaign
) -> None:
    assert told(session, campaign) == [(WROTE, 10, None), (SIGNED, 20, 50)]
    campaign.petition = None
    assert told(session, campaign) == [(WROTE, 10, 50)]


def test_nothing_is_told_of_fewer_than_ten(session: Session, campaign: Campaign) -> None:
    few = make_campaign(session, campaign.mailing_list, slug="few", status=CampaignStatus.SENT)
    few.ask, few.goal, few.started_at = ["embassy"], 10, utcnow()
    for _ in range(9):
        make_act(session, few, None)
    assert told(session, few) == []
    make_act(session, few, None)
    assert told(session, few) == [(WROTE, 10, 10)]
    assert tallies.of(session, few)[0].is_reached


def test_what_a_campaign_does_not_ask_for_is_not_told(session: Session, campaign: Campaign) -> None:
    campaign.ask = []
    assert told(session, campaign) == [(SIGNED, 20, 50)]
    campaign.kind = "update"
    assert told(session, campaign) == []


@pytest.mark.parametrize("changes", [{"asking": Asking.STOPPED}, {"asking": Asking.WITHDRAWN}], ids=str)
def test_after_a_stop_no_number_is_told(session: Session, campaign: Campaign, changes: dict[str, Any]) -> None:
    campaign.asking = changes["asking"]
    assert told(session, campaign) == []


@pytest.mark.parametrize(
    "changes",
    [{"asking": Asking.CLOSED}, {"deadline": utcnow() - timedelta(days=1)}, {"status": CampaignStatus.CANCELLED}],
    ids=["closed", "over", "cancelled"],
)
def test_after_the_end_what_was_counted_stands_without_a_goal(
    session: Session, campaign: Campaign, changes: dict[str, Any]
) -> None:
    for name, value in changes.items():
        setattr(campaign, name, value)
    assert told(session, campaign) == [(WROTE, 10, None), (SIGNED, 20, None)]
