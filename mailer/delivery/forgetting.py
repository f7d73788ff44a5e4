"""What the ledger forgets once nobody needs it: in which order, and exactly when, its mails went out.

Beside a mail provider's log, which has both, that would tell which row is whose.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, case, func, select, update

from mailer.store import db
from mailer.store.db import session_scope
from mailer.store.models import Campaign, CampaignAlarm, CampaignStatus, Delivery, DeliveryState

#: ids to a transaction, so that nobody who sends waits long
_BATCH = 5_000
#: how old what a campaign has settled must be: system mail is sent all the time, and its campaign is never over
_AGE = {
    CampaignStatus.SENT: timedelta(0),
    CampaignStatus.CANCELLED: timedelta(0),
    CampaignStatus.STANDING: timedelta(days=1),
}


def forget_order(engine: Engine) -> None:
    """Cut the times of what campaigns that are over have settled to the day, and drop which claims it went by, and how
    often it was tried and put back.

    What is unknown keeps its claim, by which a journal that turns up late still finds it.
    """
    with session_scope(engine, read_only=True) as session:
        over = session.execute(select(Campaign.id, Campaign.status).where(Campaign.status.in_(list(_AGE)))).all()
    _forget_first(engine)
    for campaign_id, status in over:
        with session_scope(engine, read_only=True) as session:
            old = _remembered(campaign_id, db.now(session) - _AGE[status])
            first, last = session.execute(select(func.min(Delivery.id), func.max(Delivery.id)).where(*old)).one()
        if first is not None:
            for start in range(first, last + 1, _BATCH):
                _forget(engine, campaign_id, start)


def _forget_first(engine: Engine) -> None:
    """Forget which mails of campaigns that are over were the first."""
    is_over = CampaignAlarm.campaign_id.in_(select(Campaign.id).where(Campaign.status.in_(list(_AGE))))
    is_known = CampaignAlarm.first_until.is_not(None)
    with session_scope(engine) as session:
        session.execute(update(CampaignAlarm).where(is_over, is_known).values(first_until=None))


def _forget(engine: Engine, campaign_id: int, start: int) -> None:
    """Do so for the rows with the next ids. In the order of the ids, not of the times: PostgreSQL keeps rows in the
    order in which they were written last, and a copy of the database keeps that order.
    """
    with session_scope(engine) as session:
        # Locked, so that a resend which begins the campaign again comes before or after.
        campaign = session.get_one(Campaign, campaign_id, with_for_update={"read": True}, populate_existing=True)
        if campaign.status not in _AGE:
            return
        until = db.now(session) - _AGE[campaign.status]
        is_sent = Delivery.state == DeliveryState.SENT
        some = select(Delivery.id).where(
            Delivery.id.between(start, start + _BATCH - 1), *_remembered(campaign_id, until)
        )
        in_order = some.order_by(Delivery.id).with_for_update().subquery()
        db.join_in_order(session)
        session.execute(
            update(Delivery)
            .where(Delivery.id == in_order.c.id)
            .values(
                settled_at=db.day_of(session, Delivery.settled_at),
                fence=None,
                attempts=case((is_sent, 1), else_=Delivery.attempts),
                put_back=0,
            )
            .execution_options(synchronize_session=False)
        )


def _remembered(campaign_id: int, until: datetime) -> tuple[ColumnElement[bool], ...]:
    """The conditions that a delivery was settled by then and still says exactly when: a range of ix_settled."""
    return (
        Delivery.campaign_id == campaign_id,
        Delivery.fence.is_not(None),
        Delivery.settled_at.is_not(None),
        Delivery.settled_at < until,
        Delivery.state.in_([DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.SKIPPED]),
    )
