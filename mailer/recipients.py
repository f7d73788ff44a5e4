"""Whom a claimed delivery goes to, as of now: looked up for a few at a time right before they are sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, LargeBinary, bindparam, select, type_coerce
from sqlalchemy.orm import Session

from mailer import addresses
from mailer.crypto import Keyring, UnreadableSecret, keyring_of
from mailer.db import session_scope
from mailer.delivery import Batch, Claimed, Reason
from mailer.models import (
    Campaign,
    CampaignStatus,
    Delivery,
    Purpose,
    Subscriber,
    Subscription,
    Suppression,
    SuppressionReason,
)


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


def look_up(engine: Engine, batch: Batch, deliveries: Sequence[Claimed]) -> Standing:
    """See who of a claim's people may still be mailed, and whether its campaign is still under way.

    Called for a few at a time right before they are sent, so that who leaves gets nothing more.
    """
    with session_scope(engine, read_only=True) as session:
        status = session.scalar(_STATUS, {"campaign": batch.campaign_id})
        found: dict[int, Recipient | Reason] = {}
        found |= _subscribers(session, batch, [d for d in deliveries if d.subscriber_id is not None])
        found |= _addressees(session, [d for d in deliveries if d.subscriber_id is None])
        # What a notice says is forgotten only with the person it was for: there is nothing to send.
        found |= {d.id: Reason.ERASED for d in deliveries if d.purpose is Purpose.NOTICE and d.notice is None}
        return Standing(may_send_campaign=status is CampaignStatus.SENDING, recipients=found)


def _subscribers(session: Session, batch: Batch, deliveries: Sequence[Claimed]) -> dict[int, Recipient | Reason]:
    if not deliveries:
        return {}
    rows = session.execute(_PEOPLE, {"list": batch.list_id, "people": [d.subscriber_id for d in deliveries]})
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


# Built once, as in `delivery`. Ciphertexts are decrypted one by one, not by the column, so that one can fail alone.
_STATUS = select(Campaign.status).where(Campaign.id == bindparam("campaign"))
_PEOPLE = (
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
        (Subscription.subscriber_id == Subscriber.id) & (Subscription.list_id == bindparam("list")),
    )
    .outerjoin(Suppression, Suppression.email_index == Subscriber.email_index)
    .where(Subscriber.id.in_(bindparam("people", expanding=True)))
)


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
    if not deliveries:
        return {}
    keyring = keyring_of(session)
    found: dict[int, Recipient | Reason] = {}
    # As of now: who was erased since the claim is in the claim's own copy still.
    ids = [delivery.id for delivery in deliveries]
    addressed = select(Delivery.id).where(Delivery.id.in_(ids), Delivery.address.is_not(None))
    known = set(session.scalars(addressed))
    for delivery in deliveries:
        if delivery.address is None or delivery.id not in known:
            found[delivery.id] = Reason.ERASED
            continue
        suppression = session.get(Suppression, keyring.blind_index(addresses.parse(delivery.address).folded))
        if _is_barred(delivery.purpose, suppression.reason if suppression else None):
            found[delivery.id] = Reason.SUPPRESSED
        else:
            found[delivery.id] = Recipient(email=delivery.address, name=None, subscription_id=None)
    return found


def _is_barred(purpose: Purpose, suppressed: SuppressionReason | None) -> bool:
    """Whether an address must not get a mail. A notice is what its owner waits for, such as the link to sign up anew
    after all was erased, or after the mailbox works again; only who reported our mail as spam gets not even that."""
    if suppressed is None:
        return False
    if purpose is Purpose.NOTICE:
        return suppressed is SuppressionReason.COMPLAINED
    return purpose is Purpose.CAMPAIGN or suppressed is not SuppressionReason.LEFT
