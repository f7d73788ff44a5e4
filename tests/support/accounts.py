"""Accounts for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from secrets import token_bytes
from typing import Any

import pyotp
import pytest
from argon2 import Parameters, Type
from argon2.low_level import ARGON2_VERSION
from sqlalchemy.orm import Session

from mailer.mail import addresses
from mailer.organisers import desk_sessions, passwords
from mailer.organisers.sign_in import Given
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import (
    Account,
    AccountRole,
    Approval,
    ApprovalRequest,
    Campaign,
    CampaignContent,
    DeskSession,
    Import,
    Invitation,
    InvitationKind,
    KnownBrowser,
    LoneNotice,
    LoneRequest,
    RecoveryCode,
    Role,
    SignInFailure,
)

#: what hashing a password costs in tests: next to nothing
CHEAP = Parameters(Type.ID, ARGON2_VERSION, 16, 32, 1, 8, 1)
#: of everybody whom `make_account` lets in
PASSWORD = "four calm green boats"
#: likewise, in base32
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@contextmanager
def cheap_hashes() -> Iterator[None]:
    """Passwords are hashed at next to no cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "PARAMETERS", CHEAP)
        yield


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
        account.password_hash, account.totp_secret = passwords.hash(PASSWORD), TOTP_SECRET
    session.add(account)
    session.flush()
    return account


def code(account: Account, at: datetime) -> str:
    """What somebody's app shows at a moment."""
    assert account.totp_secret is not None
    return pyotp.TOTP(account.totp_secret).at(at)


def given(account: Account, at: datetime, **changes: str | None) -> Given:
    """What somebody gives who signs in.

    :param changes: what is otherwise.
    """
    usual: dict[str, Any] = {
        "address": account.email,
        "password": PASSWORD,
        "code": code(account, at) if account.totp_secret else "",
        "network": "192.0.2.7",
    }
    return Given(**(usual | changes))


def make_session(session: Session, account: Account, *, at: datetime | None = None) -> str:
    """Sign somebody in without asking for anything.

    :param at: by default now.
    :returns: what the cookie holds.
    """
    return desk_sessions.start(session, account.id, at=at or utcnow(), network="192.0.2.7", browser="Firefox").secret


def make_publisher(session: Session, name: str = "rosa", *, since: datetime | None = None) -> Account:
    """Somebody who has come in, and may approve and send.

    :param since: as for `make_account`; by default long ago.
    """
    long_ago = utcnow() - timedelta(days=90)
    return make_account(session, f"{name}@example.org", Role.PUBLISHER, name=name.title(), since=since or long_ago)


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
            Import(
                account_id=account.id,
                name=f"{mark}.csv",
                file="0" * 32,
                rejects="1" * 32,
                terms={"consent": mark},
                found={"examples": [mark]},
                problem=f"line 1: {mark}",
            ),
        )
    )
    session.flush()
    return account


def make_approved(session: Session, campaign: Campaign, by: Account, mark: str = "rosa") -> None:
    """A campaign of which there is a row in each table of approvals.

    :param mark: stands in all that somebody typed.
    """
    content = CampaignContent(campaign_id=campaign.id, digest=bytes(32), parts=mark.encode())
    session.add(content)
    session.flush()
    given = {"content_id": content.id, "by_id": by.id, "at": utcnow()}
    back = {"sent_back_by_id": by.id, "sent_back_at": utcnow(), "taken_back_at": utcnow()}
    request = ApprovalRequest(**given, **back, words=f"{mark} please", sent_back_words=f"{mark} no")
    no = {"objected_by_id": by.id, "objected_at": utcnow(), "taken_back_at": utcnow()}
    lone = LoneRequest(**given, **no, why=f"{mark} alone")
    lone.notices.append(LoneNotice(account_id=by.id, taken_at=utcnow()))
    session.add_all((request, lone))
    session.flush()
    answers = {"request_id": request.id, "lone_request_id": lone.id}
    session.add(Approval(**given, **answers, words=f"{mark} yes", audit_entry=0, taken_back_at=utcnow()))
    session.flush()
