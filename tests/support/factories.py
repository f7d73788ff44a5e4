"""Invented data with sensible defaults: a test names only what it is about."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.cases import cases
from mailer.mail import addresses
from mailer.mail.feedback.types import Category, Effect, Identified, Kind
from mailer.mail.sender import Sender
from mailer.people.notices import Notice
from mailer.store import crypto
from mailer.store.models import (
    Act,
    ActKind,
    Campaign,
    CampaignStatus,
    CampaignText,
    Case,
    Delivery,
    DeliveryState,
    LetterText,
    MailEvent,
    MailingList,
    Purpose,
    Signature,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    TargetRole,
    Union,
    UnionContact,
    UnionStatus,
)

_number = count(1)
#: Who the mails of these tests come from.
SENDER = Sender(
    organisation="Harbour Solidarity",
    mailbox="Harbour Solidarity <alerts@example.org>",
    postal_address="1 Example Street, Example City",
    base_url="https://act.example.org",
)
WHEN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def make_list(session: Session, slug: str = "urgent-actions", *, name: str = "Urgent actions") -> MailingList:
    """A list that people can be on."""
    mailing_list = MailingList(slug=slug, name=name)
    session.add(mailing_list)
    session.flush()
    return mailing_list


def make_union(
    session: Session,
    slug: str = "dockers",
    *,
    name: str | None = None,
    country: str | None = "GB",
    parent: Union | None = None,
    status: UnionStatus = UnionStatus.LISTED,
    languages: Sequence[str] = (),
    is_named: bool = True,
) -> Union:
    """A union, by default named after its slug."""
    union = Union(
        slug=slug,
        name=name or slug.replace("-", " ").title(),
        country=country,
        parent_id=parent.id if parent else None,
        status=status,
        interested_at=WHEN if status is UnionStatus.INTERESTED else None,
        affiliated_at=WHEN if status in (UnionStatus.AFFILIATED, UnionStatus.LAPSED) else None,
        lapsed_at=WHEN if status is UnionStatus.LAPSED else None,
        languages=list(languages),
        is_named=is_named,
    )
    session.add(union)
    session.flush()
    return union


def make_contact(
    session: Session, union: Union, person: Subscriber | None = None, *, role: str | None = "General secretary"
) -> UnionContact:
    """Somebody who confirmed that they get a union's mail; by default a person on no list."""
    contact = UnionContact(union_id=union.id, subscriber_id=(person or make_subscriber(session)).id, role=role)
    session.add(contact)
    session.flush()
    return contact


def make_subscriber(
    session: Session,
    mailing_list: MailingList | None = None,
    *,
    email: str | None = None,
    name: str | None = "Ana Example",
    country: str | None = "GB",
    union: Union | None = None,
    language: str | None = "en",
    status: SubscriptionStatus = SubscriptionStatus.ACTIVE,
) -> Subscriber:
    """A person, and on a list if one is given, with the copies that choosing an audience reads.

    :param email: by default one that no other person of this test run has.
    """
    address = addresses.parse(email or f"person{next(_number)}@example.org")
    subscriber = Subscriber(
        email=address.text,
        email_index=crypto.keyring_of(session).blind_index(address.folded),
        name=name,
        country=country,
        union_id=union.id if union else None,
        language=language,
    )
    session.add(subscriber)
    session.flush()
    if mailing_list is not None:
        subscribe(session, subscriber, mailing_list, status=status)
    return subscriber


def subscribe(
    session: Session,
    subscriber: Subscriber,
    mailing_list: MailingList,
    *,
    status: SubscriptionStatus = SubscriptionStatus.ACTIVE,
) -> Subscription:
    """Put a person on a list."""
    subscription = Subscription(
        subscriber_id=subscriber.id,
        list_id=mailing_list.id,
        status=status,
        confirmed_at=None if status is SubscriptionStatus.PENDING else WHEN,
        unsubscribed_at=WHEN if status is SubscriptionStatus.UNSUBSCRIBED else None,
        mailable=status is SubscriptionStatus.ACTIVE,
        country=subscriber.country,
        union_id=subscriber.union_id,
        language=subscriber.language,
    )
    session.add(subscription)
    session.flush()
    return subscription


def make_case(session: Session, slug: str = "leila", **values: Any) -> Case:
    """A public case about nobody in particular, to which nobody has agreed."""
    nothing: dict[str, Any] = {"persons": [], "asks": {}, "copy_to": [], "contact": [], "outcome": {}, "never": []}
    values = {"country": "BR", "public": True, "notes": None} | nothing | values
    return cases.find_or_make(session, slug, **values)


def make_campaign(
    session: Session,
    mailing_list: MailingList,
    *,
    slug: str = "free-the-five",
    status: CampaignStatus = CampaignStatus.DRAFT,
    body: str = "Dear {{ name or 'supporter' }}, write to the embassy.\n",
    audience: dict[str, list[str]] | None = None,
) -> Campaign:
    """A campaign with one English text."""
    campaign = Campaign(
        slug=slug,
        kind="urgent_action",
        list_id=mailing_list.id,
        about="none",
        language="en",
        status=status,
        audience=audience or {},
        targets=[],
        salt=bytes(16),
        message_key=crypto.keyring_of(session).link_keys[0].id,
    )
    campaign.texts.append(
        CampaignText(
            language="en",
            subject="Free the five",
            preheader="Five dockers are in prison for a strike: write today.",
            body=body,
            body_line=5,
        )
    )
    session.add(campaign)
    session.flush()
    return campaign


def add_letter(session: Session, campaign: Campaign, role: str = "embassy", language: str = "en", **parts: Any) -> None:
    """What a campaign has people write to the targets of a role, in one language.

    :param parts: of `LetterText`.
    """
    plain: dict[str, Any] = {"subjects": ["Free the five"], "openings": [], "closings": [], "rules": ""}
    body = {"body": "Please release the five dockers.\n", "body_line": 4}
    campaign.letters.append(LetterText(role=TargetRole(role), language=language, **plain | body | parts))
    session.flush()


def add_text(session: Session, campaign: Campaign, language: str, body: str) -> None:
    """What a campaign says in another language."""
    campaign.texts.append(
        CampaignText(language=language, subject="Subject", preheader="Preheader", body=body, body_line=5)
    )
    session.flush()


def deliver(
    session: Session, campaign: Campaign, person: Subscriber | None, state: DeliveryState, **columns: Any
) -> Delivery:
    """A row of the ledger; of a campaign's audience, unless it has another purpose."""
    columns.setdefault("purpose", Purpose.CAMPAIGN)
    delivery = Delivery(
        campaign_id=campaign.id,
        subscriber_id=person.id if person else None,
        state=state,
        country=person.country if person else None,
        union_id=person.union_id if person else None,
        language=person.language if person else None,
        **columns,
    )
    session.add(delivery)
    session.flush()
    return delivery


def make_bounce(session: Session, delivery: Delivery, **columns: Any) -> MailEvent:
    """What came back of a mail: a mailbox was full."""
    bounce = {
        "kind": Kind.BOUNCE,
        "category": Category.FULL,
        "status": "5.2.2",
        "effect": Effect.COUNT,
        "source": "pipe",
        "identified_by": Identified.ENVELOPE,
        "day": WHEN,
    }
    of = {"delivery_id": delivery.id, "campaign_id": delivery.campaign_id}
    event = MailEvent(key=random.randbytes(32), **{**of, **bounce, **columns})
    session.add(event)
    session.flush()
    return event


def make_act(
    session: Session, campaign: Campaign, person: Subscriber | None, kind: ActKind = ActKind.WROTE, **columns: Any
) -> Act:
    """What somebody did for a campaign, past all that counts it once and keeps what they agreed to."""
    known = {"country": person.country, "language": person.language or "en"} if person else {"language": "en"}
    act = Act(campaign_id=campaign.id, kind=kind, subscriber_id=person.id if person else None, **(known | columns))
    session.add(act)
    session.flush()
    return act


def make_signature(session: Session, campaign: Campaign, person: Subscriber, **columns: Any) -> Signature:
    """Likewise, that somebody signed with their name."""
    act = make_act(session, campaign, person, ActKind.SIGNED)
    named = {"name": person.name or "Ana Kolmer", "is_shown": True, "is_handed_over": True}
    signature = Signature(act_id=act.id, subscriber_id=person.id, **(named | columns))
    session.add(signature)
    session.flush()
    return signature


def notices_owed(session: Session) -> list[Delivery]:
    """The ledger's notices as they are now, in the order in which they were owed."""
    session.expire_all()
    return list(session.scalars(select(Delivery).where(Delivery.purpose == Purpose.NOTICE).order_by(Delivery.id)))


def said(delivery: Delivery) -> Notice:
    """What a notice says."""
    assert delivery.notice is not None
    return Notice.from_stored(delivery.notice)
