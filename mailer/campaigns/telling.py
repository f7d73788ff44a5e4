"""Telling: what readers are told of a campaign on which they are asked to act no more: since when, and why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from mailer.campaigns import asking, kinds
from mailer.cases.sayable import Sayable, Words
from mailer.store.crypto import UnreadableSecret
from mailer.store.models import Asking, Campaign, CaseEvent, CaseEventKind

_TURNS = (CaseEventKind.STOPPED, CaseEventKind.REOPENED, CaseEventKind.CLOSED)


@dataclass(frozen=True, slots=True)
class Told:
    """What everybody is told of a campaign."""

    asking: Asking
    changed_at: datetime | None = None  # when it last was stopped, opened again or closed
    words: Words | None = None  # why it was stopped, or how its case ended


def of(session: Session, campaign: Campaign, language: str) -> Told:
    """What a reader of a language is told of a campaign."""
    return of_all(session, [campaign], language)[campaign.id]


def of_all(session: Session, campaigns: Collection[Campaign], language: str) -> Mapping[int, Told]:
    """Likewise of several: id → told."""
    changed = _changes(session, campaigns)
    return {
        campaign.id: Told(asking.of(campaign), changed.get(campaign.id), _words(session, campaign, language))
        for campaign in campaigns
    }


def _changes(session: Session, campaigns: Collection[Campaign]) -> dict[int, datetime]:
    """When each last was stopped, opened again or closed, alone or with its case."""
    by_case: dict[int | None, list[int]] = {}
    for campaign in campaigns:
        if campaign.case_id is not None and kinds.of(campaign).asks:
            by_case.setdefault(campaign.case_id, []).append(campaign.id)
    about_it = CaseEvent.campaign_id.in_([campaign.id for campaign in campaigns])
    about_its_case = and_(CaseEvent.campaign_id.is_(None), CaseEvent.case_id.in_(by_case))
    turns = select(CaseEvent.campaign_id, CaseEvent.case_id, CaseEvent.created_at)
    turns = turns.where(CaseEvent.kind.in_(_TURNS), or_(about_it, about_its_case)).order_by(CaseEvent.id)
    changed = {}
    for campaign_id, case_id, moment in session.execute(turns):
        for each in [campaign_id] if campaign_id is not None else by_case[case_id]:
            changed[each] = moment
    return changed


def _words(session: Session, campaign: Campaign, language: str) -> Words | None:
    case, now = campaign.case, asking.of(campaign)
    if now is Asking.STOPPED:
        return Sayable(case).choose(reason(session, campaign), language, campaign.fallbacks)
    if now is Asking.CLOSED and case is not None:
        return Sayable(case).choose(case.outcome, language, campaign.fallbacks)
    return None


def reason(session: Session, campaign: Campaign) -> Mapping[str, str]:
    """Why everybody is asked to do nothing, as the organiser said when it was stopped last: language → words. Empty
    where that cannot be read. Whether it may be shown is not asked here."""
    about_it = CaseEvent.campaign_id == campaign.id
    if campaign.asking is not Asking.STOPPED:
        about_it = and_(CaseEvent.case_id == campaign.case_id, CaseEvent.campaign_id.is_(None))
    stops = select(CaseEvent.words).where(about_it, CaseEvent.kind == CaseEventKind.STOPPED)
    try:
        return session.scalar(stops.order_by(CaseEvent.id.desc()).limit(1)) or {}
    except UnreadableSecret:  # that it was stopped must be seen all the same
        return {}
