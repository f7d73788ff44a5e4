"""Trade unions and the federations above them."""

import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.formats import logos
from mailer.locale import countries
from mailer.locale import languages as language_tags
from mailer.locale.folding import ASCII_FOR, fold
from mailer.people import notices
from mailer.store import db, slugs
from mailer.store.db import add_unique, utctoday
from mailer.store.models import Union, UnionStatus
from mailer.unions import references
from mailer.unions.recognition import KnownUnions

# What the columns hold, and what a page or a kit has room for.
_MOST_OF_NAME = 200
_MOST_MEMBERS = 999_999_999
_MOST_LANGUAGES = 20
_MOST_OF_INTRODUCTION = 1000
_MOST_OF_RESOLUTION = 2000

_LOCK = 0x7EE  # any number that nothing else in the database locks

#: what the slug of a union that asked not to be named looks like: made of its name, it would tell it
_RANDOM_SLUG = re.compile(r"unnamed-[0-9a-f]{12}")

#: the column that keeps when a union came to stand where it does
_DATE_OF: Mapping[UnionStatus, str] = MappingProxyType(
    {
        UnionStatus.INTERESTED: "interested_at",
        UnionStatus.AFFILIATED: "affiliated_at",
        UnionStatus.LAPSED: "lapsed_at",
    }
)


class UnknownUnion(MailerError):
    """There is no union "{slug}".{hint} See all with `mailer unions list`, or add it: mailer unions add {slug} --name
    NAME --country CC"""


class SeveralUnions(MailerError):
    """Several unions are called "{text}": {slugs}. Name one by its slug."""


class UnionExists(MailerError):
    """There is already a union "{slug}", named "{name}". Choose another slug."""


class NamelessUnion(MailerError):
    """A union needs a name of 1 to 200 characters: mailer unions add {slug} --name NAME --country CC"""


class CircularFederation(MailerError):
    """The union "{slug}" cannot belong to "{parent}", which is the same union or belongs to it. Name another parent."""


class ImplausibleSize(MailerError):
    """A union cannot have {members} members. Give about how many it has, from 1 to 999,999,999."""


class TooManyLanguages(MailerError):
    """A union can have at most 20 languages; these are {number}. Name those that most of its members read."""


class UnusableText(MailerError):
    """The {text} {problem}. Write it as plain text of at most {most} characters."""


class SluglessUnion(MailerError):
    """No short name can be made of "{name}". Choose one with --as SLUG, such as --as dockers-gb."""


class TellingSlug(MailerError):
    """The union "{slug}" asked not to be named, so its short name is random and cannot be chosen. If it may be named
    now, add --named."""


class BeyondInterest(MailerError):
    """The union "{slug}" is already {status}. Only a listed union can become interested."""


def add(
    session: Session,
    slug: str,
    name: str,
    *,
    country: str | None = None,
    parent_slug: str | None = None,
    status: UnionStatus = UnionStatus.LISTED,
    languages: Sequence[str] = (),
    members: int | None = None,
    is_named: bool = True,
) -> Union:
    """Add a union. Its parent must be there already, so that no union can come to contain itself.

    :param slug: what files and commands call it, see `slugs.check`. Of a union that asked not to be named it is random
        instead: see the slug of what is returned.
    :param name: its full name.
    :param country: as `countries.parse` reads it; none for an international federation.
    :param parent_slug: the federation that it belongs to.
    :param status: where it stands with us, as of now.
    :param languages: as `languages.normalise` reads them, the one that most members read first.
    :param members: about how many it has.
    :param is_named: whether the public may see that it has to do with us.
    :raises slugs.InvalidSlug: the slug is not written as slugs are.
    :raises UnionExists: a union has that slug.
    :raises NamelessUnion: the name is empty or too long.
    :raises UnknownUnion: no union has the slug of the parent.
    :raises ImplausibleSize: no union has that many members.
    :raises TooManyLanguages: there are more than 20.
    :raises countries.UnknownCountry: it is no country that we know.
    :raises languages.InvalidLanguage: it is no language that we know.
    """
    slugs.check(slug)
    union = Union(
        slug=slug if is_named else _telling_nothing(slug),
        name=_checked_name(slug, name),
        country=countries.parse(country) if country else None,
        parent=get(session, parent_slug) if parent_slug else None,
        languages=_checked_languages(languages),
        members=_checked_members(members) if members is not None else None,
        is_named=is_named,
        introductions={},
    )
    if not add_unique(session, move(union, status)):
        raise UnionExists(slug=union.slug, name=get(session, union.slug).name)
    return union


def random_slug() -> str:
    """A slug that tells nothing."""
    return f"unnamed-{secrets.token_hex(6)}"


def _telling_nothing(slug: str) -> str:
    """A slug in place of one that may tell a name; one that was random already stays, also in a file that another
    installation exported."""
    return slug if _RANDOM_SLUG.fullmatch(slug) else random_slug()


def change(
    session: Session,
    slug: str,
    *,
    new_slug: str | None = None,
    name: str | None = None,
    country: str | None = None,
    parent_slug: str | None = None,
    languages: Sequence[str] | None = None,
    members: int | None = None,
    is_named: bool | None = None,
    resolution: str | None = None,
) -> Union:
    """Change what is known of a union. What is None stays as it is.

    One that asks not to be named gets a random slug, because its own was made of its name. Campaigns that mean it by
    its slug go on meaning it; its join page is gone.

    :param new_slug: what files and commands call it from now on, see `slugs.check`.
    :param name: and the others as for `add`. An empty country, parent, choice of languages or resolution, and 0
        members, mean that it has none, or that nobody knows.
    :param resolution: by which it affiliated, as `checked_resolution` takes it.
    Whatever is raised, nothing was changed.

    :returns: the union, whose slug may have changed.
    :raises UnknownUnion: no union has that slug, or that of the parent.
    :raises TellingSlug: a slug was chosen for a union that asked not to be named.
    :raises slugs.InvalidSlug: the new slug is not written as slugs are.
    :raises UnionExists: a union has the new slug.
    :raises CircularFederation: the parent is the union itself, or belongs to it.
    :raises UnusableText: the resolution is no plain text, or too long.
    :raises NamelessUnion: as for `add`.
    :raises ImplausibleSize: as for `add`.
    :raises TooManyLanguages: as for `add`.
    :raises countries.UnknownCountry: as for `add`.
    :raises languages.InvalidLanguage: as for `add`.
    """
    union = get(session, slug)
    printed = _printed(union)
    becomes_named = union.is_named if is_named is None else is_named
    slug_from_now = _new_slug(session, union, new_slug, is_named=becomes_named)
    new_name = union.name if name is None else _checked_name(slug, name)
    new_country = union.country if country is None else countries.parse(country) if country else None
    new_languages = union.languages if languages is None else _checked_languages(languages)
    new_members = union.members if members is None else _checked_members(members) if members else None
    new_resolution = union.resolution if resolution is None else checked_resolution(resolution) if resolution else None
    if parent_slug is not None:
        _put_under(session, union, parent_slug)
    union.name, union.country, union.languages, union.members = new_name, new_country, new_languages, new_members
    union.resolution = new_resolution
    if union.is_named and not becomes_named:
        notices.drop_name_of_union(session, union.id)
    union.is_named = becomes_named
    if slug_from_now != union.slug:
        references.rename(session, union.slug, slug_from_now)
        union.slug = slug_from_now
    if _printed(union) != printed:
        _count_change(union)
    session.flush()
    return union


def _new_slug(session: Session, union: Union, wanted: str | None, *, is_named: bool) -> str:
    if not is_named:
        if wanted is not None:
            raise TellingSlug(slug=union.slug)
        return _telling_nothing(union.slug) if union.is_named else union.slug
    if wanted is None or wanted == union.slug:
        return union.slug
    slugs.check(wanted)
    if (other := find(session, wanted)) is not None:
        raise UnionExists(slug=wanted, name=other.name)
    return wanted


def _printed(union: Union) -> tuple[object, ...]:
    """What of a union its kits depend on, but for its logo and words."""
    return union.name, union.slug, union.country, union.parent_id, union.is_named


def _count_change(union: Union) -> None:
    """Have the kits made again that print something of a union: `kits.making` finds those of an earlier revision."""
    union.revision = Union.revision + 1  # in the database: of two changes at once, none may be lost


def _put_under(session: Session, union: Union, parent_slug: str) -> None:
    db.lock(session, _LOCK)  # two who each put one union under the other would make a circle
    parent = get(session, parent_slug) if parent_slug else None
    if parent is not None and parent.id in descendants(session, [union.slug]):
        raise CircularFederation(slug=union.slug, parent=parent.slug)
    union.parent = parent
    session.flush()


def note_interest(session: Session, slug: str) -> Union:
    """Write down that a union said that it may affiliate.

    :raises UnknownUnion: no union has that slug.
    :raises BeyondInterest: the union is more than listed already; nothing was changed.
    """
    union = lock_row(session, slug)
    if union.status is not UnionStatus.LISTED:
        raise BeyondInterest(slug=slug, status=union.status)
    return move(union, UnionStatus.INTERESTED)


def introduce(session: Session, slug: str, language: str, words: str | None) -> None:
    """Set what stands above an alert in the kits of a union in a language, in its own words; None for nothing.

    :param language: as `languages.normalise` reads it.
    :param words: plain text; an empty line parts paragraphs.
    Whatever is raised, nothing was changed.

    :raises UnknownUnion: no union has that slug.
    :raises languages.InvalidLanguage: it is no language that we know.
    :raises UnusableText: the words are no plain text, or too long.
    """
    union = get(session, slug)
    tag = language_tags.normalise(language)
    others = {known: text for known, text in union.introductions.items() if known != tag}
    own = {} if words is None else {tag: _checked_text("introduction", words, most=_MOST_OF_INTRODUCTION)}
    union.introductions = others | own
    _count_change(union)
    session.flush()


def set_logo(session: Session, slug: str, picture: bytes | None) -> None:
    """Set the logo that a union's kits carry; None for none.

    :param picture: as `logos.read` takes it.
    :raises UnknownUnion: no union has that slug.
    :raises logos.UnusableLogo: as `logos.read` says; nothing was changed.
    """
    union = get(session, slug)
    union.logo = logos.read(picture) if picture is not None else None
    _count_change(union)
    session.flush()


def checked_resolution(text: str) -> str:
    """The words of a resolution as they are stored.

    :raises UnusableText: they are empty, too long or not plain text.
    """
    return _checked_text("resolution", text, most=_MOST_OF_RESOLUTION)


def _checked_name(slug: str, name: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not 1 <= len(name) <= _MOST_OF_NAME:
        raise NamelessUnion(slug=slug)
    return name


def _checked_languages(languages: Sequence[str]) -> list[str]:
    tags = list(dict.fromkeys(map(language_tags.normalise, languages)))
    if len(tags) > _MOST_LANGUAGES:
        raise TooManyLanguages(number=len(tags))
    return tags


def _checked_members(members: int) -> int:
    if not 1 <= members <= _MOST_MEMBERS:
        raise ImplausibleSize(members=members)
    return members


def _checked_text(which: str, text: str, *, most: int) -> str:
    lines = unicodedata.normalize("NFC", text).strip().splitlines()
    plain = "\n".join(line.rstrip() for line in lines)
    if not plain:
        raise UnusableText(text=which, problem="is empty", most=most)
    if len(plain) > most:
        raise UnusableText(text=which, problem=f"has {len(plain):,} characters", most=most)
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in plain if char not in "\n\t"):
        raise UnusableText(text=which, problem="has control characters in it", most=most)
    return plain


def find(session: Session, slug: str) -> Union | None:
    """The union of that slug, or None."""
    return session.scalar(select(Union).where(Union.slug == slug))


def find_named(session: Session, slug: str) -> Union | None:
    """The union of that slug, or None also where it asked not to be named: for what the public sees."""
    union = find(session, slug)
    return union if union is not None and union.is_named else None


def get(session: Session, slug: str) -> Union:
    """The union of that slug.

    :raises UnknownUnion: there is none.
    """
    union = find(session, slug)
    if union is None:
        raise UnknownUnion(slug=slug, hint=KnownUnions(session).suggestion(slug))
    return union


def named(session: Session, text: str) -> Union:
    """The union that a file means by a slug, or by a slug or name as `folding.fold` compares them.

    :raises UnknownUnion: there is none.
    :raises SeveralUnions: there are several.
    """
    known = KnownUnions(session)
    if known.of_slug(text) is not None:
        return get(session, text)
    alike = known.alike(text)
    if len(alike) > 1:
        raise SeveralUnions(text=text, slugs=", ".join(union.slug for union in alike))
    return get(session, alike[0].slug if alike else text)


def lock_row(session: Session, slug: str) -> Union:
    """Likewise, and nobody else changes it until this transaction ends."""
    get(session, slug)
    held = select(Union).where(Union.slug == slug).with_for_update(key_share=True)
    return session.scalars(held.execution_options(populate_existing=True)).one()


def move(union: Union, status: UnionStatus) -> Union:
    """Give a union another status from now on. Whether it may have it is for `affiliation` to say."""
    union.status = status
    if status in _DATE_OF:
        setattr(union, _DATE_OF[status], utctoday())
    return union


def slug_of(name: str) -> str:
    """A short name made of a name in Latin letters.

    :raises SluglessUnion: it has letters that mean nothing without their script, or none at all.
    """
    folded = unicodedata.normalize("NFKD", name.casefold().translate(ASCII_FOR))
    bare = "".join(char for char in folded if not unicodedata.combining(char))
    words = "".join(char if char.isalnum() else " " for char in bare.replace("'", "").replace("’", "")).split()
    slug = "-".join(words)[: slugs.MAX_LENGTH].strip("-")
    if not slug or not slug.isascii():
        raise SluglessUnion(name=name)
    return slug


def all_unions(session: Session) -> Sequence[Union]:
    """All unions, by slug."""
    return session.scalars(select(Union).order_by(Union.slug)).all()


def printable_names(session: Session) -> dict[int, str]:
    """What mails call unions: each id → its name. One that asked not to be named is missing: a mail gets forwarded."""
    return {union.id: union.name for union in session.execute(select(Union.id, Union.name).where(Union.is_named))}


def children(session: Session, union: Union) -> Sequence[Union]:
    """The unions that belong to a federation directly, by slug."""
    return session.scalars(select(Union).where(Union.parent_id == union.id).order_by(Union.slug)).all()


def of_name(session: Session, name: str) -> Sequence[Union]:
    """All unions of a name, however it is written (see `folding.fold`), by slug."""
    return [union for union in all_unions(session) if fold(union.name) == fold(name)]


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
    """Names of unions for a field that offers them while somebody types: those of a country first, then by name. Those
    that asked not to be named are not among them.

    :param country: ISO 3166-1 alpha-2, of who is likely to type; None if nobody knows.
    :param most: how many names at most.
    """
    named = session.execute(select(Union.name, Union.country).where(Union.is_named)).all()
    near = {union.name for union in named if country is not None and union.country == country}
    return sorted({union.name for union in named}, key=lambda name: (name not in near, name))[:most]


def recognise(session: Session, text: str, country: str | None) -> int | None:
    """The id of the union that somebody means by what they typed, or None; None too for one that asked not to be
    named, else anybody could try names and see.

    :param text: a name or a slug, as `folding.fold` compares them.
    :param country: where that person lives, for a name that several unions have.
    """
    named = [union for union in KnownUnions(session).alike(text, country) if union.is_named]
    return named[0].id if len(named) == 1 else None
