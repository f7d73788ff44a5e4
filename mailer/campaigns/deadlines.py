"""Deadlines: when a campaign may begin, and from when on nobody is asked to act on it any more."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import Session

from mailer.campaigns import asking
from mailer.errors import MailerError
from mailer.store import db
from mailer.store.models import Campaign, CampaignStatus

#: the statuses of a campaign that goes out or has gone out
OUT = (CampaignStatus.SENDING, CampaignStatus.SENT)
#: how long a campaign that names no deadline can be acted on, from its start
_WITHOUT_DEADLINE = timedelta(days=30)


class TooLate(MailerError):
    """The latest start of campaign "{slug}" is {latest_start}. If it should still go out later: {advice}"""


class DeadlinePassed(MailerError):
    """Campaign "{slug}" asks people to act before {deadline}, but it would only start at {start}. If it should still go
    out: {advice}"""


def require_in_time(campaign: Campaign, start: datetime) -> None:
    """Refuse a start after the campaign's latest start, or after what it asks people to do is over.

    :raises TooLate: its latest start is before that.
    :raises DeadlinePassed: its deadline is.
    """
    if campaign.latest_start is not None and start > campaign.latest_start:
        raise TooLate(
            slug=campaign.slug,
            latest_start=campaign.latest_start.isoformat(timespec="minutes"),
            advice=_other_time(campaign, "latest_start"),
        )
    if campaign.deadline is not None and is_over(campaign, start):
        raise DeadlinePassed(
            slug=campaign.slug,
            deadline=campaign.deadline.isoformat(timespec="minutes"),
            start=start.isoformat(timespec="minutes"),
            advice=_other_time(campaign, "deadline"),
        )


def _other_time(campaign: Campaign, key: str) -> str:
    # Once it is scheduled it cannot be loaded again; it is paused when its time has come, and a person decides.
    if campaign.status is CampaignStatus.DRAFT:
        return f"change {key} in campaign.toml, and load it again."
    return f"once it is paused, run: mailer campaigns resume {campaign.slug}"


def is_over(campaign: Campaign, now: datetime) -> bool:
    """Whether it is too late to act on a campaign; `still_holds` says to the database that it is not.

    Its deadline has passed, or it names none and began more than 30 days ago. One that has not begun is over only by
    its deadline.
    """
    if campaign.deadline is not None:
        return now > campaign.deadline
    return campaign.started_at is not None and now > campaign.started_at + _WITHOUT_DEADLINE


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
