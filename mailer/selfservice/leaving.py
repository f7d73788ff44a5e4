"""Leaving one list or all of them, coming back from it, and pausing.

The link in a mail serves whoever reads the mail, also somebody to whom it was forwarded. So what is done here tells
nothing about the person; who leaves by the page's button, or is paused, is told so by mail, and takes it back with the
link in that mail, which no stranger has. Besides, only the answer that ended a subscription can take that back.
"""

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session, defer

from mailer.errors import MailerError
from mailer.locale import languages
from mailer.people import consents, lists, mailed_links, notices, subscribers, suppression
from mailer.people.lists import Wording
from mailer.people.mailed_links import DeadLink
from mailer.people.notices import Notice, NoticeKind
from mailer.store.db import next_midnight, utcnow
from mailer.store.models import (
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    MailedLink,
    MailedLinkKind,
    MailingList,
    Reason,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
    UnionContact,
)

MAX_PAUSE_WEEKS = 12

#: how long the page on which somebody has just left can take it back
_UNDO_ON_PAGE = timedelta(minutes=10)
#: goodbyes to one person in a day. The page takes no more back after that, only the goodbye does: whoever holds a
#: forwarded mail could leave and come back for ever.
_GOODBYES_A_DAY = 3
#: a pause that ends so little later than the one before is the same: somebody pressed the button twice
_SAME_PAUSE = timedelta(days=1)
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
    ORGANISER = "organiser"  # an organiser did it, because the person asked them to
    OLD_ADDRESS = "old address"  # the link that was mailed to where the person was written to before they moved


#: nothing is answered, or their mail program would have asked for a mail
_SILENT = (Method.ONE_CLICK, Method.MAIL)


class NotOnList(MailerError):
    """You are not on our list: nothing is sent to you from it. To get mail, sign up on our site."""


class UnusualPause(MailerError):
    """A pause lasts from 1 to 12 weeks. Choose one of these."""


@dataclass(frozen=True, slots=True)
class LeftList:
    """What a leaving did."""

    already: bool  # whether they were on none of it any more
    undo: str | None  # the token to take it back with on this page, for ten minutes
    has_goodbye: bool  # whether they are mailed another, which works for 30 days


@dataclass(frozen=True, slots=True)
class Return:
    """What coming back brings."""

    list_name: Wording | None  # None for a union's own list: its name would say which union the person belongs to
    is_all: bool  # whether all that had been left at once, and not one list
    is_done: bool = False  # whether it is there already


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


def _shown_name(mailing_list: MailingList) -> Wording | None:
    return lists.name_of(mailing_list) if mailing_list.owner_id is None else None


def _name_in_mail(mailing_list: MailingList, person: _Person, fallbacks: Mapping[str, Sequence[str]]) -> str:
    """What a list is called in a mail to a person: in their language, else in that of the mail."""
    of_mail = languages.of_site(person.language) or "en"
    return lists.name_of(mailing_list).for_reader(person.language, of_mail, fallbacks=fallbacks).text


# --- leaving --------------------------------------------------------------------------------------------------------


def leave(
    session: Session,
    subscription: Subscription,
    *,
    method: Method,
    scope: Scope = Scope.LIST,
    reason: str | None = None,
    fallbacks: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> LeftList:
    """Take a person off a list, or off all of them; once, however often it is asked for.

    :param reason: in their own words; what is longer than 200 characters is cut.
    :param fallbacks: as `Wording.for_reader` takes them, for the list's name in the goodbye.
    :raises NotOnList: the person was erased at this moment.
    """
    subscription_id = subscription.id  # as it is now: read later, it would bring the reason, which may be unreadable
    if scope is Scope.ALL:
        suppression.lock_alone(session)
    person = _lock_owner(session, subscription)
    mailing_list = _list_of(session, subscription)
    details = _end(session, person, subscription_id, scope, method, reason)
    already = details is None or not details["taken"]
    undo, has_goodbye = None, method in (Method.PAGE, Method.ORGANISER)
    if details is None:
        _end_page_undos(session, person)
    elif has_goodbye:
        name = _name_in_mail(mailing_list, person, fallbacks) if scope is Scope.LIST else None
        _owe_goodbye(session, person, details, name)
        if method is Method.PAGE and not already and _goodbyes_today(session, person) < _GOODBYES_A_DAY:
            undo = _issue(session, person, details, is_mailed=False, lifetime=_UNDO_ON_PAGE)
    return LeftList(already, undo, has_goodbye=has_goodbye and not already)


def leave_all(session: Session, subscriber_id: int, *, method: Method) -> None:
    """Likewise, take a person off all lists, where no mail of a list has led here. They get a goodbye if this ended
    something, unless they asked for it by what their mail program sent.

    :raises NotOnList: they were erased.
    """
    suppression.lock_alone(session)
    person = _lock_row(session, Subscriber.id == subscriber_id)
    if person is None:
        raise NotOnList
    details = _end(session, person, None, Scope.ALL, method, None)
    if details is not None and method not in _SILENT:
        _owe_goodbye(session, person, details, None)


def _end(
    session: Session, person: _Person, subscription_id: int | None, scope: Scope, method: Method, reason: str | None
) -> dict[str, Any] | None:
    """Take a person off a list or off all; returns what this ended, as a link to undo it keeps it, if anything.

    Who was on no list any more hears nothing of it, except a union's contact, whose mail stops too.
    """
    suppresses = False
    if scope is Scope.ALL:
        suppresses = _suppress(session, person)
        _end_page_undos(session, person)
    at = utcnow()
    withdrawn = _take(session, person, None if scope is Scope.ALL else subscription_id, at, method, reason)
    if not withdrawn and not (suppresses and _is_contact(session, person)):
        if suppresses:
            _let_goodbyes_lift_it(session, person)
        return None
    return {
        "subscription": subscription_id,
        "scope": scope,
        "taken": list(withdrawn),
        "withdrawn": list(withdrawn.values()),
        "at": at.isoformat(),
        "suppressed": suppresses,
    }


def has_left(session: Session, subscription: Subscription) -> bool:
    """Whether `leave` by a mail program's button would change nothing. It waits for nobody, so that it may be asked for
    without end."""
    if subscription.status is SubscriptionStatus.ACTIVE:
        return False
    offered = _page_undos(session, subscription.subscriber_id)
    good = select(MailedLink.id).where(offered, MailedLink.expires_at > utcnow()).limit(1)
    return session.scalar(good) is None


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
    return _found(session, which, locked=True)


def _found(session: Session, which: ColumnElement[bool], *, locked: bool = False) -> _Person | None:
    columns = select(Subscriber.id, Subscriber.email_index, Subscriber.language).where(which)
    found = session.execute(columns.with_for_update(key_share=True) if locked else columns).first()
    return _Person(found.id, bytes(found.email_index), found.language) if found else None


def _suppress(session: Session, person: _Person) -> bool:
    """Put a person's address on the suppression list.

    :returns: whether it was not there before, at least not for what its owner wanted.
    """
    wished = (SuppressionReason.LEFT, SuppressionReason.ERASED)
    known = session.get(Suppression, person.email_index, populate_existing=True)
    is_new = known is None or (known.reason not in wished and known.underneath is None)
    suppression.add(session, person.email_index, SuppressionReason.LEFT)
    return is_new


def _is_contact(session: Session, person: _Person) -> bool:
    theirs = select(UnionContact.id).where(UnionContact.subscriber_id == person.id).limit(1)
    return session.scalar(theirs) is not None


def _let_goodbyes_lift_it(session: Session, person: _Person) -> None:
    """Have the ways back that were mailed before also lift what keeps the address off all lists: no mail says that it
    does, and without this a stranger would take them from their owner."""
    mailed = _links_of(session, person, MailedLinkKind.UNDO) & MailedLink.is_mailed
    for link in session.scalars(select(MailedLink).where(mailed, MailedLink.expires_at > utcnow())):
        mailed_links.keep(link, mailed_links.details_of(link) | {"suppressed": True})


def _end_page_undos(session: Session, person: _Person) -> None:
    """The latest wish counts: what a page offered after an earlier leaving, which a stranger may have brought about
    with a forwarded mail, does not undo this one. What was mailed to them stays: no stranger may take that from them.
    """
    session.execute(update(MailedLink).where(_page_undos(session, person.id)).values(expires_at=utcnow()))


def _page_undos(session: Session, subscriber_id: int) -> ColumnElement[bool]:
    return mailed_links.of_person(session, subscriber_id, [MailedLinkKind.UNDO]) & ~MailedLink.is_mailed


def _links_of(session: Session, person: _Person, kind: MailedLinkKind) -> ColumnElement[bool]:
    """Which links of a kind are a person's."""
    return mailed_links.of_person(session, person.id, [kind])


def _take(
    session: Session, person: _Person, subscription_id: int | None, at: datetime, method: Method, reason: str | None
) -> dict[int, int]:
    """Take a person off one list, or off all; returns the subscriptions that ended with this, each with the line of
    the consent log that says so."""
    theirs = select(Subscription).where(
        Subscription.subscriber_id == person.id, Subscription.status == SubscriptionStatus.ACTIVE
    )
    if subscription_id is not None:
        theirs = theirs.where(Subscription.id == subscription_id)
    withdrawn: dict[int, int] = {}
    for subscription in session.scalars(theirs.execution_options(populate_existing=True)).all():
        subscription.status = SubscriptionStatus.UNSUBSCRIBED
        subscription.unsubscribed_at = at
        subscription.reason = _short(reason)
        withdrawn[subscription.id] = consents.withdraw(
            session, person.id, ConsentPurpose.ALERTS, method=method, list_id=subscription.list_id
        )
    subscribers.refresh(session, [person.id])
    return withdrawn


def _short(reason: str | None) -> str | None:
    line = subscribers.one_line(reason or "")
    return line[: subscribers.MAX_TEXT_LENGTH].strip() if line else None


def _owe_goodbye(session: Session, person: _Person, details: Mapping[str, Any], list_name: str | None) -> None:
    words = {"list": list_name} if list_name is not None else {}
    goodbye = Notice(NoticeKind.GOODBYE, _issue(session, person, details), words)
    notices.owe(session, goodbye, language=person.language, subscriber_id=person.id)


def _goodbyes_today(session: Session, person: _Person) -> int:
    """Goodbyes of a day that their owner did not use: who did reads our mail."""
    owed = select(func.count()).where(
        _links_of(session, person, MailedLinkKind.UNDO),
        MailedLink.is_mailed,
        MailedLink.used_at.is_(None),
        MailedLink.created_at > utcnow() - timedelta(days=1),
    )
    return session.scalar(owed) or 0


# --- coming back ----------------------------------------------------------------------------------------------------


def _issue(
    session: Session,
    person: _Person,
    details: Mapping[str, Any],
    *,
    is_mailed: bool = True,
    lifetime: timedelta | None = None,
) -> str:
    return mailed_links.issue(
        session,
        MailedLinkKind.UNDO,
        email_index=person.email_index,
        subscriber_id=person.id,
        details=details,
        is_mailed=is_mailed,
        lifetime=lifetime,
    )


def look_back(session: Session, token: str) -> Return:
    """What a link to come back would bring. Changes nothing.

    :raises UnknownLink: it is none of ours.
    :raises DeadLink: it has run out, they have left all lists since, or were erased.
    """
    link = mailed_links.find(session, MailedLinkKind.UNDO, token)
    person = _found(session, Subscriber.id == mailed_links.person_of(link))
    if person is None or _left_all_since(session, person, link):
        raise DeadLink
    details = mailed_links.details_of(link)
    return replace(_return(session, details), is_done=_is_undone(session, person, link, details))


def _is_undone(session: Session, person: _Person, link: MailedLink, details: Mapping[str, Any]) -> bool:
    """Whether a link has nothing left to bring back.

    Of the link on a page, which a stranger may hold, nothing but its own use tells.

    :raises DeadLink: nothing of it is there any more either.
    """
    if not link.is_mailed or not details["taken"]:
        return link.used_at is not None
    if session.scalar(_lost(person, details).limit(1)) is not None:
        return False
    if not _is_on_any(session, details["taken"]):
        raise DeadLink
    return True


def _is_on_any(session: Session, subscription_ids: Collection[int]) -> bool:
    active = select(Subscription.id).where(
        Subscription.id.in_(subscription_ids), Subscription.status == SubscriptionStatus.ACTIVE
    )
    return session.scalar(active.limit(1)) is not None


def undo(session: Session, token: str) -> Return:
    """Bring back exactly what one leaving took; once, however often it is asked for.

    What was left again later stays left. The agreement to the list's mail is the one that was given before.

    :raises UnknownLink: it is none of ours.
    :raises DeadLink: it has run out, nothing of it can be brought back, they have left all lists since, were erased,
        or reported our mail as spam.
    """
    link = mailed_links.find(session, MailedLinkKind.UNDO, token)
    person = _lock_row(session, Subscriber.id == mailed_links.person_of(link))
    if person is None:
        raise DeadLink
    session.expire(link)
    link = mailed_links.find(session, MailedLinkKind.UNDO, token)  # as it is now that nobody else changes it
    details = mailed_links.details_of(link)
    if _left_all_since(session, person, link):
        raise DeadLink
    lifted = {SuppressionReason.LEFT} if details["suppressed"] else set[SuppressionReason]()  # as this leaving did
    try:
        suppression.lift(session, person.email_index, reasons=lifted)
    except suppression.Complained:
        raise DeadLink from None
    _bring_back(session, person, details)
    link.used_at = utcnow()
    subscribers.refresh(session, [person.id])
    if details["taken"] and not _is_on_any(session, details["taken"]):
        raise DeadLink
    return _return(session, details)


def _left_all_since(session: Session, person: _Person, link: MailedLink) -> bool:
    """Whether a person has left all lists after the leaving that a link undoes. The latest wish counts, and there is
    another link to come back from that."""
    if suppression.reason(session, person.email_index) is not SuppressionReason.LEFT:
        return False
    details = mailed_links.details_of(link)
    later = session.scalars(
        select(MailedLink).where(_links_of(session, person, MailedLinkKind.UNDO), MailedLink.expires_at > utcnow())
    )
    return not details["suppressed"] or any(
        other["suppressed"] and _left_at(other) > _left_at(details) for other in map(mailed_links.details_of, later)
    )


def _left_at(details: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(details["at"])


def _bring_back(session: Session, person: _Person, details: Mapping[str, Any]) -> None:
    now = utcnow()
    for subscription in session.scalars(_lost(person, details).execution_options(populate_existing=True)).all():
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


def _lost(person: _Person, details: Mapping[str, Any]) -> Select[Subscription]:
    """The subscriptions that a leaving took, and nothing else has since."""
    return select(Subscription).where(
        Subscription.id.in_(details["taken"]),
        Subscription.status == SubscriptionStatus.UNSUBSCRIBED,
        _ended_by(person, details),  # else they left again since
    )


def _ended_by(person: _Person, details: Mapping[str, Any]) -> ColumnElement[bool]:
    """Whether it was this leaving that ended a subscription: the consent log has no later line about its list."""
    about_its_list = (
        ConsentEvent.subscriber_id == person.id,
        ConsentEvent.purpose == ConsentPurpose.ALERTS,
        ConsentEvent.list_id == Subscription.list_id,
    )
    if "withdrawn" not in details:  # mailed before links named these lines: of two leavings on a day it undoes neither
        day = _left_at(details)
        leavings = select(func.count()).where(
            *about_its_list, ConsentEvent.action == ConsentAction.WITHDRAWN, ConsentEvent.recorded_at == day
        )
        return (Subscription.unsubscribed_at == day) & (leavings.correlate(Subscription).scalar_subquery() == 1)
    latest = select(func.max(ConsentEvent.id)).where(*about_its_list).correlate(Subscription).scalar_subquery()
    return latest.in_(details["withdrawn"])


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


def pause(
    session: Session,
    subscription: Subscription,
    weeks: int,
    *,
    fallbacks: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Send a person nothing from a list for some weeks from now on, and then to the end of that day; also where they
    had paused it for longer. They are mailed a link to end the pause.

    For nobody but themselves: what a forwarded mail can do is `pause_for_reader`.

    :param weeks: 1 to 12.
    :param fallbacks: as `Wording.for_reader` takes them, for the list's name in the mail.
    :raises NotOnList: they are not on it, or were erased.
    :raises UnusualPause: another number.
    """
    until = _end_of_pause(weeks)
    person = _lock_owner(session, subscription)
    session.refresh(subscription)  # as it is now that nobody else changes it
    if subscription.status is not SubscriptionStatus.ACTIVE:
        raise NotOnList
    _pause_until(session, person, subscription, until, _reason_to_withhold(session, person), fallbacks)


def pause_for_reader(
    session: Session,
    subscription_id: int,
    weeks: int,
    *,
    fallbacks: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Likewise, for whoever reads a mail of the list, also somebody to whom it was forwarded: no pause becomes shorter
    by it, and none begins or becomes longer that its owner has no mail about. Nobody learns whether the person is on
    the list: the same rows are written whether a pause begins or not.

    :param subscription_id: as `links.verify` finds it in the link.
    :param weeks: 1 to 12.
    :param fallbacks: as for `pause`.
    :raises UnusualPause: another number.
    """
    until = _end_of_pause(weeks)
    try:
        subscription = find(session, subscription_id)
        person = _lock_owner(session, subscription)
    except NotOnList:
        _owe_nothing(session, Reason.ERASED)
        return
    subscription = find(session, subscription_id)  # as it is now that nobody else changes it
    if subscription.status is not SubscriptionStatus.ACTIVE:
        _owe_nothing(session, Reason.LEFT)
    elif subscription.paused_until is not None and until < subscription.paused_until + _SAME_PAUSE:
        _owe_nothing(session, Reason.REPEATED)
    else:
        withheld = _reason_to_withhold(session, person)
        if withheld is not None and not (_is_paused(subscription) and _links_to_resume(session, person, subscription)):
            _owe_nothing(session, withheld)
        else:
            _pause_until(session, person, subscription, until, withheld, fallbacks)


def _end_of_pause(weeks: int) -> datetime:
    if not 1 <= weeks <= MAX_PAUSE_WEEKS:
        raise UnusualPause
    return next_midnight(utcnow() + timedelta(weeks=weeks))


def _pause_until(
    session: Session,
    person: _Person,
    subscription: Subscription,
    until: datetime,
    withheld: Reason | None,
    fallbacks: Mapping[str, Sequence[str]],
) -> None:
    # The links of a pause work until it ends. One of a pause that is over must not end the next.
    is_paused = _is_paused(subscription)
    for link in _links_to_resume(session, person, subscription):
        link.expires_at = until if is_paused else utcnow()
    subscription.paused_until = until
    if withheld is None:
        _owe_mail_of_pause(session, person, subscription, until, fallbacks)
    else:
        _owe_nothing(session, withheld)
    subscribers.refresh(session, [person.id])


def _is_paused(subscription: Subscription) -> bool:
    return subscription.paused_until is not None and subscription.paused_until > utcnow()


def _links_to_resume(session: Session, person: _Person, subscription: Subscription) -> list[MailedLink]:
    """The mailed links that still end a pause of a list."""
    theirs = select(MailedLink).where(
        _links_of(session, person, MailedLinkKind.RESUME), MailedLink.is_mailed, MailedLink.expires_at > utcnow()
    )
    return [link for link in session.scalars(theirs) if _subscription_of(link) == subscription.id]


def _subscription_of(link: MailedLink) -> int:
    """Whose pause a link ends."""
    subscription_id: int = mailed_links.details_of(link)["subscription"]
    return subscription_id


def _reason_to_withhold(session: Session, person: _Person) -> Reason | None:
    """Why a person gets no mail of a pause."""
    is_barred = suppression.reason(session, person.email_index) is SuppressionReason.COMPLAINED
    return mailed_links.reason_to_withhold(session, MailedLinkKind.RESUME, person.email_index, is_barred=is_barred)


def _owe_mail_of_pause(
    session: Session,
    person: _Person,
    subscription: Subscription,
    until: datetime,
    fallbacks: Mapping[str, Sequence[str]],
) -> None:
    token = mailed_links.issue(
        session,
        MailedLinkKind.RESUME,
        email_index=person.email_index,
        subscriber_id=person.id,
        details={"subscription": subscription.id},
        lifetime=until - utcnow(),
    )
    day = languages.day(subscribers.last_day_of_pause(until), languages.of_site(person.language) or "en")
    name = _name_in_mail(_list_of(session, subscription), person, fallbacks)
    mail = Notice(NoticeKind.PAUSED, token, {"list": name, "until": day})
    notices.owe(session, mail, language=person.language, subscriber_id=person.id)


def _owe_nothing(session: Session, reason: Reason) -> None:
    """Write what a mail of a pause would, so that nobody learns that there is none."""
    mailed_links.pretend(session, MailedLinkKind.RESUME)
    notices.owe(session, Notice(NoticeKind.PAUSED), language=None, withheld=reason)


def end_pause(session: Session, subscription: Subscription) -> None:
    """Have a person get mail from a list again before their pause has run out. For nobody but themselves.

    :raises NotOnList: they are not on it, or were erased.
    """
    person = _lock_owner(session, subscription)
    session.refresh(subscription)  # as it is now that nobody else changes it
    if subscription.status is not SubscriptionStatus.ACTIVE:
        raise NotOnList
    subscription.paused_until = None
    for link in _links_to_resume(session, person, subscription):
        link.used_at = utcnow()  # as by the link itself: a mail tells of the next pause
    subscribers.refresh(session, [person.id])


def look_at_pause(session: Session, token: str) -> Wording | None:
    """The name of the list whose pause a link ends; None for a union's own. Changes nothing.

    :raises UnknownLink: it is none of ours.
    :raises DeadLink: the pause has run out, or the person was erased.
    """
    return _shown_name(_list_of(session, _paused(session, token)[1]))


def resume(session: Session, token: str) -> Wording | None:
    """End a pause with the link that was mailed at it; once, however often it is asked for.

    Who has left the list meanwhile stays off it, and is not paused when they come back.

    :returns: the list's name; None for a union's own.
    :raises UnknownLink: it is none of ours.
    :raises DeadLink: as `look_at_pause`.
    """
    try:
        person = _lock_owner(session, _paused(session, token)[1])
    except NotOnList:  # erased a moment ago
        raise DeadLink from None
    session.expire_all()
    link, subscription = _paused(session, token)  # as they are now that nobody else changes them
    list_name = _shown_name(_list_of(session, subscription))
    subscription.paused_until = None
    link.used_at = utcnow()
    subscribers.refresh(session, [person.id])
    return list_name


def _paused(session: Session, token: str) -> tuple[MailedLink, Subscription]:
    link = mailed_links.find(session, MailedLinkKind.RESUME, token)
    try:
        return link, find(session, _subscription_of(link))
    except NotOnList:  # erased a moment ago
        raise DeadLink from None
