"""Taking back: those whom an import added go again, except who has confirmed since, or has left.

Whom nobody knew before is forgotten, and may be imported or sign up again: it was a mistake of ours and no wish of
theirs. Who was known from elsewhere is only taken off the list. What was filled in about people stays.
"""

from collections.abc import Collection

from sqlalchemy import Engine, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from mailer.people import consents, lists, mailed_links, returned, subscribers, suppression
from mailer.spreadsheets import uploads
from mailer.spreadsheets.enrolment import METHOD, Fate
from mailer.store.db import have_written_anew, session_scope
from mailer.store.models import (
    Act,
    Application,
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    Delivery,
    Import,
    ImportAddition,
    MailedLink,
    MailEvent,
    Reply,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    UnionContact,
    UnreadMessage,
)

_AT_ONCE = 500
_ADDED = (Fate.CREATED.value, Fate.SUBSCRIBED.value)
#: a note of whom was looked at, and stays
_STAYS = "stays"


def take_some(engine: Engine, import_id: int) -> int:
    """Take some hundred people back, or decide that they stay.

    :returns: how many have been looked at, all in all; 0 once there is nobody left.
    """
    with session_scope(engine) as session:
        suppression.lock_alone(session)  # nobody signs up, is imported or erased meanwhile
        found = session.get(Import, import_id, populate_existing=True)
        if found is None:
            return 0
        of_import = (ImportAddition.import_id == import_id, ImportAddition.fate.in_(_ADDED))
        rows = session.execute(
            select(ImportAddition.subscriber_id, ImportAddition.fate)
            .where(*of_import)
            .order_by(ImportAddition.subscriber_id)
            .limit(_AT_ONCE)
        ).all()
        if not rows:
            return 0
        list_id = lists.get(session, uploads.asked_of(found).list_slug).id
        everybody = {subscriber_id for subscriber_id, _ in rows}
        staying = _staying(session, everybody, list_id, found)
        going = everybody - staying
        created = {subscriber_id for subscriber_id, fate in rows if fate == Fate.CREATED} & going
        elsewhere = _elsewhere(session, created, list_id)
        _take_off(session, going - (created - elsewhere), list_id)
        _forget(session, created - elsewhere)
        theirs = (ImportAddition.import_id == import_id, ImportAddition.subscriber_id.in_(everybody))
        stays = ImportAddition.subscriber_id.in_(staying)
        session.execute(update(ImportAddition).where(*theirs, stays).values(fate=_STAYS))
        session.execute(delete(ImportAddition).where(*theirs, ImportAddition.fate != _STAYS))
        have_written_anew(session)
        return found.rows_done + len(rows)


def kept(session: Session, import_id: int) -> int:
    """How many of those whom an import added stayed when it was taken back."""
    stayed = (ImportAddition.import_id == import_id, ImportAddition.fate == _STAYS)
    return session.scalar(select(func.count()).select_from(ImportAddition).where(*stayed)) or 0


def _staying(session: Session, ids: Collection[int], list_id: int, found: Import) -> set[int]:
    """Who has confirmed since, has done something since, or has left by themselves."""
    said = exists().where(
        ConsentEvent.subscriber_id == Subscriber.id,
        ConsentEvent.action == ConsentAction.GIVEN,
        ConsentEvent.method != METHOD,
        ConsentEvent.recorded_at >= found.created_at.date(),
    )
    acted = exists().where(Act.subscriber_id == Subscriber.id, Act.day >= found.created_at.date())
    is_on = exists().where(
        Subscription.subscriber_id == Subscriber.id,
        Subscription.list_id == list_id,
        Subscription.status == SubscriptionStatus.ACTIVE,
    )
    return set(session.scalars(select(Subscriber.id).where(Subscriber.id.in_(ids), or_(said, acted, ~is_on))))


def _elsewhere(session: Session, ids: Collection[int], list_id: int) -> set[int]:
    """Who is known from elsewhere by now: from another list, or as somebody's contact."""
    other = exists().where(Subscription.subscriber_id == Subscriber.id, Subscription.list_id != list_id)
    contact = exists().where(UnionContact.subscriber_id == Subscriber.id)
    asked = exists().where(Application.subscriber_id == Subscriber.id)
    return set(session.scalars(select(Subscriber.id).where(Subscriber.id.in_(ids), or_(other, contact, asked))))


def _take_off(session: Session, ids: Collection[int], list_id: int) -> None:
    """Take people off the list whom we go on knowing. Mail that waits for them is left out: they are not on it."""
    on = (Subscription.subscriber_id.in_(ids), Subscription.list_id == list_id)
    session.execute(delete(Subscription).where(*on).execution_options(synchronize_session=False))
    for subscriber_id in sorted(ids):
        consents.withdraw(session, subscriber_id, ConsentPurpose.ALERTS, method=METHOD, list_id=list_id)


def _forget(session: Session, ids: Collection[int]) -> None:
    """Forget people as if they had never come: without a trace that would keep them out."""
    if not ids:
        return
    theirs = select(Subscriber.id, Subscriber.email_index).where(Subscriber.id.in_(ids))
    indexes = {subscriber_id: bytes(email_index) for subscriber_id, email_index in session.execute(theirs)}
    subscribers.forget_deliveries(session, Delivery.subscriber_id.in_(ids))
    returned.become_numbers(session, MailEvent.email_index.in_(indexes.values()))
    for model in (Reply, UnreadMessage):
        session.execute(delete(model).where(model.subscriber_id.in_(ids)))
    if session.scalar(select(exists().where(MailedLink.expires_at.is_not(None)))):
        for subscriber_id, email_index in indexes.items():
            mailed_links.forget(session, subscriber_id=subscriber_id, email_index=email_index)
    gone = delete(Subscriber).where(Subscriber.id.in_(ids))
    session.execute(gone.execution_options(synchronize_session=False))
