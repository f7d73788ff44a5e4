"""The delivery ledger: who holds a message, and what became of it."""

import enum
import secrets
import time
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    text,
)
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from mailer.store.crypto import EncryptedText
from mailer.store.db import UtcDateTime
from mailer.store.models.base import Base, BigId, by_value

#: what columns are encrypted with, for whoever reads or writes them past the column
ADDRESS = "deliveries.address"
SERVERS_WORDS = "deliveries.smtp_text"


class Purpose(enum.StrEnum):
    """Why a delivery exists. Anything but a campaign's own mail goes first and counts in no audience."""

    CAMPAIGN = "campaign"  # to a recipient of the frozen audience
    TEST = "test"  # to an address that an organiser named
    NOTICE = "notice"  # a system mail that one person is waiting for: confirm, welcome, goodbye, a kit
    REPLY = "reply"  # what somebody wrote to us, handed on to an organiser


class DeliveryState(enum.StrEnum):
    """The one state that a delivery is in."""

    PENDING = "pending"  # waits to be claimed
    SENDING = "sending"  # claimed by a worker under a lease
    SENT = "sent"  # the server took it
    DEFERRED = "deferred"  # refused for now, or it is not yet its turn; tried after `not_before`
    FAILED = "failed"  # refused for good
    UNKNOWN = "unknown"  # begun, and nobody learned the answer; only a person may have it sent again
    SKIPPED = "skipped"  # left, suppressed, erased or cancelled before it was sent


class Reason(enum.StrEnum):
    """Why a delivery ended as it did, where the answer of a mail server alone does not say it."""

    LEFT = "left"  # unsubscribed after the audience was frozen
    SUPPRESSED = "suppressed"  # the address must get nothing
    ERASED = "erased"  # the person had their data erased
    CANCELLED = "cancelled"  # the campaign was
    HOME = "home"  # the person moved to where the authorities are that the campaign addresses
    ACTED = "acted"  # the person did what it would have reminded them of
    WORKER_LOST = "worker lost"  # its lease ran out with the outcome not learned
    RESTORED = "restored"  # owed by a backup, so that it may have gone out before
    CONNECTION_LOST = "connection lost"  # the server hung up between the body and its answer
    POLICY = "policy"  # the server refuses us, not this address: spam, block lists, authentication
    GAVE_UP = "gave up"  # refused for now, too often
    UNUSABLE = "unusable"  # the address cannot stand in a mail
    UNREADABLE = "unreadable"  # the stored address was damaged
    REPEATED = "repeated"  # the address was sent such a notice a short while ago


#: what its recipient has, as far as anybody can know: of what is unknown, a server may have taken it
GOT = (DeliveryState.SENT, DeliveryState.UNKNOWN)
#: what has not gone out and nobody holds
WAITING = (DeliveryState.PENDING, DeliveryState.DEFERRED)
#: system mail goes first: one person is waiting for it
BEFORE_CAMPAIGNS = (Purpose.NOTICE, Purpose.TEST, Purpose.REPLY)
#: what goes out under the standing campaign
SYSTEM_MAIL = (Purpose.NOTICE, Purpose.REPLY)


def ended(
    state: DeliveryState, at: datetime, reason: Reason | None = None, *, keeps_hour: bool = False
) -> dict[str, Any]:
    """What to write into a delivery that ends otherwise than by a mail server's answer. Only the day of it is kept:
    nobody needs more, and what an erasure ends at one moment would be seen to belong together.

    :param keeps_hour: of what somebody looks for by it.
    """
    known = at if keeps_hour else at.replace(hour=0, minute=0, second=0, microsecond=0)
    return {"state": state, "reason": reason, "not_before": None, "draw": None, "settled_at": known}


def _lot(context: DefaultExecutionContext) -> int | None:
    """What to draw for a new delivery that somebody waits for: after those of earlier seconds, and among its own by
    chance. Nothing where it ends at once.
    """
    state = (context.current_parameters or {}).get("state")
    ten_seconds = int(time.time()) // 10
    return ten_seconds << 32 | secrets.randbits(32) if state in WAITING else None


class Claim(Base):
    """A worker's hold on some deliveries, until its lease runs out.

    The id is the fencing number: it only grows, and a settlement under an older claim changes nothing.
    """

    __tablename__ = "claims"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    worker: Mapped[str] = mapped_column(String(200))  # host name and process number, for the operator
    journal: Mapped[str] = mapped_column(String(60), index=True)  # name of the worker's journal, on its own host
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Until when its own host vouches that the worker lives, though it renews nothing: it is stalled, not lost.
    stalled_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Delivery(Base):
    """One message to one recipient, from the moment it is owed to the moment its fate is known."""

    __tablename__ = "deliveries"
    __table_args__ = (
        # Nobody gets a campaign twice, whatever a program does. Test mails and notices may repeat.
        Index(
            "uq_deliveries_campaign_id_subscriber_id",
            "campaign_id",
            "subscriber_id",
            unique=True,
            sqlite_where=text("purpose = 'campaign'"),
            postgresql_where=text("purpose = 'campaign'"),
        ),
        # What claiming and counting read.
        Index("ix_work", "campaign_id", "purpose", "state", "draw"),
        # What was settled lately: how fast it goes, whether a server refuses all, and what is to be forgotten.
        Index(
            "ix_settled",
            "campaign_id",
            "settled_at",
            sqlite_where=text("fence IS NOT NULL AND settled_at IS NOT NULL"),
            postgresql_where=text("fence IS NOT NULL AND settled_at IS NOT NULL"),
        ),
        Index("ix_deliveries_subscriber_id", "subscriber_id"),
        # What tidying up after notices reads: those few that still say something.
        Index(
            "ix_notices", "state", sqlite_where=text("notice IS NOT NULL"), postgresql_where=text("notice IS NOT NULL")
        ),
        CheckConstraint("state <> 'sending' OR fence IS NOT NULL", name="claimed"),
        {"sqlite_autoincrement": True},  # Message-IDs and the tokens of bounces are made of this id
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    purpose: Mapped[Purpose] = mapped_column(by_value(Purpose))
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscribers.id", ondelete="SET NULL"))
    address: Mapped[str | None] = mapped_column(EncryptedText(ADDRESS))  # where there is no subscriber
    # What a notice says, as `notices.Notice`, with the token of its link; gone once it is settled.
    notice: Mapped[str | None] = mapped_column(EncryptedText("deliveries.notice"))
    # What chose the edition, frozen with the audience; of a notice, the union whose contact it is for.
    language: Mapped[str | None] = mapped_column(String(20))
    country: Mapped[str | None] = mapped_column(String(2))
    union_id: Mapped[int | None]

    state: Mapped[DeliveryState] = mapped_column(by_value(DeliveryState), default=DeliveryState.PENDING)
    # By lot: what waits goes out in this order, not in that of the ids, which would tell whoever has a mail provider's
    # log which row is whose. Gone once it is settled. It costs SQLite 20 µs a mail, since the rows of a claim lie on as
    # many pages; to draw for blocks of neighbours would cost less, but somebody on the list would know theirs.
    draw: Mapped[int | None] = mapped_column(BigInteger, default=_lot)
    fence: Mapped[int | None] = mapped_column(BigInteger)  # the last claim that held it; kept when it is settled
    attempts: Mapped[int] = mapped_column(default=0)  # transmissions begun
    # How often it was put back because a mail server refused us, since a person last asked for it.
    put_back: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)  # for deferred
    reason: Mapped[str | None] = mapped_column(String(40))  # why skipped or unknown: one word for grouping
    smtp_code: Mapped[int | None]
    smtp_text: Mapped[str | None] = mapped_column(EncryptedText(SERVERS_WORDS))  # servers quote addresses
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
