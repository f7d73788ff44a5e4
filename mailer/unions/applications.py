"""Applications: a union asks to affiliate, its address is confirmed, and an organiser says yes or no.

Nothing that a visitor writes into the form goes into the mail that asks to confirm: anybody can have that mail sent to
anybody; nor does it become part of `unions`, which everybody sees, before an organiser says yes.

An address gets one such mail a day. What the form is filled in with for it meanwhile is kept: the link in the first
mail leads to all of it, and its reader says which requests are theirs. Only then does that page show what was typed.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.mail import addresses
from mailer.mail.addresses import Address
from mailer.people import consents, mailed_links, notices, organisers, subscribers, suppression
from mailer.people.mailed_links import DeadLink
from mailer.people.notices import Notice, NoticeKind
from mailer.people.organisers import Organisers
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import (
    Application,
    ConsentPurpose,
    Delivery,
    MailedLink,
    MailedLinkKind,
    Subscriber,
    Subscription,
    SuppressionReason,
    Union,
    UnionContact,
    UnionStatus,
)
from mailer.unions import affiliation, contacts, directory
from mailer.unions.contacts import Invitation
from mailer.unions.recognition import Known, KnownUnions

METHOD = "affiliation form"
DECLINED = "declined by an organiser"


class UnknownApplication(MailerError):
    """There is no application {id}: it was accepted or declined, or it never existed. See those that wait with: mailer
    unions applications"""


class KnownUnion(MailerError):
    """There is already a union "{slug}", named "{name}". If it is the union that applies, update it with --as {slug}.
    If not, choose another slug with --as SLUG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFor:
    """What somebody filled in and agreed to on their union's behalf."""

    name: str  # of the union
    country: str | None
    languages: tuple[str, ...]  # of the union, the first one first
    members: int | None
    parent: str | None  # as they wrote it
    resolution: str | None
    is_named: bool
    person_name: str | None
    address: Address
    role: str | None
    language: str  # to be written to in
    consent_text: str  # the exact words beside the box that was ticked
    shown_in: str  # the language of these words
    asked_at: datetime


class Unchosen(MailerError):
    """Our form for unions was filled in more than once for this address. On the page to confirm, tick the requests that
    are yours."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the form was filled in with, to be told from what else it was for the same address."""

    key: str  # of all that an organiser would see; it says nothing of when, or how often, it was sent
    asked: AskedFor


@dataclass(frozen=True, slots=True)
class AffiliationAsked:
    """What a link would confirm, for the owner of the address to see first: anyone may have asked. Or what it did."""

    language: str | None  # the person's own
    union_name: str | None  # None: it asked not to be named, and whoever is asked knows it
    is_application: bool  # else an organiser's invitation
    consent_text: str  # what they agree to
    is_confirmed: bool
    requests: tuple[Request, ...] = ()  # from which its reader chooses theirs, the newest first


# --- asking ---------------------------------------------------------------------------------------------------------


def ask(session: Session, asked: AskedFor) -> None:
    """Keep what was asked for, and owe the owner of the address the mail by which it is confirmed.

    Nobody learns from it who is known here: the same rows are written where no mail may go out.
    """
    # An erasure at the same moment would leave what is written here pointing at nobody.
    suppression.lock_shared(session)
    email_index = keyring_of(session).blind_index(asked.address.folded)
    mailed_links.one_at_a_time(session, email_index, mailbox=asked.address.mailbox)
    is_barred = suppression.reason(session, email_index) is SuppressionReason.COMPLAINED
    person = session.execute(
        select(Subscriber.email, Subscriber.language).where(Subscriber.email_index == email_index)
    ).first()
    withheld = mailed_links.reason_to_withhold(
        session, MailedLinkKind.CONTACT, email_index, mailbox=asked.address.mailbox, is_barred=is_barred
    )
    token = mailed_links.issue_unless(
        session,
        MailedLinkKind.CONTACT,
        withheld,
        email_index=email_index,
        mailbox=asked.address.mailbox,
        details=mailed_links.to_details(asked),
    )
    mailed_links.drop_oldest(session, MailedLinkKind.CONTACT, email_index)
    notices.owe(
        session,
        Notice(NoticeKind.CONTACT, token),
        language=(person.language if person else None) or asked.language,
        address=person.email if person else asked.address.text,
        withheld=withheld,
    )


# --- confirming -----------------------------------------------------------------------------------------------------


def look(session: Session, token: str) -> AffiliationAsked:
    """What a link would confirm, of an application or an invitation. Changes nothing.

    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: it has run out, or who was invited is no contact any more or was erased; or it leads
        a former contact back, and the union's links were replaced since.
    """
    link = mailed_links.find(session, MailedLinkKind.CONTACT, token)
    if link.used_at is not None:
        return _confirmed(session, link)
    wanted = _wanted(session, link)
    return AffiliationAsked(
        wanted.language,
        wanted.name if isinstance(wanted, AskedFor) else _name_to_invited(session, wanted),
        is_application=isinstance(wanted, AskedFor),
        consent_text=wanted.consent_text,
        is_confirmed=False,
        requests=tuple(_to_choose(_requests(session, link), wanted)),
    )


def confirm(
    session: Session, token: str, *, base_url: str, told: Organisers, chosen: Collection[str] = ()
) -> AffiliationAsked:
    """Do what the owner of an address was asked to confirm; once, however often the link is used. Nobody comes on
    a list by that.

    An application then waits for an organiser, who is told; who was invited is the union's contact from now on, and
    welcomed if it is affiliated.

    :param base_url: of the site, for the links in that mail.
    :param told: the organisers who hear of an application.
    :param chosen: keys of those among `AffiliationAsked.requests` that are theirs.
    :raises Unchosen: there are several requests, and they have chosen none, or one that is there no more; nothing was
        changed.
    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: as `look`, or they reported our mail as spam.
    """
    mailed_links.find(session, MailedLinkKind.CONTACT, token)  # nobody is kept waiting for a link that is none
    # Alone, without imports, erasures and other confirmations: each could be writing about the same person.
    suppression.lock_alone(session)
    session.expire_all()
    link = mailed_links.find(session, MailedLinkKind.CONTACT, token)
    if link.used_at is None:
        _carry_out(session, link, chosen, base_url, told)
    return _confirmed(session, link)


def _wanted(session: Session, link: MailedLink) -> AskedFor | Invitation:
    """:raises DeadLink: it leads a former contact back, and the union's links were replaced since, so as to be seen by
    its contacts only; or the union is gone."""
    details = mailed_links.details_of(link)
    if "union_id" not in details:
        return mailed_links.from_details(AskedFor, details)
    invitation = mailed_links.from_details(Invitation, details)
    if not invitation.is_invited and invitation.link_generation < _union(session, invitation.union_id).link_generation:
        raise DeadLink
    return invitation


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request, and the links that were made each time when it was sent."""

    request: Request
    links: list[MailedLink]


def _requests(session: Session, link: MailedLink) -> list[_Sent]:
    """What the form was filled in with for the address that a link was mailed to, the newest first."""
    others = session.scalars(mailed_links.others(link).limit(mailed_links.MOST_BESIDES))
    found: dict[str, _Sent] = {}
    for each in sorted((link, *others), key=lambda one: one.id, reverse=True):
        details = mailed_links.details_of(each)
        if "union_id" not in details:  # else an organiser's invitation
            asked = mailed_links.from_details(AskedFor, details)
            request = Request(_key(asked), asked)
            found.setdefault(request.key, _Sent(request, [])).links.append(each)
    return list(found.values())


def _key(asked: AskedFor) -> str:
    seen = [getattr(asked, field) for field in _TYPED]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:32]


def _to_choose(sent: Sequence[_Sent], wanted: AskedFor | Invitation) -> list[Request]:
    """The requests that the reader of a link is asked about: none where it was mailed for the only one."""
    if isinstance(wanted, AskedFor) and len(sent) == 1:
        return []
    return [each.request for each in sent]


def _chosen(sent: Sequence[_Sent], wanted: AskedFor | Invitation, keys: Collection[str]) -> list[_Sent]:
    """:raises Unchosen: as `confirm`."""
    if not _to_choose(sent, wanted):
        return list(sent)
    chosen = [each for each in sent if each.request.key in keys]
    if len(chosen) < len(set(keys)) or (isinstance(wanted, AskedFor) and not chosen):
        raise Unchosen
    return chosen


def _carry_out(
    session: Session, link: MailedLink, keys: Collection[str], base_url: str, organisers_told: Organisers
) -> None:
    wanted = _wanted(session, link)
    chosen = _chosen(_requests(session, link), wanted, keys)
    now = utcnow()
    mailed_links.drop_unmailed(session, link)
    for each in chosen:
        person = _apply(session, each.request.asked, now, organisers_told)
        for other in each.links:
            if other.is_mailed and other is not link:  # a mail of another day, which must not ask for the same again
                mailed_links.use(session, other, person.id, at=now, details={"union_name": each.request.asked.name})
    if isinstance(wanted, AskedFor):
        told: dict[str, Any] = {"union_name": chosen[0].request.asked.name}
    else:
        person = contacts.accept(session, wanted, now)
        told = {"union_id": wanted.union_id}
        union = session.get_one(Union, wanted.union_id)
        if union.status is UnionStatus.AFFILIATED:
            newcomer = [each for each in contacts.of_union(session, union.id) if each[1].id == person.id]
            affiliation.tell(session, union, newcomer, base_url)
    mailed_links.use(session, link, person.id, at=now, details=told)


def _apply(session: Session, asked: AskedFor, now: datetime, told: Organisers) -> Subscriber:
    person = contacts.take_in(session, asked, name=asked.person_name, method=METHOD, now=now)
    kept = {column: getattr(asked, column) for column in _KEPT}
    application = Application(**kept, languages=list(asked.languages), subscriber_id=person.id, confirmed_at=now)
    session.add(application)
    session.flush()
    words = {
        "applications_command": "mailer unions applications",
        "accept_command": f"mailer unions accept {application.id}",
        "decline_command": f"mailer unions decline {application.id}",
        **({"union": asked.name} if asked.is_named else {}),
    }
    organisers.tell(session, told, Notice(NoticeKind.APPLICATION, words=words))
    return person


_KEPT = ("name", "country", "members", "parent", "resolution", "is_named", "role")
#: what requests may differ in
_TYPED = (*_KEPT, "languages", "person_name", "language")


def _confirmed(session: Session, link: MailedLink) -> AffiliationAsked:
    """What a link that was used came to.

    :raises DeadLink: they are the union's contact no more.
    """
    told, subscriber_id = mailed_links.details_of(link), mailed_links.person_of(link)
    is_application = "union_id" not in told
    if not is_application and not contacts.is_one(session, told["union_id"], subscriber_id):
        raise DeadLink
    return AffiliationAsked(
        session.scalar(select(Subscriber.language).where(Subscriber.id == subscriber_id)),
        told["union_name"] if is_application else _union_name(session, told["union_id"]),
        is_application=is_application,
        consent_text="",
        is_confirmed=True,
    )


def _name_to_invited(session: Session, invitation: Invitation) -> str | None:
    """The name of the union for whom it asks: who is invited must know it, and no mail says it. Who was its contact
    knows it, so that a link by which they come back tells it to nobody else."""
    if invitation.is_invited:
        return _union(session, invitation.union_id).name
    return _union_name(session, invitation.union_id)


def _union_name(session: Session, union_id: int) -> str | None:
    """None for one that asked not to be named: a mail with this link may have been forwarded."""
    union = _union(session, union_id)
    return union.name if union.is_named else None


def _union(session: Session, union_id: int) -> Union:
    union = session.get(Union, union_id)
    if union is None:
        raise DeadLink
    return union


# --- deciding -------------------------------------------------------------------------------------------------------


def all_applications(session: Session) -> Sequence[Application]:
    """What waits for an organiser, the oldest first."""
    return session.scalars(select(Application).order_by(Application.id)).all()


def applicant(session: Session, application: Application) -> Subscriber | None:
    """Who asked; None if they were erased since."""
    return session.get(Subscriber, application.subscriber_id) if application.subscriber_id is not None else None


@dataclass(frozen=True, slots=True)
class WrittenParent:
    """The federation that an application names, and which unions may be meant by that."""

    written: str
    alike: Sequence[Known]  # called so, as names are compared; several where they cannot be told apart
    nearest: Known | None  # called nearly so, where none is called so

    @property
    def known(self) -> Known | None:
        """The one that is called so."""
        return self.alike[0] if len(self.alike) == 1 else None


def written_parent(session: Session, application_id: int, *, slug: str | None = None) -> WrittenParent | None:
    """What an application says of the federation that the union belongs to; None where it says nothing, or that is
    known of the union.

    :param slug: of the union, as for `accept`.
    :raises UnknownApplication: there is none.
    """
    application = session.get(Application, application_id)
    if application is None:
        raise UnknownApplication(id=application_id)
    itself = directory.find(session, slug) if slug is not None else None
    if application.parent is None or (itself is not None and itself.parent_id is not None):
        return None
    unions = KnownUnions(session)
    alike = [known for known in unions.alike(application.parent, application.country) if known.slug != slug]
    nearest = None if alike else unions.nearest(application.parent)
    return WrittenParent(application.parent, alike, nearest if nearest and nearest.slug != slug else None)


def accept(
    session: Session, application_id: int, *, slug: str | None = None, parent_slug: str | None = None, base_url: str
) -> Union:
    """Say yes: the union is affiliated, and who asked is its contact.

    :param slug: of the union; of one that is there, to fill in what is not known of it. By default made of its name.
    :param parent_slug: the federation that it belongs to.
    :param base_url: of the site, for the links in the mail that tells its contacts.
    :returns: the union.
    :raises UnknownApplication: there is none. Nothing was changed, as with every error here.
    :raises KnownUnion: a union has the slug already.
    :raises directory.SluglessUnion: no slug can be made of the name.
    :raises MailerError: as `directory.add` and `directory.change`.
    """
    suppression.lock_shared(session)  # who is made a contact must not be erased at this moment
    application = _lock_application(session, application_id)
    union = _union_of(session, application, slug, parent_slug)
    is_new = union.status is not UnionStatus.AFFILIATED
    union.interested_at = union.interested_at or application.confirmed_at
    union.resolution = application.resolution or union.resolution
    if is_new:
        directory.move(union, UnionStatus.AFFILIATED)
    if application.subscriber_id is not None:
        contacts.appoint(session, union.id, application.subscriber_id, role=application.role)
    newcomer = application.subscriber_id
    session.delete(application)
    session.flush()
    told = contacts.of_union(session, union.id)
    affiliation.tell(session, union, [c for c in told if is_new or c[1].id == newcomer], base_url)
    return union


def _lock_application(session: Session, application_id: int) -> Application:
    """:raises UnknownApplication: there is none, or another organiser has just decided."""
    found = select(Application).where(Application.id == application_id).with_for_update()
    application = session.scalar(found.execution_options(populate_existing=True))
    if application is None:
        raise UnknownApplication(id=application_id)
    return application


def _union_of(session: Session, application: Application, slug: str | None, parent_slug: str | None) -> Union:
    known = directory.find(session, slug) if slug is not None else None
    if known is not None:
        return _fill_in(session, known.slug, application, parent_slug)
    if slug is None:
        alike = sorted(directory.of_name(session, application.name), key=lambda one: one.country != application.country)
        slug = alike[0].slug if alike else _slug_for(application)
        taken = directory.find(session, slug)
        if taken is not None:
            raise KnownUnion(slug=slug, name=taken.name)
    return directory.add(
        session,
        slug,
        application.name,
        country=application.country,
        parent_slug=parent_slug,
        languages=application.languages,
        members=application.members,
        is_named=application.is_named,
    )


def _slug_for(application: Application) -> str:
    return directory.slug_of(application.name) if application.is_named else directory.random_slug()


def _fill_in(session: Session, slug: str, application: Application, parent_slug: str | None) -> Union:
    """Fill in what is not known of a union. That it is not to be named counts, whoever said so."""
    union = directory.lock_row(session, slug)
    directory.change(
        session,
        slug,
        country=application.country if union.country is None else None,
        parent_slug=parent_slug,
        languages=application.languages if not union.languages else None,
        members=application.members if union.members is None else None,
        is_named=None if application.is_named else False,
    )
    return union


def decline(session: Session, application_id: int) -> None:
    """Say no. Nobody is told; who asked is forgotten, unless they are on a list, or were, or speak for a union.

    :raises UnknownApplication: there is none.
    """
    suppression.lock_alone(session)
    application = _lock_application(session, application_id)
    person = subscribers.lock_row(session, Subscriber.id == application.subscriber_id)
    session.delete(application)
    session.flush()
    if person is None or _is_applicant_or_contact(session, person.id):
        return
    if session.scalar(select(exists().where(Subscription.subscriber_id == person.id))):
        consents.withdraw(session, person.id, ConsentPurpose.CONTACT, method=DECLINED)
    else:
        waiting = subscribers.notices_to(session, addresses.parse(person.email))
        subscribers.forget_deliveries(session, or_(Delivery.subscriber_id == person.id, Delivery.id.in_(waiting)))
        mailed_links.forget(session, subscriber_id=person.id)
        session.delete(person)  # the database deletes consent events with it
    session.flush()


def _is_applicant_or_contact(session: Session, subscriber_id: int) -> bool:
    is_contact = exists().where(UnionContact.subscriber_id == subscriber_id)
    applies = exists().where(Application.subscriber_id == subscriber_id)
    return bool(session.scalar(select(or_(is_contact, applies))))
