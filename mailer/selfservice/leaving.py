"""Leaving one list or all of them, coming back from it, and pausing.

The link in a mail serves whoever reads the mail, also somebody to whom it was forwarded. So what is done here tells
nothing about the person; who leaves by the page's button is told so by mail, and can take it back.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, defer

from mailer.errors import MailerError
from mailer.people import consents, mailed_links, notices, subscribers, suppression
from mailer.people.mailed_links import DeadLink
from mailer.people.notices import Notice, NoticeKind
from mailer.store.db import utcnow
from mailer.store.models import (
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    MailedLink,
    MailedLinkKind,
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
)

MAX_PAUSE_WEEKS = 12

#: how long a second press of the button, or a page that is loaded again, still offers to take it back. Later it does
#: not: a mail that was forwarded must not bring back who left.
_PRESSED_AGAIN = timedelta(minutes=10)
#: goodbyes to one person in a day: whoever holds a forwarded mail could leave and come back for ever
_GOODBYES_A_DAY = 3
_LOOKED_AT = 10  # of the latest links; each has to be decrypted
_UNDONE = "undo"  # the method that the consent log names for coming back


class Scope(enum.StrEnum):
    """What somebody leaves."""

    LIST = "list"  # the one that the mail came from
    ALL = "all"  # every list there is, and whatever others an import would put them on


class Method(enum.StrEnum):
    """How a leaving reached us."""

    ONE_CLICK = "one-click"  # the mail program's own button (RFC 8058)
    PAGE = "page"  # our page's button
    MAIL = "mail"  # a mail to the unsubscribe address


class NotOnList(MailerError):
    """You are not on our list: nothing is sent to you from it. To get mail, sign up on our site."""


class UnusualPause(MailerError):
    """A pause lasts from 1 to 12 weeks. Choose one of these."""


@dataclass(frozen=True, slots=True)
class LeftList:
    """What a leaving did."""

    already: bool  # whether it had been left before
    undo: str | None  # the token to take it back with
    has_goodbye: bool  # whether that token is mailed to them, too


@dataclass(frozen=True, slots=True)
class Return:
    """What coming back brings."""

    list_name: str | None  # None for a union's own list: its name would say which union the person belongs to
    is_all: bool  # whether all that had been left at once, and not one list


@dataclass(frozen=True, slots=True)
class _Person:
    """Whose subscriptions this transaction alone may change."""

    id: int
    email_index: bytes
    language: str | None


def find(session: Session, subscription_id: int) -> Subscription:
    """The subscription that a link is for.

    :param subscription_id: as `links.verify` finds it in the link.
    :raises NotOnList: there is none: the person was erased.
    """
    # Why they left is not read: the link works though that cannot be decrypted.
    unread = [defer(Subscription.reason)]
    subscription = session.get(Subscription, subscription_id, options=unread, populate_existing=True)
    if subscription is None:
        raise NotOnList
    return subscription


def _list_of(session: Session, subscription: Subscription) -> MailingList:
    return session.get_one(MailingList, subscription.list_id)


def _shown_name(mailing_list: MailingList) -> str | None:
    return mailing_list.name if mailing_list.owner_id is None else None


# --- leaving --------------------------------------------------------------------------------------------------------


def leave(
    session: Session,
    subscription: Subscription,
    *,
    method: Method,
    scope: Scope = Scope.LIST,
    reason: str | None = None,
) -> LeftList:
    """Take a person off a list, or off all of them; once, however often it is asked for.

    :param reason: in their own words; what is longer than 200 characters is cut.
    :raises NotOnList: the person was erased at this moment.
    """
    subscription_id = subscription.id  # as it is now: read later, it would bring the reason, which may be unreadable
    if scope is Scope.ALL:
        suppression.lock_alone(session)
    person = _lock_owner(session, subscription)
    mailing_list = _list_of(session, subscription)
    suppresses = scope is Scope.ALL and _suppress(session, person)
    at = utcnow()
    taken = _take(session, person, None if scope is Scope.ALL else subscription_id, at, method, reason)
    already = not taken and not suppresses
    undo, has_goodbye = None, False
    if already:
        undo = _offer_again(session, person, subscription_id, scope) if method is Method.PAGE else None
        if undo is None:
            _end_ways_back(session, person)
    elif method is Method.PAGE:
        has_goodbye = _left_by_page_today(session, person) < _GOODBYES_A_DAY  # asked before this one counts
        details = {"subscription": subscription_id, "scope": scope, "taken": taken, "at": at.isoformat()}
        undo = _issue(session, person, details | {"suppressed": suppresses})
        if has_goodbye:
            _owe_goodbye(session, person, undo, mailing_list.name if scope is Scope.LIST else None)
    return LeftList(already, undo, has_goodbye)


def _lock_owner(session: Session, subscription: Subscription) -> _Person:
    person = _lock_row(session, Subscriber.id == subscription.subscriber_id)
    if person is None:
        raise NotOnList
    return person


def _lock_row(session: Session, which: ColumnElement[bool]) -> _Person | None:
    """Let nobody else have this person leave, come back or pause until this transaction ends.

    The weaker kind of lock: who starts a campaign refers to every recipient for as long as that takes, and leaving must
    not wait for it. Neither address nor name is read: one may leave though they cannot be decrypted.
    """
    found = session.execute(
        select(Subscriber.id, Subscriber.email_index, Subscriber.language).where(which).with_for_update(key_share=True)
    ).first()
    return _Person(found.id, bytes(found.email_index), found.language) if found else None


def _suppress(session: Session, person: _Person) -> bool:
    """Put a person's address on the suppression list.

    :returns: whether it was not there before, for whatever reason.
    """
    known = session.get(Suppression, person.email_index, populate_existing=True)
    suppression.add(session, person.email_index, SuppressionReason.LEFT)
    if known is not None:
        return False
    _end_ways_back(session, person)
    return True


def _end_ways_back(session: Session, person: _Person) -> None:
    """The latest wish counts: a link to come back from an earlier leaving, which a stranger may have brought about with
    a forwarded mail, does not undo this one."""
    mailed_links.end(session, person.id, [MailedLinkKind.UNDO])


def _take(
    session: Session, person: _Person, subscription_id: int | None, at: datetime, method: Method, reason: str | None
) -> list[int]:
    """Take a person off one list, or off all; returns the subscriptions that ended with this."""
    theirs = select(Subscription).where(
        Subscription.subscriber_id == person.id, Subscription.status == SubscriptionStatus.ACTIVE
    )
    if subscription_id is not None:
        theirs = theirs.where(Subscription.id == subscription_id)
    taken: list[int] = []
    for subscription in session.scalars(theirs.execution_options(populate_existing=True)).all():
        subscription.status = SubscriptionStatus.UNSUBSCRIBED
        subscription.unsubscribed_at = at
        subscription.reason = _short(reason)
        list_id = subscription.list_id
        consents.withdraw(session, person.id, ConsentPurpose.ALERTS, method=method, list_id=list_id)
        taken.append(subscription.id)
    subscribers.refresh(session, [person.id])
    return taken


def _short(reason: str | None) -> str | None:
    line = subscribers.one_line(reason or "")
    return line[: subscribers.MAX_TEXT_LENGTH].strip() if line else None


def _owe_goodbye(session: Session, person: _Person, undo: str, list_name: str | None) -> None:
    words = {"list": list_name} if list_name is not None else {}
    goodbye = Notice(NoticeKind.GOODBYE, undo, words)
    notices.owe(session, goodbye, language=person.language, subscriber_id=person.id)


# --- coming back ----------------------------------------------------------------------------------------------------


def _issue(session: Session, person: _Person, details: Mapping[str, Any]) -> str:
    return mailed_links.issue(
        session, MailedLinkKind.UNDO, email_index=person.email_index, subscriber_id=person.id, details=details
    )


def _offer_again(session: Session, person: _Person, subscription_id: int, scope: Scope) -> str | None:
    """Give another link to come back, where a leaving that was only just asked for is asked for again."""
    lately = select(MailedLink).where(
        *_left_by_page(session, person, since=utcnow() - _PRESSED_AGAIN), MailedLink.used_at.is_(None)
    )
    for link in session.scalars(lately.order_by(MailedLink.id.desc()).limit(_LOOKED_AT)):
        details = mailed_links.details_of(link)
        pressed_lately = datetime.fromisoformat(details["at"]) > utcnow() - _PRESSED_AGAIN
        if pressed_lately and (details["subscription"], details["scope"]) == (subscription_id, scope):
            return _issue(session, person, details)
    return None


def _left_by_page_today(session: Session, person: _Person) -> int:
    left = _left_by_page(session, person, since=utcnow() - timedelta(days=1))
    return session.scalar(select(func.count()).select_from(MailedLink).where(*left)) or 0


def _left_by_page(session: Session, person: _Person, *, since: datetime) -> tuple[ColumnElement[bool], ...]:
    return mailed_links.of_person(session, person.id, [MailedLinkKind.UNDO]), MailedLink.created_at > since


def look_back(session: Session, token: str) -> Return:
    """What a link to come back would bring. Changes nothing.

    :raises UnknownLink: it is none of ours.
    :raises DeadLink: it has run out, or the person was erased.
    """
    link = mailed_links.find(session, MailedLinkKind.UNDO, token)
    return _return(session, mailed_links.details_of(link))


def undo(session: Session, token: str) -> Return:
    """Bring back exactly what one leaving took; once, however often it is asked for.

    What was left again later stays left. The agreement to the list's mail is the one that was given before.

    :raises UnknownLink: it is none of ours.
    :raises DeadLink: it has run out, nothing of it can be brought back, they were erased, or they reported our mail as
        spam.
    """
    link = mailed_links.find(session, MailedLinkKind.UNDO, token)
    person = _lock_row(session, Subscriber.id == mailed_links.person_of(link))
    if person is None:
        raise DeadLink
    session.expire(link)
    link = mailed_links.find(session, MailedLinkKind.UNDO, token)  # as it is now that nobody else changes it
    details = mailed_links.details_of(link)
    lifted = {SuppressionReason.LEFT} if details["suppressed"] else set[SuppressionReason]()  # as this leaving did
    try:
        suppression.lift(session, person.email_index, reasons=lifted)
    except suppression.Complained:
        raise DeadLink from None
    _bring_back(session, person, details)
    link.used_at = utcnow()
    subscribers.refresh(session, [person.id])
    back = select(Subscription.id).where(
        Subscription.id.in_(details["taken"]), Subscription.status == SubscriptionStatus.ACTIVE
    )
    if details["taken"] and session.scalar(back.limit(1)) is None:
        raise DeadLink
    return _return(session, details)


def _bring_back(session: Session, person: _Person, details: Mapping[str, Any]) -> None:
    lost = select(Subscription).where(
        Subscription.id.in_(details["taken"]),
        Subscription.status == SubscriptionStatus.UNSUBSCRIBED,
        Subscription.unsubscribed_at == datetime.fromisoformat(details["at"]),  # else they left again since
    )
    now = utcnow()
    for subscription in session.scalars(lost.execution_options(populate_existing=True)).all():
        subscription.status = SubscriptionStatus.ACTIVE
        subscription.unsubscribed_at = None
        subscription.reason = None
        text = _text_agreed_to(session, person, subscription.list_id)
        if text is not None:
            consents.give(
                session,
                person.id,
                ConsentPurpose.ALERTS,
                text=text,
                method=_UNDONE,
                asked_at=now,
                confirmed_at=now,
                list_id=subscription.list_id,
            )


def _text_agreed_to(session: Session, person: _Person, list_id: int) -> int | None:
    """The words of the latest agreement to a list's mail."""
    return session.scalar(
        select(ConsentEvent.text_id)
        .where(
            ConsentEvent.subscriber_id == person.id,
            ConsentEvent.list_id == list_id,
            ConsentEvent.purpose == ConsentPurpose.ALERTS,
            ConsentEvent.action == ConsentAction.GIVEN,
        )
        .order_by(ConsentEvent.id.desc())
        .limit(1)
    )


def _return(session: Session, details: Mapping[str, Any]) -> Return:
    if details["scope"] == Scope.ALL:
        # Their names would tell whoever holds a forwarded mail what the person is on.
        return Return(None, is_all=True)
    try:
        mailing_list = _list_of(session, find(session, details["subscription"]))
    except NotOnList:  # erased a moment ago
        raise DeadLink from None
    return Return(_shown_name(mailing_list), is_all=False)


# --- pausing --------------------------------------------------------------------------------------------------------


def pause(session: Session, subscription: Subscription, weeks: int) -> None:
    """Send a person nothing from a list for some weeks from now on.

    :param weeks: 1 to 12.
    :raises NotOnList: they are not on it, or were erased.
    :raises UnusualPause: another number.
    """
    if not 1 <= weeks <= MAX_PAUSE_WEEKS:
        raise UnusualPause
    _pause_until(session, subscription, utcnow() + timedelta(weeks=weeks))


def end_pause(session: Session, subscription: Subscription) -> None:
    """Have a person get mail from a list again before their pause has run out.

    :raises NotOnList: they are not on it, or were erased.
    """
    _pause_until(session, subscription, None)


def _pause_until(session: Session, subscription: Subscription, time: datetime | None) -> None:
    person = _lock_owner(session, subscription)
    session.refresh(subscription)  # as it is now that nobody else changes it
    if subscription.status is not SubscriptionStatus.ACTIVE:
        raise NotOnList
    subscription.paused_until = time
    subscribers.refresh(session, [person.id])
