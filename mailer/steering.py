"""Steering: what people and the sweeper do to a campaign's part of the ledger as a whole, and what they ask of it."""

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.delivery import audience_of, skip_cancelled
from mailer.store import db
from mailer.store.models import (
    BEFORE_CAMPAIGNS,
    WAITING,
    Campaign,
    CampaignStatus,
    Claim,
    Delivery,
    DeliveryState,
    Purpose,
    Reason,
)

_OPEN = (*WAITING, DeliveryState.SENDING)


def cancel(session: Session, campaign: Campaign) -> None:
    """Stop a campaign for good; what has not gone out is skipped. What a worker holds follows when it lets go.

    :raises lifecycle.WrongStatus: it has been sent already.
    """
    lifecycle.move(session, campaign, "cancel", finished_at=db.now(session), hold_reason=None)
    skip_cancelled(session, Delivery.state.in_(WAITING), *audience_of(campaign.id))


def resend(session: Session, campaign: Campaign, state: DeliveryState) -> int:
    """Owe again, because a person asked for it, what is unknown or failed; each keeps its Message-ID.

    :returns: how many will be sent again. Erased people are not among them.
    :raises lifecycle.WrongStatus: the campaign is not under way and not sent.
    """
    lifecycle.move(session, campaign, "resend", finished_at=None)
    again = session.scalars(
        update(Delivery)
        .where(*audience_of(campaign.id), Delivery.state == state, Delivery.subscriber_id.is_not(None))
        .values(state=DeliveryState.PENDING, reason=None, smtp_code=None, smtp_text=None, settled_at=None)
        .returning(Delivery.id)
    )
    count = len(again.all())
    finish(session, campaign.id)
    return count


def fail_tests(session: Session, campaign_id: int, problem: str) -> None:
    """Give up the test mails that a campaign owes: an organiser waits for them, and should hear of the problem."""
    session.execute(
        update(Delivery)
        .where(Delivery.campaign_id == campaign_id, Delivery.purpose == Purpose.TEST, Delivery.state.in_(WAITING))
        .values(state=DeliveryState.FAILED, smtp_text=problem, settled_at=db.now(session))
    )


def finish(session: Session, campaign_id: int) -> bool:
    """Call a campaign sent if nothing of it is pending, sending or deferred.

    :returns: whether this call did so.
    """
    # The row is locked before the ledger is looked at: one statement would see the ledger as it was before it waited
    # for a `resend` to commit.
    campaign = session.get_one(Campaign, campaign_id, with_for_update=True, populate_existing=True)
    owed = exists().where(*audience_of(campaign_id), Delivery.state.in_(_OPEN))
    if campaign.status is not CampaignStatus.SENDING or session.scalar(select(owed)):
        return False
    campaign.status = CampaignStatus.SENT
    campaign.finished_at = db.now(session)
    session.flush()
    return True


def campaigns_with_work(session: Session) -> list[int]:
    """Ids of campaigns of which something could be claimed now."""
    due = or_(
        Delivery.state == DeliveryState.PENDING,
        (Delivery.state == DeliveryState.DEFERRED) & (Delivery.not_before <= db.now(session)),
    )
    of_campaign = exists().where(Delivery.campaign_id == Campaign.id, Delivery.purpose == Purpose.CAMPAIGN, due)
    first = exists().where(Delivery.campaign_id == Campaign.id, Delivery.purpose.in_(BEFORE_CAMPAIGNS), due)
    wanted = or_(first, (Campaign.status == CampaignStatus.SENDING) & of_campaign)
    return list(session.scalars(select(Campaign.id).where(wanted).order_by(Campaign.id)))


def latest_refused_us(session: Session, campaign: Campaign, count: int) -> list[bool]:
    """Whether each of a campaign's last answers was a server's refusal of us, the oldest first.

    :param count: so many at most; none from before somebody had the campaign go on after a pause.
    """
    latest: list[tuple[int, bool]] = []
    for state in (DeliveryState.SENT, DeliveryState.FAILED):  # each the end of a range of ix_work
        query = (
            select(Delivery.id, Delivery.reason)
            .where(*audience_of(campaign.id), Delivery.state == state)
            .order_by(Delivery.id.desc())
            .limit(count)
        )
        if campaign.resumed_at is not None:
            query = query.where(Delivery.settled_at > campaign.resumed_at)
        latest += [(delivery_id, reason == Reason.POLICY) for delivery_id, reason in session.execute(query)]
    return [refused for _, refused in sorted(latest)[-count:]]


def workers_sending(session: Session) -> int:
    """How many workers hold a claim whose lease has not run out."""
    holding = select(func.count(Claim.journal.distinct())).where(Claim.expires_at > db.now(session))
    return session.scalar(holding) or 0
