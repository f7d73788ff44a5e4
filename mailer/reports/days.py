"""What happened on some days, in counts: for the daily mail to organisers."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from mailer.store.models import (
    Application,
    Campaign,
    CampaignStatus,
    Delivery,
    DeliveryState,
    MailedLink,
    MailedLinkKind,
    Purpose,
    Subscription,
    Suppression,
    SuppressionReason,
)


@dataclass(frozen=True, slots=True)
class Happened:
    """What happened, and what waits for an organiser now."""

    asked: int  # to sign up
    confirmed: int  # that they want to
    left: int  # a list, or several
    sent: int
    refused: int
    complaints: int  # known now, of all time
    applications: int  # that wait
    paused: int  # campaigns


@dataclass(frozen=True, slots=True)
class SignUps:
    """How many people signed up."""

    asked: int
    confirmed: int


def sign_ups(session: Session, since: date) -> SignUps:
    """Count who asked to sign up, and who confirmed it, since a day that is no longer ago than such a link is good."""
    start = datetime.combine(since, time(tzinfo=UTC))
    # A link is good for longer than its row is looked at here, so those by which somebody could have are on an index.
    links = (MailedLink.expires_at >= start, MailedLink.kind == MailedLinkKind.SIGN_UP, MailedLink.is_mailed)
    count = select(func.count(MailedLink.id)).where(*links)
    return SignUps(
        asked=_count(session, count.where(MailedLink.created_at >= start)),
        confirmed=_count(session, count.where(MailedLink.used_at >= since)),
    )


def look(session: Session, since: date, until: date) -> Happened:
    """Count what happened from one day on and before another, in UTC: no hours are kept of what belongs to a person."""
    start, end = (datetime.combine(day, time(tzinfo=UTC)) for day in (since, until))
    sign_ups = select(func.count(MailedLink.id)).where(MailedLink.kind == MailedLinkKind.SIGN_UP, MailedLink.is_mailed)
    left = select(func.count(Subscription.id)).where(
        Subscription.unsubscribed_at >= since, Subscription.unsubscribed_at < until
    )
    under_way = select(Campaign.id).where(
        Campaign.started_at < end, or_(Campaign.finished_at.is_(None), Campaign.finished_at >= start)
    )
    mails = select(func.count(Delivery.id)).where(
        Delivery.campaign_id.in_(under_way),
        Delivery.purpose == Purpose.CAMPAIGN,
        Delivery.settled_at >= start,
        Delivery.settled_at < end,
    )
    reported = (SuppressionReason.COMPLAINED, SuppressionReason.REPORTED)
    complaints = select(func.count()).where(Suppression.reason.in_(reported))
    is_paused: ColumnElement[bool] = Campaign.status == CampaignStatus.PAUSED
    return Happened(
        asked=_count(session, sign_ups.where(MailedLink.created_at >= start, MailedLink.created_at < end)),
        confirmed=_count(session, sign_ups.where(MailedLink.used_at >= since, MailedLink.used_at < until)),
        left=_count(session, left),
        sent=_count(session, mails.where(Delivery.state == DeliveryState.SENT)),
        refused=_count(session, mails.where(Delivery.state == DeliveryState.FAILED)),
        complaints=_count(session, complaints),
        applications=_count(session, select(func.count(Application.id))),
        paused=_count(session, select(func.count(Campaign.id)).where(is_paused)),
    )


def _count(session: Session, count: Select[int]) -> int:
    return session.scalar(count) or 0
