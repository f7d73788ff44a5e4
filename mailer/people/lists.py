"""Mailing lists: what people subscribe to and leave. One may belong to a union; the others are the organisers'."""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.locale import languages
from mailer.locale.folding import fold
from mailer.people import mailed_links
from mailer.store import slugs
from mailer.store.db import add_unique
from mailer.store.models import Campaign, MailingList, Subscription, SubscriptionStatus

# What the columns hold.
_MOST_OF_NAME = 200
_MOST_OF_DESCRIPTION = 500

_ALIKE = 0.8  # 1.0 is the same

#: what a newcomer can sign up for before there is a list, as long as nobody renames it
SAMPLE_SLUG, SAMPLE_NAME = "sample-alerts", "Sample alerts"
#: the keys of an audience that hold slugs of lists
_KEYS = ("lists", "exclude_lists")


class UnknownList(MailerError):
    """There is no list "{slug}".{hint} See all lists with `mailer lists list`, or create it: mailer lists create {slug}
    --name NAME"""


class SeveralLists(MailerError):
    """Several lists are called "{text}": {slugs}. Name one by its slug."""


class ListExists(MailerError):
    """There is already a list "{slug}", named "{name}". Use it, or choose another slug."""


class NamelessList(MailerError):
    """A list needs a name of 1 to 200 characters, as people see it: mailer lists create {slug} --name NAME"""


class LongName(MailerError):
    """The name of a list may have at most 200 characters; this one has {length}. Shorten it."""


class LongDescription(MailerError):
    """The description of a list may have at most 500 characters; this one has {length}. Say in a sentence or two what
    the list sends, and how often."""


class Untranslated(MailerError):
    """The list "{slug}" has neither a name nor a description in {language}. See what it has: mailer lists show
    {slug}"""


class ListInUse(MailerError):
    """The list "{slug}" already has people or campaigns, so it cannot change hands. Create a list for the union, and
    have people join that: mailer lists create SLUG --name NAME --owner UNION"""


class ListNotEmpty(MailerError):
    """The list "{slug}" cannot be deleted: {obstacles}. To have nobody else join it: mailer lists change
    {slug} --closed"""


class ListGone(MailerError):
    """A list that was named has just been deleted. See those that there are, and try again: mailer lists list"""


@dataclass(frozen=True, slots=True)
class Members:
    """How many people a list has, or had. They are exact: who mails a list knows them."""

    active: int = 0  # who want the mail, also while they pause it or their address cannot be reached
    waiting: int = 0  # who signed up and have not confirmed it yet
    left: int = 0


@dataclass(frozen=True, slots=True)
class Words:
    """The name or the description of a list, as one reader gets it."""

    text: str
    language: str | None  # None where it is the organisers' own: nobody said which that is


@dataclass(frozen=True, slots=True)
class Wording:
    """The name or the description of a list, for readers of all languages."""

    own: str  # as organisers wrote it; an empty description where there is none
    by_language: Mapping[str, str]

    def for_reader(self, *tags: str | None, fallbacks: Mapping[str, Sequence[str]]) -> Words:
        """What to show somebody: as `languages.nearest` finds it, else the organisers' own words.

        :param tags: languages that they read, the best first.
        :param fallbacks: language → others that its readers understand, the best first.
        """
        found = (languages.nearest(tag, self.by_language, fallbacks) for tag in tags)
        language = next(filter(None, found), None)
        return Words(self.by_language[language] if language else self.own, language)


def name_of(mailing_list: MailingList) -> Wording:
    """What a list is called."""
    return Wording(mailing_list.name, mailing_list.names)


def description_of(mailing_list: MailingList) -> Wording:
    """What comes from a list and how often."""
    return Wording(mailing_list.description or "", mailing_list.descriptions)


def create(
    session: Session,
    slug: str,
    name: str,
    *,
    description: str | None = None,
    is_open: bool = True,
    owner_id: int | None = None,
) -> MailingList:
    """Make a list.

    :param slug: what files and commands call it, see `slugs.check`.
    :param name: what people see it called.
    :param description: what comes and how often, for who may join.
    :param is_open: whether the sign-up page offers it; that of its owner, if it has one.
    :param owner_id: the union whose own list it is.
    :raises slugs.InvalidSlug: the slug is not written as slugs are.
    :raises ListExists: a list has that slug.
    :raises NamelessList: the name is empty or too long.
    :raises LongDescription: the description has more than 500 characters.
    """
    slugs.check(slug)
    mailing_list = MailingList(
        slug=slug,
        name=_checked_name(slug, name),
        description=_checked_description(description),
        is_open=is_open,
        owner_id=owner_id,
    )
    if not add_unique(session, mailing_list):
        raise ListExists(slug=slug, name=get(session, slug).name)
    return mailing_list


def change(
    session: Session, slug: str, *, name: str | None = None, description: str | None = None, is_open: bool | None = None
) -> MailingList:
    """Change what people see of a list, or whether the sign-up page offers it. Nobody is taken off it by that.

    :param name: and the others as for `create`; what is None stays as it is.
    Whatever is raised, nothing was changed.

    :raises UnknownList: no list has that slug.
    :raises NamelessList: as for `create`.
    :raises LongDescription: as for `create`.
    """
    mailing_list = get(session, slug)
    new_name = mailing_list.name if name is None else _checked_name(slug, name)
    new_description = mailing_list.description if description is None else _checked_description(description)
    mailing_list.name, mailing_list.description = new_name, new_description
    if is_open is not None:
        mailing_list.is_open = is_open
    session.flush()
    return mailing_list


def translate(
    session: Session, slug: str, language: str, *, name: str | None = None, description: str | None = None
) -> MailingList:
    """Change what a list is called, and what is said of it, for those who read a language. Whatever is raised, nothing
    was changed.

    :param language: as `languages.normalise` reads it.
    :param name: and the description: what is None stays as it is; what is empty is removed, and readers of the language
        get the list's own.
    :raises UnknownList: no list has that slug.
    :raises languages.InvalidLanguage: it is no language that we know.
    :raises LongName: the name has more than 200 characters.
    :raises LongDescription: the description has more than 500 characters.
    """
    tag = languages.normalise(language)
    new_name = name and _one_line(name)
    if new_name and len(new_name) > _MOST_OF_NAME:
        raise LongName(length=len(new_name))
    new_description = description and _checked_description(description)
    mailing_list = get(session, slug)
    # As they are now: another organiser may be translating into another language.
    session.refresh(mailing_list, with_for_update={"key_share": True})
    if name is not None:
        mailing_list.names = _with(mailing_list.names, tag, new_name)
    if description is not None:
        mailing_list.descriptions = _with(mailing_list.descriptions, tag, new_description)
    session.flush()
    return mailing_list


def _with(words: Mapping[str, str], language: str, new: str | None) -> dict[str, str]:
    others = {tag: text for tag, text in words.items() if tag != language}
    return others | {language: new} if new else others


def drop_translation(session: Session, slug: str, language: str) -> MailingList:
    """Remove what a list is called, and what is said of it, in a language.

    :raises UnknownList: no list has that slug.
    :raises languages.InvalidLanguage: it is no language that we know.
    :raises Untranslated: there is nothing in it.
    """
    mailing_list, tag = get(session, slug), languages.normalise(language)
    if tag not in translated_into(mailing_list):
        raise Untranslated(slug=slug, language=tag)
    return translate(session, slug, tag, name="", description="")


def translated_into(mailing_list: MailingList) -> list[str]:
    """The languages in which a list has a name or a description."""
    return sorted({*mailing_list.names, *mailing_list.descriptions})


def hand_over(session: Session, slug: str, owner_id: int | None) -> MailingList:
    """Give a list to a union, or back to the organisers, who see everything anyway.

    :raises UnknownList: there is none.
    :raises ListInUse: a union would get to see people who never joined its list.
    """
    mailing_list = get(session, slug)
    if owner_id not in (None, mailing_list.owner_id) and _is_in_use(session, mailing_list):
        raise ListInUse(slug=slug)
    mailing_list.owner_id = owner_id
    session.flush()
    return mailing_list


def close_sample(session: Session) -> bool:
    """Have the sample list leave the sign-up page if another list of ours is on it. Who is on it stays, and it can be
    opened again.

    :returns: whether it left.
    """
    offered = {each.slug: each for each in open_lists(session)}
    sample = offered.get(SAMPLE_SLUG)
    if sample is None or sample.name != SAMPLE_NAME or len(offered) == 1:
        return False
    sample.is_open = False
    session.flush()
    return True


def members(session: Session) -> Mapping[int, Members]:
    """How many people each list has: its id → them. A list without any is missing."""
    counted: Counter[tuple[int, SubscriptionStatus]] = Counter()
    counts = select(Subscription.list_id, Subscription.status, func.count())
    for list_id, status, number in session.execute(counts.group_by(Subscription.list_id, Subscription.status)):
        counted[list_id, status] = number
    waiting = mailed_links.lists_waited_for(session)
    return {
        list_id: Members(
            active=counted[list_id, SubscriptionStatus.ACTIVE],
            waiting=counted[list_id, SubscriptionStatus.PENDING] + waiting[list_id],
            left=counted[list_id, SubscriptionStatus.UNSUBSCRIBED],
        )
        for list_id in {list_id for list_id, _ in counted} | set(waiting)
    }


def require_empty(session: Session, slug: str) -> MailingList:
    """The list of that slug, if it can be deleted.

    :raises UnknownList: there is none.
    :raises ListNotEmpty: it has people, or had some, or campaigns name it.
    """
    mailing_list = get(session, slug)
    if obstacles := list(_obstacles(session, mailing_list)):
        raise ListNotEmpty(slug=slug, obstacles="; ".join(obstacles))
    return mailing_list


def delete(session: Session, slug: str) -> None:
    """Delete a list that nobody is or was on, and that no campaign names.

    :raises UnknownList: there is none.
    :raises ListNotEmpty: as `require_empty`.
    """
    # Who puts somebody on it at this moment refers to its row, or holds it: what comes first is seen, what comes second
    # is refused.
    session.execute(select(MailingList.id).where(MailingList.slug == slug).with_for_update())
    session.delete(require_empty(session, slug))
    session.flush()


def hold(session: Session, list_ids: Collection[int]) -> None:
    """Keep lists from being deleted until the transaction ends: for what names them, and does not refer to their rows.

    :raises ListGone: one of them was deleted a moment ago.
    """
    held = select(MailingList.id).where(MailingList.id.in_(list_ids)).order_by(MailingList.id)
    if len(session.scalars(held.with_for_update(read=True, key_share=True)).all()) < len(set(list_ids)):
        raise ListGone


def _obstacles(session: Session, mailing_list: MailingList) -> Iterator[str]:
    """What keeps a list from being deleted, in words."""
    found = members(session).get(mailing_list.id, Members())
    for number, one, several in (
        (found.active, "person is on it", "people are on it"),
        (found.waiting, "person waits to confirm a sign-up", "people wait to confirm a sign-up"),
        (found.left, "person left it", "people left it"),
    ):
        if number:
            yield f"{number:,} {one if number == 1 else several}"
    if found.left:
        yield "who left is remembered, so that no import brings them back"
    campaigns = session.scalars(select(Campaign).where(Campaign.list_id.is_not(None)).order_by(Campaign.slug)).all()
    if going := [each.slug for each in campaigns if each.list_id == mailing_list.id]:
        yield f"campaigns go to it: {', '.join(going)}"
    slug = mailing_list.slug
    if naming := [each.slug for each in campaigns if any(slug in each.audience.get(key, ()) for key in _KEYS)]:
        yield f"campaigns name it in their audience: {', '.join(naming)}"


def _is_in_use(session: Session, mailing_list: MailingList) -> bool:
    has_people = exists().where(Subscription.list_id == mailing_list.id)
    has_campaigns = exists().where(Campaign.list_id == mailing_list.id)
    return bool(session.scalar(select(or_(has_people, has_campaigns))))


def _checked_name(slug: str, name: str) -> str:
    name = _one_line(name)
    if not 1 <= len(name) <= _MOST_OF_NAME:
        raise NamelessList(slug=slug)
    return name


def _one_line(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


def _checked_description(description: str | None) -> str | None:
    description = " ".join((description or "").split())
    if len(description) > _MOST_OF_DESCRIPTION:
        raise LongDescription(length=len(description))
    return description or None


def find(session: Session, slug: str) -> MailingList | None:
    """The list of that slug, or None."""
    return session.scalar(select(MailingList).where(MailingList.slug == slug))


def get(session: Session, slug: str) -> MailingList:
    """The list of that slug.

    :raises UnknownList: there is none.
    """
    mailing_list = find(session, slug)
    if mailing_list is None:
        raise UnknownList(slug=slug, hint=_suggestion(session, slug))
    return mailing_list


def _suggestion(session: Session, text: str) -> str:
    spellings = {fold(spelling): each for each in all_lists(session) for spelling in (each.name, each.slug)}
    near = get_close_matches(fold(text), spellings, n=1, cutoff=_ALIKE)
    return f' Did you mean {spellings[near[0]].slug}, "{spellings[near[0]].name}"?' if near else ""


def named(session: Session, text: str, *, is_held: bool = True) -> MailingList:
    """The list that a file means by a slug, or by a slug or name as `fold` compares them.

    :param is_held: nobody deletes it until the transaction ends.
    :raises UnknownList: there is none.
    :raises SeveralLists: there are several.
    :raises ListGone: as `hold`.
    """
    exact = find(session, text)
    alike = (
        [exact] if exact else [each for each in all_lists(session) if fold(text) in (fold(each.name), fold(each.slug))]
    )
    if len(alike) > 1:
        raise SeveralLists(text=text, slugs=", ".join(each.slug for each in alike))
    found = alike[0] if alike else get(session, text)
    if is_held:
        hold(session, [found.id])
    return found


def all_lists(session: Session) -> Sequence[MailingList]:
    """All lists, by slug."""
    return session.scalars(select(MailingList).order_by(MailingList.slug)).all()


def open_lists(session: Session, *, owner_id: int | None = None) -> Sequence[MailingList]:
    """The lists that a sign-up page offers, by slug: those that are open and belong to no union.

    :param owner_id: of the union in whose name the page is; its own lists are offered there too, and nowhere else.
    """
    is_offered = or_(MailingList.owner_id.is_(None), MailingList.owner_id == owner_id)
    return session.scalars(select(MailingList).where(MailingList.is_open, is_offered).order_by(MailingList.slug)).all()
