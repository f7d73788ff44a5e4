"""Replacing a union's links to its kits and results: nobody who has an old one sees anything, and the union's contacts
are mailed new ones."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import publishing
from mailer.campaigns.deadlines import may_be_forwarded
from mailer.links import Pages
from mailer.people import notices, suppression
from mailer.people.notices import MOST_KITS_NAMED, Notice, NoticeKind
from mailer.store.crypto import keyring_of
from mailer.store.models import Campaign, Kit, Union
from mailer.unions import contacts, directory, generations


def renew(session: Session, slug: str, *, base_url: str) -> int:
    """Replace a union's links.

    :param base_url: of the site, for the links in the mail that tells its contacts.
    :returns: how many contacts are mailed the new ones; nobody, if the union never had any.
    :raises directory.UnknownUnion: no union has that slug.
    """
    suppression.lock_alone(session)  # nobody is told of a kit by an old link at this moment
    return _renew(session, directory.lock_row(session, slug), base_url)


def remove_contact(session: Session, slug: str, address: str, *, base_url: str) -> int:
    """Send a person no more of a union's mail, because an organiser says so, and replace the links that they have.

    Who stops that mail themselves replaces nothing: whoever has a mail of theirs that was forwarded can press that
    button.

    :returns: as `renew`.
    :raises directory.UnknownUnion: no union has that slug.
    :raises contacts.NotItsContact: they are none of its contacts.
    :raises addresses.InvalidAddress: that is no address.
    """
    suppression.lock_alone(session)
    union = directory.lock_row(session, slug)
    contacts.remove(session, union, address)
    return _renew(session, union, base_url)


def _renew(session: Session, union: Union, base_url: str) -> int:
    generations.begin_next(session, union)
    if union.affiliated_at is None:
        return 0
    keyring, generation = keyring_of(session), union.link_generation
    people = contacts.of_union(session, union.id)
    for contact, person in people:
        language = contacts.language_of(union, person.language)
        site = Pages(base_url, language)
        words = {
            **contacts.named(union),
            "results_url": site.results(keyring, union.id, generation),
            "stop_url": site.no_contact(keyring, contact.id),
        }
        for number, kit in enumerate(_open_kits(session, union), start=1):
            words[f"kit_{number}"] = publishing.title(kit.campaign, language)
            words[f"kit_{number}_url"] = site.kit(keyring, kit.id, generation)
        notice = Notice(NoticeKind.RENEWED, words=words)
        notices.owe(session, notice, language=language, subscriber_id=person.id, union_id=union.id)
    return len(people)


def _open_kits(session: Session, union: Union) -> Iterator[Kit]:
    """The latest kits that the union was told of and that can be forwarded still. The page of its results leads to
    all others."""
    latest = (
        select(Kit)
        .join(Campaign, Campaign.id == Kit.campaign_id)
        .where(Kit.union_id == union.id, Kit.sent_at.is_not(None), may_be_forwarded(session))
        .order_by(Kit.id.desc())
        .limit(MOST_KITS_NAMED)
    )
    yield from session.scalars(latest)
