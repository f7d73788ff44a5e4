"""What a union's contacts are written about its kits: that one is ready, and, before the deadline, a reminder."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from mailer.campaigns import kinds, publishing
from mailer.campaigns.deadlines import may_be_forwarded
from mailer.links import Pages
from mailer.locale import languages, translations
from mailer.people import notices, suppression
from mailer.people.notices import Notice, NoticeKind
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.models import Campaign, Kit, KitEdition, Subscriber, Union, UnionContact, UnionStatus
from mailer.unions import contacts

#: how long before the deadline those who said nothing are reminded
_REMIND_BEFORE = timedelta(days=3)
#: how long after a kit its reminder comes at the earliest; sooner where hardly any time is left
_PEACE, _SHORT_PEACE = timedelta(hours=24), timedelta(hours=6)
_HARDLY_ANY_TIME = timedelta(hours=36)
#: for how long the hours of what was written and said are needed: for a reminder, and to correct an answer
_HOURS_SERVE = timedelta(days=2)
_MOMENTS: tuple[InstrumentedAttribute[Any], ...] = (
    *(Kit.created_at, Kit.ready_at, Kit.sent_at, Kit.reminded_at),
    *(Kit.seen_at, Kit.promised_at, Kit.forwarded_at, KitEdition.made_at),
)


def tell(session: Session, base_url: str) -> None:
    """Tell the contacts of unions whose kits are ready, once per kit. Who becomes a union's first contact only after
    that is told then.
    """
    suppression.lock_shared(session)  # who is written to must not be erased at this moment
    is_something = exists().where(KitEdition.kit_id == Kit.id, KitEdition.archive.is_not(None))
    is_news = and_(Kit.ready_at.is_not(None), Kit.sent_at.is_(None), is_something)
    told = update(Kit).where(is_news, _has_contact(), _in_time(session)).values(sent_at=db.now(session))
    _owe(session, NoticeKind.KIT, list(session.scalars(told.returning(Kit.id))), base_url)


def remind(session: Session, base_url: str) -> None:
    """Remind, once, the contacts of unions that said nothing of a kit, in the last three days before the deadline."""
    suppression.lock_shared(session)
    now = db.now(session)
    said_nothing = and_(Kit.seen_at.is_(None), Kit.promised_at.is_(None), Kit.forwarded_at.is_(None))
    had_time = or_(
        Kit.sent_at <= now - _PEACE,
        and_(Kit.sent_at <= now - _SHORT_PEACE, _ends_before(now + _HARDLY_ANY_TIME)),
    )
    reminded = (
        update(Kit)
        .where(Kit.reminded_at.is_(None), said_nothing, had_time, _ends_before(now + _REMIND_BEFORE))
        .where(_has_contact(), _in_time(session))
        .values(reminded_at=now)
    )
    _owe(session, NoticeKind.REMINDER, list(session.scalars(reminded.returning(Kit.id))), base_url)


def forget_hours(session: Session) -> None:
    """Keep only the day of what a union was written and said, once the hours serve nobody: to the microsecond they
    would match the log of its contacts' mail provider, and tell whose contact somebody is."""
    until = db.now(session) - _HOURS_SERVE
    for column in _MOMENTS:
        day = db.day_of(session, column)
        cut = update(column.class_).where(column < until, column != day).values({column: day})
        session.execute(cut.execution_options(synchronize_session=False))


def _has_contact() -> ColumnElement[bool]:
    affiliated = Union.status == UnionStatus.AFFILIATED
    return Kit.union_id.in_(
        select(UnionContact.union_id).join(Union, Union.id == UnionContact.union_id).where(affiliated)
    )


def _in_time(session: Session) -> ColumnElement[bool]:
    return Kit.campaign_id.in_(select(Campaign.id).where(may_be_forwarded(session)))


def _ends_before(moment: datetime) -> ColumnElement[bool]:
    return Kit.campaign_id.in_(select(Campaign.id).where(Campaign.deadline < moment))


def _owe(session: Session, kind: NoticeKind, kit_ids: Sequence[int], base_url: str) -> None:
    """Owe a notice of kits to every contact of their unions."""
    people = session.execute(
        select(Kit, Campaign, Union, UnionContact.id, Subscriber.id, Subscriber.language)
        .join(Campaign, Campaign.id == Kit.campaign_id)
        .join(Union, Union.id == Kit.union_id)
        .join(UnionContact, UnionContact.union_id == Union.id)
        .join(Subscriber, Subscriber.id == UnionContact.subscriber_id)
        .where(Kit.id.in_(kit_ids))
        .order_by(Kit.id, UnionContact.id)
    )
    for kit, campaign, union, contact_id, subscriber_id, spoken in people:
        language = contacts.language_of(union, spoken)
        words = _words(session, kit, campaign, union, contact_id, language, base_url)
        notices.owe(
            session,
            Notice(kind, words=words, kit_id=kit.id),
            language=language,
            subscriber_id=subscriber_id,
            union_id=union.id,
        )


def _words(
    session: Session, kit: Kit, campaign: Campaign, union: Union, contact_id: int, language: str, base_url: str
) -> dict[str, str]:
    """What the mail to one contact prints. A union that asked not to be named is not named here either."""
    site, keyring = Pages(base_url, language), keyring_of(session)
    words = {
        "kit_url": site.kit(keyring, kit.id, union.link_generation),
        "stop_url": site.no_contact(keyring, contact_id),
        "campaign": publishing.title(campaign, language),
    }
    kind = kinds.of(campaign)
    if not kind.asks:
        words["kind"] = translations.gettext_for(language)(kind.heading)
    if campaign.deadline is not None:
        words["deadline"] = languages.written(campaign.deadline, languages.of_site(language) or "en", union.country)
    return words | contacts.named(union)
