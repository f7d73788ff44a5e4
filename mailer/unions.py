"""Trade unions and the federations above them."""

import unicodedata
from collections.abc import Iterable, Sequence

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from mailer import countries, slugs
from mailer.db import add_unique
from mailer.errors import MailerError
from mailer.models import Union


class UnknownUnion(MailerError):
    """There is no union "{slug}". See them with `mailer unions list`, or add it: mailer unions add {slug} --name NAME
    --country CC"""


class UnionExists(MailerError):
    """There is a union "{slug}" already, named "{name}". Choose another slug."""


class NamelessUnion(MailerError):
    """A union needs a name of 1 to 200 characters: mailer unions add {slug} --name NAME --country CC"""


def add(session: Session, slug: str, name: str, *, country: str | None = None, parent_slug: str | None = None) -> Union:
    """Add a union. Its parent must be there already, so that no union can come to contain itself.

    :param slug: what files and commands call it, see `slugs.check`.
    :param name: its full name.
    :param country: as `countries.parse` reads it; none for an international federation.
    :param parent_slug: the federation that it belongs to.
    :raises slugs.InvalidSlug: or `UnionExists`, `NamelessUnion`, `UnknownUnion` (the parent),
        `countries.UnknownCountry`: nothing was added.
    """
    slugs.check(slug)
    name = " ".join(name.split())
    if not 1 <= len(name) <= 200:
        raise NamelessUnion(slug=slug)
    union = Union(
        slug=slug,
        name=name,
        country=countries.parse(country) if country else None,
        parent=get(session, parent_slug) if parent_slug else None,
    )
    if not add_unique(session, union):
        raise UnionExists(slug=slug, name=get(session, slug).name)
    return union


def find(session: Session, slug: str) -> Union | None:
    """The union of that slug, or None."""
    return session.scalar(select(Union).where(Union.slug == slug))


def get(session: Session, slug: str) -> Union:
    """The union of that slug.

    :raises UnknownUnion: there is none.
    """
    union = find(session, slug)
    if union is None:
        raise UnknownUnion(slug=slug)
    return union


def all_unions(session: Session) -> Sequence[Union]:
    """All unions, by slug."""
    return session.scalars(select(Union).order_by(Union.slug)).all()


def ids_by_slug_or_name(session: Session) -> dict[str, int]:
    """Every slug, and every name that only one union has → the union's id. Where a slug is another's name, it
    means the slug."""
    unions = all_unions(session)
    names = [union.name for union in unions]
    by_name = {union.name: union.id for union in unions if names.count(union.name) == 1}
    return by_name | {union.slug: union.id for union in unions}


def descendants(session: Session, slugs: Iterable[str]) -> set[int]:
    """The ids of unions and of all that they contain, at any depth.

    :raises UnknownUnion: one of the slugs is no union's.
    """
    roots = [get(session, slug).id for slug in slugs]
    within = select(Union.id).where(Union.id.in_(roots)).cte("within", recursive=True)
    # UNION, not UNION ALL: it also ends where rows written by hand form a circle.
    within = within.union(select(Union.id).join(within, Union.parent_id == within.c.id))
    return set(session.scalars(select(within.c.id)))


def ancestors_by_union(session: Session) -> dict[int, frozenset[str]]:
    """Each union's id → the slugs of itself and of every federation above it."""
    above = select(Union.id, Union.slug, Union.parent_id).cte("above", recursive=True)
    above = above.union(select(above.c.id, Union.slug, Union.parent_id).join(Union, Union.id == above.c.parent_id))
    slugs_by_union: dict[int, set[str]] = {}
    for union_id, slug in session.execute(select(above.c.id, above.c.slug)):
        slugs_by_union.setdefault(union_id, set()).add(slug)
    return {union_id: frozenset(slugs) for union_id, slugs in slugs_by_union.items()}


def names_to_choose_from(session: Session, country: str | None, *, most: int) -> list[str]:
    """Names of unions for a field that offers them while somebody types: those of a country first, then by name.

    :param country: ISO 3166-1 alpha-2, of who is likely to type; None if nobody knows.
    :param most: how many names at most.
    """
    of_country = case((Union.country == (country or ""), 0), else_=1)
    by_name = select(Union.name).group_by(Union.name).order_by(func.min(of_country), Union.name).limit(most)
    return list(session.scalars(by_name))


def recognise(session: Session, text: str, country: str | None) -> int | None:
    """The id of the union that somebody means by what they typed, or None.

    :param text: a name in any case, or a slug.
    :param country: where that person lives, for a name that several unions have.
    """
    typed = _fold(text)
    named = [
        union
        for union in session.execute(select(Union.id, Union.slug, Union.name, Union.country))
        if typed in (_fold(union.name), union.slug)
    ]
    near = [union for union in named if union.country == country]
    for meant in (named, near):
        if len(meant) == 1:
            found: int = meant[0].id
            return found
    return None


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
