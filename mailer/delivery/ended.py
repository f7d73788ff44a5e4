"""Ended: how it stands with asking people to act on a campaign, for whoever ends that or has it go on. Nothing is read
that might be unreadable: a stop begins here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from mailer.campaigns import acts, kinds, telling
from mailer.campaigns.lifecycle import Move
from mailer.cases import history
from mailer.delivery import stopping
from mailer.store.crypto import UnreadableSecret
from mailer.store.models import (
    Asking,
    Campaign,
    CampaignStatus,
    CampaignText,
    Case,
    CaseEvent,
    CaseEventKind,
    CaseStatus,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfCase:
    """The case that a campaign is about."""

    slug: str
    status: CaseStatus
    languages: Sequence[str]  # of its campaigns, the one in which an organiser writes of it first
    others: Sequence[str]  # slugs of other campaigns about it that ask people to act


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How it stands."""

    asking: Asking  # what was decided about the campaign itself
    languages: Sequence[str]  # of its texts, its own first
    case: OfCase | None
    words: Mapping[str, str]  # those that everybody is shown: language → words
    paused: Sequence[str]  # slugs of what is paused, of all that ended with it
    went_out: Sequence[str]  # likewise of what has begun: somebody may have its mails
    news: Sequence[str]  # slugs of what tells those who acted how its case ended; drafts until somebody sends them


def standing(session: Session, campaign: Campaign) -> Standing:
    """How it stands with a campaign, and with its case."""
    case = _case(session, campaign)
    concerned = [campaign.slug]
    if case is not None and case.status is not CaseStatus.OPEN:
        concerned += case.others
    which = select(Campaign.slug).where(Campaign.slug.in_(concerned)).order_by(Campaign.slug)
    return Standing(
        asking=campaign.asking,
        languages=_languages(session, [campaign.id], campaign.language),
        case=case,
        words=_shown(session, campaign, case),
        paused=session.scalars(which.where(Campaign.status == CampaignStatus.PAUSED)).all(),
        news=_news(session, campaign),
        went_out=session.scalars(which.where(Campaign.started_at.is_not(None))).all(),
    )


def _news(session: Session, campaign: Campaign) -> list[str]:
    is_closed = select(Case.id).where(Case.id == campaign.case_id, Case.status == CaseStatus.CLOSED)
    case_id = session.scalar(is_closed)
    return [each.slug for each in acts.news(session, case_id)] if case_id is not None else []


def case_of(session: Session, campaign: Campaign) -> str | None:
    """The slug of the case that a campaign is about."""
    return session.scalar(select(Case.slug).where(Case.id == campaign.case_id))


def _case(session: Session, campaign: Campaign) -> OfCase | None:
    found = session.execute(select(Case.slug, Case.status).where(Case.id == campaign.case_id)).one_or_none()
    if found is None:
        return None
    about = select(Campaign.id, Campaign.slug, Campaign.kind).where(Campaign.case_id == campaign.case_id)
    campaigns = session.execute(about.order_by(Campaign.slug)).all()
    first = stopping.language_of_case(session, found.slug)
    return OfCase(
        slug=found.slug,
        status=found.status,
        languages=_languages(session, [each.id for each in campaigns], first),
        others=[each.slug for each in campaigns if each.kind in kinds.asking() and each.id != campaign.id],
    )


def _languages(session: Session, campaign_ids: Sequence[int], first: str) -> list[str]:
    written = select(CampaignText.language).where(CampaignText.campaign_id.in_(campaign_ids)).distinct()
    return [first, *sorted(set(session.scalars(written)) - {first})]


def _shown(session: Session, campaign: Campaign, case: OfCase | None) -> Mapping[str, str]:
    of_case = case.status if case is not None and campaign.kind in kinds.asking() else CaseStatus.OPEN
    if campaign.asking is Asking.WITHDRAWN:
        return stopping.NO_WORDS
    if Asking.STOPPED in (campaign.asking, of_case):
        return history.sayable(session, campaign.case_id, telling.reason(session, campaign))
    if of_case is CaseStatus.CLOSED:
        try:
            outcome = session.scalar(select(Case.outcome).where(Case.id == campaign.case_id)) or {}
        except UnreadableSecret:
            outcome = {}
        return history.sayable(session, campaign.case_id, outcome)
    return stopping.NO_WORDS


def is_settled(session: Session, campaign: Campaign, kind: CaseEventKind, words: Mapping[str, str]) -> bool:
    """Whether a campaign was ended like that already, in these words, and nothing of it goes out: to do so again would
    change nothing.

    :param kind: of what is to be done: STOPPED, CLOSED or WITHDRAWN.
    """
    is_moving = campaign.status in Move.PAUSE.value.allowed
    if is_moving or campaign.asking is Asking.WITHDRAWN:
        return not is_moving
    lines = select(CaseEvent.words).where(CaseEvent.campaign_id == campaign.id)
    return campaign.asking == kind.value and _last_words(session, lines, kind) == words


def is_case_settled(session: Session, campaign: Campaign, kind: CaseEventKind, words: Mapping[str, str]) -> bool:
    """Likewise of the case that a campaign is about."""
    about = select(Campaign.id).where(Campaign.case_id == campaign.case_id, Campaign.kind.in_(kinds.asking()))
    if session.scalar(about.where(Campaign.status.in_(Move.PAUSE.value.allowed)).limit(1)) is not None:
        return False
    lines = select(CaseEvent.words).where(CaseEvent.case_id == campaign.case_id, CaseEvent.campaign_id.is_(None))
    status = session.scalar(select(Case.status).where(Case.id == campaign.case_id))
    return status is not None and status.value == kind.value and _last_words(session, lines, kind) == words


def _last_words(session: Session, lines: Select[dict[str, str]], kind: CaseEventKind) -> Mapping[str, str] | None:
    try:
        return session.scalar(lines.where(CaseEvent.kind == kind).order_by(CaseEvent.id.desc()).limit(1))
    except UnreadableSecret:
        return None
