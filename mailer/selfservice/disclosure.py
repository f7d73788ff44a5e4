"""Disclosure: all that is held about a person, for that person to read and to take along."""

import io
import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from mailer.formats.csv_output import CsvWriter
from mailer.mail import addresses
from mailer.people import mailed_links, replies, subscribers, suppression
from mailer.store import scope
from mailer.store.db import utcnow
from mailer.store.models import (
    SYSTEM_MAIL,
    Act,
    Application,
    Campaign,
    ConsentEvent,
    ConsentSource,
    ConsentText,
    Delivery,
    MailedLink,
    MailedLinkKind,
    MailEvent,
    MailingList,
    Reply,
    Signature,
    Subscriber,
    Subscription,
    Suppression,
    Union,
    UnionContact,
    UnreadMessage,
)

_COLUMNS = ("section", "item", "field", "value")
_BOM = "\ufeff"  # without it Excel takes a file of ours for Latin-1, and a name in Cyrillic for noise

#: the name of a thing that is held about a person → its value: text, a whole number, a day, a moment, or nothing
Facts = dict[str, Any]


def about(session: Session, subscriber_id: int) -> dict[str, Any]:
    """All that is held about a person: section → facts, or a list of facts. Days and times are ISO 8601, in UTC.

    Only a new address that they have not confirmed is left out: who asks may be reading the old mailbox.

    :raises sqlalchemy.exc.NoResultFound: there is no such person.
    """
    person = session.get_one(Subscriber, subscriber_id)
    told = scope.told_unions(session)
    unions = {
        union.id: union.name
        for union in session.execute(select(Union.id, Union.name))
        if told is None or union.id in told
    }
    sections: dict[str, Any] = {
        "disclosure": {"written_at": utcnow()},
        "person": _person(person, unions),
        "lists": list(_lists(session, person, unions)),
        "contact": list(_contact(session, person, unions)),
        "applications": list(_applications(session, person)),
        "consent": list(_consent(session, person)),
        "requests": list(_requests(session, person)),
        "messages": list(_messages(session, person, unions)),
        "returned": list(_returned(session, person)),
        "acts": list(_acts(session, person)),
        "answers": list(_answers(session, person)),
        "unread": list(_unread(session, person)),
        "blocked": _blocked(session, person),
        "lifted": _lifted(session, person),
    }
    return {section: _plain(facts) for section, facts in sections.items()}


def to_json(held: dict[str, Any]) -> str:
    """What `about` found, as one JSON object."""
    return json.dumps(held, ensure_ascii=False, indent=2) + "\n"


def to_csv(held: dict[str, Any]) -> str:
    """What `about` found, as a table with one fact a row; `item` counts the things of a section from 1."""
    file = io.StringIO(newline="")
    file.write(_BOM)
    writer = CsvWriter(file, _COLUMNS)
    for section, facts in held.items():
        for item, fact in enumerate(_items(facts), start=1):
            for field, value in fact.items():
                writer.write([section, str(item), field, _cell(value)])
    return file.getvalue()


def _items(facts: Facts | list[Facts] | None) -> list[Facts]:
    if facts is None:
        return []
    return [facts] if isinstance(facts, dict) else facts


def _cell(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _person(person: Subscriber, unions: dict[int, str]) -> Facts:
    return {
        "email": person.email,
        "name": person.name,
        "country": person.country,
        "union": unions.get(person.union_id) if person.union_id else None,
        "language": person.language,
        "is_kept_off_lists": person.is_kept_off_lists,
        "known_since": person.created_at,
        "moved_on": person.moved_on,
    }


def _lists(session: Session, person: Subscriber, unions: dict[int, str]) -> Iterator[Facts]:
    rows = session.execute(
        select(Subscription, MailingList)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(Subscription.subscriber_id == person.id)
        .order_by(Subscription.id)
    )
    for subscription, mailing_list in rows:
        paused_until = subscription.paused_until
        yield {
            "list": mailing_list.slug,
            "name": mailing_list.name,
            "status": subscription.status.value,
            "since": subscription.created_at,
            "confirmed_at": subscription.confirmed_at,
            "left_at": subscription.unsubscribed_at,
            "reason_for_leaving": subscription.reason,
            "paused_until": subscribers.last_day_of_pause(paused_until) if paused_until else None,
            "gets_mail": subscription.mailable,
            "country": subscription.country,
            "union": unions.get(subscription.union_id) if subscription.union_id else None,
            "language": subscription.language,
        }


def _contact(session: Session, person: Subscriber, unions: dict[int, str]) -> Iterator[Facts]:
    theirs = select(UnionContact).where(UnionContact.subscriber_id == person.id).order_by(UnionContact.id)
    for contact in session.scalars(theirs):
        yield {"union": unions[contact.union_id], "role": contact.role, "since": contact.confirmed_at}


def _applications(session: Session, person: Subscriber) -> Iterator[Facts]:
    theirs = select(Application).where(Application.subscriber_id == person.id).order_by(Application.id)
    for asked in session.scalars(theirs):
        yield {
            "union": asked.name,
            "role": asked.role,
            "confirmed_at": asked.confirmed_at,
            "country": asked.country,
            "languages": asked.languages,
            "members": asked.members,
            "parent": asked.parent,
            "resolution": asked.resolution,
            "is_named": asked.is_named,
        }


def _consent(session: Session, person: Subscriber) -> Iterator[Facts]:
    rows = session.execute(
        select(ConsentEvent, ConsentText, MailingList.slug, ConsentSource.source, Campaign.slug)
        .outerjoin(ConsentSource, ConsentSource.event_id == ConsentEvent.id)
        .outerjoin(ConsentText, ConsentText.id == ConsentEvent.text_id)
        .outerjoin(MailingList, MailingList.id == ConsentEvent.list_id)
        .outerjoin(Campaign, Campaign.id == ConsentEvent.campaign_id)
        .where(ConsentEvent.subscriber_id == person.id)
        .order_by(ConsentEvent.id)
    )
    for event, text, slug, source, campaign in rows:
        yield {
            "purpose": event.purpose.value,
            "action": event.action.value,
            "list": slug,
            "campaign": campaign,
            "text": text.text if text else None,
            "text_language": text.language if text else None,
            "method": event.method,
            "source": source,
            "asked_at": event.asked_at,
            "confirmed_at": event.confirmed_at,
            "recorded_at": event.recorded_at,
        }


def _requests(session: Session, person: Subscriber) -> Iterator[Facts]:
    found = session.scalars(
        select(MailedLink).where(mailed_links.about(session, person.id, person.email_index)).order_by(MailedLink.id)
    )
    for link in found:
        details = mailed_links.details_of(link)
        if link.kind is MailedLinkKind.ADDRESS and link.used_at is None:
            details.pop("address", None)
        yield {
            "kind": link.kind.value,
            "asked_at": link.created_at,
            "ends_at": link.expires_at,
            "used_at": link.used_at,
            "details": details,
        }


def _messages(session: Session, person: Subscriber, unions: dict[int, str]) -> Iterator[Facts]:
    to_bare_address = subscribers.deliveries_to(session, addresses.parse(person.email))
    rows = session.execute(
        select(Delivery, Campaign.slug)
        .join(Campaign, Campaign.id == Delivery.campaign_id)
        .where(or_(Delivery.subscriber_id == person.id, Delivery.id.in_(to_bare_address)))
        .order_by(Delivery.id)
    )
    for delivery, slug in rows:
        yield {
            "campaign": None if delivery.purpose in SYSTEM_MAIL else slug,
            "purpose": delivery.purpose.value,
            "state": delivery.state.value,
            "reason": delivery.reason,
            "settled_at": delivery.settled_at,
            "attempts": delivery.attempts,
            "put_back": delivery.put_back,
            "smtp_code": delivery.smtp_code,
            "smtp_text": delivery.smtp_text,
            "country": delivery.country,
            "union": unions.get(delivery.union_id) if delivery.union_id else None,
            "language": delivery.language,
        }


def _returned(session: Session, person: Subscriber) -> Iterator[Facts]:
    to_bare_address = subscribers.deliveries_to(session, addresses.parse(person.email))
    rows = session.execute(
        select(MailEvent, Delivery.purpose, Campaign.slug)
        .join(Delivery, Delivery.id == MailEvent.delivery_id)
        .join(Campaign, Campaign.id == Delivery.campaign_id)
        .where(or_(Delivery.subscriber_id == person.id, Delivery.id.in_(to_bare_address)))
        .order_by(MailEvent.day, MailEvent.key)
    )
    for event, purpose, slug in rows:
        yield {
            "campaign": None if purpose in SYSTEM_MAIL else slug,
            "day": event.day,
            "kind": event.kind.value,
            "category": event.category.value if event.category else None,
            "status": event.status,
            "effect": event.effect.value,
            "source": event.source,
            "identified_by": event.identified_by.value if event.identified_by else None,
            "counts": event.email_index is not None,
        }


def _acts(session: Session, person: Subscriber) -> Iterator[Facts]:
    rows = session.execute(
        select(Act, Signature, Campaign.slug)
        .join(Campaign, Campaign.id == Act.campaign_id)
        .outerjoin(Signature, Signature.act_id == Act.id)
        .where(Act.subscriber_id == person.id)
        .order_by(Act.day, Campaign.slug, Act.kind)
    )
    for act, signature, slug in rows:
        yield {
            "campaign": slug,
            "kind": act.kind.value,
            "day": act.day,
            "country": act.country,
            "language": act.language,
            "name": signature.name if signature else None,
            "place": signature.place if signature else None,
            "is_shown": bool(signature and signature.is_shown),
            "is_handed_over": bool(signature and signature.is_handed_over),
            "is_hidden": bool(signature and signature.is_hidden),
        }


def _answers(session: Session, person: Subscriber) -> Iterator[Facts]:
    """What they wrote to us and has not been handed on yet. Not its words: an answer may be another's, to whom they
    forwarded our mail."""
    theirs = select(Reply.day).where(Reply.subscriber_id == person.id).order_by(Reply.day, Reply.key)
    for day in session.scalars(theirs):
        yield {"day": day, "kept_until": day + replies.KEPT}


def _unread(session: Session, person: Subscriber) -> Iterator[Facts]:
    """What came in about a mail to them and nobody could tell what it is. Likewise without its words."""
    theirs = select(UnreadMessage.day, UnreadMessage.kind, UnreadMessage.until).where(
        UnreadMessage.subscriber_id == person.id
    )
    for day, kind, until in session.execute(theirs.order_by(UnreadMessage.day, UnreadMessage.key)):
        yield {"day": day, "kind": kind.value, "kept_until": until}


def _blocked(session: Session, person: Subscriber) -> Facts | None:
    found = session.get(Suppression, person.email_index)
    if found is None:
        return None
    underneath = found.underneath.value if found.underneath else None
    category = found.category.value if found.category else None
    return {"reason": found.reason.value, "category": category, "month": found.month, "underneath": underneath}


def _lifted(session: Session, person: Subscriber) -> list[Facts]:
    return [
        {"reason": lift.reason.value, "month": lift.month, "why": lift.words}
        for lift in suppression.lifts(session, person.email_index)
    ]
