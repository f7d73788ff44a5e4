"""Mailing lists: what people subscribe to and leave."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import slugs
from mailer.db import add_unique
from mailer.errors import MailerError
from mailer.models import MailingList


class UnknownList(MailerError):
    """There is no list "{slug}". See what there is with `mailer lists list`, or make it: mailer lists create {slug}
    --name NAME"""


class ListExists(MailerError):
    """There is a list "{slug}" already, named "{name}". Choose another slug."""


class NamelessList(MailerError):
    """A list needs a name of 1 to 200 characters, as people see it: mailer lists create {slug} --name NAME"""


def create(session: Session, slug: str, name: str) -> MailingList:
    """Make a list.

    :param slug: what files and commands call it, see `slugs.check`.
    :param name: what people see it called.
    :raises slugs.InvalidSlug: or `ListExists`, `NamelessList`: nothing was made.
    """
    slugs.check(slug)
    name = " ".join(name.split())
    if not 1 <= len(name) <= 200:
        raise NamelessList(slug=slug)
    mailing_list = MailingList(slug=slug, name=name)
    if not add_unique(session, mailing_list):
        raise ListExists(slug=slug, name=get(session, slug).name)
    return mailing_list


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
