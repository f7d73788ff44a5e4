"""Approvals: what of a campaign somebody said yes to, who asked for it, and who sends without a second person."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from mailer.store.crypto import EncryptedBytes, EncryptedText
from mailer.store.db import UtcDateTime
from mailer.store.models.accounts import Account
from mailer.store.models.base import Base, BigId


class CampaignContent(Base):
    """All that decided what a campaign would send to whom, as somebody asked about it or said yes to it."""

    __tablename__ = "campaign_contents"
    __table_args__ = (UniqueConstraint("campaign_id", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    # `Keyring.account_digest` of its hash: the hash alone would let whoever has the database try out what is encrypted.
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    parts: Mapped[bytes] = mapped_column(EncryptedBytes("campaign_contents.parts"))  # as `content.packed`


class ApprovalRequest(Base):
    """That somebody asked for approval of what a campaign was then. It is open until it is sent back or taken back; an
    approval of the same content answers it.
    """

    __tablename__ = "approval_requests"
    __table_args__ = (Index(None, "content_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    content_id: Mapped[int] = mapped_column(ForeignKey("campaign_contents.id", ondelete="CASCADE"))
    by_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    words: Mapped[str | None] = mapped_column(EncryptedText("approval_requests.words"))  # to who approves
    sent_back_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_back_by_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))  # who may approve it
    # What they want changed.
    sent_back_words: Mapped[str | None] = mapped_column(EncryptedText("approval_requests.sent_back_words"))
    taken_back_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # by who asked

    content: Mapped[CampaignContent] = relationship()
    by: Mapped[Account] = relationship(foreign_keys=by_id)
    sent_back_by: Mapped[Account | None] = relationship(foreign_keys=sent_back_by_id)


class LoneRequest(Base):
    """That a publisher wants to send without a second person, because nobody answers."""

    __tablename__ = "lone_requests"
    __table_args__ = (Index(None, "content_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    content_id: Mapped[int] = mapped_column(ForeignKey("campaign_contents.id", ondelete="CASCADE"))
    by_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    why: Mapped[str] = mapped_column(EncryptedText("lone_requests.why"))
    objected_by_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    objected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    taken_back_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # by who wanted to

    content: Mapped[CampaignContent] = relationship()
    by: Mapped[Account] = relationship(foreign_keys=by_id)
    objected_by: Mapped[Account | None] = relationship(foreign_keys=objected_by_id)
    notices: Mapped[list["LoneNotice"]] = relationship(order_by="LoneNotice.id")


class LoneNotice(Base):
    """The mail to another publisher that says so, and when the mail server took it: the ledger forgets the hour."""

    __tablename__ = "lone_notices"
    __table_args__ = (UniqueConstraint("request_id", "account_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("lone_requests.id", ondelete="CASCADE"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    delivery_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("deliveries.id", ondelete="SET NULL"))
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    account: Mapped[Account] = relationship()


class Approval(Base):
    """That a campaign may go out as it was then. It counts for that content alone, until it is taken back."""

    __tablename__ = "approvals"
    __table_args__ = (Index(None, "content_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    content_id: Mapped[int] = mapped_column(ForeignKey("campaign_contents.id", ondelete="CASCADE"))
    by_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))  # none: an operator, by the command line
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    words: Mapped[str | None] = mapped_column(EncryptedText("approvals.words"))
    # What it answers; one of the two, or none of an operator's.
    request_id: Mapped[int | None] = mapped_column(ForeignKey("approval_requests.id", ondelete="CASCADE"))
    lone_request_id: Mapped[int | None] = mapped_column(ForeignKey("lone_requests.id", ondelete="CASCADE"))
    # The newest entry of the audit log then: who changed something later may not approve the next time.
    audit_entry: Mapped[int] = mapped_column(BigId)
    taken_back_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    content: Mapped[CampaignContent] = relationship()
    by: Mapped[Account | None] = relationship()
    request: Mapped[ApprovalRequest | None] = relationship()
