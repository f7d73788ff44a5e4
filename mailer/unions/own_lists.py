"""Unions' own lists. Mails show the name of a list: it must not tell of a union that asked not to be named."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.locale.folding import fold
from mailer.store.models import MailingList, Union


class TellingList(MailerError):
    """The union that owns the list "{slug}" asked not to be named, but "{words}" names it. Choose words that do not
    tell which union it is: they stand in mails, which get forwarded."""


def is_of_unnamed(session: Session, mailing_list: MailingList, *chosen: str | None) -> bool:
    """Whether a list belongs to a union that asked not to be named. Its organiser is then to be told what the list's
    name must not tell.

    :param chosen: what of the list has just been chosen: its slug, name or description.
    :raises TellingList: that names the union.
    """
    owner = session.get(Union, mailing_list.owner_id) if mailing_list.owner_id is not None else None
    if owner is None or owner.is_named:
        return False
    for words in chosen:
        if any(_as_words(name) in _as_words(words or "") for name in (owner.name, owner.slug)):
            raise TellingList(slug=mailing_list.slug, words=words)
    return True


def _as_words(text: str) -> str:
    """A text as whole words, however they are written and parted."""
    return f" {fold(text)} "


def of_union(session: Session, union: Union) -> Sequence[MailingList]:
    """The lists that a union owns, by slug."""
    return session.scalars(select(MailingList).where(MailingList.owner_id == union.id).order_by(MailingList.slug)).all()
