"""People, and the lists they are on."""

import enum
from datetime import date, datetime

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint, false, true
from sqlalchemy.orm import Mapped, mapped_column

from mailer.mail.feedback.types import Category
from mailer.store.crypto import EncryptedText
from mailer.store.db import UtcDateTime, UtcDay, utcnow, utctoday
from mailer.store.models.base import IN_NO_ORDER, Base, BigId, by_value


class MailingList(Base):
    """What people subscribe to and leave: urgent actions, news, a union's own list."""

    __tablename__ = "lists"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(String(500))  # what comes and how often, for who may join
    # language → name or description for those who read it
    names: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    descriptions: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    is_open: Mapped[bool] = mapped_column(default=True, server_default=true())  # whether the sign-up page offers it
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("unions.id"), index=True)  # the union whose own list it is
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class Subscriber(Base):
    """A person, once, whatever lists they are on."""

    __tablename__ = "subscribers"
    # AUTOINCREMENT: an id that an erased person had must never come to mean someone else, because links carry ids.
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    email: Mapped[str] = mapped_column(EncryptedText("subscribers.email"))  # as `addresses.Address.text`
    email_index: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)  # `Keyring.blind_index`
    name: Mapped[str | None] = mapped_column(EncryptedText("subscribers.name"))  # as they wish to be addressed
    country: Mapped[str | None] = mapped_column(String(2))  # ISO 3166-1 alpha-2
    union_id: Mapped[int | None] = mapped_column(ForeignKey("unions.id"))  # only with their explicit consent
    language: Mapped[str | None] = mapped_column(String(20))  # BCP 47; none: the campaign's own language
    # Left every list, or was erased, before they agreed to be a union's contact: no import puts them on one.
    is_kept_off_lists: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[date] = mapped_column(UtcDay, default=utctoday)
    # When their address last became another: what comes back of a mail from before is not about this one.
    moved_on: Mapped[date | None] = mapped_column(UtcDay)


class SubscriptionStatus(enum.StrEnum):
    """Where a person stands with a list."""

    PENDING = "pending"  # signed up, not yet confirmed
    ACTIVE = "active"  # wants the mail
    UNSUBSCRIBED = "unsubscribed"  # left; only their own confirmed sign-up brings them back


class Subscription(Base):
    """A person on a list, with all that choosing an audience asks for, so that it reads one index only.

    `mailable`, `country`, `union_id` and `language` are copies that `subscribers.refresh` alone writes.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "list_id"),
        Index("ix_audience", "list_id", "mailable", "country", "union_id", "language", "subscriber_id"),
        {"sqlite_autoincrement": True},  # unsubscribe links carry this id for ever
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"))
    list_id: Mapped[int] = mapped_column(ForeignKey("lists.id"))
    status: Mapped[SubscriptionStatus] = mapped_column(by_value(SubscriptionStatus))
    created_at: Mapped[date] = mapped_column(UtcDay, default=utctoday)
    confirmed_at: Mapped[date | None] = mapped_column(UtcDay)
    unsubscribed_at: Mapped[date | None] = mapped_column(UtcDay)
    paused_until: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)  # a midnight: no mail before that
    reason: Mapped[str | None] = mapped_column(EncryptedText("subscriptions.reason"))  # why they left, in their words

    mailable: Mapped[bool]  # active, not paused, and the address not suppressed
    country: Mapped[str | None] = mapped_column(String(2))
    union_id: Mapped[int | None]
    language: Mapped[str | None] = mapped_column(String(20))


class SuppressionReason(enum.StrEnum):
    """Why an address gets no mail from any list."""

    ERASED = "erased"  # the person had their data erased; an import must not bring them back
    BOUNCED = "bounced"  # the address does not exist, or mail to it came back again and again
    COMPLAINED = "complained"  # reported as spam; not even a sign-up lifts it
    # Likewise, by a report that somebody could have made up who got an answer to our mail; their own confirmed sign-up
    # lifts it.
    REPORTED = "reported"
    LEFT = "left"  # left every list at once; their own confirmed sign-up lifts it


class Suppression(Base):
    """An address that gets nothing, known only by its keyed hash. Kept to the month: a date could name a person."""

    __tablename__ = "suppressions"
    __table_args__ = IN_NO_ORDER

    email_index: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    reason: Mapped[SuppressionReason] = mapped_column(by_value(SuppressionReason))
    month: Mapped[str] = mapped_column(String(7))  # "2026-11"
    # Left or erased, if the reason took the place of that: it comes back when an organiser lifts the reason.
    underneath: Mapped[SuppressionReason | None] = mapped_column(by_value(SuppressionReason))
    category: Mapped[Category | None] = mapped_column(by_value(Category))  # of one that bounced, why it did


class SuppressionLift(Base):
    """That an organiser had an address be mailed again which could not be reached, or whose owner had reported our
    mail as spam, and why. Goes when its owner is erased."""

    __tablename__ = "suppression_lifts"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    email_index: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)
    reason: Mapped[SuppressionReason] = mapped_column(by_value(SuppressionReason))  # which was lifted
    month: Mapped[str] = mapped_column(String(7))
    words: Mapped[str] = mapped_column(EncryptedText("suppression_lifts.words"))
