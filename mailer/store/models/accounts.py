"""Accounts: who may come to the desk, how they prove who they are, and where they are signed in."""

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from mailer.store.crypto import EncryptedJson, EncryptedText
from mailer.store.db import UtcDateTime, utcnow
from mailer.store.models.base import Base, BigId, by_value


class Role(enum.StrEnum):
    """What somebody does at the desk. Nobody has to have only one; `organisers.roles` says what each may do."""

    ADMIN = "admin"  # accounts, settings, the status of keys
    WRITER = "writer"  # drafts, targets, cases
    PUBLISHER = "publisher"  # approves, sends, stops
    ANALYST = "analyst"  # totals, with small numbers hidden


class Account(Base):
    """Somebody who may come to the desk, or is invited to. It is never deleted: approvals and the audit log name it."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(EncryptedText("accounts.email"))  # as `addresses.Address.text`
    email_index: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)  # `Keyring.account_index`
    name: Mapped[str | None] = mapped_column(EncryptedText("accounts.name"))  # none until they have come in
    zone: Mapped[str] = mapped_column(String(64), default="UTC")  # of the IANA database: in which times are shown
    language: Mapped[str | None] = mapped_column(String(20))  # one of the site's; none: what the browser asks for
    password_hash: Mapped[str | None] = mapped_column(String(200))  # Argon2id, in its own notation; none until then
    totp_secret: Mapped[str | None] = mapped_column(EncryptedText("accounts.totp_secret"))  # base32 (RFC 6238)
    totp_step: Mapped[int | None] = mapped_column(BigInteger)  # the last one that was used: each does once
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sessions_begun: Mapped[int] = mapped_column(default=0)  # numbers them: no two of one account are called the same

    roles: Mapped[list["AccountRole"]] = relationship(order_by="AccountRole.id")


class AccountRole(Base):
    """That somebody has a role, or had it. Rows are ended and not deleted: who published a day ago decides who may
    today."""

    __tablename__ = "account_roles"
    __table_args__ = (Index(None, "account_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    role: Mapped[Role] = mapped_column(by_value(Role))
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RecoveryCode(Base):
    """One of ten codes that stand in for the second factor, once each."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("account_id", "code_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32))  # `Keyring.account_digest`
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DeskSession(Base):
    """A browser in which somebody is signed in."""

    __tablename__ = "desk_sessions"
    __table_args__ = (Index(None, "account_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)  # SHA-256 of what the cookie holds
    label: Mapped[str] = mapped_column(String(12))  # what it is called in its owner's list and in the audit log
    network: Mapped[str | None] = mapped_column(EncryptedText("desk_sessions.network"))  # from where: a label
    browser: Mapped[str | None] = mapped_column(EncryptedText("desk_sessions.browser"))  # in what, likewise
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)  # by a person: a page that asks by itself does not count
    proven_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when they last gave password and second factor

    # A form that was sent when something came between, to be filled in again.
    kept: Mapped[Any] = mapped_column(EncryptedJson("desk_sessions.kept"), nullable=True)

    account: Mapped[Account] = relationship()


class KnownBrowser(Base):
    """A browser in which somebody has signed in before. Its failures are counted apart, so that no stranger who keeps
    trying can lock its owner out."""

    __tablename__ = "known_browsers"
    __table_args__ = (Index(None, "account_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)  # as of a session
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)


class InvitationKind(enum.StrEnum):
    """What whoever has the link may do."""

    JOIN = "join"  # choose a password and set up the second factor
    PASSWORD = "password"  # noqa: S105  # a kind, no password: choose another one; the second factor stays
    SECOND_FACTOR = "second factor"  # set up another one, after giving the password


class Invitation(Base):
    """A link to an account, for one use within a day."""

    __tablename__ = "invitations"
    __table_args__ = (Index(None, "account_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[InvitationKind] = mapped_column(by_value(InvitationKind))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)  # SHA-256
    # That whoever has the link is shown, to set up: the same until it is used. As `Account.totp_secret`.
    totp_secret: Mapped[str | None] = mapped_column(EncryptedText("invitations.totp_secret"))
    by_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))  # who invited; none: the command line
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    account: Mapped[Account] = relationship(foreign_keys=account_id)


class AccountMail(Base):
    """The latest mail that told somebody what happened to their account, so that they get no flood of them. Kept until
    another may go."""

    __tablename__ = "account_mails"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    delivery_id: Mapped[int] = mapped_column(BigId, ForeignKey("deliveries.id", ondelete="CASCADE"))
    goes_at: Mapped[datetime] = mapped_column(UtcDateTime)  # it may be to come


class SignInFailure(Base):
    """That somebody failed to sign in. Kept for a day, to limit how often it is tried: by keyed hashes alone, of an
    address that may be nobody's and of a network."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (Index(None, "account_hash", "at"), Index(None, "network_hash", "at"), Index(None, "at"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account_hash: Mapped[bytes] = mapped_column(LargeBinary(32))  # `Keyring.account_digest` of what was typed
    network_hash: Mapped[bytes] = mapped_column(LargeBinary(32))  # likewise
    browser_id: Mapped[int | None] = mapped_column(BigId)  # the known browser in which it was tried
    at: Mapped[datetime] = mapped_column(UtcDateTime)
