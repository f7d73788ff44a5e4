"""Whom a claimed delivery goes to, as of now: looked up for a few at a time right before they are sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Engine, LargeBinary, bindparam, select, type_coerce
from sqlalchemy.orm import Session

from mailer.campaigns import asking, deadlines, segments
from mailer.delivery.ledger import Batch, Claimed
from mailer.errors import MailerError
from mailer.mail import addresses
from mailer.people import replies
from mailer.people.notices import Notice, NoticeKind
from mailer.store import db
from mailer.store.crypto import Keyring, UnreadableSecret, keyring_of
from mailer.store.db import session_scope
from mailer.store.models import (
    SYSTEM_MAIL,
    Act,
    Campaign,
    CampaignStatus,
    Delivery,
    Kit,
    Purpose,
    Reason,
    Subscriber,
    Subscription,
    Suppression,
    SuppressionReason,
    Union,
    UnionContact,
    UnionStatus,
)


class Recipient(NamedTuple):  # made for each mail, as `ledger.Claimed`
    """Whom a claimed delivery goes to, as of the last look."""

    email: str
    name: str | None
    subscription_id: int | None  # none for a test mail
    may_act: bool = True  # on the alert that a welcome shows


class NothingToSend(MailerError):
    """What delivery {delivery} would hand on is there no longer, or cannot be read."""

    def __init__(self, *, delivery: int, reason: Reason) -> None:
        super().__init__(delivery=delivery)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Clearance:
    """What a worker must know right before it sends: whether it still may, and to whom."""

    may_send_campaign: bool
    recipients: Mapping[int, Recipient | Reason]  # delivery id → who, or why not


def look_up(engine: Engine, batch: Batch, deliveries: Sequence[Claimed]) -> Clearance:
    """See who of a claim's people may still be mailed, and whether its campaign is still under way.

    Called for a few at a time right before they are sent, so that who leaves gets nothing more.
    """
    with session_scope(engine, read_only=True) as session:
        seen = session.execute(_STATUS, {"campaign": batch.campaign_id}).one_or_none()
        status, about, spared = seen or (None, None, None)
        found: dict[int, Recipient | Reason] = {}
        told = {d.id: Notice.from_stored(d.notice) for d in deliveries if d.notice is not None}
        people = [d for d in deliveries if d.subscriber_id is not None]
        found |= _subscribers(session, batch, people, segments.home(about), told)
        if spared:
            may_get_it = [d for d in people if isinstance(found[d.id], Recipient)]
            found |= dict.fromkeys(_have_acted(session, batch.campaign_id, spared, may_get_it), Reason.ACTED)
        found |= _addressees(session, [d for d in deliveries if d.subscriber_id is None])
        # What a notice says is forgotten only with the person it was for: there is nothing to send.
        found |= {d.id: Reason.ERASED for d in deliveries if d.purpose in SYSTEM_MAIL and d.notice is None}
        found |= dict.fromkeys(_without_reply(session, deliveries), Reason.ERASED)
        to_organisers = {d.id: told[d.id] for d in deliveries if d.subscriber_id is None and d.id in told}
        found |= dict.fromkeys(_about_held_no_more(session, to_organisers), Reason.CANCELLED)
        for delivery_id in _without_alert(session, told):
            if isinstance(recipient := found[delivery_id], Recipient):
                is_nothing_else = told[delivery_id].kind is NoticeKind.SIGN
                found[delivery_id] = Reason.CANCELLED if is_nothing_else else recipient._replace(may_act=False)
        return Clearance(may_send_campaign=status is CampaignStatus.SENDING, recipients=found)


def _subscribers(
    session: Session, batch: Batch, deliveries: Sequence[Claimed], home: frozenset[str], told: Mapping[int, Notice]
) -> dict[int, Recipient | Reason]:
    if not deliveries:
        return {}
    rows = session.execute(_PEOPLE, {"list": batch.list_id, "people": [d.subscriber_id for d in deliveries]})
    keyring = keyring_of(session)
    people: dict[int | None, Any] = {row[0]: row for row in rows}
    for_contacts = [delivery for delivery in deliveries if _is_for_contact(delivery)]
    contacts = _contacts(session, for_contacts)
    outdated = _outdated(session, {d.id: told[d.id] for d in for_contacts if d.id in told})
    found: dict[int, Recipient | Reason] = {}
    for delivery in deliveries:
        person = people.get(delivery.subscriber_id)
        if person is None:
            found[delivery.id] = Reason.ERASED
            continue
        _, email, name, subscription_id, mailable, country, suppressed = person
        if delivery.purpose is Purpose.CAMPAIGN:
            wants_it = mailable
        else:
            wants_it = not _is_for_contact(delivery) or (delivery.union_id, delivery.subscriber_id) in contacts
        if _is_barred(delivery, suppressed):
            found[delivery.id] = Reason.SUPPRESSED
        elif not wants_it:
            found[delivery.id] = Reason.LEFT
        elif delivery.id in outdated:
            found[delivery.id] = Reason.CANCELLED
        elif country in home and country != delivery.country and delivery.purpose is Purpose.CAMPAIGN:
            found[delivery.id] = Reason.HOME  # the words that were chosen for them are for others
        else:
            found[delivery.id] = readable(keyring, email, name, subscription_id)
    if found and all(recipient is Reason.UNREADABLE for recipient in found.values()):
        # Not damaged rows but a missing key: failing everyone for it would be worse than waiting for somebody.
        keyring.decrypt(bytes(next(iter(people.values()))[1]), "subscribers.email")
    return found


def _have_acted(session: Session, campaign_id: int, spared: Sequence[str], deliveries: Sequence[Claimed]) -> set[int]:
    """Those that would remind somebody of what they have done, for this campaign or those that it reminds of.

    :param spared: slugs of these.
    """
    to_whom = {d.subscriber_id: d.id for d in deliveries if d.purpose is Purpose.CAMPAIGN}
    is_meant = Campaign.slug.in_(spared) | (Campaign.id == campaign_id)
    acted = select(Act.subscriber_id).where(
        Act.subscriber_id.in_(to_whom), Act.campaign_id.in_(select(Campaign.id).where(is_meant))
    )
    return {to_whom[person] for person in session.scalars(acted)} if to_whom else set()


def _is_for_contact(delivery: Claimed) -> bool:
    """Whether somebody gets a notice as a union's contact only, see `notices.owe`."""
    return delivery.purpose is Purpose.NOTICE and delivery.union_id is not None


def _contacts(session: Session, deliveries: Sequence[Claimed]) -> set[tuple[int | None, int | None]]:
    """Union and person of those that still are the union's contacts."""
    if not deliveries:
        return set()
    people = [delivery.subscriber_id for delivery in deliveries]
    rows = session.execute(
        select(UnionContact.union_id, UnionContact.subscriber_id).where(UnionContact.subscriber_id.in_(people))
    )
    return {(union_id, subscriber_id) for union_id, subscriber_id in rows}


def _outdated(session: Session, told: Mapping[int, Notice]) -> set[int]:
    """Those about a kit that must not be forwarded any more: its campaign was cancelled or holds no more, its union is
    affiliated no more, or has asked not to be named and would be."""
    kit_ids = {notice.kit_id for notice in told.values() if notice.kit_id is not None}
    if not kit_ids:
        return set()
    rows = session.execute(
        select(Kit.id, Union.is_named)
        .join(Campaign, Campaign.id == Kit.campaign_id)
        .join(Union, Union.id == Kit.union_id)
        .where(
            Kit.id.in_(kit_ids),
            Campaign.status != CampaignStatus.CANCELLED,
            deadlines.still_holds(session),
            Union.status == UnionStatus.AFFILIATED,
        )
    )
    is_named = {row.id: row.is_named for row in rows}
    return {
        delivery_id
        for delivery_id, notice in told.items()
        if notice.kit_id is not None
        and (notice.kit_id not in is_named or ("union" in notice.words and not is_named[notice.kit_id]))
    }


def _about_held_no_more(session: Session, told: Mapping[int, Notice]) -> set[int]:
    """Those that tell an organiser that a campaign is held, which is held no more."""
    about = {delivery_id: notice.campaign_id for delivery_id, notice in told.items()}
    campaign_ids = set(about.values()) - {None}
    if not campaign_ids:
        return set()
    is_held = Campaign.id.in_(campaign_ids) & (Campaign.status == CampaignStatus.PAUSED)
    held = {None, *session.scalars(select(Campaign.id).where(is_held))}
    return {delivery_id for delivery_id, campaign_id in about.items() if campaign_id not in held}


def _without_reply(session: Session, deliveries: Sequence[Claimed]) -> set[int]:
    """Those that would hand on what somebody wrote, which is kept no longer."""
    handing_on = {delivery.id for delivery in deliveries if delivery.purpose is Purpose.REPLY}
    return handing_on - replies.that_are_kept(session, handing_on) if handing_on else set()


def _without_alert(session: Session, told: Mapping[int, Notice]) -> list[int]:
    """Welcomes that show an alert on which nobody is to act any more, and what would have somebody sign."""
    slugs = {delivery_id: notice.words.get("campaign_slug") for delivery_id, notice in told.items()}
    wanted = set(slugs.values()) - {None}
    if not wanted:
        return []
    may_act = set(session.scalars(select(Campaign.slug).where(Campaign.slug.in_(wanted), asking.is_open())))
    return [delivery_id for delivery_id, slug in slugs.items() if slug is not None and slug not in may_act]


# Built once, as in `ledger`. Ciphertexts are decrypted one by one, not by the column, so that one can fail alone.
_STATUS = select(Campaign.status, Campaign.about, Campaign.audience["not_acted"]).where(
    Campaign.id == bindparam("campaign")
)
_PEOPLE = (
    select(
        Subscriber.id,
        type_coerce(Subscriber.email, LargeBinary),
        type_coerce(Subscriber.name, LargeBinary),
        Subscription.id,
        Subscription.mailable,
        Subscription.country,
        Suppression.reason,
    )
    .outerjoin(
        Subscription,
        (Subscription.subscriber_id == Subscriber.id) & (Subscription.list_id == bindparam("list")),
    )
    .outerjoin(Suppression, Suppression.email_index == Subscriber.email_index)
    .where(db.is_among(Subscriber.id, bindparam("people", type_=db.Numbers())))
)


def readable(
    keyring: Keyring, email: bytes, name: bytes | None, subscription_id: int | None = None
) -> Recipient | Reason:
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
        if _is_barred(delivery, suppression.reason if suppression else None):
            found[delivery.id] = Reason.SUPPRESSED
        else:
            found[delivery.id] = Recipient(email=delivery.address, name=None, subscription_id=None)
    return found


def _is_barred(delivery: Claimed, suppressed: SuppressionReason | None) -> bool:
    """Whether an address must not get a mail. A notice is what its owner waits for, such as the link to sign up anew
    after all was erased, or after the mailbox works again; only who reported our mail as spam gets not even that."""
    if suppressed is None:
        return False
    if delivery.purpose in SYSTEM_MAIL and not _is_for_contact(delivery):
        return suppressed is SuppressionReason.COMPLAINED
    return delivery.purpose is not Purpose.TEST or suppressed is not SuppressionReason.LEFT
