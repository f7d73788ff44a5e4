"""Affiliation: how one begins and ends, and what a union's contacts are told of it."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from mailer import links
from mailer.errors import MailerError
from mailer.links import Link
from mailer.people import notices, suppression
from mailer.people.notices import Notice, NoticeKind
from mailer.store.crypto import keyring_of
from mailer.store.models import Subscriber, Union, UnionContact, UnionStatus
from mailer.unions import contacts, directory


class AffiliatedAlready(MailerError):
    """The union "{slug}" is already affiliated."""


class NotAffiliated(MailerError):
    """The union "{slug}" is {status}. Only the affiliation of an affiliated union can lapse."""


def affiliate(session: Session, slug: str, *, resolution: str | None = None, base_url: str) -> tuple[Union, int | None]:
    """Affiliate a union, also one that had lapsed, and tell its contacts.

    :param resolution: what it passed, as `directory.checked_resolution` takes it; None leaves what is known.
    :param base_url: of the site, for the links in the mail that tells them.
    :returns: the union, and what to ring for after the commit, if anything.
    :raises directory.UnknownUnion: no union has that slug.
    :raises AffiliatedAlready: the union is affiliated; nothing was changed.
    :raises directory.UnusableText: the resolution is no plain text, or too long; nothing was changed.
    """
    suppression.keep_removals_out(session)  # who is told must not be erased at this moment
    union = directory.hold(session, slug)
    if union.status is UnionStatus.AFFILIATED:
        raise AffiliatedAlready(slug=slug)
    if resolution is not None:
        union.resolution = directory.checked_resolution(resolution)
    directory.move(union, UnionStatus.AFFILIATED)
    session.flush()
    return union, tell(session, union, contacts.of_union(session, union.id), base_url)


def lapse(session: Session, slug: str) -> Union:
    """End a union's affiliation: it gets no more kits. Its contacts stay, for the day it comes back.

    :raises directory.UnknownUnion: no union has that slug.
    :raises NotAffiliated: the union is not affiliated; nothing was changed.
    """
    union = directory.hold(session, slug)
    if union.status is not UnionStatus.AFFILIATED:
        raise NotAffiliated(slug=slug, status=union.status)
    return directory.move(union, UnionStatus.LAPSED)


def tell(
    session: Session, union: Union, people: Sequence[tuple[UnionContact, Subscriber]], base_url: str
) -> int | None:
    """Owe contacts of a union the mail that says that it is affiliated."""
    results = links.sign(keyring_of(session), Link.UNION, union.id)
    notice = None
    for contact, person in people:
        language = contacts.language_of(union, person.language)
        site = f"{base_url}{links.prefix(language)}"
        words = {
            **({"union": union.name} if union.is_named else {}),
            "join_url": f"{site}/join/{union.slug}" if union.is_named else f"{site}/",
            "results_url": f"{site}/results/{results}",
            "stop_url": contacts.stop_url(session, contact.id, language=language, base_url=base_url),
        }
        notice = notices.owe(
            session,
            Notice(NoticeKind.AFFILIATED, words=words),
            language=language,
            subscriber_id=person.id,
            union_id=union.id,
        )
    return notice
