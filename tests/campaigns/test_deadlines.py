"""Deadlines: what begins too late is refused, and when a campaign is over is said in one way."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import deadlines
from mailer.cases.findings import Level
from mailer.store import db
from mailer.store.models import Campaign, CampaignStatus
from tests.support.factories import WHEN, make_campaign, make_list

S = CampaignStatus
MINUTE = timedelta(minutes=1)
MONTH = timedelta(days=30)


def found(campaign: Campaign, start: datetime) -> list[tuple[Level, str]]:
    return [(finding.level, finding.code) for finding in deadlines.findings(campaign, start)]


@pytest.mark.parametrize(
    ("key", "code", "near"),
    [("latest_start", "latest-start-passed", []), ("deadline", "deadline-passed", [(Level.WARNING, "deadline-near")])],
)
def test_a_start_that_comes_too_late_is_an_error_until_a_person_has_decided(
    session: Session, key: str, code: str, near: list[tuple[Level, str]]
) -> None:
    campaign = make_campaign(session, make_list(session))
    assert found(campaign, WHEN) == []
    setattr(campaign, key, WHEN)
    assert found(campaign, WHEN) == near
    late = WHEN + timedelta(minutes=1)
    assert found(campaign, late) == [(Level.ERROR, code)]
    [finding] = deadlines.findings(campaign, late)
    assert "2026-03-01T12:00" in finding.what
    assert finding.remedy == f"If it should still go out, change {key}, and load it again."
    campaign.status = S.SCHEDULED  # and so cannot be loaded
    [finding] = deadlines.findings(campaign, late)
    assert finding.level is Level.ERROR
    assert finding.remedy.endswith("run this once it is paused: mailer campaigns resume free-the-five")
    campaign.status = S.PAUSED
    assert found(campaign, late) == [(Level.WARNING, code)]


def test_a_deadline_within_48_hours_of_the_start_is_warned_of(session: Session) -> None:
    campaign = make_campaign(session, make_list(session))
    campaign.deadline = WHEN + timedelta(hours=48)
    assert found(campaign, WHEN) == []
    assert found(campaign, WHEN + timedelta(minutes=1)) == [(Level.WARNING, "deadline-near")]


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
