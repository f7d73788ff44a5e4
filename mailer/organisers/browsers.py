"""Browsers that are known: in which somebody has signed in before. They get in whatever strangers try, see `attempts`;
they spare nobody the password or the second factor."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from mailer.organisers.desk_sessions import hash_of
from mailer.store.db import utcnow
from mailer.store.models import KnownBrowser

#: how long one is known that nobody signs in with
KEPT = timedelta(days=180)
_SECRET_BYTES = 32


def find(session: Session, account_id: int, secret: str | None) -> int | None:
    """The id of a browser that is known as one of somebody's.

    :param secret: what its lasting cookie holds.
    """
    known = select(KnownBrowser.id).where(
        KnownBrowser.secret_hash == hash_of(secret or ""), KnownBrowser.account_id == account_id
    )
    return session.scalars(known).one_or_none()


def know(session: Session, account_id: int, secret: str | None, *, at: datetime) -> str:
    """Know a browser from now on.

    :param secret: what its lasting cookie holds already.
    :returns: what it is to hold: the same, if it was known as one of this account's.
    """
    browser_id = find(session, account_id, secret)
    if browser_id is not None and secret is not None:
        session.execute(update(KnownBrowser).where(KnownBrowser.id == browser_id).values(used_at=at))
        return secret
    new = secrets.token_urlsafe(_SECRET_BYTES)
    session.add(KnownBrowser(account_id=account_id, secret_hash=hash_of(new), used_at=at))
    session.flush()
    return new


def forget_all(session: Session, account_id: int) -> None:
    """Know none of somebody's browsers any more: somebody else may have one."""
    session.execute(delete(KnownBrowser).where(KnownBrowser.account_id == account_id))


def forget_old(session: Session) -> None:
    """Delete those in which nobody has signed in for half a year."""
    session.execute(delete(KnownBrowser).where(KnownBrowser.used_at < utcnow() - KEPT))
