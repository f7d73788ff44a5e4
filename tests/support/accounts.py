"""Accounts for tests."""

from datetime import datetime
from secrets import token_bytes

from sqlalchemy.orm import Session

from mailer.mail import addresses
from mailer.organisers import desk_sessions
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import (
    Account,
    AccountRole,
    DeskSession,
    Invitation,
    InvitationKind,
    KnownBrowser,
    RecoveryCode,
    Role,
    SignInFailure,
)

#: of everybody whom `make_account` lets in: a secret in base32
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def make_account(
    session: Session,
    email: str = "rosa@example.org",
    *roles: Role,
    name: str = "Rosa",
    since: datetime | None = None,
    has_joined: bool = True,
) -> Account:
    """Somebody who may come to the desk.

    :param since: when they were given their roles; by default now.
    :param has_joined: whether they have a password and a second factor.
    """
    address = addresses.parse(email)
    account = Account(email=address.text, email_index=keyring_of(session).account_index(address.folded), name=name)
    account.roles = [AccountRole(role=role, granted_at=since or utcnow()) for role in roles]
    if has_joined:
        account.password_hash, account.totp_secret = "$argon2id$", TOTP_SECRET
    session.add(account)
    session.flush()
    return account


def make_session(session: Session, account: Account, *, at: datetime | None = None) -> str:
    """Sign somebody in without asking for anything.

    :param at: by default now.
    :returns: what the cookie holds.
    """
    return desk_sessions.start(session, account.id, at=at or utcnow(), network="192.0.2.7", browser="Firefox").secret


def make_all_of_one(session: Session, mark: str = "rosa") -> Account:
    """Somebody of whom there is a row in each table of the desk.

    :param mark: stands in all that they typed.
    """
    account = make_account(session, f"{mark}@example.org", Role.ADMIN, name=f"{mark} Diaz")
    account.password_hash, account.totp_secret, account.language = "$argon2id$v=19$…", mark, "en"
    now = utcnow()
    kept = {"page": "/desk/", "fields": {"words": mark}}
    known = {"account_id": account.id, "secret_hash": token_bytes(32)}
    session.add_all(
        (
            RecoveryCode(account_id=account.id, code_hash=token_bytes(32)),
            DeskSession(
                **known, label="7", network=mark, browser=mark, created_at=now, used_at=now, proven_at=now, kept=kept
            ),
            KnownBrowser(**known, used_at=now),
            Invitation(
                account_id=account.id,
                kind=InvitationKind.JOIN,
                token_hash=token_bytes(32),
                totp_secret=mark,
                created_at=now,
                expires_at=now,
            ),
            SignInFailure(account_hash=token_bytes(32), network_hash=token_bytes(32), at=now),
        )
    )
    session.flush()
    return account
