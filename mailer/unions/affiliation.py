"""Affiliation: how one begins and ends, and what a union's contacts are told of it."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.links import Pages
from mailer.people import notices, suppression
from mailer.people.notices import Notice, NoticeKind
from mailer.store.crypto import keyring_of
from mailer.store.models import Subscriber, Union, UnionContact, UnionStatus
from mailer.unions import contacts, directory


class AffiliatedAlready(MailerError):
    """The union "{slug}" is already affiliated."""


class NotAffiliated(MailerError):
    """The union "{slug}" is {status}. Only the affiliation of an affiliated union can lapse."""


def affiliate(session: Session, slug: str, *, resolution: str | None = None, base_url: str) -> Union:
    """Affiliate a union, also one that had lapsed, and tell its contacts.

    :param resolution: what it passed, as `directory.checked_resolution` takes it; None leaves what is known.
    :param base_url: of the site, for the links in the mail that tells them.
    :returns: the union.
    :raises directory.UnknownUnion: no union has that slug.
    :raises AffiliatedAlready: the union is affiliated; nothing was changed.
    :raises directory.UnusableText: the resolution is no plain text, or too long; nothing was changed.
    """
    suppression.lock_shared(session)  # who is told must not be erased at this moment
    union = directory.lock_row(session, slug)
    if union.status is UnionStatus.AFFILIATED:
        raise AffiliatedAlready(slug=slug)
    if resolution is not None:
        union.resolution = directory.checked_resolution(resolution)
    directory.move(union, UnionStatus.AFFILIATED)
    session.flush()
    tell(session, union, contacts.of_union(session, union.id), base_url)
    return union


def lapse(session: Session, slug: str) -> Union:
    """End a union's affiliation: it gets no more kits. Its contacts stay, for the day it comes back.

    :raises directory.UnknownUnion: no union has that slug.
    :raises NotAffiliated: the union is not affiliated; nothing was changed.
    """
    union = directory.lock_row(session, slug)
    if union.status is not UnionStatus.AFFILIATED:
        raise NotAffiliated(slug=slug, status=union.status)
    return directory.move(union, UnionStatus.LAPSED)


def tell(session: Session, union: Union, people: Sequence[tuple[UnionContact, Subscriber]], base_url: str) -> None:
    """Owe contacts of a union the mail that says that it is affiliated."""
    keyring = keyring_of(session)
    for contact, person in people:
        language = contacts.language_of(union, person.language)
        site = Pages(base_url, language)
        words = {
            **contacts.named(union),
            "join_url": site.join(union.slug if union.is_named else None),
            "results_url": site.results(keyring, union.id, union.link_generation),
            "stop_url": site.no_contact(keyring, contact.id),
        }
        notices.owe(
            session,
            Notice(NoticeKind.AFFILIATED, words=words),
            language=language,
            subscriber_id=person.id,
            union_id=union.id,
        )
