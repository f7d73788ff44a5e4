"""Preferences: what a person sees and changes of what is held about them, with a link that was mailed to them.

The link in every campaign mail is not enough for that: such a mail is made to be forwarded. All it can do here is have
another link mailed, to the address that is held.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from mailer.campaigns import acts, asking, publishing
from mailer.campaigns.publishing import Headline
from mailer.errors import MailerError
from mailer.locale import countries, languages
from mailer.mail import addresses
from mailer.people import consents, lists, mailed_links, notices, subscribers, suppression
from mailer.people.lists import Wording
from mailer.people.mailed_links import DeadLink
from mailer.people.notices import Notice, NoticeKind
from mailer.selfservice import address_change, leaving
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import (
    ActKind,
    Asking,
    Campaign,
    ConsentPurpose,
    Delivery,
    MailedLinkKind,
    MailingList,
    Purpose,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    SuppressionReason,
    Union,
    UnionContact,
)
from mailer.unions import directory

METHOD = "preferences page"


class NameTooLong(MailerError):
    """A name has 200 characters at most. Please shorten it."""


class UnrecognisedUnion(MailerError):
    """We know no union of that name, or several. Write its full name, or leave the field empty."""


class NotToBeJoined(MailerError):
    """This list cannot be joined here, or your address may not be written to."""


@dataclass(frozen=True, slots=True)
class Membership:
    """Where a person stands with a list that they are or were on, or may join."""

    slug: str
    name: Wording
    description: Wording
    is_on: bool
    left_at: date | None
    paused_until: date | None  # the last day of it; none once that is over
    may_join: bool


@dataclass(frozen=True, slots=True)
class Contact:
    """A union whose mail a person gets as its contact."""

    slug: str
    name: str
    role: str | None
    since: date


@dataclass(frozen=True, slots=True)
class Done:
    """What a person did for a campaign."""

    slug: str
    headline: Headline | None  # of the campaign; None where it was taken down
    kind: ActKind
    day: date


@dataclass(frozen=True, slots=True)
class PersonalData:
    """What the page shows of a person; `disclosure` has the rest."""

    email: str
    name: str | None
    country: str | None
    language: str | None
    union: str | None  # its name
    has_named_address: bool  # a new one, not confirmed yet; not which: who asks may be reading the old mailbox
    blocked: SuppressionReason | None  # why no campaign goes to their address
    memberships: Sequence[Membership]
    contact_of: Sequence[Contact]
    done: Sequence[Done]  # as far as it is known that it was they, the latest first


# --- getting a link -------------------------------------------------------------------------------------------------


def mail_link(session: Session, address: str, *, language: str) -> None:
    """Owe the owner of an address a link to see and change everything.

    Nobody learns from it who is known here: the same rows are written for an address that is not, and skipped.

    :param language: of the page on which it was asked for; the person's own comes first.
    :raises addresses.InvalidAddress: it is none.
    """
    keyring, parsed = keyring_of(session), addresses.parse(address)
    which = Subscriber.email_index == keyring.blind_index(parsed.folded)
    _mail_link(session, which, language, mailbox=parsed.mailbox)


def mail_link_to_owner(session: Session, subscription_id: int, *, language: str) -> None:
    """Likewise, to whoever got the mail that the link of a subscription was in.

    :param subscription_id: as `links.verify` finds it in a link; of somebody who was erased, nothing is sent.
    """
    owner = select(Subscription.subscriber_id).where(Subscription.id == subscription_id).scalar_subquery()
    _mail_link(session, Subscriber.id == owner, language)


def _mail_link(session: Session, which: ColumnElement[bool], language: str, *, mailbox: str | None = None) -> None:
    # An erasure at the same moment would leave what is written here pointing at nobody.
    suppression.lock_shared(session)
    person = session.execute(
        select(Subscriber.id, Subscriber.email, Subscriber.email_index, Subscriber.language).where(which)
    ).first()
    email_index = bytes(person.email_index) if person else secrets.token_bytes(32)
    mailed_links.one_at_a_time(session, email_index, mailbox=mailbox)
    is_barred = suppression.reason(session, email_index) is SuppressionReason.COMPLAINED or person is None
    withheld = mailed_links.reason_to_withhold(
        session, MailedLinkKind.MANAGE, email_index, mailbox=mailbox, is_barred=is_barred
    )
    token = None
    if withheld or person is None:
        mailed_links.pretend(session, MailedLinkKind.MANAGE)
    else:
        token = mailed_links.issue(
            session,
            MailedLinkKind.MANAGE,
            email_index=email_index,
            mailbox=mailbox,
            subscriber_id=person.id,
        )
    notices.owe(
        session,
        Notice(NoticeKind.MANAGE, token),
        language=(person.language if person else None) or language,
        address=person.email if person else None,
        withheld=withheld,
    )


def whose(session: Session, token: str) -> int:
    """The id of the subscriber whom a link to see and change everything was mailed to.

    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: it has run out, or the person was erased.
    """
    subscriber_id = mailed_links.person_of(mailed_links.find(session, MailedLinkKind.MANAGE, token))
    if subscriber_id is None:
        raise DeadLink
    return subscriber_id


def language_of(session: Session, subscriber_id: int) -> str | None:
    """The language that a person chose."""
    return session.scalar(select(Subscriber.language).where(Subscriber.id == subscriber_id))


# --- seeing and changing --------------------------------------------------------------------------------------------


def see(session: Session, subscriber_id: int) -> PersonalData:
    """What a person's page shows. Changes nothing."""
    person = session.get_one(Subscriber, subscriber_id)
    blocked = suppression.reason(session, person.email_index)
    return PersonalData(
        email=person.email,
        name=person.name,
        country=person.country,
        language=person.language,
        union=session.scalar(select(Union.name).where(Union.id == person.union_id)),
        has_named_address=address_change.named(session, subscriber_id) is not None,
        blocked=blocked,
        memberships=_memberships(session, subscriber_id, blocked),
        contact_of=_contact_of(session, subscriber_id),
        done=_done(session, person),
    )


def _memberships(session: Session, subscriber_id: int, blocked: SuppressionReason | None) -> list[Membership]:
    theirs = and_(Subscription.list_id == MailingList.id, Subscription.subscriber_id == subscriber_id)
    is_offered = and_(MailingList.is_open, MailingList.owner_id.is_(None))
    rows = session.execute(
        select(MailingList, Subscription)
        .outerjoin(Subscription, theirs)
        .where(or_(is_offered, Subscription.id.is_not(None)))
        .order_by(MailingList.name, MailingList.id)
    )
    found = []
    for mailing_list, subscription in rows:
        is_on = subscription is not None and subscription.status is SubscriptionStatus.ACTIVE
        paused_until = subscription.paused_until if is_on else None
        if paused_until is not None and paused_until <= utcnow():
            paused_until = None
        found.append(
            Membership(
                slug=mailing_list.slug,
                name=lists.name_of(mailing_list),
                description=lists.description_of(mailing_list),
                is_on=is_on,
                left_at=subscription.unsubscribed_at if subscription is not None else None,
                paused_until=subscribers.last_day_of_pause(paused_until) if paused_until else None,
                may_join=mailing_list.is_open and not is_on and blocked is not SuppressionReason.COMPLAINED,
            )
        )
    return found


def _contact_of(session: Session, subscriber_id: int) -> list[Contact]:
    rows = session.execute(
        select(UnionContact, Union.slug, Union.name)
        .join(Union, Union.id == UnionContact.union_id)
        .where(UnionContact.subscriber_id == subscriber_id)
        .order_by(Union.id)
    )
    found = [Contact(slug, name, contact.role, contact.confirmed_at) for contact, slug, name in rows]
    return sorted(found, key=lambda contact: contact.name)


def _done(session: Session, person: Subscriber) -> list[Done]:
    found = []
    for act in acts.of_person(session, person.id):
        campaign = session.get_one(Campaign, act.campaign_id)
        is_told = asking.of(campaign) is not Asking.WITHDRAWN and publishing.is_sayable(session, campaign)
        headline = publishing.headline_of(session, campaign, person.language or "en") if is_told else None
        found.append(Done(campaign.slug, headline, act.kind, act.day))
    return found


def take_back(session: Session, subscriber_id: int, slug: str, kind: ActKind) -> None:
    """Have a person not have done something for a campaign, nor be named for it. A second press changes nothing."""
    address_change.lock_row(session, subscriber_id)
    campaign_id = session.scalar(select(Campaign.id).where(Campaign.slug == slug))
    if campaign_id is not None:
        acts.take_back(session, campaign_id, kind, subscriber_id, method=METHOD)


def describe(session: Session, subscriber_id: int, *, name: str, country: str, language: str) -> None:
    """Change how a person is addressed, where they live and what they read. What is empty is forgotten.

    :param country: as `countries.parse` reads it; :param language: as `languages.normalise` does.
    Whatever is raised, nothing was changed.

    :raises NameTooLong: the name has more than 200 characters.
    :raises countries.UnknownCountry: it is no country that we know.
    :raises languages.InvalidLanguage: it is no language that we know.
    """
    line = subscribers.one_line(name)
    if line is not None and len(line) > subscribers.MAX_TEXT_LENGTH:
        raise NameTooLong
    person = address_change.lock_row(session, subscriber_id)
    person.name = line
    person.country = countries.parse(country) if country else None
    person.language = languages.normalise(language) if language else None
    subscribers.refresh(session, [subscriber_id])


def state_union(
    session: Session, subscriber_id: int, text: str, *, words: str, shown_in: str, method: str = METHOD
) -> None:
    """Store which union a person belongs to, and that they agreed to it.

    :param text: as `directory.recognise` reads it; the name of the union that is stored changes nothing, also where
        that would not be recognised, as when it has asked not to be named since.
    :param words: that they agreed to, exactly as shown; :param shown_in: the language of these.
    :param method: how it reached us.
    :raises UnrecognisedUnion: nothing was changed.
    """
    person = address_change.lock_row(session, subscriber_id)
    held = session.scalar(select(Union.name).where(Union.id == person.union_id))
    if held is not None and subscribers.one_line(text) == subscribers.one_line(held):
        return
    union_id = directory.recognise(session, text, person.country)
    if union_id is None:
        raise UnrecognisedUnion
    if union_id == person.union_id:
        return
    person.union_id = union_id
    _agree(session, subscriber_id, ConsentPurpose.UNION, words, shown_in, method=method)
    subscribers.refresh(session, [subscriber_id])


def forget_union(session: Session, subscriber_id: int, *, method: str = METHOD) -> None:
    """Forget which union a person belongs to, wherever that is stored, and write down that they no longer agree."""
    person = address_change.lock_row(session, subscriber_id)
    if person.union_id is None:
        return
    person.union_id = None
    consents.withdraw(session, subscriber_id, ConsentPurpose.UNION, method=method)
    # The ledger keeps by which union a mail was chosen; of this person it must not.
    session.execute(
        update(Delivery)
        .where(Delivery.subscriber_id == subscriber_id, Delivery.union_id.is_not(None))
        .where(Delivery.purpose != Purpose.NOTICE)  # there it says as whose contact they get it
        .values(union_id=None)
        .execution_options(synchronize_session=False)
    )
    subscribers.refresh(session, [subscriber_id])


def _agree(
    session: Session,
    subscriber_id: int,
    purpose: ConsentPurpose,
    words: str,
    shown_in: str,
    list_id: int | None = None,
    *,
    method: str = METHOD,
) -> None:
    consents.agree(session, subscriber_id, purpose, words, language=shown_in, method=method, list_id=list_id)


def join(session: Session, subscriber_id: int, list_slug: str, *, words: str, shown_in: str) -> None:
    """Put a person on a list that is open, also one that they left, and write down that they agreed to its mail.

    A list that belongs to a union is offered on that union's page only, and here to those who have been on it.

    :param words: that they agreed to, exactly as shown; :param shown_in: the language of these.
    :raises NotToBeJoined: the list is not open, or the person reported our mail as spam.
    :raises lists.UnknownList: no list has that slug, or none that is offered to them.
    """
    person = address_change.lock_row(session, subscriber_id)
    mailing_list = lists.get(session, list_slug)
    subscription = _subscription(session, subscriber_id, mailing_list.id)
    if mailing_list.owner_id is not None and subscription is None:
        raise lists.UnknownList(slug=list_slug, hint="")
    if not mailing_list.is_open:
        raise NotToBeJoined
    # It was their own link: the mailbox works, and who had left all lists is coming back.
    try:
        suppression.lift(session, person.email_index)
    except suppression.Complained:
        raise NotToBeJoined from None
    person.is_kept_off_lists = False
    if subscription is None or subscription.status is not SubscriptionStatus.ACTIVE:
        subscribers.put_on(session, subscriber_id, mailing_list.id, utcnow())
        _agree(session, subscriber_id, ConsentPurpose.ALERTS, words, shown_in, mailing_list.id)
    subscribers.refresh(session, [subscriber_id])


def subscription_to(session: Session, subscriber_id: int, list_slug: str) -> Subscription:
    """A person's subscription to a list, also to one that they left.

    :raises leaving.NotOnList: they never were on it.
    """
    mailing_list = lists.find(session, list_slug)
    subscription = _subscription(session, subscriber_id, mailing_list.id) if mailing_list else None
    if subscription is None:
        raise leaving.NotOnList
    return subscription


def _subscription(session: Session, subscriber_id: int, list_id: int) -> Subscription | None:
    return session.scalar(
        select(Subscription)
        .where(Subscription.subscriber_id == subscriber_id, Subscription.list_id == list_id)
        .execution_options(populate_existing=True)
    )


# --- erasing --------------------------------------------------------------------------------------------------------


def erase(session: Session, subscriber_id: int) -> None:
    """Erase a person, at once and everywhere, as `subscribers.erase` does.

    :raises mailed_links.DeadLink: they were erased at this moment.
    """
    suppression.lock_alone(session)
    person = address_change.lock_row(session, subscriber_id)
    address_change.forget_mails(session, subscriber_id)
    subscribers.erase(session, person.email)


def erase_address(session: Session, address: str) -> None:
    """Erase whoever has an address, in the same way. Nobody learns from it whether it was known.

    :raises addresses.InvalidAddress: that is no address.
    """
    suppression.lock_alone(session)
    person = subscribers.find(session, address)
    if person is not None:
        address_change.forget_mails(session, person.id)
    subscribers.erase(session, address)
