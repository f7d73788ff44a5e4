"""Subscribers: found by address, erased on request, and their copies on subscriptions kept true."""

import unicodedata
from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy import ColumnElement, LargeBinary, and_, bindparam, delete, exists, or_, select, type_coerce, update
from sqlalchemy.orm import Session

from mailer.mail import addresses
from mailer.mail.smtp_replies import enhanced_code
from mailer.people import mailed_links, replies, returned, suppression, unread
from mailer.store.crypto import UnreadableSecret, keyring_of
from mailer.store.db import have_written_anew, utcnow
from mailer.store.models import (
    SERVERS_WORDS,
    WAITING,
    Act,
    Application,
    Campaign,
    ConsentEvent,
    Delivery,
    DeliveryState,
    MailEvent,
    Purpose,
    Reason,
    Reply,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
    UnionContact,
    UnreadMessage,
    ended,
)

MAX_TEXT_LENGTH = 200  # characters of a name, or of another short text about a person

#: SQLite takes 32,766 values in a statement; this stays clear of it.
_IDS_PER_STATEMENT = 5000


class JustErased(Exception):
    """Somebody was erased while this waited for them."""


def find(session: Session, address: str) -> Subscriber | None:
    """The subscriber with an address, or None.

    :param address: as somebody typed it.
    :raises addresses.InvalidAddress: it is none.
    """
    email_index = keyring_of(session).blind_index(addresses.parse(address).folded)
    return session.scalar(select(Subscriber).where(Subscriber.email_index == email_index))


def lock_row(session: Session, which: ColumnElement[bool]) -> Subscriber | None:
    """A person, whom nobody else has change, leave or come back until this transaction ends; None if there is none.

    The weaker kind of lock: who starts a campaign refers to every recipient for as long as that takes, and nobody
    must wait for it.
    """
    found = select(Subscriber).where(which).with_for_update(key_share=True)
    return session.scalar(found.execution_options(populate_existing=True))


def lock_addressee(session: Session, delivery_id: int | None) -> int | None:
    """To whom a mail was, locked as by `lock_row`: whoever is being erased at this moment leaves nothing behind. None
    if that is not known.

    :raises JustErased: it was known until now.
    """
    if delivery_id is None:
        return None
    subscriber_id = session.scalar(select(Delivery.subscriber_id).where(Delivery.id == delivery_id))
    if subscriber_id is None:
        return None
    theirs = select(Subscriber.id).where(Subscriber.id == subscriber_id).with_for_update(key_share=True)
    if session.scalar(theirs) is None:
        raise JustErased
    return subscriber_id


def lock_addressees(session: Session, delivery_ids: Collection[int]) -> None:
    """Lock those to whom mails were, as by `lock_row`, in the order of their ids.

    :param delivery_ids: some hundreds at most.
    """
    theirs = select(Delivery.subscriber_id).where(Delivery.id.in_(delivery_ids))
    people = select(Subscriber.id).where(Subscriber.id.in_(theirs)).order_by(Subscriber.id)
    session.execute(people.with_for_update(key_share=True)).all()


def put_on(session: Session, subscriber_id: int, list_id: int, at: datetime) -> None:
    """Put a person on a list, also one that they left or paused, because they confirmed that they want it. `refresh` is
    to be called afterwards."""
    theirs = select(Subscription).where(Subscription.subscriber_id == subscriber_id, Subscription.list_id == list_id)
    subscription = session.scalar(theirs.execution_options(populate_existing=True))
    if subscription is None:
        subscription = Subscription(subscriber_id=subscriber_id, list_id=list_id, mailable=False)
        session.add(subscription)
    subscription.status = SubscriptionStatus.ACTIVE
    subscription.confirmed_at = at
    subscription.unsubscribed_at = subscription.paused_until = subscription.reason = None
    session.flush()


def one_line(text: str) -> str | None:
    """A name, or another short text about a person, as it is stored: NFC, on one line, without control
    characters; None where nothing is left. Joiners and direction marks stay: names in many scripts need them."""
    if not text.isprintable():
        text = "".join(" " if char.isspace() else char for char in text if char.isspace() or not _is_control(char))
    return " ".join(unicodedata.normalize("NFC", text).split()) or None


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs")


def is_mailable(status: SubscriptionStatus, *, suppressed: bool, paused_until: datetime | None = None) -> bool:
    """Whether a subscription's campaigns go to its subscriber: the rule that `refresh` applies in SQL."""
    paused = paused_until is not None and paused_until > utcnow()
    return status is SubscriptionStatus.ACTIVE and not paused and not suppressed


def last_day_of_pause(paused_until: datetime) -> date:
    """The day to show for a pause: the last on which nothing comes. It ends with it, at midnight in UTC."""
    return (paused_until - datetime.resolution).date()


# Made once: to put a statement together takes as long as to run it.
_COPY = (
    update(Subscription)
    .where(Subscription.subscriber_id == Subscriber.id)
    .values(
        mailable=and_(
            Subscription.status == SubscriptionStatus.ACTIVE,
            or_(Subscription.paused_until.is_(None), Subscription.paused_until <= bindparam("now")),
            ~exists().where(Suppression.email_index == Subscriber.email_index),
        ),
        country=Subscriber.country,
        union_id=Subscriber.union_id,
        language=Subscriber.language,
    )
    .execution_options(synchronize_session=False)
)
_COPY_OF_SOME = _COPY.where(Subscription.subscriber_id.in_(bindparam("ids", expanding=True)))


def refresh(session: Session, subscriber_ids: Sequence[int] | None = None) -> None:
    """Copy onto subscriptions what choosing an audience asks for: mailable, country, union and language.

    To be called after any change of these on a subscriber, of a subscription's status or pause, or of a suppression.

    :param subscriber_ids: whose subscriptions; None for everyone's.
    """
    session.flush()
    if subscriber_ids is None:
        session.execute(_COPY, {"now": utcnow()})
    else:
        for start in range(0, len(subscriber_ids), _IDS_PER_STATEMENT):
            ids = subscriber_ids[start : start + _IDS_PER_STATEMENT]
            session.execute(_COPY_OF_SOME, {"now": utcnow(), "ids": ids})
    session.expire_all()


def end_pauses(session: Session) -> None:
    """Have those be mailed again whose pause has run out. Until this is called they get nothing."""
    ended = session.scalars(
        update(Subscription)
        .where(Subscription.paused_until <= utcnow())
        .values(paused_until=None)
        .returning(Subscription.subscriber_id)
    ).all()
    if ended:
        refresh(session, ended)


def erase(session: Session, address: str) -> None:
    """Erase a person: who they are, what they subscribed to and agreed to, whose contact they are, and their part in
    the ledger.

    What stays is the keyed hash of the address with a reason and a month, so that no import brings them back. It
    stays for an address that was not known too: nobody learns from this whether it was.

    :raises addresses.InvalidAddress: it is no address.
    """
    parsed = addresses.parse(address)
    email_index = keyring_of(session).blind_index(parsed.folded)
    suppression.lock_alone(session)
    # Held against a campaign that is being planned: else its rows, not seen yet, would keep what they copied.
    theirs = select(Subscriber).where(Subscriber.email_index == email_index).with_for_update()
    subscriber = session.scalar(theirs)
    mailed_links.forget(session, subscriber_id=None if subscriber is None else subscriber.id, email_index=email_index)
    forget_deliveries(session, Delivery.id.in_(deliveries_to(session, parsed)))
    if subscriber is not None:
        forget_deliveries(session, Delivery.subscriber_id == subscriber.id)
        asked = update(Application).where(Application.subscriber_id == subscriber.id)
        session.execute(asked.values(subscriber_id=None, role=None))  # what the union asks for stands without them
        session.delete(
            subscriber
        )  # the database deletes subscriptions, consent events and their being a contact with it
    returned.become_numbers(session, MailEvent.email_index == email_index)
    replies.forget_of(session, parsed)
    unread.forget_of(session, parsed)
    suppression.forget_lifts(session, email_index)
    suppression.add(session, email_index, SuppressionReason.ERASED)
    have_written_anew(session)


def known_for_nothing(session: Session) -> list[int]:
    """People of whom only the address is left: they signed, it was forgotten, and they are on no list. It reads all
    people, so it is asked only when something was forgotten."""
    return list(session.scalars(select(Subscriber.id).where(*_known_for_nothing())))


def drop(session: Session, subscriber_ids: Collection[int]) -> None:
    """Delete those of some people of whom only the address is left. Unlike an erasure this keeps nobody from coming
    back: nothing that keeps our mail from an address goes with them."""
    suppression.lock_alone(session)
    theirs = and_(Subscriber.id.in_(subscriber_ids), *_known_for_nothing())
    ids = session.scalars(select(Subscriber.id).where(theirs).with_for_update()).all()
    forget_deliveries(session, Delivery.subscriber_id.in_(ids))
    session.execute(delete(Subscriber).where(Subscriber.id.in_(ids)))


def _known_for_nothing() -> tuple[ColumnElement[bool], ...]:
    """The conditions. Of an application an organiser must still know who asked, and what waits must still go out."""
    waits = and_(Delivery.subscriber_id == Subscriber.id, Delivery.state.in_([*WAITING, DeliveryState.SENDING]))
    kept = (Subscription, UnionContact, Act, ConsentEvent, Application, Reply, UnreadMessage)
    return (
        Subscriber.is_kept_off_lists.is_(False),
        ~exists().where(waits),
        *(~exists().where(each.subscriber_id == Subscriber.id) for each in kept),
    )


def deliveries_to(session: Session, address: addresses.Address) -> list[int]:
    """Ledger rows that keep this address themselves: test mails and notices. They have no blind index: few exist, and
    whoever reads the database must not find them by it."""
    # Each by an index: an audience may be a million rows, and these are few.
    tests = (Delivery.campaign_id.in_(select(Campaign.id)), Delivery.purpose == Purpose.TEST)
    return _that_keep(session, address, *tests) + notices_to(session, address)


def notices_to(session: Session, address: addresses.Address) -> list[int]:
    """Likewise, notices that still say something."""
    return _that_keep(session, address, Delivery.notice.is_not(None))


def _that_keep(session: Session, address: addresses.Address, *which: ColumnElement[bool]) -> list[int]:
    rows = session.execute(select(Delivery.id, Delivery.address).where(*which, Delivery.address.is_not(None)))
    return [
        delivery_id for delivery_id, written in rows if written and addresses.parse(written).folded == address.folded
    ]


def forget_deliveries(session: Session, which: ColumnElement[bool]) -> None:
    """Take a person out of ledger rows and keep the rows: states must go on adding up to the audience. One that a
    worker has claimed keeps its claim and is settled by it. Of a refusal its code stays: figures of what is over do not
    move."""
    waits = Delivery.state.in_([DeliveryState.PENDING, DeliveryState.DEFERRED])
    session.execute(update(Delivery).where(which, waits).values(ended(DeliveryState.SKIPPED, utcnow(), Reason.ERASED)))
    returned.become_numbers(session, MailEvent.delivery_id.in_(select(Delivery.id).where(which)))
    codes = _codes_of_refusals(session, which)
    # Servers quote the address in what they answer.
    told = ("subscriber_id", "address", "notice", "language", "country", "union_id", "smtp_text")
    forgotten = session.scalars(update(Delivery).where(which).values(dict.fromkeys(told)).returning(Delivery.id)).all()
    # Once more: this may have waited for whoever was just noting that a server refused one of them.
    returned.become_numbers(session, MailEvent.delivery_id.in_(forgotten))
    for delivery_id, code in codes.items():
        session.execute(update(Delivery).where(Delivery.id == delivery_id).values(smtp_text=code))


def _codes_of_refusals(session: Session, which: ColumnElement[bool]) -> dict[int, str]:
    """Delivery → what is left of what a server said when it refused a campaign's mail: "5.1.1"."""
    refused = (Delivery.purpose == Purpose.CAMPAIGN, Delivery.state == DeliveryState.FAILED)
    rows = session.execute(select(Delivery.id, type_coerce(Delivery.smtp_text, LargeBinary)).where(which, *refused))
    codes = {}
    for delivery_id, secret in rows:
        try:
            words = secret and keyring_of(session).decrypt(bytes(secret), SERVERS_WORDS)
        except UnreadableSecret:  # nothing may keep somebody from being erased
            continue
        if code := enhanced_code(words or None):
            codes[delivery_id] = code
    return codes
