"""Whereabouts: what is true of a campaign now besides how far it has gone, such as that it was stopped since, that its
case has ended, or that it waits for approval. Lists and pages all ask here.
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.campaigns import asking, deadlines, kinds
from mailer.mail.sender import Sender
from mailer.organisers import approvals
from mailer.organisers.approvals import State
from mailer.store import db
from mailer.store.models import (
    Approval,
    ApprovalRequest,
    Asking,
    AuditEntry,
    Campaign,
    CampaignContent,
    CampaignStatus,
    Case,
)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What is true of a campaign now."""

    status: CampaignStatus
    asking: Asking  # whether people are asked to act on it
    is_by_case: bool  # they are not because of its case, whatever was decided about itself
    approval: State | None  # None where nobody has asked for one, or needs to

    @property
    def ended_well(self) -> bool:
        """Whether all of it went out, and nothing was taken back of that."""
        return self.status is CampaignStatus.SENT and self.asking in (Asking.OPEN, Asking.CLOSED)


def of(campaign: Campaign, approval: State | None = None) -> Whereabouts:
    """What is true of a campaign.

    :param approval: how it stands with whoever approves, where that is known and matters.
    """
    case = campaign.case.status if campaign.case is not None else None
    by_case = asking.of_case(campaign.kind, campaign.case_id, case)
    return _made(campaign.status, campaign.asking, by_case, approval)


@dataclass(frozen=True, slots=True)
class Acting:
    """Until when people can do what a campaign asks of them, whether or not all its mails are out."""

    until: datetime
    is_over: bool


def acting(session: Session, campaign: Campaign) -> Acting | None:
    """Until when people can act on a campaign; None where it asks nothing of them, or they are not asked any more."""
    end = deadlines.until(campaign)
    if end is None or not kinds.of(campaign).asks or asking.of(campaign) is not Asking.OPEN:
        return None
    return Acting(end, deadlines.is_over(campaign, db.now(session)))


def of_several(session: Session, ids: Collection[int], approved: Mapping[int, State]) -> Mapping[int, Whereabouts]:
    """What is true of some campaigns, by their ids.

    :param approved: how they stand with whoever approves, as `approvals_of` found it; of others nothing is said.
    """
    rows = session.execute(
        select(Campaign.id, Campaign.status, Campaign.asking, Campaign.kind, Campaign.case_id, Case.status)
        .outerjoin(Case, Case.id == Campaign.case_id)
        .where(Campaign.id.in_(ids))
    )
    return {
        campaign_id: _made(status, own, asking.of_case(kind, case_id, case), approved.get(campaign_id))
        for campaign_id, status, own, kind, case_id, case in rows
    }


def _made(status: CampaignStatus, own: Asking, by_case: Asking, approval: State | None) -> Whereabouts:
    now = asking.later(own, by_case)
    asked = None if approval in (State.NOT_NEEDED, State.NONE) else approval
    return Whereabouts(status, now, is_by_case=now is not own, approval=asked)


def approvals_of(session: Session, ids: Collection[int], sender: Sender) -> Mapping[int, State]:
    """How those of some campaigns stand with whoever approves that somebody has asked for. It takes some 10 ms for each
    of them; others are not read.

    :param sender: who their mails come from, which is part of what is approved.
    """
    was_asked = select(CampaignContent.campaign_id).where(CampaignContent.campaign_id.in_(ids))
    wanted = select(Campaign).where(Campaign.id.in_(was_asked), Campaign.status.in_(approvals.OPEN))
    return {each.id: approvals.standing(session, each, sender).state for each in session.scalars(wanted)}


def last_done(session: Session) -> Hashable:
    """What is different once anybody has done anything: then what `approvals_of` found may be, too."""
    latest = (AuditEntry.id, ApprovalRequest.id, Approval.id)
    return tuple(session.execute(select(*(select(func.max(each)).scalar_subquery() for each in latest))).one())
