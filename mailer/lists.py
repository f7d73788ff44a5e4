"""Mailing lists: what people subscribe to and leave."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import slugs
from mailer.db import add_unique
from mailer.errors import MailerError
from mailer.models import MailingList

# What the columns hold.
_MOST_OF_NAME = 200
_MOST_OF_DESCRIPTION = 500


class UnknownList(MailerError):
    """There is no list "{slug}". See what there is with `mailer lists list`, or make it: mailer lists create {slug}
    --name NAME"""


class ListExists(MailerError):
    """There is a list "{slug}" already, named "{name}". Choose another slug."""


class NamelessList(MailerError):
    """A list needs a name of 1 to 200 characters, as people see it: mailer lists create {slug} --name NAME"""


class LongDescription(MailerError):
    """The description of a list may have 500 characters, and this one has {length}. Say in a sentence or two what
    comes, and how often."""


def create(
    session: Session, slug: str, name: str, *, description: str | None = None, is_open: bool = True
) -> MailingList:
    """Make a list.

    :param slug: what files and commands call it, see `slugs.check`.
    :param name: what people see it called.
    :param description: what comes and how often, for who may join.
    :param is_open: whether the sign-up page offers it.
    :raises slugs.InvalidSlug: or `ListExists`, `NamelessList`, `LongDescription`: nothing was made.
    """
    slugs.check(slug)
    mailing_list = MailingList(
        slug=slug, name=_checked_name(slug, name), description=_checked_description(description), is_open=is_open
    )
    if not add_unique(session, mailing_list):
        raise ListExists(slug=slug, name=get(session, slug).name)
    return mailing_list


def change(
    session: Session, slug: str, *, name: str | None = None, description: str | None = None, is_open: bool | None = None
) -> MailingList:
    """Change what people see of a list, or whether the sign-up page offers it. Nobody is taken off it by that.

    :param name: and the others as for `create`; what is None stays as it is.
    :raises UnknownList: or `NamelessList`, `LongDescription`: nothing was changed.
    """
    mailing_list = get(session, slug)
    new_name = mailing_list.name if name is None else _checked_name(slug, name)
    new_description = mailing_list.description if description is None else _checked_description(description)
    mailing_list.name, mailing_list.description = new_name, new_description
    if is_open is not None:
        mailing_list.is_open = is_open
    session.flush()
    return mailing_list


def _checked_name(slug: str, name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= _MOST_OF_NAME:
        raise NamelessList(slug=slug)
    return name


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
        raise UnknownList(slug=slug)
    return mailing_list


def all_lists(session: Session) -> Sequence[MailingList]:
    """All lists, by slug."""
    return session.scalars(select(MailingList).order_by(MailingList.slug)).all()


def open_lists(session: Session) -> Sequence[MailingList]:
    """The lists that the sign-up page offers, by slug."""
    return session.scalars(select(MailingList).where(MailingList.is_open).order_by(MailingList.slug)).all()
