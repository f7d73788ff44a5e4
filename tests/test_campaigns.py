"""Campaigns: targets by country, and which moves are allowed from where."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from mailer import campaigns
from mailer.campaigns import Target, Targets, TooLate, UnknownCampaign, WrongStatus
from mailer.models import CampaignStatus
from tests.factories import WHEN, make_campaign, make_list

S = CampaignStatus
ALLOWED = {
    "scheduled": {S.DRAFT, S.SCHEDULED},
    "sent": {S.DRAFT, S.SCHEDULED},
    "paused": {S.SENDING, S.SCHEDULED},
    "rescheduled": {S.PAUSED},
    "resumed": {S.PAUSED},
    "cancelled": {S.DRAFT, S.SCHEDULED, S.SENDING, S.PAUSED},
    "resent": {S.SENDING, S.SENT},
}


@pytest.mark.parametrize("status", S)
@pytest.mark.parametrize("move", ALLOWED)
def test_a_move_is_made_from_where_it_is_allowed_and_refused_elsewhere(
    session: Session, move: str, status: CampaignStatus
) -> None:
    campaign = make_campaign(session, make_list(session), status=status)
    if status in ALLOWED[move]:
        campaigns.move(session, campaign, move, hold_reason="because")
        assert campaign.hold_reason == "because"
    else:
        with pytest.raises(WrongStatus, match=f"is {status}, so it cannot be {move}"):
            campaigns.move(session, campaign, move)
        assert campaign.status is status


def test_pausing_everything_leaves_drafts_and_ended_campaigns_alone(session: Session) -> None:
    news = make_list(session)
    made = {status: make_campaign(session, news, slug=status.value, status=status) for status in S}
    assert campaigns.pause_all(session, reason="stop") == ["scheduled", "sending"]
    session.expire_all()
    assert [status for status in S if made[status].status is not status] == [S.SCHEDULED, S.SENDING]
    assert campaigns.pause_all(session, reason="stop") == []


def test_an_unknown_campaign_is_named(session: Session) -> None:
    with pytest.raises(UnknownCampaign, match='"nothing"'):
        campaigns.get(session, "nothing")


def test_a_target_is_found_by_country_else_the_fallback() -> None:
    london, rest = Target(("GB", "IE"), "London", "", ""), Target((), "Ministry", "", "")
    targets = Targets([rest, london])
    assert targets.for_country("IE") is london
    assert targets.for_country("FR") is targets.for_country(None) is rest
    assert targets.has_own("GB") and not targets.has_own("FR")
    assert Targets([london]).for_country("FR") is None
    assert Target.from_json(london.to_json()) == london


def test_a_start_after_the_latest_start_is_refused(session: Session) -> None:
    campaign = make_campaign(session, make_list(session))
    campaigns.require_in_time(campaign, WHEN)
    campaign.latest_start = WHEN
    campaigns.require_in_time(campaign, WHEN)
    with pytest.raises(TooLate, match=r"2026-03-01T12:00.*load it again"):
        campaigns.require_in_time(campaign, WHEN + timedelta(seconds=1))
    campaign.status = S.SCHEDULED  # and so cannot be loaded
    with pytest.raises(TooLate, match="mailer campaigns resume free-the-five"):
        campaigns.require_in_time(campaign, WHEN + timedelta(seconds=1))
