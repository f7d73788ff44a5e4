"""The delivery ledger: who is owed a message, who holds it, and what became of it.

Every message that leaves goes through here: plan → claim → settle. The rules that keep it exact:

- A claim is committed before a byte leaves, under a lease; its id is a fencing number that only grows.
- Settling and releasing match on that number, so a worker that lost its claim changes nothing.
- Only a worker that holds a claim may put its rows back to pending, and only those it never began. When it is gone, its
  journal speaks for it (`recovery`); without one, nobody knows what it began, and its rows become unknown.
- Progress is counted from the rows; there is no counter that could disagree with them.

Functions that take an engine commit for themselves; those that take a session leave that to the caller.
"""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Engine,
    Integer,
    LargeBinary,
    String,
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
from sqlalchemy.sql.dml import ReturningUpdate, Update
from sqlalchemy.types import TypeEngine

from mailer.campaigns import segments
from mailer.campaigns.segments import audience
from mailer.mail.feedback.types import Category
from mailer.people import bounces
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.db import UtcDateTime, session_scope
from mailer.store.models import (
    BEFORE_CAMPAIGNS,
    SERVERS_WORDS,
    WAITING,
    Base,
    Campaign,
    CampaignStatus,
    Claim,
    Delivery,
    DeliveryState,
    Purpose,
    Reason,
    Subscription,
    ended,
)

#: in which order the messages of one claim go out: not by their lots, which an older copy of the ledger tells
shuffle = random.shuffle
#: rows a claim may hold; a worker holds two at a time, so that a lost host costs at most 250
CLAIM_LIMIT = 120


class Claimed(NamedTuple):  # made for each mail: a frozen dataclass takes three times as long
    """One delivery that this worker holds."""

    id: int
    purpose: Purpose
    subscriber_id: int | None
    address: str | None
    language: str | None
    country: str | None
    union_id: int | None
    attempts: int
    put_back: int = 0
    notice: str | None = None  # of a system notice: `notices.Notice` as stored


@dataclass(frozen=True, slots=True)
class Batch:
    """What one claim holds. `fence` is its fencing number."""

    fence: int
    campaign_id: int
    list_id: int
    deliveries: tuple[Claimed, ...]


class Settlement(NamedTuple):  # likewise
    """The fate of one claimed delivery."""

    delivery_id: int
    state: DeliveryState
    reason: Reason | None = None
    smtp_code: int | None = None
    smtp_text: str | None = None
    not_before: datetime | None = None
    transmitted: bool = True  # whether a transmission was begun
    refused: Category | None = None  # what the server has against the address, if that may end mail to it


def plan(session: Session, campaign: Campaign) -> int:
    """Freeze a campaign's audience: one pending delivery per recipient, in one statement.

    :returns: how many recipients there are.
    """
    recipients = audience(session, campaign.list_id, segments.segment_of(campaign)).add_columns(
        literal(campaign.id),
        literal(Purpose.CAMPAIGN, Delivery.purpose.type),
        literal(DeliveryState.PENDING, Delivery.state.type),
        literal(0),
        literal(0),
        db.random_number(),
        Subscription.subscriber_id,
        Subscription.language,
        Subscription.country,
        Subscription.union_id,
    )
    columns = ["campaign_id", "purpose", "state", "attempts", "put_back", "draw"]
    columns += ["subscriber_id", "language", "country", "union_id"]
    session.execute(insert(Delivery).from_select(columns, recipients))
    return session.scalar(select(func.count()).where(*audience_of(campaign.id))) or 0


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
        now = db.now(session)
        list_id, status = session.execute(_CAMPAIGN, {"campaign": campaign_id}).one()
        held = {"campaign_id": campaign_id, "worker": worker, "journal": journal, "expires_at": now + lease}
        fence = session.execute(_NEW_CLAIM, held).scalar_one()
        claimed: list[Claimed] = []
        for take, read in (_SYSTEM_MAIL, *(_AUDIENCE if status is CampaignStatus.SENDING else ())):
            if len(claimed) < limit:
                values = {"campaign": campaign_id, "taken_by": fence, "now": now, "most": limit - len(claimed)}
                together = [read(row) for row in session.execute(take, values)]
                shuffle(together)
                claimed += together
        if not claimed:
            session.rollback()
            return None
        return Batch(fence=fence, campaign_id=campaign_id, list_id=list_id, deliveries=tuple(claimed))


# Statements of the hot path are built once, of Core tables: building them anew took longer than running them (measured
# at 120 rows a claim: 116 µs a message for claim, look-up and settling, of which 60 building).
_LEDGER = Base.metadata.tables[Delivery.__tablename__]
_CLAIMS = Base.metadata.tables[Claim.__tablename__]
_CAMPAIGN = select(Campaign.list_id, Campaign.status).where(Campaign.id == bindparam("campaign"))
_NEW_CLAIM = insert(_CLAIMS).returning(_CLAIMS.c.id)


#: a statement that takes deliveries, and how its rows are read
_Kind = tuple[ReturningUpdate[Any], Callable[[Any], Claimed]]


def _take(*which: ColumnElement[bool], columns: Sequence[str] = Claimed._fields) -> ReturningUpdate[Any]:
    """The statement that puts due deliveries under a claim: a range of the index ix_work, in its order."""
    due = (
        select(_LEDGER.c.id)
        .where(_LEDGER.c.campaign_id == bindparam("campaign"), *which)
        .order_by(_LEDGER.c.state, _LEDGER.c.draw)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
        .cte("due")  # PostgreSQL may run a plain subquery with a limit more than once, and so take too many
    )
    return (
        update(_LEDGER)
        .where(_LEDGER.c.id.in_(select(due.c.id)))
        .values(state=DeliveryState.SENDING, fence=bindparam("taken_by"))
        .returning(*(_LEDGER.c[name] for name in columns))
    )


def _in_state(state: DeliveryState) -> ColumnElement[bool]:
    # Written as a range, so that ix_work alone has the order that is asked for. For one value PostgreSQL knows that the
    # primary key has it too, and where its statistics are older than the sending it reads, claim after claim, past all
    # that was sent before: 12 ms instead of 1 at 40,000.
    return _LEDGER.c.state.between(state, state)


_IS_NEW = _in_state(DeliveryState.PENDING)
_IS_DEFERRED = _in_state(DeliveryState.DEFERRED) & (_LEDGER.c.not_before <= bindparam("now"))
#: one person is waiting for each of these, so they go first
_TAKE_SYSTEM_MAIL = _take(_LEDGER.c.purpose.in_(BEFORE_CAMPAIGNS), or_(_IS_NEW, _IS_DEFERRED))
#: of the audience's mail; what is the same for all of it is not read a row at a time
_COLUMNS = ("id", "subscriber_id", "language", "country", "union_id", "attempts", "put_back")
_TAKE_NEW = _take(_LEDGER.c.purpose == Purpose.CAMPAIGN, _IS_NEW, columns=_COLUMNS)
_TAKE_DEFERRED = _take(_LEDGER.c.purpose == Purpose.CAMPAIGN, _IS_DEFERRED, columns=_COLUMNS)


def _of_audience(row: Any) -> Claimed:
    delivery_id, subscriber_id, language, country, union_id, attempts, put_back = row
    return Claimed(delivery_id, Purpose.CAMPAIGN, subscriber_id, None, language, country, union_id, attempts, put_back)


_SYSTEM_MAIL: _Kind = (_TAKE_SYSTEM_MAIL, Claimed._make)
_AUDIENCE: tuple[_Kind, ...] = ((_TAKE_NEW, _of_audience), (_TAKE_DEFERRED, _of_audience))


def settle(engine: Engine, batch: Batch, settlements: Sequence[Settlement]) -> bool:
    """Write the fates of deliveries that this claim still holds, in one transaction.

    Rows that another took over since are left as they are.

    :returns: whether the claim still stands.
    """
    with session_scope(engine) as session:
        record(session, batch.fence, settlements)
        return _stands(session, batch.fence)


def _stands(session: Session, fence: int) -> bool:
    return session.scalar(select(Claim.id).where(Claim.id == fence)) is not None


def close(engine: Engine, batch: Batch, settlements: Sequence[Settlement] = (), *, complete: bool = False) -> bool:
    """Settle what is known and let go of a claim: what it still holds was never begun and waits again.

    :param complete: that all it holds has been settled now, for good, so that nothing is left to let go of.
    :returns: False when the claim had been given up before, so that nothing was settled.
    """
    with session_scope(engine) as session:
        record(session, batch.fence, settlements)
        if complete:
            return _end_claim(session, batch.fence)
        return let_go(session, batch.fence, batch.campaign_id)


def record(session: Session, fence: int, settlements: Sequence[Settlement]) -> None:
    """Write the fates of deliveries that a claim still holds."""
    if not settlements:
        return
    refused = {each.delivery_id: each.refused for each in settlements if each.refused is not None}
    bounces.lock(session, refused)
    shared = {"held_by": fence, "settled": db.now(session)}
    told: list[dict[str, Any]] = []
    alike: dict[tuple[DeliveryState, Reason | None, int | None, datetime | None, bool], list[int]] = {}
    keyring = keyring_of(session)
    for delivery_id, state, reason, code, words, not_before, transmitted, _ in settlements:
        if words is None:
            alike.setdefault((state, reason, code, not_before, transmitted), []).append(delivery_id)
        else:
            fate = _fate(state, reason, code, not_before, transmitted)
            told.append({"row": delivery_id, "new_text": keyring.encrypt(words, SERVERS_WORDS), **fate})
    # Most are taken by the server in the same way: one statement for them all takes a tenth of one for each.
    for same, rows in alike.items():
        session.execute(_SETTLE_ALIKE, {"rows": rows, "new_text": None, **_fate(*same), **shared})
    if told:
        db.run_for_each(session, _SETTLE, told, shared)
    if refused:
        bounces.refuse(session, refused)


def _fate(
    state: DeliveryState, reason: Reason | None, code: int | None, not_before: datetime | None, transmitted: bool
) -> dict[str, Any]:
    return {
        "new_state": state.value,
        "new_reason": reason.value if reason else None,
        "new_code": code,
        "new_not_before": not_before,
        "begun": int(transmitted),
    }


def _settling(new: db.Columns, which: ColumnElement[bool]) -> Update:
    """The statement that writes fates."""
    # A server quotes addresses, and nothing may bring back that of a person who was erased meanwhile.
    names_somebody = or_(_LEDGER.c.subscriber_id.is_not(None), _LEDGER.c.address.is_not(None))
    state = type_coerce(new["new_state"], String)
    return (
        update(_LEDGER)
        .where(which, _LEDGER.c.fence == bindparam("held_by"))
        .where(_LEDGER.c.state == DeliveryState.SENDING)
        .values(
            state=state,
            reason=new["new_reason"],
            smtp_code=new["new_code"],
            smtp_text=case((names_somebody, cast(new["new_text"], LargeBinary)), else_=null()),
            not_before=new["new_not_before"],
            draw=case(
                (state == DeliveryState.DEFERRED.value, _LEDGER.c.draw),
                (state == DeliveryState.PENDING.value, db.random_number()),
                else_=null(),
            ),
            attempts=_LEDGER.c.attempts + new["begun"],
            put_back=_LEDGER.c.put_back + case((state == DeliveryState.PENDING.value, 1), else_=0),
            settled_at=case(
                (state == DeliveryState.PENDING.value, null()),
                else_=bindparam("settled", type_=_LEDGER.c.settled_at.type),
            ),
        )
    )


_FATE: dict[str, TypeEngine[Any]] = {
    "new_state": String(),
    "new_reason": String(),
    "new_code": Integer(),
    "new_text": LargeBinary(),
    "new_not_before": UtcDateTime(),
    "begun": Integer(),
}
_SETTLE = db.EachRow(lambda new: _settling(new, _LEDGER.c.id == new["row"]), {"row": BigInteger(), **_FATE})
_SETTLE_ALIKE = _settling(
    {name: bindparam(name, type_=kind) for name, kind in _FATE.items()},
    db.is_among(_LEDGER.c.id, bindparam("rows", type_=db.Numbers())),
)


def put_back(engine: Engine, batch: Batch, unbegun: Collection[int]) -> bool:
    """Let go of some of what a claim holds, which was never begun: it waits again, or ends with a cancelled campaign.

    :returns: whether the claim still stands.
    """
    with session_scope(engine) as session:
        _put_back(session, batch.fence, batch.campaign_id, Delivery.id.in_(unbegun))
        return _stands(session, batch.fence)


def let_go(session: Session, fence: int, campaign_id: int) -> bool:
    """End a claim whose rows were not begun, save those that were settled: they wait again, or end with a cancelled
    campaign.

    :returns: whether there was such a claim.
    """
    _put_back(session, fence, campaign_id)
    return _end_claim(session, fence)


def _put_back(session: Session, fence: int, campaign_id: int, *which: ColumnElement[bool]) -> None:
    # Locked against a cancel at the same moment, which would otherwise miss these rows.
    campaign = session.get_one(Campaign, campaign_id, with_for_update={"read": True}, populate_existing=True)
    held = (*held_by(fence, campaign_id), *which)
    if campaign.status is CampaignStatus.CANCELLED:
        skip_cancelled(session, *held, Delivery.purpose == Purpose.CAMPAIGN)
        # A refusal for now may have been settled after the cancel, and nobody would come back to it.
        skip_waiting(session, campaign_id)
    session.execute(
        update(Delivery).where(*held, Delivery.not_before.is_not(None)).values(state=DeliveryState.DEFERRED)
    )
    session.execute(update(Delivery).where(*held).values(state=DeliveryState.PENDING))


def _end_claim(session: Session, fence: int) -> bool:
    return session.execute(_END_CLAIM, {"claim": fence}).first() is not None


_END_CLAIM = delete(_CLAIMS).where(_CLAIMS.c.id == bindparam("claim")).returning(_CLAIMS.c.id)


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


def skip_cancelled(session: Session, *which: ColumnElement[bool]) -> None:
    """Let deliveries end with a campaign that was cancelled."""
    session.execute(
        update(Delivery).where(*which).values(ended(DeliveryState.SKIPPED, db.now(session), Reason.CANCELLED))
    )


def skip_waiting(session: Session, campaign_id: int) -> None:
    """Let what waits end with a campaign that was cancelled."""
    skip_cancelled(session, Delivery.state.in_(WAITING), *audience_of(campaign_id))


def audience_of(campaign_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions that make a delivery one of a campaign's frozen audience."""
    return Delivery.campaign_id == campaign_id, Delivery.purpose == Purpose.CAMPAIGN


def answered(campaign_id: int) -> tuple[ColumnElement[bool], ...]:
    """The conditions that a mail server took or refused a delivery of a campaign's audience, as a range of the index
    ix_settled, which has them in the order in which that was learned. Once the campaign is over, it holds none.
    """
    return (
        *audience_of(campaign_id),
        Delivery.fence.is_not(None),
        Delivery.settled_at.is_not(None),
        Delivery.state.in_([DeliveryState.SENT, DeliveryState.FAILED]),
    )


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


def workers_sending(session: Session) -> int:
    """How many workers hold a claim whose lease has not run out."""
    holding = select(func.count(Claim.journal.distinct())).where(Claim.expires_at > db.now(session))
    return session.scalar(holding) or 0
