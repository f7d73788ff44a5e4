"""Deadlines: when a campaign may begin, and from when on nobody is asked to act on it any more."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import Session

from mailer.campaigns import asking
from mailer.cases.findings import Finding, Level
from mailer.store import db
from mailer.store.models import Campaign, CampaignStatus

_DEADLINE = "campaign.toml, deadline"
_TO_START = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
#: less than this before its deadline, few people can act on an alert
_SHORT = timedelta(hours=48)
#: the statuses of a campaign that goes out or has gone out
OUT = (CampaignStatus.SENDING, CampaignStatus.SENT)
#: how long a campaign that names no deadline can be acted on, from its start
_WITHOUT_DEADLINE = timedelta(days=30)


def findings(campaign: Campaign, start: datetime) -> Iterator[Finding]:
    """What begins too late: after the campaign's latest start, or after what it asks people to do is over.

    :param start: when it would go out, or goes on.
    """
    # Once it is paused, a person decides.
    level = Level.ERROR if campaign.status in _TO_START else Level.WARNING
    if campaign.latest_start is not None and start > campaign.latest_start and campaign.started_at is None:
        what = f"its latest start is {_minute(campaign.latest_start)}, and it would go out at {_minute(start)}"
        remedy = _other_time(campaign, "latest_start")
        yield Finding(level, "latest-start-passed", "campaign.toml, latest_start", what, remedy)
    if campaign.deadline is None:
        return
    if is_over(campaign, start):
        what = f"its deadline is {_minute(campaign.deadline)}, and it would go out at {_minute(start)}"
        yield Finding(level, "deadline-passed", _DEADLINE, what, _other_time(campaign, "deadline"))
    elif campaign.deadline - start < _SHORT:
        what = "the deadline is less than 48 hours after the start, and many read their mail later"
        yield Finding(Level.WARNING, "deadline-near", _DEADLINE, what, "Give people more time if you can.")


def _minute(time: datetime) -> str:
    return time.isoformat(timespec="minutes")


def _other_time(campaign: Campaign, key: str) -> str:
    # Once it is scheduled it cannot be loaded again; it is paused when its time has come, and a person decides.
    if campaign.status is CampaignStatus.DRAFT:
        return f"If it should still go out, change {key}, and load it again."
    if campaign.status is CampaignStatus.SCHEDULED:
        return f"If it should still go out, run this once it is paused: mailer campaigns resume {campaign.slug}"
    return "See that it should still go out."


def is_over(campaign: Campaign, now: datetime) -> bool:
    """Whether it is too late to act on a campaign; `still_holds` says to the database that it is not.

    Its deadline has passed, or it names none and began more than 30 days ago. One that has not begun is over only by
    its deadline.
    """
    end = until(campaign)
    return end is not None and now > end


def until(campaign: Campaign) -> datetime | None:
    """Until when a campaign can be acted on; None of one that names no deadline and has not begun."""
    if campaign.deadline is not None or campaign.started_at is None:
        return campaign.deadline
    return campaign.started_at + _WITHOUT_DEADLINE


def still_holds(session: Session) -> ColumnElement[bool]:
    """The condition that a campaign is not over yet, as `is_over` has it, and was not stopped, closed or withdrawn."""
    now = db.now(session)
    is_recent = or_(Campaign.started_at.is_(None), Campaign.started_at >= now - _WITHOUT_DEADLINE)
    has_time = or_(Campaign.deadline >= now, and_(Campaign.deadline.is_(None), is_recent))
    return and_(~asking.has_ended(), has_time)


def may_be_forwarded(session: Session) -> ColumnElement[bool]:
    """The condition that kits of a campaign are made and sent: it is going out or has gone out, and it still
    holds.

    Not while it is paused: whatever is wrong with it, no more people should get it now.
    """
    return and_(Campaign.forwardable, Campaign.status.in_(OUT), still_holds(session))
