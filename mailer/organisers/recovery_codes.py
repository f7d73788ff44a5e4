"""Recovery codes: ten that stand in for the second factor, once each, for whoever has lost their telephone."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from mailer.organisers.totp import digits_of
from mailer.store.crypto import keyring_of
from mailer.store.models import RecoveryCode

NUMBER = 10
#: letters and digits that nobody takes for another one: no 0, 1, i, l, o, u
_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 10  # 49 bits: more than anybody could try at the sign-in page
_GROUP = 5


def make(session: Session, account_id: int) -> Sequence[str]:
    """Make somebody ten new codes; older ones serve no more.

    :returns: them, to be shown once.
    """
    codes: set[str] = set()
    while len(codes) < NUMBER:
        codes.add("".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)))
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
    session.add_all(RecoveryCode(account_id=account_id, code_hash=_hash(session, account_id, each)) for each in codes)
    session.flush()
    return [f"{code[:_GROUP]}-{code[_GROUP:]}" for code in codes]


def is_one(session: Session, account_id: int, typed: str) -> bool:
    """Whether a code is one of somebody's that were not used. It is used up by `use`."""
    found = select(RecoveryCode.id).where(*_unused(session, account_id, typed))
    return session.execute(found).first() is not None


def use(session: Session, account_id: int, typed: str, *, at: datetime) -> bool:
    """Use a code up: of two who come with the same one, even at once, one gets in.

    :returns: whether it was one, and not used.
    """
    used = update(RecoveryCode).where(*_unused(session, account_id, typed)).values(used_at=at)
    return session.execute(used.returning(RecoveryCode.id)).first() is not None


def left(session: Session, account_id: int) -> int:
    """How many somebody has left."""
    unused = (RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))
    return session.scalar(select(func.count()).select_from(RecoveryCode).where(*unused)) or 0


def _unused(session: Session, account_id: int, typed: str) -> tuple[ColumnElement[bool], ...]:
    code = digits_of(typed).casefold()
    return (
        RecoveryCode.account_id == account_id,
        RecoveryCode.code_hash == _hash(session, account_id, code),
        RecoveryCode.used_at.is_(None),
    )


def _hash(session: Session, account_id: int, code: str) -> bytes:
    return keyring_of(session).account_digest("recovery code", f"{account_id}:{code}")
