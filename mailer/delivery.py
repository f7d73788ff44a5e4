"""The delivery ledger: who is owed a message, who holds it, and what became of it.

Every message that leaves goes through here: plan → claim → settle. The rules that keep it exact:

- A claim is committed before a byte leaves, under a lease; its id is a fencing number that only grows.
- Settling and releasing match on that number, so a worker that lost its lease changes nothing.
- Only a worker that holds a claim may put its rows back to pending, and only those it never began.
- When a lease runs out, nobody knows what its worker had begun: its rows become unknown, never pending.
- Progress is counted from the rows; there is no counter that could disagree with them.

Functions that take an engine commit for themselves; those that take a session leave that to the caller.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Engine, bindparam, delete, exists, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from mailer import addresses, campaigns, db
from mailer.crypto import keyring_of
from mailer.db import session_scope
from mailer.models import (
    Campaign,
    CampaignStatus,
    Claim,
    Delivery,
    DeliveryState,
    Purpose,
    Subscriber,
    Subscription,
    Suppression,
    SuppressionReason,
)
from mailer.segments import audience

#: rows a worker may hold at once: what a lost host can cost
CLAIM_LIMIT = 20

_WAITING = (DeliveryState.PENDING, DeliveryState.DEFERRED)
_OPEN = (*_WAITING, DeliveryState.SENDING)
#: system mail goes first: one person is waiting for it
_BEFORE_CAMPAIGNS = (Purpose.NOTICE, Purpose.TEST)


class Reason(StrEnum):
    """Why a delivery ended without an answer from a mail server."""

    LEFT = "left"  # unsubscribed after the audience was frozen
    SUPPRESSED = "suppressed"  # the address must get nothing
    ERASED = "erased"  # the person had their data erased
    CANCELLED = "cancelled"  # the campaign was
    WORKER_LOST = "worker lost"  # its lease ran out with the outcome not learned
    CONNECTION_LOST = "connection lost"  # the server hung up between the body and its answer
    GAVE_UP = "gave up"  # refused for now, too often
    UNUSABLE = "unusable"  # the address cannot stand in a mail


@dataclass(frozen=True, slots=True)
class Claimed:
    """One delivery that this worker holds."""

    id: int
    purpose: Purpose
    subscriber_id: int | None
    address: str | None
    language: str | None
    country: str | None
    union_id: int | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one claim holds. `fence` is its fencing number."""

    fence: int
    campaign_id: int
    list_id: int
    deliveries: tuple[Claimed, ...]


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a claimed delivery goes to, as of the last look."""

    email: str
    name: str | None
    subscription_id: int | None  # none for a test mail


@dataclass(frozen=True, slots=True)
class Standing:
    """What a worker must know right before it sends: whether it still may, and to whom."""

    may_send_campaign: bool
    recipients: Mapping[int, Recipient | Reason]  # delivery id → who, or why not


@dataclass(frozen=True, slots=True)
class Settlement:
    """The fate of one claimed delivery."""

    delivery_id: int
    state: DeliveryState
    reason: Reason | None = None
    smtp_code: int | None = None
    smtp_text: str | None = None
    not_before: datetime | None = None
    transmitted: bool = True  # whether a transmission was begun


def plan(session: Session, campaign: Campaign) -> int:
    """Freeze a campaign's audience: one pending delivery a recipient, in one statement.

    :returns: how many recipients there are.
    """
    recipients = audience(session, campaign.list_id, campaigns.segment_of(campaign)).add_columns(
        literal(campaign.id),
        literal(Purpose.CAMPAIGN, Delivery.purpose.type),
        literal(DeliveryState.PENDING, Delivery.state.type),
        literal(0),
        Subscription.subscriber_id,
        Subscription.language,
        Subscription.country,
        Subscription.union_id,
    )
    columns = ["campaign_id", "purpose", "state", "attempts", "subscriber_id", "language", "country", "union_id"]
    session.execute(insert(Delivery).from_select(columns, recipients))
    return session.scalar(select(func.count()).where(*_audience_of(campaign.id))) or 0


def add_test(
    session: Session,
    campaign: Campaign,
    *,
    address: str,
    language: str | None,
    country: str | None,
    union_id: int | None,
) -> Delivery:
    """Owe one test mail of a campaign, whatever its status, to an address that an organiser named."""
    delivery = Delivery(
        campaign_id=campaign.id,
        purpose=Purpose.TEST,
        address=address,
        language=language,
        country=country,
        union_id=union_id,
    )
    session.add(delivery)
    session.flush()
    return delivery


def claim(engine: Engine, campaign_id: int, *, worker: str, lease: timedelta, limit: int = CLAIM_LIMIT) -> Batch | None:
    """Take hold of some deliveries that are due, and commit that before anything is sent.

    :param worker: names the process to an operator.
    :param lease: how long the claim stands without `renew`.
    :returns: None when nothing of the campaign is due, or it is not under way.
    """
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        now = db.now(session)
        due = _due(session, campaign, now, limit)
        if not due:
            return None
        held = Claim(campaign_id=campaign_id, worker=worker, expires_at=now + lease)
        session.add(held)
        session.flush()
        session.execute(
            update(Delivery).where(Delivery.id.in_(due)).values(state=DeliveryState.SENDING, claim_id=held.id)
        )
        rows = session.execute(
            select(
                Delivery.id,
                Delivery.purpose,
                Delivery.subscriber_id,
                Delivery.address,
                Delivery.language,
                Delivery.country,
                Delivery.union_id,
                Delivery.attempts,
            )
            .where(Delivery.claim_id == held.id)
            .order_by(Delivery.id)
        )
        claimed = tuple(Claimed(*row) for row in rows)
        return Batch(fence=held.id, campaign_id=campaign_id, list_id=campaign.list_id, deliveries=claimed)


def _due(session: Session, campaign: Campaign, now: datetime, limit: int) -> list[int]:
    """Ids of deliveries to claim, locked: system mail first, then new ones, then those refused before."""
    purposes: list[Purpose] = list(_BEFORE_CAMPAIGNS)
    if campaign.status is CampaignStatus.SENDING:
        purposes.append(Purpose.CAMPAIGN)
    due: list[int] = []
    for purpose in purposes:
        # One query a state, so that each is one range of the index ix_work in the order of its ids.
        for state in _WAITING:
            if len(due) == limit:
                return due
            wanted = select(Delivery.id).where(
                Delivery.campaign_id == campaign.id, Delivery.purpose == purpose, Delivery.state == state
            )
            if state is DeliveryState.DEFERRED:
                wanted = wanted.where(Delivery.not_before <= now)
            wanted = wanted.order_by(Delivery.id).limit(limit - len(due)).with_for_update(skip_locked=True)
            due += session.scalars(wanted)
    return due


def look_up(engine: Engine, batch: Batch, deliveries: Sequence[Claimed]) -> Standing:
    """See who of a claim's people may still be mailed, and whether its campaign is still under way.

    Called for a few at a time right before they are sent, so that who leaves gets nothing more.
    """
    with session_scope(engine, read_only=True) as session:
        status = session.scalar(select(Campaign.status).where(Campaign.id == batch.campaign_id))
        found: dict[int, Recipient | Reason] = {}
        found |= _subscribers(session, batch, [d for d in deliveries if d.subscriber_id is not None])
        found |= _addressees(session, [d for d in deliveries if d.subscriber_id is None])
        return Standing(may_send_campaign=status is CampaignStatus.SENDING, recipients=found)


def _subscribers(session: Session, batch: Batch, deliveries: Sequence[Claimed]) -> dict[int, Recipient | Reason]:
    rows = session.execute(
        select(
            Subscriber.id,
            Subscriber.email,
            Subscriber.name,
            Subscription.id,
            Subscription.mailable,
            Suppression.reason,
        )
        .outerjoin(
            Subscription,
            (Subscription.subscriber_id == Subscriber.id) & (Subscription.list_id == batch.list_id),
        )
        .outerjoin(Suppression, Suppression.email_index == Subscriber.email_index)
        .where(Subscriber.id.in_([d.subscriber_id for d in deliveries]))
    )
    people: dict[int | None, Any] = {row[0]: row for row in rows}
    found: dict[int, Recipient | Reason] = {}
    for delivery in deliveries:
        person = people.get(delivery.subscriber_id)
        if person is None:
            found[delivery.id] = Reason.ERASED
            continue
        _, email, name, subscription_id, mailable, suppressed = person
        if _is_barred(delivery.purpose, suppressed):
            found[delivery.id] = Reason.SUPPRESSED
        elif delivery.purpose is Purpose.CAMPAIGN and not mailable:
            found[delivery.id] = Reason.LEFT
        else:
            found[delivery.id] = Recipient(email=email, name=name, subscription_id=subscription_id)
    return found


def _addressees(session: Session, deliveries: Sequence[Claimed]) -> dict[int, Recipient | Reason]:
    """Deliveries that name an address of their own. One that names neither belonged to an erased person."""
    keyring = keyring_of(session)
    found: dict[int, Recipient | Reason] = {}
    for delivery in deliveries:
        if delivery.address is None:
            found[delivery.id] = Reason.ERASED
            continue
        suppression = session.get(Suppression, keyring.blind_index(addresses.parse(delivery.address).folded))
        if _is_barred(delivery.purpose, suppression.reason if suppression else None):
            found[delivery.id] = Reason.SUPPRESSED
        else:
            found[delivery.id] = Recipient(email=delivery.address, name=None, subscription_id=None)
    return found


def _is_barred(purpose: Purpose, suppressed: SuppressionReason | None) -> bool:
    """Who left every list may still get the one mail they ask for: the goodbye, or a new confirmation."""
    if suppressed is None:
        return False
    return suppressed is not SuppressionReason.LEFT or purpose is Purpose.CAMPAIGN


def settle(engine: Engine, batch: Batch, settlements: Iterable[Settlement]) -> None:
    """Write the fates of deliveries that this claim still holds, in one transaction.

    Rows that another took over since are left as they are.
    """
    with session_scope(engine) as session:
        now = db.now(session)
        rows = [
            {
                "row": settlement.delivery_id,
                "new_state": settlement.state,
                "new_reason": settlement.reason,
                "new_code": settlement.smtp_code,
                "new_text": settlement.smtp_text,
                "new_not_before": settlement.not_before,
                "begun": int(settlement.transmitted),
            }
            for settlement in settlements
        ]
        if rows:
            session.connection().execute(_SETTLE, [{**row, "fence": batch.fence, "now": now} for row in rows])


_SETTLE = (
    update(Delivery.__table__)  # type: ignore[arg-type]  # typed as FromClause; it is the mapped Table
    .where(Delivery.id == bindparam("row"), Delivery.claim_id == bindparam("fence"))
    .values(
        state=bindparam("new_state"),
        reason=bindparam("new_reason"),
        smtp_code=bindparam("new_code"),
        smtp_text=bindparam("new_text"),
        not_before=bindparam("new_not_before"),
        attempts=Delivery.attempts + bindparam("begun"),
        settled_at=bindparam("now"),
        claim_id=None,
    )
)


def renew(engine: Engine, batch: Batch, *, lease: timedelta) -> bool:
    """Hold a claim for another lease from now.

    :returns: False when it had run out: whoever held it must begin nothing more.
    """
    with session_scope(engine) as session:
        now = db.now(session)
        renewed = session.scalar(
            update(Claim)
            .where(Claim.id == batch.fence, Claim.expires_at > now)
            .values(expires_at=now + lease)
            .returning(Claim.id)
        )
        return renewed is not None


def close(engine: Engine, batch: Batch) -> None:
    """Let go of a claim: what it still holds was never begun and waits again, or ends with a cancelled campaign."""
    with session_scope(engine) as session:
        # Locked against a cancel at the same moment, which would otherwise miss these rows.
        campaign = session.get_one(Campaign, batch.campaign_id, with_for_update={"read": True})
        held = Delivery.claim_id == batch.fence
        if campaign.status is CampaignStatus.CANCELLED:
            _skip_cancelled(session, held & (Delivery.purpose == Purpose.CAMPAIGN))
        session.execute(
            update(Delivery)
            .where(held, Delivery.not_before.is_not(None))
            .values(state=DeliveryState.DEFERRED, claim_id=None)
        )
        session.execute(update(Delivery).where(held).values(state=DeliveryState.PENDING, claim_id=None))
        session.execute(delete(Claim).where(Claim.id == batch.fence))


def reclaim(engine: Engine) -> list[int]:
    """End every claim whose lease ran out: its worker is lost, and what it had begun nobody knows.

    :returns: the fencing numbers of the claims that were ended.
    """
    with session_scope(engine) as session:
        now = db.now(session)
        expired = list(
            session.scalars(select(Claim.id).where(Claim.expires_at <= now).with_for_update(skip_locked=True))
        )
        if expired:
            session.execute(
                update(Delivery)
                .where(Delivery.claim_id.in_(expired))
                .values(
                    state=DeliveryState.UNKNOWN,
                    claim_id=None,
                    reason=Reason.WORKER_LOST,
                    attempts=Delivery.attempts + 1,
                    settled_at=now,
                )
            )
            session.execute(delete(Claim).where(Claim.id.in_(expired)))
        return expired


def cancel(session: Session, campaign: Campaign) -> None:
    """Stop a campaign for good; what has not gone out is skipped. What a worker holds follows when it lets go.

    :raises campaigns.WrongStatus: it has been sent already.
    """
    campaigns.move(session, campaign, "cancelled", finished_at=db.now(session), hold_reason=None)
    _skip_cancelled(session, Delivery.state.in_(_WAITING), *_audience_of(campaign.id))


def _skip_cancelled(session: Session, *which: ColumnElement[bool]) -> None:
    session.execute(
        update(Delivery)
        .where(*which)
        .values(
            state=DeliveryState.SKIPPED,
            reason=Reason.CANCELLED,
            claim_id=None,
            not_before=None,
            settled_at=db.now(session),
        )
    )


def resend(session: Session, campaign: Campaign, state: DeliveryState) -> int:
    """Owe again, because a person asked for it, what is unknown or failed; each keeps its Message-ID.

    :returns: how many will be sent again. Erased people are not among them.
    :raises campaigns.WrongStatus: the campaign is not under way and not sent.
    """
    campaigns.move(session, campaign, "resent", finished_at=None)
    again = session.scalars(
        update(Delivery)
        .where(*_audience_of(campaign.id), Delivery.state == state, Delivery.subscriber_id.is_not(None))
        .values(state=DeliveryState.PENDING, reason=None, smtp_code=None, smtp_text=None, settled_at=None)
        .returning(Delivery.id)
    )
    count = len(again.all())
    finish(session, campaign.id)
    return count


def finish(session: Session, campaign_id: int) -> bool:
    """Call a campaign sent if nothing of it is pending, sending or deferred.

    :returns: whether this call did so.
    """
    owed = exists().where(*_audience_of(campaign_id), Delivery.state.in_(_OPEN))
    finished = session.scalar(
        update(Campaign)
        .where(Campaign.id == campaign_id, Campaign.status == CampaignStatus.SENDING, ~owed)
        .values(status=CampaignStatus.SENT, finished_at=db.now(session))
        .returning(Campaign.id)
    )
    return finished is not None


def campaigns_with_work(session: Session) -> list[int]:
    """Ids of campaigns of which something could be claimed now."""
    due = or_(
        Delivery.state == DeliveryState.PENDING,
        (Delivery.state == DeliveryState.DEFERRED) & (Delivery.not_before <= db.now(session)),
    )
    of_campaign = exists().where(Delivery.campaign_id == Campaign.id, Delivery.purpose == Purpose.CAMPAIGN, due)
    first = exists().where(Delivery.campaign_id == Campaign.id, Delivery.purpose.in_(_BEFORE_CAMPAIGNS), due)
    wanted = or_(first, (Campaign.status == CampaignStatus.SENDING) & of_campaign)
    return list(session.scalars(select(Campaign.id).where(wanted).order_by(Campaign.id)))


def _audience_of(campaign_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions that make a delivery one of a campaign's frozen audience."""
    return Delivery.campaign_id == campaign_id, Delivery.purpose == Purpose.CAMPAIGN
