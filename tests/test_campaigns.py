"""Campaigns: targets by country, and which moves are allowed from where."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from mailer import campaigns
from mailer.campaigns import DeadlinePassed, Target, Targets, TooLate, UnknownCampaign, WrongStatus
from mailer.store.models import CampaignStatus
from tests.factories import WHEN, make_campaign, make_list

S = CampaignStatus
ALLOWED = {
    "schedule": ("scheduled", {S.DRAFT, S.SCHEDULED}),
    "start": ("started", {S.DRAFT, S.SCHEDULED}),
    "pause": ("paused", {S.SENDING, S.SCHEDULED}),
    "reschedule": ("scheduled again", {S.PAUSED}),
    "resume": ("resumed", {S.PAUSED}),
    "cancel": ("cancelled", {S.DRAFT, S.SCHEDULED, S.SENDING, S.PAUSED}),
    "resend": ("sent again", {S.SENDING, S.SENT}),
}


@pytest.mark.parametrize("status", S)
@pytest.mark.parametrize("move", ALLOWED)
def test_a_move_is_made_from_where_it_is_allowed_and_refused_elsewhere(
    session: Session, move: str, status: CampaignStatus
) -> None:
    campaign = make_campaign(session, make_list(session), status=status)
    done, allowed = ALLOWED[move]
    if status in allowed:
        campaigns.move(session, campaign, move, hold_reason="because")
        assert campaign.hold_reason == "because"
    else:
        with pytest.raises(WrongStatus, match=f"is {status}, so it cannot be {done}"):
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


def test_a_start_after_the_deadline_is_refused(session: Session) -> None:
    campaign = make_campaign(session, make_list(session))
    campaign.deadline = WHEN
    campaigns.require_in_time(campaign, WHEN)
    with pytest.raises(DeadlinePassed, match=r"before 2026-03-01T12:00.*12:01.*change deadline in campaign\.toml"):
        campaigns.require_in_time(campaign, WHEN + timedelta(minutes=1))
    campaign.status = S.SCHEDULED
    with pytest.raises(DeadlinePassed, match="mailer campaigns resume free-the-five"):
        campaigns.require_in_time(campaign, WHEN + timedelta(minutes=1))


def test_all_campaigns_are_listed_the_latest_first(session: Session) -> None:
    news = make_list(session)
    for slug in ("first", "second"):
        make_campaign(session, news, slug=slug)
    assert [campaign.slug for campaign in campaigns.all_campaigns(session)] == ["second", "first"]
