"""Audiences that were saved under a name, to be chosen again for another draft. Each belongs to the owner of the lists
that it is for: to a union, or to the organisers."""

import unicodedata
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import segments
from mailer.campaigns.segments import Segment
from mailer.errors import MailerError
from mailer.locale.folding import fold
from mailer.people import lists
from mailer.store.db import utcnow
from mailer.store.models import Campaign, SavedAudience, Union

_MOST_OF_NAME = 100
#: of one owner
_MOST = 200


class UnknownAudience(MailerError):
    """There is no such saved audience any more. Somebody has deleted it."""


class NamelessAudience(MailerError):
    """A saved audience needs a name of 1 to 100 characters."""


class AudienceExists(MailerError):
    """There is a saved audience "{name}" already. Choose another name, or delete that one first."""


class TooManyAudiences(MailerError):
    """There are 200 saved audiences already. Delete one that nobody needs any more."""


def all_of(session: Session, owner_id: int | None) -> Sequence[SavedAudience]:
    """Those of an owner, by name.

    :param owner_id: the union whose lists they are for; None for the organisers.
    """
    of_owner = SavedAudience.owner_id.is_(None) if owner_id is None else SavedAudience.owner_id == owner_id
    return sorted(session.scalars(select(SavedAudience).where(of_owner)), key=lambda each: (fold(each.name), each.id))


def get(session: Session, audience_id: int) -> SavedAudience:
    """:raises UnknownAudience: there is none."""
    found = session.get(SavedAudience, audience_id)
    if found is None:
        raise UnknownAudience
    return found


def save(session: Session, owner_id: int | None, name: str, segment: Segment) -> SavedAudience:
    """Save whom a segment means, to be chosen again.

    :raises NamelessAudience: the name is empty or too long.
    :raises AudienceExists: another one of the owner is called so.
    :raises TooManyAudiences: there are enough.
    """
    others = all_of(session, owner_id)
    name = _checked(name, others)
    if len(others) >= _MOST:
        raise TooManyAudiences
    saved = SavedAudience(owner_id=owner_id, name=name, audience=segment.to_json(), saved_at=utcnow())
    session.add(saved)
    session.flush()
    return saved


def rename(session: Session, audience_id: int, name: str) -> SavedAudience:
    """Call one something else.

    :raises UnknownAudience: there is none; the others as for `save`.
    """
    saved = get(session, audience_id)
    saved.name = _checked(name, [each for each in all_of(session, saved.owner_id) if each.id != saved.id])
    session.flush()
    return saved


def delete(session: Session, audience_id: int) -> None:
    """Forget one. Campaigns that it was chosen for stay as they are.

    :raises UnknownAudience: there is none.
    """
    session.delete(get(session, audience_id))
    session.flush()


def gone(session: Session, saved: SavedAudience) -> Sequence[str]:
    """The slugs that one names, of unions, lists and campaigns that there are no more."""
    named = {key: set(slugs) for key, slugs in saved.audience.items()}
    unions = _of(named, ("unions", "exclude_unions"))
    campaigns = _of(named, segments.CAMPAIGN_KEYS)
    left = unions - set(session.scalars(select(Union.slug).where(Union.slug.in_(unions))))
    left |= campaigns - set(session.scalars(select(Campaign.slug).where(Campaign.slug.in_(campaigns))))
    left |= {slug for slug in _of(named, ("lists", "exclude_lists")) if lists.find(session, slug) is None}
    return sorted(left)


def _of(named: dict[str, set[str]], keys: Iterable[str]) -> set[str]:
    return set().union(*(named.get(key, set()) for key in keys))


def _checked(name: str, others: Sequence[SavedAudience]) -> str:
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not 1 <= len(name) <= _MOST_OF_NAME:
        raise NamelessAudience
    if any(fold(each.name) == fold(name) for each in others):
        raise AudienceExists(name=name)
    return name
