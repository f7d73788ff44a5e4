"""Contacts: the people who get a union's mail, such as its kits, because they confirmed that they want it.

An organiser invites an address, or somebody asks that their union affiliate (see `affiliation`, where either link is
confirmed). Being a contact puts nobody on a list, and every mail has a link by which one stops being a contact.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Select, exists, select, update
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.locale import languages, translations
from mailer.mail import addresses
from mailer.mail.addresses import Address
from mailer.people import consents, mailed_links, notices, subscribers, suppression
from mailer.people.mailed_links import DeadLink
from mailer.people.notices import Notice, NoticeKind
from mailer.store.crypto import keyring_of
from mailer.store.db import add_unique, utcnow
from mailer.store.models import (
    WAITING,
    ConsentPurpose,
    Delivery,
    DeliveryState,
    MailedLinkKind,
    Purpose,
    Reason,
    Subscriber,
    Suppression,
    SuppressionReason,
    Union,
    UnionContact,
    ended,
)

METHOD = "invitation"
STEPPED_DOWN = "link in a mail"
REMOVED = "organiser"


class NoContact(MailerError):
    """You are no longer a contact of this union. Nothing is sent to you on its behalf."""


class NotItsContact(MailerError):
    """{address} is not a contact of the union "{slug}". See who is: mailer unions contacts {slug}"""


class ContactAlready(MailerError):
    """{address} is already a contact of the union "{slug}"."""


class AskedLately(MailerError):
    """{address} was asked less than 24 hours ago, and has not answered yet. The link in that mail works for 7 days. Ask
    again tomorrow at the earliest."""


class NotToBeAsked(MailerError):
    """{address} reported our mail as spam, so nothing may be sent there. Invite somebody else from the union."""


class LongDetail(MailerError):
    """The {detail} of a contact may have at most 200 characters; this one has {length}. Make it shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What an organiser asked somebody."""

    union_id: int
    address: Address
    name: str | None
    role: str | None
    language: str
    asked_at: datetime
    is_invited: bool = False  # by an organiser; else they were the contact, and know of which union
    link_generation: int = 0  # of the union's links at that time

    @property
    def shown_in(self) -> str:
        """The language of the words that are agreed to."""
        return languages.of_site(self.language) or "en"

    @property
    def consent_text(self) -> str:
        """The exact words that are agreed to."""
        _ = translations.gettext_for(self.shown_in)
        return _("Yes, write to me on behalf of my union: kits to forward, and reminders of them.")


# --- inviting -------------------------------------------------------------------------------------------------------


def invite(
    session: Session,
    union: Union,
    address: str,
    *,
    name: str | None = None,
    role: str | None = None,
    language: str | None = None,
) -> None:
    """Owe an address a mail that asks whether its owner wants to be a union's contact.

    :param name: how they wish to be addressed, and their role; kept only once they confirm.
    :param language: as `languages.normalise` reads it; by default their own, else the union's first.
    :raises addresses.InvalidAddress: that is no address.
    :raises languages.InvalidLanguage: it is no language that we know.
    :raises LongDetail: the name or the role has more than 200 characters.
    :raises ContactAlready: its owner is a contact of that union.
    :raises AskedLately: it was asked less than a day ago, and has not answered.
    :raises NotToBeAsked: its owner reported our mail as spam.
    """
    parsed = addresses.parse(address)
    email_index = keyring_of(session).blind_index(parsed.folded)
    # An erasure at the same moment would leave what is written here pointing at nobody.
    suppression.lock_shared(session)
    mailed_links.one_at_a_time(session, email_index, mailbox=parsed.mailbox)
    person = session.scalar(select(Subscriber).where(Subscriber.email_index == email_index))
    invitation = Invitation(
        union_id=union.id,
        address=parsed,
        name=_short("name", name),
        role=_short("role", role),
        language=languages.normalise(language) if language else language_of(union, person.language if person else None),
        asked_at=utcnow(),
        is_invited=True,
    )
    if person is not None and is_one(session, union.id, person.id):
        raise ContactAlready(address=parsed.text, slug=union.slug)
    is_barred = suppression.reason(session, email_index) is SuppressionReason.COMPLAINED
    match mailed_links.reason_to_withhold(
        session, MailedLinkKind.CONTACT, email_index, mailbox=parsed.mailbox, is_barred=is_barred
    ):
        case Reason.SUPPRESSED:
            raise NotToBeAsked(address=parsed.text)
        case Reason.REPEATED:
            raise AskedLately(address=parsed.text)
    token = mailed_links.issue(
        session,
        MailedLinkKind.CONTACT,
        email_index=email_index,
        mailbox=parsed.mailbox,
        details=mailed_links.to_details(invitation),
    )
    notices.owe(
        session,
        Notice(NoticeKind.CONTACT, token, named(union) or {"is_invited": "yes"}, union_id=union.id),
        language=invitation.language,
        address=person.email if person else parsed.text,
    )


def named(union: Union) -> dict[str, str]:
    """What a mail prints of a union's name: nothing if it asked not to be named. A mail gets forwarded."""
    return {"union": union.name} if union.is_named else {}


def _short(detail: str, text: str | None) -> str | None:
    line = subscribers.one_line(text or "")
    if line is not None and len(line) > subscribers.MAX_TEXT_LENGTH:
        raise LongDetail(detail=detail, length=len(line))
    return line


# --- confirming -----------------------------------------------------------------------------------------------------


class Agreed(Protocol):
    """What the owner of an address agrees to by the link in a mail, however that mail came about."""

    @property
    def address(self) -> Address: ...

    @property
    def language(self) -> str:
        """To be written to in."""

    @property
    def consent_text(self) -> str:
        """The exact words."""

    @property
    def shown_in(self) -> str:
        """The language of these."""

    @property
    def asked_at(self) -> datetime: ...


def accept(session: Session, invitation: Invitation, now: datetime) -> Subscriber:
    """Make the owner of an address the contact that they were invited to be; returns them. As for `take_in`.

    :raises mailed_links.DeadLink: they reported our mail as spam, or the union is gone.
    """
    if session.get(Union, invitation.union_id) is None:
        raise DeadLink
    person = take_in(session, invitation, name=invitation.name, method=METHOD, now=now)
    appoint(session, invitation.union_id, person.id, role=invitation.role)
    return person


def take_in(session: Session, agreed: Agreed, *, name: str | None, method: str, now: datetime) -> Subscriber:
    """The person whose address a link was mailed to, made known if they are not, with what they agreed to written down.
    Nobody comes on a list by that.

    It lifts what kept mail from who left, was erased, or whose mailbox was gone; never from who reported our mail as
    spam. To be called in a transaction that keeps erasures and imports out.

    :param name: and the language of what they agreed to, kept where nobody knows theirs.
    :param method: how it reached us, for the consent log.
    :raises mailed_links.DeadLink: they reported our mail as spam.
    """
    email_index = keyring_of(session).blind_index(agreed.address.folded)
    person = subscribers.lock_row(session, Subscriber.email_index == email_index)
    try:
        suppressed = suppression.lift(session, email_index)
    except suppression.Complained:
        raise DeadLink from None
    if person is None:
        person = Subscriber(email=agreed.address.text, email_index=email_index)
        session.add(person)
    person.name = person.name or name
    person.language = person.language or agreed.language
    session.flush()
    if suppressed in (SuppressionReason.LEFT, SuppressionReason.ERASED):
        person.is_kept_off_lists = True
    words = consents.text_id(session, agreed.consent_text, language=agreed.shown_in)
    consents.give(
        session,
        person.id,
        ConsentPurpose.CONTACT,
        text=words,
        method=method,
        asked_at=agreed.asked_at,
        confirmed_at=now,
    )
    subscribers.refresh(session, [person.id])
    return person


def appoint(session: Session, union_id: int, subscriber_id: int, *, role: str | None) -> UnionContact:
    """Make a person who agreed to it a union's contact, or give one a role who has none yet."""
    contact = UnionContact(union_id=union_id, subscriber_id=subscriber_id, role=role)
    if not add_unique(session, contact):
        contact = session.scalars(_which(union_id, subscriber_id)).one()
        contact.role = contact.role or role
        session.flush()
    return contact


# --- being one ------------------------------------------------------------------------------------------------------


def of_union(session: Session, union_id: int) -> Sequence[tuple[UnionContact, Subscriber]]:
    """A union's contacts, in the order in which they became that."""
    rows = session.execute(
        select(UnionContact, Subscriber)
        .join(Subscriber, Subscriber.id == UnionContact.subscriber_id)
        .where(UnionContact.union_id == union_id)
        .order_by(UnionContact.id)
    )
    return [(contact, person) for contact, person in rows]


def unions_without(session: Session, slugs: Collection[str]) -> Sequence[str]:
    """Those of some unions of which no contact gets mail, by slug: they have none, or only such as are suppressed."""
    gets_mail = (
        exists()
        .where(UnionContact.union_id == Union.id, UnionContact.subscriber_id == Subscriber.id)
        .where(~exists().where(Suppression.email_index == Subscriber.email_index))
    )
    return session.scalars(select(Union.slug).where(Union.slug.in_(slugs), ~gets_mail).order_by(Union.slug)).all()


def language_of(union: Union, spoken: str | None) -> str:
    """What a union's contact is written to in: their own language, else the union's first, else English."""
    return spoken or next(iter(union.languages), "en")


def get(session: Session, contact_id: int) -> UnionContact:
    """The contact in whose mail a link was.

    :param contact_id: as `links.verify` finds it in the link.
    :raises NoContact: they are that no more.
    """
    contact = session.get(UnionContact, contact_id, populate_existing=True)
    if contact is None:
        raise NoContact
    return contact


def of_person(session: Session, subscriber_id: int, union_slug: str) -> UnionContact:
    """A person as a union's contact.

    :raises NoContact: they are that no more.
    """
    theirs = select(UnionContact).join(Union, Union.id == UnionContact.union_id)
    contact = session.scalar(theirs.where(UnionContact.subscriber_id == subscriber_id, Union.slug == union_slug))
    if contact is None:
        raise NoContact
    return contact


def step_down(session: Session, contact: UnionContact) -> None:
    """Send a person no more of a union's mail, also what is on its way already. What they get from lists goes on.

    They are told so by one mail, by which they can take it back until the union's links are replaced: whoever pressed
    the button may have got a mail of theirs that was forwarded.

    :raises NoContact: they are that no more: a second press of the button changes nothing.
    """
    if not _lock_row(session, contact):
        raise NoContact
    union, person = session.get_one(Union, contact.union_id), session.get_one(Subscriber, contact.subscriber_id)
    back = Invitation(
        union_id=union.id,
        address=addresses.parse(person.email),
        name=None,
        role=contact.role,
        language=language_of(union, person.language),
        asked_at=utcnow(),
        link_generation=union.link_generation,
    )
    _end(session, contact, method=STEPPED_DOWN)
    token = mailed_links.issue(
        session,
        MailedLinkKind.CONTACT,
        email_index=None,  # else who has us mail that address about another union finds this by it
        subscriber_id=person.id,
        details=mailed_links.to_details(back),
        lifetime=mailed_links.LIFETIME[MailedLinkKind.UNDO],
    )
    notice = Notice(NoticeKind.STEPPED_DOWN, token, named(union), union_id=union.id)
    notices.owe(session, notice, language=back.language, subscriber_id=person.id)


def end(session: Session, contact: UnionContact) -> None:
    """Likewise, where it was surely the person themselves: nobody has to be told.

    :raises NoContact: they are that no more.
    """
    if not _lock_row(session, contact):
        raise NoContact
    _end(session, contact, method=STEPPED_DOWN)


def remove(session: Session, union: Union, address: str) -> None:
    """Likewise, by an organiser.

    :raises NotItsContact: they are none.
    :raises addresses.InvalidAddress: that is no address.
    """
    person = subscribers.find(session, address)
    contact = session.scalar(_which(union.id, person.id)) if person else None
    if contact is None or not _lock_row(session, contact):
        raise NotItsContact(address=address, slug=union.slug)
    _end(session, contact, method=REMOVED)


def _lock_row(session: Session, contact: UnionContact) -> bool:
    """Let nobody else remove a contact; False where somebody has. The person is held first, as an erasure does."""
    subscribers.lock_row(session, Subscriber.id == contact.subscriber_id)
    held = select(UnionContact).where(UnionContact.id == contact.id).with_for_update()
    return session.scalar(held.execution_options(populate_existing=True)) is not None


def _end(session: Session, contact: UnionContact, *, method: str) -> None:
    _forget_notices(session, contact)
    session.delete(contact)
    session.flush()
    # The log does not say for which union: what somebody agreed to ends with the last.
    others = exists().where(UnionContact.subscriber_id == contact.subscriber_id)
    if not session.scalar(select(others)):
        consents.withdraw(session, contact.subscriber_id, ConsentPurpose.CONTACT, method=method)


def _forget_notices(session: Session, contact: UnionContact) -> None:
    """Have the ledger no longer say whose contact somebody was, and send nothing that waits. What a worker holds is
    skipped by it."""
    theirs = (
        Delivery.subscriber_id == contact.subscriber_id,
        Delivery.union_id == contact.union_id,
        Delivery.purpose == Purpose.NOTICE,
    )
    skipped = ended(DeliveryState.SKIPPED, utcnow(), Reason.LEFT)
    session.execute(update(Delivery).where(*theirs, Delivery.state.in_(WAITING)).values(skipped))
    session.execute(update(Delivery).where(*theirs, Delivery.state != DeliveryState.SENDING).values(union_id=None))


def is_one(session: Session, union_id: int, subscriber_id: int | None) -> bool:
    """Whether a person is a union's contact."""
    return subscriber_id is not None and session.scalar(_which(union_id, subscriber_id)) is not None


def _which(union_id: int, subscriber_id: int) -> Select[UnionContact]:
    return select(UnionContact).where(UnionContact.union_id == union_id, UnionContact.subscriber_id == subscriber_id)
