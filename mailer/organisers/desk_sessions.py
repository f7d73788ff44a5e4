"""Sessions of the desk: the browsers in which somebody is signed in.

The cookie holds 256 random bits, and the database their hash alone: whoever reads it can sign in nowhere.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, contains_eager

from mailer.store import audit
from mailer.store.db import utcnow
from mailer.store.models import Account, AuditActor, DeskSession, KnownBrowser

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
#: how long password and second factor count as just given
FRESH = timedelta(minutes=5)
#: how often it is written down that a session is used
_NOTED_EVERY = timedelta(minutes=1)
_SECRET_BYTES = 32
_LONGEST_SECRET = 200  # characters of a cookie that are worth hashing


@dataclass(frozen=True, slots=True)
class Started:
    """A session that was just begun."""

    secret: str  # for the cookie; it is kept nowhere else
    desk_session: DeskSession


def start(
    session: Session, account_id: int, *, at: datetime, network: str | None = None, browser: str | None = None
) -> Started:
    """Begin a session for somebody who has proven who they are.

    :param network: from where, as its owner is to recognise it; :param browser: in what, likewise.
    """
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    counted = update(Account).where(Account.id == account_id).values(sessions_begun=Account.sessions_begun + 1)
    number = session.execute(
        counted.returning(Account.sessions_begun), execution_options={"synchronize_session": False}
    ).scalar_one()
    desk_session = DeskSession(
        account_id=account_id,
        secret_hash=hash_of(secret),
        label=str(number),
        network=network,
        browser=browser,
        created_at=at,
        used_at=at,
        proven_at=at,
    )
    session.add(desk_session)
    session.flush()
    return Started(secret, desk_session)


def find(session: Session, secret: str, *, at: datetime) -> DeskSession | None:
    """The session that a cookie belongs to, with its account; None once it has ended. To look extends nothing.

    :param secret: whatever the cookie holds.
    """
    if not secret or len(secret) > _LONGEST_SECRET:
        return None
    found = _open_ones(at).where(DeskSession.secret_hash == hash_of(secret))
    return session.scalars(found).one_or_none()


def touch(session: Session, desk_session_id: int, *, at: datetime) -> None:
    """Note that a person used a session, at most once a minute. Not for pages that ask by themselves."""
    noted_before = (DeskSession.id == desk_session_id, DeskSession.used_at <= at - _NOTED_EVERY)
    session.execute(update(DeskSession).where(*noted_before, _is_open(at)).values(used_at=at))


def keep(session: Session, desk_session_id: int, form: Any) -> None:
    """Keep a form that was sent when something came between, so that it can be filled in again.

    :param form: what JSON can hold; None once it was taken.
    """
    session.execute(update(DeskSession).where(DeskSession.id == desk_session_id).values(kept=form))


def prove(session: Session, desk_session_id: int, *, at: datetime) -> str | None:
    """Note that somebody gave password and second factor anew, and give the session another secret: whoever has the old
    one is out.

    :returns: the secret; None if the session has ended.
    """
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    values = {"secret_hash": hash_of(secret), "proven_at": at, "used_at": at}
    proven = update(DeskSession).where(DeskSession.id == desk_session_id).values(values).returning(DeskSession.id)
    return None if session.execute(proven).scalar_one_or_none() is None else secret


def is_fresh(desk_session: DeskSession, at: datetime) -> bool:
    """Whether password and second factor were given in the last five minutes."""
    return at - desk_session.proven_at < FRESH


def end(session: Session, desk_session_id: int) -> None:
    """Sign out."""
    session.execute(delete(DeskSession).where(DeskSession.id == desk_session_id))


def end_all(session: Session, account_id: int, *, but: int | None = None) -> int:
    """Sign somebody out everywhere.

    :param but: the id of a session that goes on.
    :returns: how many have ended.
    """
    theirs = delete(DeskSession).where(DeskSession.account_id == account_id)
    if but is not None:
        theirs = theirs.where(DeskSession.id != but)
    return len(session.scalars(theirs.returning(DeskSession.id)).all())


def of_account(session: Session, account_id: int, *, at: datetime | None = None) -> Sequence[DeskSession]:
    """Where somebody is signed in, the last used first.

    :param at: by default now.
    """
    theirs = _open_ones(at or utcnow()).where(DeskSession.account_id == account_id)
    return session.scalars(theirs.order_by(DeskSession.used_at.desc(), DeskSession.id.desc())).all()


def last_seen(session: Session) -> dict[int, datetime]:
    """Account id → when its owner last signed in, or used a session that goes on; as long as that is known."""
    seen: dict[int, datetime] = {}
    for account_id, used_at in (
        (KnownBrowser.account_id, KnownBrowser.used_at),
        (DeskSession.account_id, DeskSession.used_at),
    ):
        for owner, at in session.execute(select(account_id, func.max(used_at)).group_by(account_id)):
            seen[owner] = max(at, seen.get(owner, at))
    return seen


def forget_ended(session: Session) -> None:
    """Delete sessions that ran out."""
    session.execute(delete(DeskSession).where(~_is_open(utcnow())))


def _is_open(at: datetime) -> ColumnElement[bool]:
    return and_(DeskSession.used_at > at - IDLE, DeskSession.created_at > at - LONGEST)


def is_let_in(at: datetime) -> ColumnElement[bool]:
    """Whether somebody is signed in: to ask of sessions that are joined with their accounts."""
    return and_(_is_open(at), or_(Account.disabled_at.is_(None), Account.disabled_at > at))


def _open_ones(at: datetime) -> Select[DeskSession]:
    return (
        select(DeskSession)
        .join(DeskSession.account)
        .where(is_let_in(at))
        .options(contains_eager(DeskSession.account).selectinload(Account.roles))
    )


def who(desk_session: DeskSession) -> audit.Who:
    """Whom the audit log names for what is done in a session."""
    return audit.Who(AuditActor.ACCOUNT, desk_session.account_id, desk_session.label)


def once(desk_session: DeskSession) -> str:
    """What no other session is ever called; a fresh proof does not change it. A row's id will not do: SQLite gives that
    of a session that has ended to the next."""
    begun = desk_session.created_at.isoformat()
    return f"{desk_session.account_id} {desk_session.label} {begun}"


def hash_of(secret: str) -> bytes:
    """What is kept of a secret: SHA-256. One of 256 random bits needs no salt."""
    return hashlib.sha256(secret.encode()).digest()


# --- forms ----------------------------------------------------------------------------------------------------------


def form_token(secret: str) -> str:
    """What each form of a session carries, to show that one of our own pages made it: HMAC-SHA-256 under the cookie's
    secret, which it does not tell."""
    return hmac.digest(secret.encode(), b"form", "sha256").hex()


def is_form_token(secret: str, token: str) -> bool:
    """Whether a form that came in was made for this session."""
    return hmac.compare_digest(form_token(secret).encode(), token.encode())
