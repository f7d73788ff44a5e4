"""Deadlines: what begins too late is refused, and when a campaign is over is said in one way."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import deadlines
from mailer.campaigns.deadlines import DeadlinePassed, TooLate
from mailer.store import db
from mailer.store.models import Campaign, CampaignStatus
from tests.support.factories import WHEN, make_campaign, make_list

S = CampaignStatus
MINUTE = timedelta(minutes=1)
MONTH = timedelta(days=30)


def test_a_start_after_the_latest_start_is_refused(session: Session) -> None:
    campaign = make_campaign(session, make_list(session))
    deadlines.require_in_time(campaign, WHEN)
    campaign.latest_start = WHEN
    deadlines.require_in_time(campaign, WHEN)
    with pytest.raises(TooLate, match=r"2026-03-01T12:00.*load it again"):
        deadlines.require_in_time(campaign, WHEN + timedelta(seconds=1))
    campaign.status = S.SCHEDULED  # and so cannot be loaded
    with pytest.raises(TooLate, match="mailer campaigns resume free-the-five"):
        deadlines.require_in_time(campaign, WHEN + timedelta(seconds=1))


def test_a_start_after_the_deadline_is_refused(session: Session) -> None:
    campaign = make_campaign(session, make_list(session))
    campaign.deadline = WHEN
    deadlines.require_in_time(campaign, WHEN)
    with pytest.raises(DeadlinePassed, match=r"before 2026-03-01T12:00.*12:01.*change deadline in campaign\.toml"):
        deadlines.require_in_time(campaign, WHEN + timedelta(minutes=1))
    campaign.status = S.SCHEDULED
    with pytest.raises(DeadlinePassed, match="mailer campaigns resume free-the-five"):
        deadlines.require_in_time(campaign, WHEN + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("deadline", "started", "is_over"),
    [
        (MINUTE, None, False),
        (-MINUTE, None, True),
        (MINUTE, -2 * MONTH, False),  # what has a deadline goes by it alone
        (-MINUTE, -MINUTE, True),
        (None, None, False),
        (None, -MONTH + MINUTE, False),
        (None, -MONTH - MINUTE, True),
    ],
)
def test_program_and_database_agree_on_when_a_campaign_is_over(
    session: Session, deadline: timedelta | None, started: timedelta | None, is_over: bool
) -> None:
    campaign = make_campaign(session, make_list(session))
    now = db.now(session)

    def later(by: timedelta | None) -> datetime | None:
        return None if by is None else now + by

    campaign.deadline, campaign.started_at = later(deadline), later(started)
    session.flush()
    assert deadlines.is_over(campaign, now) is is_over
    assert (session.scalar(select(Campaign.id).where(deadlines.still_holds(session))) is None) is is_over
