"""The delivery ledger: who is owed a message, who holds it, and what became of it.

Every message that leaves goes through here: plan → claim → settle. The rules that keep it exact:

- A claim is committed before a byte leaves, under a lease; its id is a fencing number that only grows.
- Settling and releasing match on that number, so a worker that lost its claim changes nothing.
- Only a worker that holds a claim may put its rows back to pending, and only those it never began. When it is gone, its
  journal speaks for it (`recovery`); without one, nobody knows what it began, and its rows become unknown.
- Progress is counted from the rows; there is no counter that could disagree with them.

Functions that take an engine commit for themselves; those that take a session leave that to the caller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    LargeBinary,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from mailer import addresses, campaigns, db, subscribers, suppression
from mailer.crypto import Keyring, UnreadableSecret, keyring_of
from mailer.db import session_scope
from mailer.models import (
    Base,
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

#: rows a claim may hold; a worker holds two at a time, so that a lost host costs at most 250
CLAIM_LIMIT = 120

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
    UNREADABLE = "unreadable"  # the stored address was damaged


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
    suppress: bool = False  # whether the server says that the address does not exist


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


def claim(
    engine: Engine, campaign_id: int, *, worker: str, journal: str, lease: timedelta, limit: int = CLAIM_LIMIT
) -> Batch | None:
    """Take hold of some deliveries that are due, and commit that before anything is sent.

    :param worker: names the process to an operator.
    :param journal: name of the worker's journal, by which its host finds what it left.
    :param lease: how long the claim stands without `renew`.
    :returns: None when nothing of the campaign is due, or it is not under way.
    """
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        now = db.now(session)
        held = Claim(campaign_id=campaign_id, worker=worker, journal=journal, expires_at=now + lease)
        session.add(held)
        session.flush()
        claimed: list[Claimed] = []
        for purpose, state in _kinds_due(campaign):
            if len(claimed) == limit:
                break
            claimed += _take(session, held, purpose, state, now=now, limit=limit - len(claimed))
        if not claimed:
            session.rollback()
            return None
        claimed.sort(key=lambda delivery: (delivery.purpose is Purpose.CAMPAIGN, delivery.id))
        return Batch(fence=held.id, campaign_id=campaign_id, list_id=campaign.list_id, deliveries=tuple(claimed))


def _kinds_due(campaign: Campaign) -> list[tuple[Purpose, DeliveryState]]:
    """What to claim of a campaign, in order: system mail first, then new mail, then what was refused before."""
    purposes = [*_BEFORE_CAMPAIGNS, *([Purpose.CAMPAIGN] if campaign.status is CampaignStatus.SENDING else [])]
    return [(purpose, state) for purpose in purposes for state in _WAITING]


def _take(
    session: Session, held: Claim, purpose: Purpose, state: DeliveryState, *, now: datetime, limit: int
) -> list[Claimed]:
    """Put deliveries of one kind under a claim: one range of the index ix_work, in the order of its ids."""
    due = select(Delivery.id).where(
        Delivery.campaign_id == held.campaign_id, Delivery.purpose == purpose, Delivery.state == state
    )
    if state is DeliveryState.DEFERRED:
        due = due.where(Delivery.not_before <= now)
    due = due.order_by(Delivery.id).limit(limit).with_for_update(skip_locked=True)
    rows = session.execute(
        update(Delivery)
        .where(Delivery.id.in_(due.scalar_subquery()))
        .values(state=DeliveryState.SENDING, fence=held.id)
        .returning(
            Delivery.id,
            Delivery.purpose,
            Delivery.subscriber_id,
            Delivery.address,
            Delivery.language,
            Delivery.country,
            Delivery.union_id,
            Delivery.attempts,
        ),
        execution_options={"synchronize_session": False},
    )
    return [Claimed(**row._mapping) for row in rows]


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
    if not deliveries:
        return {}
    rows = session.execute(
        select(
            Subscriber.id,
            type_coerce(Subscriber.email, LargeBinary),
            type_coerce(Subscriber.name, LargeBinary),
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
    keyring = keyring_of(session)
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
            found[delivery.id] = _readable(keyring, email, name, subscription_id)
    if found and all(recipient is Reason.UNREADABLE for recipient in found.values()):
        # Not damaged rows but a missing key: failing everyone for it would be worse than waiting for somebody.
        keyring.decrypt(bytes(next(iter(people.values()))[1]), "subscribers.email")
    return found


def _readable(keyring: Keyring, email: bytes, name: bytes | None, subscription_id: int | None) -> Recipient | Reason:
    """Decrypt a recipient; one damaged row must not stop the campaign for everyone behind it."""
    try:
        return Recipient(
            email=keyring.decrypt(bytes(email), "subscribers.email"),
            name=keyring.decrypt(bytes(name), "subscribers.name") if name is not None else None,
            subscription_id=subscription_id,
        )
    except UnreadableSecret:
        return Reason.UNREADABLE


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


def settle(engine: Engine, batch: Batch, settlements: Sequence[Settlement]) -> bool:
    """Write the fates of deliveries that this claim still holds, in one transaction.

    Rows that another took over since are left as they are.

    :returns: whether the claim still stands.
    """
    with session_scope(engine) as session:
        record(session, batch.fence, settlements)
        return session.scalar(select(Claim.id).where(Claim.id == batch.fence)) is not None


def close(engine: Engine, batch: Batch, settlements: Sequence[Settlement] = ()) -> bool:
    """Settle what is known and let go of a claim: what it still holds was never begun and waits again.

    :returns: False when the claim had been given up before, so that nothing was settled.
    """
    with session_scope(engine) as session:
        record(session, batch.fence, settlements)
        return let_go(session, batch.fence, batch.campaign_id)


def record(session: Session, fence: int, settlements: Sequence[Settlement]) -> None:
    """Write the fates of deliveries that a claim still holds."""
    if not settlements:
        return
    now = db.now(session)
    rows = [
        {
            "row": settlement.delivery_id,
            "held_by": fence,
            "new_state": settlement.state,
            "new_reason": settlement.reason,
            "new_code": settlement.smtp_code,
            "new_text": settlement.smtp_text,
            "new_not_before": settlement.not_before,
            "begun": int(settlement.transmitted),
            "now": now,
        }
        for settlement in settlements
    ]
    session.connection().execute(_SETTLE, rows)
    gone = [settlement.delivery_id for settlement in settlements if settlement.suppress]
    if gone:
        _suppress_addresses_of(session, gone)


_LEDGER = Base.metadata.tables[Delivery.__tablename__]
_SETTLE = (
    update(_LEDGER)
    .where(_LEDGER.c.id == bindparam("row"), _LEDGER.c.fence == bindparam("held_by"), _LEDGER.c.state == "sending")
    .values(
        state=bindparam("new_state"),
        reason=bindparam("new_reason"),
        smtp_code=bindparam("new_code"),
        # A server quotes addresses, and nothing may bring back that of a person who was erased meanwhile.
        smtp_text=case(
            (
                or_(_LEDGER.c.subscriber_id.is_not(None), _LEDGER.c.address.is_not(None)),
                cast(bindparam("new_text", type_=_LEDGER.c.smtp_text.type), LargeBinary),
            ),
            else_=null(),
        ),
        not_before=bindparam("new_not_before"),
        attempts=_LEDGER.c.attempts + bindparam("begun"),
        settled_at=bindparam("now"),
    )
)


def _suppress_addresses_of(session: Session, delivery_ids: Sequence[int]) -> None:
    """Never mail again an address of which its server says that it does not exist."""
    people = session.execute(
        select(Subscriber.id, Subscriber.email_index)
        .join(Delivery, Delivery.subscriber_id == Subscriber.id)
        .where(Delivery.id.in_(delivery_ids))
    ).all()
    for _, email_index in people:
        suppression.add(session, email_index, SuppressionReason.BOUNCED)
    if people:
        subscribers.refresh(session, [subscriber_id for subscriber_id, _ in people])


def let_go(session: Session, fence: int, campaign_id: int) -> bool:
    """End a claim whose rows were not begun, save those that were settled: they wait again, or end with a cancelled
    campaign.

    :returns: whether there was such a claim.
    """
    # Locked against a cancel at the same moment, which would otherwise miss these rows.
    campaign = session.get_one(Campaign, campaign_id, with_for_update={"read": True}, populate_existing=True)
    held = held_by(fence, campaign_id)
    if campaign.status is CampaignStatus.CANCELLED:
        _skip_cancelled(session, *held, Delivery.purpose == Purpose.CAMPAIGN)
        # A refusal for now may have been settled after the cancel, and nobody would come back to it.
        _skip_cancelled(session, Delivery.state.in_(_WAITING), *_audience_of(campaign_id))
    session.execute(
        update(Delivery).where(*held, Delivery.not_before.is_not(None)).values(state=DeliveryState.DEFERRED)
    )
    session.execute(update(Delivery).where(*held).values(state=DeliveryState.PENDING))
    return session.scalar(delete(Claim).where(Claim.id == fence).returning(Claim.id)) is not None


def held_by(fence: int, campaign_id: int) -> tuple[ColumnElement[bool], ...]:
    """The conditions that a claim still holds a delivery, as ranges of the index ix_work."""
    return (
        Delivery.campaign_id == campaign_id,
        Delivery.purpose.in_(list(Purpose)),
        Delivery.state == DeliveryState.SENDING,
        Delivery.fence == fence,
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


def fail_tests(session: Session, campaign_id: int, problem: str) -> None:
    """Give up the test mails that a campaign owes: an organiser waits for them, and should hear of the problem."""
    session.execute(
        update(Delivery)
        .where(Delivery.campaign_id == campaign_id, Delivery.purpose == Purpose.TEST, Delivery.state.in_(_WAITING))
        .values(state=DeliveryState.FAILED, smtp_text=problem, settled_at=db.now(session))
    )


def finish(session: Session, campaign_id: int) -> bool:
    """Call a campaign sent if nothing of it is pending, sending or deferred.

    :returns: whether this call did so.
    """
    # The row is locked before the ledger is looked at: one statement would see the ledger as it was before it waited
    # for a `resend` to commit.
    campaign = session.get_one(Campaign, campaign_id, with_for_update=True, populate_existing=True)
    owed = exists().where(*_audience_of(campaign_id), Delivery.state.in_(_OPEN))
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
    first = exists().where(Delivery.campaign_id == Campaign.id, Delivery.purpose.in_(_BEFORE_CAMPAIGNS), due)
    wanted = or_(first, (Campaign.status == CampaignStatus.SENDING) & of_campaign)
    return list(session.scalars(select(Campaign.id).where(wanted).order_by(Campaign.id)))


def workers_sending(session: Session) -> int:
    """How many workers hold a claim whose lease has not run out."""
    holding = select(func.count(Claim.journal.distinct())).where(Claim.expires_at > db.now(session))
    return session.scalar(holding) or 0


def _audience_of(campaign_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions that make a delivery one of a campaign's frozen audience."""
    return Delivery.campaign_id == campaign_id, Delivery.purpose == Purpose.CAMPAIGN
