"""What the ledger forgets once nobody needs it: in which order, and exactly when, its mails went out.

Beside a mail provider's log, which has both, that would tell which row is whose.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, select, update

from mailer.store import db
from mailer.store.db import session_scope
from mailer.store.models import Campaign, CampaignStatus, Delivery, DeliveryState

#: rows to a transaction, so that nobody who sends waits long
_BATCH = 5_000
#: how old what a campaign has settled must be: system mail is sent all the time, and its campaign is never over
_AGE = {
    CampaignStatus.SENT: timedelta(0),
    CampaignStatus.CANCELLED: timedelta(0),
    CampaignStatus.STANDING: timedelta(days=1),
}


def forget_order(engine: Engine) -> None:
    """Cut the times of what campaigns that are over have settled to the day, and drop which claims it went by.

    What is unknown keeps its claim, by which a journal that turns up late still finds it.
    """
    with session_scope(engine, read_only=True) as session:
        over = session.scalars(select(Campaign.id).where(Campaign.status.in_(list(_AGE)))).all()
    for campaign_id in over:
        while _forget_some(engine, campaign_id):
            pass


def _forget_some(engine: Engine, campaign_id: int) -> bool:
    """Do so for some rows that were settled on one day; returns whether there were any."""
    with session_scope(engine) as session:
        # Locked, so that a resend which begins the campaign again comes before or after.
        campaign = session.get_one(Campaign, campaign_id, with_for_update={"read": True}, populate_existing=True)
        if campaign.status not in _AGE:
            return False
        until = db.now(session) - _AGE[campaign.status]
        first = session.scalar(
            select(Delivery.settled_at).where(*_remembered(campaign_id, until)).order_by(Delivery.settled_at).limit(1)
        )
        if first is None:
            return False
        day = first.replace(hour=0, minute=0, second=0, microsecond=0)
        some = (
            select(Delivery.id)
            .where(*_remembered(campaign_id, min(until, day + timedelta(days=1))))
            .order_by(Delivery.settled_at)
            .limit(_BATCH)
        )
        session.execute(
            update(Delivery)
            .where(Delivery.id.in_(some))
            .values(settled_at=day, fence=None)
            .execution_options(synchronize_session=False)
        )
        return True


def _remembered(campaign_id: int, until: datetime) -> tuple[ColumnElement[bool], ...]:
    """The conditions that a delivery was settled by then and still says exactly when: a range of ix_settled."""
    return (
        Delivery.campaign_id == campaign_id,
        Delivery.fence.is_not(None),
        Delivery.settled_at.is_not(None),
        Delivery.settled_at < until,
        Delivery.state.in_([DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.SKIPPED]),
    )
