"""Campaigns: which moves are allowed from where."""

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.campaigns.lifecycle import Move, UnknownCampaign, WrongStatus
from mailer.store.models import CampaignStatus
from tests.support.factories import make_campaign, make_list

S = CampaignStatus
ALLOWED = {
    Move.SCHEDULE: ("scheduled", {S.DRAFT, S.SCHEDULED}),
    Move.SEND: ("sent", {S.DRAFT}),
    Move.UNDO: ("made a draft again", {S.SCHEDULED}),
    Move.START: ("started", {S.DRAFT, S.SCHEDULED}),
    Move.PAUSE: ("paused", {S.SENDING, S.SCHEDULED}),
    Move.RESCHEDULE: ("scheduled again", {S.PAUSED}),
    Move.RESUME: ("resumed", {S.PAUSED}),
    Move.CANCEL: ("cancelled", {S.DRAFT, S.SCHEDULED, S.SENDING, S.PAUSED}),
    Move.RESEND: ("sent again", {S.SENDING, S.SENT}),
    Move.FINISH: ("finished", {S.SENDING}),
}


@pytest.mark.parametrize("status", S)
@pytest.mark.parametrize("move", Move)
def test_a_move_is_made_from_where_it_is_allowed_and_refused_elsewhere(
    session: Session, move: Move, status: CampaignStatus
) -> None:
    campaign = make_campaign(session, make_list(session), status=status)
    done, allowed = ALLOWED[move]
    if status in allowed:
        lifecycle.move(session, campaign, move, hold_reason="because")
        assert campaign.hold_reason == "because"
    else:
        with pytest.raises(WrongStatus, match=f"is {status}, so it cannot be {done}"):
            lifecycle.move(session, campaign, move)
        assert campaign.status is status


def test_pausing_everything_leaves_drafts_and_ended_campaigns_alone(session: Session) -> None:
    news = make_list(session)
    made = {status: make_campaign(session, news, slug=status.value, status=status) for status in S}
    assert lifecycle.move_all(session, Move.PAUSE, hold_reason="stop") == ["scheduled", "sending"]
    session.expire_all()
    assert [status for status in S if made[status].status is not status] == [S.SCHEDULED, S.SENDING]
    assert lifecycle.move_all(session, Move.PAUSE, hold_reason="stop") == []


def test_an_unknown_campaign_is_named(session: Session) -> None:
    with pytest.raises(UnknownCampaign, match='"nothing"'):
        lifecycle.get(session, "nothing")


def test_all_campaigns_are_listed_the_latest_first(session: Session) -> None:
    news = make_list(session)
    for slug in ("first", "second"):
        make_campaign(session, news, slug=slug)
    assert [campaign.slug for campaign in lifecycle.all_campaigns(session)] == ["second", "first"]
