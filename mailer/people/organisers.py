"""Organisers: who of them hears by mail what happens."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from sqlalchemy.orm import Session

from mailer.people import notices
from mailer.people.notices import Notice


@dataclass(frozen=True, slots=True)
class Organisers:
    """Who hears by mail what happens, and how. By default nobody does."""

    addresses: tuple[str, ...] = ()
    language: str = "en"  # one of the site's
    zone: tzinfo = UTC  # whose morning and whose days count


NOBODY = Organisers()


def tell(session: Session, organisers: Organisers, notice: Notice, *, not_before: datetime | None = None) -> None:
    """Owe each of them a mail, in the transaction of what it is about: neither is lost without the other.

    :param not_before: when it is sent; by default at once.
    """
    for address in organisers.addresses:
        notices.owe(session, notice, language=organisers.language, address=address, not_before=not_before)
