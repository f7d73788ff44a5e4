"""Generations of a union's links: those to its kits and its results work until the union's links are replaced."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from mailer import links
from mailer.errors import MailerError
from mailer.people import notices
from mailer.people.notices import Notice
from mailer.store.crypto import keyring_of
from mailer.store.models import Union


class ReplacedLink(MailerError):
    """This link was replaced. The union's contacts were mailed a new one."""


def require_current(union: Union | None, generation: int) -> None:
    """Insist that a link is not of an earlier generation.

    :param union: whose link it is; None for a kit that is nobody's.
    :raises ReplacedLink: the union's links were replaced since.
    """
    if union is not None and generation < union.link_generation:
        raise ReplacedLink


def begin_next(session: Session, union: Union) -> None:
    """Let no link to a union's kits and results work that was made until now. Mail that waits to be sent gets new
    ones."""
    raised = update(Union).where(Union.id == union.id).values(link_generation=Union.link_generation + 1)
    session.execute(raised)
    session.refresh(union)
    keyring, generation = keyring_of(session), union.link_generation

    def renewed(notice: Notice) -> Notice:
        return notice.saying({word: links.renewed(keyring, said, generation) for word, said in notice.words.items()})

    notices.rewrite_waiting(session, renewed, union_id=union.id)
