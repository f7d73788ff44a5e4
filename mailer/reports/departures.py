"""Who left because of a campaign, or while it went out: how many, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, func, select
from sqlalchemy.orm import Session, aliased

from mailer.delivery.ledger import audience_of
from mailer.people.small_numbers import SMALLEST_SHOWN
from mailer.store.models import (
    GOT,
    Campaign,
    Delivery,
    DeliveryState,
    Purpose,
    Reason,
    Subscription,
    SubscriptionStatus,
)


@dataclass(frozen=True, slots=True)
class Departures:
    """How many of a campaign's audience are gone."""

    after: int  # got it, and left the list before they were mailed another from it
    before: int  # left the list before it reached them
    suppressed: int  # their address was to get nothing any more, before it reached them
    erased: int  # had their data erased, before it reached them or after


def count(session: Session, campaign: Campaign) -> Departures:
    """How many are gone so far. Of whoever was erased it is not known when."""
    skipped = session.execute(
        select(Delivery.reason, func.count())
        .where(*audience_of(campaign.id), Delivery.state == DeliveryState.SKIPPED)
        .group_by(Delivery.reason)
    )
    why = {reason: number for reason, number in skipped}  # noqa: C416 - mypy knows no pairs in rows
    gone = select(func.count()).where(
        *audience_of(campaign.id), Delivery.subscriber_id.is_(None), Delivery.state != DeliveryState.SKIPPED
    )
    return Departures(
        after=len(reasons(session, campaign)),
        before=why.get(Reason.LEFT, 0),
        suppressed=why.get(Reason.SUPPRESSED, 0),
        erased=why.get(Reason.ERASED, 0) + (session.scalar(gone) or 0),
    )


def reasons(session: Session, campaign: Campaign, *, until: datetime | None = None) -> Sequence[str | None]:
    """Of each who left the list after this campaign, and before another one went to them, why, in their words.

    :param until: only of those who left by then.
    """
    if campaign.started_at is None:
        return []
    in_time = () if until is None else (Subscription.unsubscribed_at <= until,)
    later, of_later = aliased(Delivery), aliased(Campaign)
    had_another = (
        exists()
        .where(later.subscriber_id == Subscription.subscriber_id, later.purpose == Purpose.CAMPAIGN)
        .where(later.state.in_(GOT))
        .where(of_later.id == later.campaign_id, of_later.list_id == campaign.list_id)
        .where(of_later.started_at > campaign.started_at)
    )
    return session.scalars(
        select(Subscription.reason)
        .join(Delivery, and_(Delivery.subscriber_id == Subscription.subscriber_id, *audience_of(campaign.id)))
        .where(Delivery.state.in_(GOT))
        # Who left is not mailable: an index that this says is what keeps it from reading the whole list.
        .where(Subscription.list_id == campaign.list_id, Subscription.mailable.is_(False))
        .where(Subscription.status == SubscriptionStatus.UNSUBSCRIBED, ~had_another, *in_time)
    ).all()


def tellable(said: Sequence[str | None]) -> list[str] | None:
    """What people said, by the alphabet, with nothing of who wrote which; None of fewer than ten."""
    given = sorted((reason for reason in said if reason), key=lambda reason: (reason.casefold(), reason))
    return given if len(given) >= SMALLEST_SHOWN else None
