"""Applications: what unions ask for, and an organiser's yes or no.

Nothing that a visitor wrote into the form becomes part of `unions`, which everybody sees, before.
"""

from collections.abc import Sequence

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from mailer import affiliation, consents, contacts, kit_making, subscribers, suppression, unions
from mailer.errors import MailerError
from mailer.models import (
    Application,
    ConsentPurpose,
    Delivery,
    Subscriber,
    Subscription,
    Union,
    UnionContact,
    UnionStatus,
)

DECLINED = "declined by an organiser"


class UnknownApplication(MailerError):
    """There is no application {id}: it was accepted or declined, or it never existed. See those that wait with: mailer
    unions applications"""


class KnownUnion(MailerError):
    """There is already a union "{slug}", named "{name}". If it is the union that applies, update it with --as {slug}.
    If not, choose another slug with --as SLUG."""


def all_applications(session: Session) -> Sequence[Application]:
    """What waits for an organiser, the oldest first."""
    return session.scalars(select(Application).order_by(Application.id)).all()


def applicant(session: Session, application: Application) -> Subscriber | None:
    """Who asked; None if they were erased since."""
    return session.get(Subscriber, application.subscriber_id) if application.subscriber_id is not None else None


def accept(
    session: Session, application_id: int, *, slug: str | None = None, parent_slug: str | None = None, base_url: str
) -> tuple[Union, int | None]:
    """Say yes: the union is affiliated, and who asked is its contact.

    :param slug: of the union; of one that is there, to fill in what is not known of it. By default made of its name.
    :param parent_slug: the federation that it belongs to.
    :param base_url: of the site, for the links in the mail that tells its contacts.
    :returns: the union, and what to ring for after the commit, if anything.
    :raises UnknownApplication: or `KnownUnion`, `unions.SluglessUnion`, or as `unions.add` and `unions.change`: nothing
        was changed.
    """
    suppression.keep_removals_out(session)  # who is made a contact must not be erased at this moment
    application = _hold_application(session, application_id)
    union = _union_of(session, application, slug, parent_slug)
    is_new = union.status is not UnionStatus.AFFILIATED
    union.interested_at = union.interested_at or application.confirmed_at
    union.resolution = application.resolution or union.resolution
    if is_new:
        unions.move(union, UnionStatus.AFFILIATED)
    if application.subscriber_id is not None:
        contacts.appoint(session, union.id, application.subscriber_id, role=application.role)
    newcomer = application.subscriber_id
    session.delete(application)
    session.flush()
    told = contacts.of_union(session, union.id)
    return union, affiliation.tell(session, union, [c for c in told if is_new or c[1].id == newcomer], base_url)


def _hold_application(session: Session, application_id: int) -> Application:
    """:raises UnknownApplication: there is none, or another organiser has just decided."""
    found = select(Application).where(Application.id == application_id).with_for_update()
    application = session.scalar(found.execution_options(populate_existing=True))
    if application is None:
        raise UnknownApplication(id=application_id)
    return application


def _union_of(session: Session, application: Application, slug: str | None, parent_slug: str | None) -> Union:
    known = unions.find(session, slug) if slug is not None else None
    if known is not None:
        return _fill_in(session, known.slug, application, parent_slug)
    if slug is None:
        alike = sorted(unions.of_name(session, application.name), key=lambda one: one.country != application.country)
        slug = alike[0].slug if alike else unions.slug_of(application.name)
        taken = unions.find(session, slug)
        if taken is not None:
            raise KnownUnion(slug=slug, name=taken.name)
    return unions.add(
        session,
        slug,
        application.name,
        country=application.country,
        parent_slug=parent_slug,
        languages=application.languages,
        members=application.members,
        is_named=application.is_named,
    )


def _fill_in(session: Session, slug: str, application: Application, parent_slug: str | None) -> Union:
    """Fill in what is not known of a union. That it is not to be named counts, whoever said so."""
    union = unions.hold(session, slug)
    unions.change(
        session,
        slug,
        country=application.country if union.country is None else None,
        parent_slug=parent_slug,
        languages=application.languages if not union.languages else None,
        members=application.members if union.members is None else None,
        is_named=None if application.is_named else False,
    )
    kit_making.renew(session, union)
    return union


def decline(session: Session, application_id: int) -> None:
    """Say no. Nobody is told; who asked is forgotten, unless they are on a list, or were, or speak for a union.

    :raises UnknownApplication: there is none.
    """
    suppression.keep_imports_out(session)  # before the person is held: so does everyone who removes somebody
    application = _hold_application(session, application_id)
    person = subscribers.hold(session, Subscriber.id == application.subscriber_id)
    session.delete(application)
    session.flush()
    if person is None or _is_applicant_or_contact(session, person.id):
        return
    if session.scalar(select(exists().where(Subscription.subscriber_id == person.id))):
        consents.withdraw(session, person.id, ConsentPurpose.CONTACT, method=DECLINED)
    else:
        subscribers.forget_deliveries(session, Delivery.subscriber_id == person.id)
        session.delete(person)  # the database deletes consent events and requests with it
    session.flush()


def _is_applicant_or_contact(session: Session, subscriber_id: int) -> bool:
    is_contact = exists().where(UnionContact.subscriber_id == subscriber_id)
    applies = exists().where(Application.subscriber_id == subscriber_id)
    return bool(session.scalar(select(or_(is_contact, applies))))
