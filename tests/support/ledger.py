"""A ledger to test with: a campaign that is under way, claims on it, and the states that it is in."""

from collections import Counter
from datetime import timedelta

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.delivery import ledger
from mailer.delivery.ledger import Batch, Claimed, Settlement
from mailer.store.db import session_scope
from mailer.store.models import Campaign, CampaignStatus, Delivery, DeliveryState
from tests.support.factories import make_campaign, make_list, make_subscriber

LEASE = timedelta(seconds=30)


def planned(engine: Engine, people: int, *, by_lot: bool = False) -> int:
    """Make a sending campaign with so many recipients; returns its id.

    :param by_lot: they wait in the order that was drawn, not in that of their ids.
    """
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        for _ in range(people):
            make_subscriber(session, mailing_list)
        campaign = make_campaign(session, mailing_list, status=CampaignStatus.SENDING)
        campaign.mail_domain = "example.org"
        assert ledger.plan(session, campaign) == people
        if not by_lot:
            in_order(session)
        return campaign.id


def in_order(session: Session) -> None:
    """Have what waits go out in the order of its ids, not by lot, for a test that must know who is next."""
    session.execute(update(Delivery).where(Delivery.draw.is_not(None)).values(draw=Delivery.id))


def by_id(claimed: list[Claimed]) -> None:
    """Takes the place of `ledger.shuffle`: messages of a claim go out in the order of their ids."""
    claimed.sort(key=lambda delivery: delivery.id)


def claim(engine: Engine, campaign_id: int, *, limit: int = 20, lease: timedelta = LEASE) -> Batch:
    """Claim what there must be."""
    batch = ledger.claim(engine, campaign_id, worker="test", journal="a.journal", lease=lease, limit=limit)
    assert batch is not None
    return batch


def states(engine: Engine) -> Counter[DeliveryState]:
    """How many deliveries are in each state."""
    with session_scope(engine, read_only=True) as session:
        return Counter(session.scalars(select(Delivery.state)))


def sent(batch: Batch) -> list[Settlement]:
    """The fates of a claim of which the server took everything."""
    return [Settlement(claimed.id, DeliveryState.SENT, smtp_code=250, smtp_text="ok") for claimed in batch.deliveries]


def let_pass(engine: Engine, time: timedelta) -> None:
    """Have so much time pass for what the ledger and its campaigns remember, by moving it back."""
    with session_scope(engine) as session:
        for campaign in session.scalars(select(Campaign)):
            campaign.started_at = campaign.started_at and campaign.started_at - time
            campaign.resumed_at = campaign.resumed_at and campaign.resumed_at - time
        for delivery in session.scalars(select(Delivery)):
            delivery.not_before = delivery.not_before and delivery.not_before - time
            delivery.settled_at = delivery.settled_at and delivery.settled_at - time
