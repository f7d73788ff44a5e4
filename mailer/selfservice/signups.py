"""Signing up: what somebody asks for on the site waits apart from everybody's data, until the owner of the address
confirms it by the link in a mail.

Nobody learns from `ask` who is known here. Whatever becomes of it, the same statements are run and the same rows
written; what differs is only in a mail that the owner of the address alone gets. An unknown address, one that left, and
one that is not yet on all the lists that are asked for get a link to confirm; one that is on all of them gets a link to
its preferences; and the rows of a mail that must not go out are written too, as skipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from babel.lists import format_list
from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from mailer.campaigns import publishing
from mailer.campaigns.publishing import Headline
from mailer.links import Pages
from mailer.locale import languages
from mailer.mail.addresses import Address
from mailer.people import consents, mailed_links, notices, subscribers, suppression
from mailer.people.mailed_links import DeadLink
from mailer.people.notices import Notice, NoticeKind
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import (
    ConsentEvent,
    ConsentPurpose,
    JoinCount,
    MailedLink,
    MailedLinkKind,
    MailingList,
    Reason,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    SuppressionReason,
)

METHOD = "sign-up form"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """What somebody filled in and agreed to."""

    address: Address
    name: str | None
    country: str | None
    union_id: int | None  # stored only with `union_text`
    language: str  # to be written to in
    list_ids: tuple[int, ...]  # one at least
    alerts_text: str  # the exact words beside the box that was ticked
    union_text: str | None  # likewise; None where it was not
    shown_in: str  # the language of these words
    via_union_id: int | None = None  # in whose name the page was
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a confirmed sign-up came to; the same however often it is confirmed."""

    language: str  # the person's own
    lists: tuple[str, ...]  # names of the lists that they confirmed and are on
    alert: Headline | None  # what one can do at once


# --- asking ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of an address."""

    subscriber_id: int | None
    email: str | None
    language: str | None
    gets: frozenset[int]  # lists that it is on
    suppressed: SuppressionReason | None


def ask(session: Session, sign_up: SignUp, *, not_before: datetime | None = None) -> None:
    """Keep a sign-up, and owe the owner of the address the mail that it takes.

    :param not_before: when that is sent; by default at once.
    """
    # An erasure at the same moment would leave what is written here pointing at nobody.
    suppression.lock_shared(session)
    email_index = keyring_of(session).blind_index(sign_up.address.folded)
    mailed_links.one_at_a_time(session, email_index, mailbox=sign_up.address.mailbox)
    known = _look_up(session, email_index)
    if known.subscriber_id is not None and known.gets.issuperset(sign_up.list_ids):
        kind, notice, language = MailedLinkKind.MANAGE, NoticeKind.MANAGE, known.language or sign_up.language
    else:
        kind, notice, language = MailedLinkKind.SIGN_UP, NoticeKind.CONFIRM, sign_up.language
    # Whatever the mail then is: anyone can have the form mail anybody.
    is_barred, limits = known.suppressed is SuppressionReason.COMPLAINED, mailed_links.ONE_A_DAY
    withheld = mailed_links.reason_to_withhold(
        session, kind, email_index, mailbox=sign_up.address.mailbox, is_barred=is_barred, limits=limits
    )
    token = _issue(session, kind, email_index, known, sign_up, withheld=withheld)
    notices.owe(
        session,
        Notice(notice, token),
        language=language,
        address=known.email or sign_up.address.text,
        not_before=not_before,
        withheld=withheld,
    )


def _look_up(session: Session, email_index: bytes) -> _Known:
    reason = suppression.reason(session, email_index)
    rows = session.execute(
        select(Subscriber.id, Subscriber.email, Subscriber.language, Subscription.list_id, Subscription.status)
        .outerjoin(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(Subscriber.email_index == email_index)
    ).all()
    active = frozenset(row.list_id for row in rows if row.status is SubscriptionStatus.ACTIVE)
    return _Known(
        subscriber_id=rows[0].id if rows else None,
        email=rows[0].email if rows else None,
        language=rows[0].language if rows else None,
        gets=active if reason is None else frozenset(),
        suppressed=reason,
    )


def _issue(
    session: Session,
    kind: MailedLinkKind,
    email_index: bytes,
    known: _Known,
    sign_up: SignUp,
    *,
    withheld: Reason | None,
) -> str | None:
    """Keep what is asked for; returns the token for the mail."""
    if withheld:
        mailed_links.pretend(session, kind)
        return None
    is_manage = kind is MailedLinkKind.MANAGE
    return mailed_links.issue(
        session,
        kind,
        email_index=email_index,
        mailbox=sign_up.address.mailbox,
        subscriber_id=known.subscriber_id if is_manage else None,
        details=None if is_manage else mailed_links.to_details(sign_up),
    )


# --- confirming -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignUpAsked:
    """What a link would confirm, for the owner of the address to see first: anyone may have filled in the form."""

    language: str | None
    lists: tuple[str, ...]  # names; none where it was confirmed before
    union_text: str | None  # what they would agree to for their union's sake


def look(session: Session, token: str) -> SignUpAsked:
    """What a link to confirm is for. Changes nothing.

    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: it has run out, or the person was erased.
    """
    link = mailed_links.find(session, MailedLinkKind.SIGN_UP, token)
    if link.used_at is not None:
        language = session.scalar(select(Subscriber.language).where(Subscriber.id == mailed_links.person_of(link)))
        return SignUpAsked(language, (), None)
    sign_up = mailed_links.from_details(SignUp, mailed_links.details_of(link))
    names = select(MailingList.name).where(MailingList.id.in_(sign_up.list_ids)).order_by(MailingList.slug)
    union_text = sign_up.union_text if sign_up.union_id is not None else None
    return SignUpAsked(sign_up.language, tuple(session.scalars(names)), union_text)


def confirm(session: Session, token: str, *, union_agreed: bool, base_url: str) -> Confirmed:
    """Put the owner of an address on the lists that were asked for; once, however often the link is used.

    It brings back who left, was erased, or whose mailbox was gone; never who reported our mail as spam.

    :param union_agreed: whether they agreed, here too, that their union is stored: who filled in the form may have been
        somebody else.
    :param base_url: of the site, for the links in the welcome mail.
    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: it has run out, they left since it was used, were erased, or reported our mail as
        spam.
    """
    mailed_links.find(session, MailedLinkKind.SIGN_UP, token)  # nobody is kept waiting for a link that is none
    # Alone, without imports, erasures and other confirmations: each could be writing about the same person.
    suppression.lock_alone(session)
    session.expire_all()
    link = mailed_links.find(session, MailedLinkKind.SIGN_UP, token)
    welcome_now = link.used_at is None
    if welcome_now:
        sign_up = mailed_links.from_details(SignUp, mailed_links.details_of(link))
        _carry_out(session, link, sign_up if union_agreed else replace(sign_up, union_id=None, union_text=None))
    person = session.get_one(Subscriber, mailed_links.person_of(link))
    lists = _confirmed_lists(session, link)
    if not lists:
        raise DeadLink
    language = person.language or "en"
    alert = publishing.current(session, language)
    if welcome_now:
        _welcome(session, person, lists, alert, base_url)
    return Confirmed(language, lists, alert)


def _carry_out(session: Session, link: MailedLink, sign_up: SignUp) -> None:
    email_index = keyring_of(session).blind_index(sign_up.address.folded)
    person = subscribers.lock_row(session, Subscriber.email_index == email_index)
    try:
        suppressed = suppression.lift(session, email_index)
    except suppression.Complained:
        raise DeadLink from None
    gets_mail = person is not None and suppressed is None and _is_on_any_list(session, person)
    if person is None:
        person = Subscriber(email=sign_up.address.text, email_index=email_index)
        session.add(person)
    person.is_kept_off_lists = False
    _fill_in(person, sign_up, replace=not gets_mail)
    session.flush()
    now = utcnow()
    for list_id in sign_up.list_ids:
        subscribers.put_on(session, person.id, list_id, now)
    _log_consent(session, person, sign_up, now)
    if sign_up.via_union_id is not None and not gets_mail:
        _count_join(session, sign_up.via_union_id, now)
    mailed_links.use(session, link, person.id, at=now, details={"list_ids": sign_up.list_ids})
    subscribers.refresh(session, [person.id])


def _is_on_any_list(session: Session, person: Subscriber) -> bool:
    active = exists().where(Subscription.subscriber_id == person.id, Subscription.status == SubscriptionStatus.ACTIVE)
    return bool(session.scalar(select(active)))


def _fill_in(person: Subscriber, sign_up: SignUp, *, replace: bool) -> None:
    """Take over what was filled in.

    :param replace: what is known too. Not of somebody who gets our mail: anyone may have filled in the form with their
        address, and they confirm it for the list's sake; their preferences are the place to change the rest.
    """
    given = {
        "name": sign_up.name,
        "country": sign_up.country,
        "language": sign_up.language,
        "union_id": sign_up.union_id if sign_up.union_text else None,
    }
    for column, value in given.items():
        if value is not None and (replace or getattr(person, column) is None):
            setattr(person, column, value)


def _log_consent(session: Session, person: Subscriber, sign_up: SignUp, now: datetime) -> None:
    alerts = consents.text_id(session, sign_up.alerts_text, language=sign_up.shown_in)
    agreed: list[tuple[ConsentPurpose, int, int | None]] = [
        (ConsentPurpose.ALERTS, alerts, list_id) for list_id in sign_up.list_ids
    ]
    if sign_up.union_text and sign_up.union_id is not None and person.union_id == sign_up.union_id:
        union = consents.text_id(session, sign_up.union_text, language=sign_up.shown_in)
        agreed.append((ConsentPurpose.UNION, union, None))
    for purpose, text, list_id in agreed:
        consents.give(
            session,
            person.id,
            purpose,
            text=text,
            method=METHOD,
            asked_at=sign_up.asked_at,
            confirmed_at=now,
            list_id=list_id,
        )


def _count_join(session: Session, union_id: int, now: datetime) -> None:
    month = now.strftime("%Y-%m")
    if session.get(JoinCount, (union_id, month)) is None:
        db.add_unique(session, JoinCount(union_id=union_id, month=month, joined=0))
    session.execute(
        update(JoinCount)
        .where(JoinCount.union_id == union_id, JoinCount.month == month)
        .values(joined=JoinCount.joined + 1)
    )


def _confirmed_lists(session: Session, link: MailedLink) -> tuple[str, ...]:
    """Names of the lists that a link was used for, as far as they were not left since."""
    subscriber_id = mailed_links.person_of(link)
    confirmed: ColumnElement[bool]
    if "list_ids" in (used_for := mailed_links.details_of(link)):
        confirmed = MailingList.id.in_(used_for["list_ids"])
    else:  # used before links kept them
        confirmed = exists().where(
            ConsentEvent.subscriber_id == subscriber_id,
            ConsentEvent.purpose == ConsentPurpose.ALERTS,
            ConsentEvent.list_id == MailingList.id,
            ConsentEvent.confirmed_at == link.used_at,
        )
    names = (
        select(MailingList.name)
        .join(Subscription, Subscription.list_id == MailingList.id)
        .where(Subscription.subscriber_id == subscriber_id, confirmed)
        .where(Subscription.status == SubscriptionStatus.ACTIVE)
    )
    return tuple(session.scalars(names.order_by(MailingList.slug)))


def _welcome(session: Session, person: Subscriber, lists: Sequence[str], alert: Headline | None, base_url: str) -> None:
    language = person.language or "en"
    words = {
        "lists": format_list(list(lists), locale=languages.locale(language)),
        "share_url": Pages(base_url).front(),  # in no language: friends may have others
    }
    if alert is not None:
        words["campaign_url"] = Pages(base_url, language).campaign(alert.slug)
        words["campaign_title"] = alert.title
    notices.owe(session, Notice(NoticeKind.WELCOME, words=words), language=language, subscriber_id=person.id)
