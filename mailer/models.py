"""The tables, readable from top to bottom: people, what they agreed to, campaigns, and the delivery ledger."""

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    CheckConstraint,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from mailer.crypto import EncryptedText
from mailer.db import UtcDateTime, utcnow

#: SQLite gives out numbers by itself only for INTEGER; PostgreSQL needs 64 bits for a ledger that grows for years.
BigId = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """Tables with constraint names that migrations can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def _by_value(enumeration: type[enum.StrEnum]) -> Enum:
    """Store an enum by its value, so that renaming a member in code changes no row."""
    return Enum(
        enumeration,
        values_callable=lambda members: [member.value for member in members],
        native_enum=False,
        create_constraint=False,
        length=20,
    )


# --- people ---------------------------------------------------------------------------------------------------------


class Union(Base):
    """A trade union, a branch of one, or a federation of several."""

    __tablename__ = "unions"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    country: Mapped[str | None] = mapped_column(String(2))  # ISO 3166-1 alpha-2; none for an international federation
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("unions.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    parent: Mapped["Union | None"] = relationship(remote_side=[id])


class MailingList(Base):
    """What people subscribe to and leave: urgent actions, news, a union's own list."""

    __tablename__ = "lists"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(200))
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
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


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
    status: Mapped[SubscriptionStatus] = mapped_column(_by_value(SubscriptionStatus))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    unsubscribed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(String(200))  # why they left, if they said so

    mailable: Mapped[bool]  # active, and the address not suppressed
    country: Mapped[str | None] = mapped_column(String(2))
    union_id: Mapped[int | None]
    language: Mapped[str | None] = mapped_column(String(20))


class SuppressionReason(enum.StrEnum):
    """Why an address gets no mail from any list."""

    ERASED = "erased"  # the person had their data erased; an import must not bring them back
    BOUNCED = "bounced"  # the address does not exist
    COMPLAINED = "complained"  # reported as spam; not even a sign-up lifts it
    LEFT = "left"  # left every list at once; their own confirmed sign-up lifts it


class Suppression(Base):
    """An address that gets nothing, known only by its keyed hash. Kept to the month: a date could name a person."""

    __tablename__ = "suppressions"

    email_index: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    reason: Mapped[SuppressionReason] = mapped_column(_by_value(SuppressionReason))
    month: Mapped[str] = mapped_column(String(7))  # "2026-11"


class ConsentText(Base):
    """The exact words that people agreed to. A row is never changed: new words are a new row."""

    __tablename__ = "consent_texts"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)  # of language, a newline, and the text
    language: Mapped[str] = mapped_column(String(20))  # "und" where nobody said
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class ConsentPurpose(enum.StrEnum):
    """What a person agreed to."""

    ALERTS = "alerts"  # mail from a list
    UNION = "union"  # our storing which union they belong to (GDPR Art. 9(2)(a))


class ConsentAction(enum.StrEnum):
    """What happened to an agreement."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class ConsentEvent(Base):
    """One line of the append-only consent log. The database itself refuses to change one; erasure deletes a
    person's lines along with the person."""

    __tablename__ = "consent_events"
    __table_args__ = (Index(None, "subscriber_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"))
    list_id: Mapped[int | None] = mapped_column(ForeignKey("lists.id"))  # for purpose alerts
    purpose: Mapped[ConsentPurpose] = mapped_column(_by_value(ConsentPurpose))
    action: Mapped[ConsentAction] = mapped_column(_by_value(ConsentAction))
    text_id: Mapped[int | None] = mapped_column(ForeignKey("consent_texts.id"))  # none for a withdrawal
    method: Mapped[str] = mapped_column(String(40))  # how it reached us: "import", "sign-up form", "one-click"
    source: Mapped[str | None] = mapped_column(String(200))  # where it was collected, as the import says
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


# Kept in the database, not only in code: a log that an UPDATE can rewrite proves nothing.
_CONSENT_LOG_GUARDS: tuple[DDL, ...] = (
    DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor untyped
        "CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events "
        "BEGIN SELECT RAISE(ABORT, 'the consent log is append-only'); END"
    ).execute_if(dialect="sqlite"),
    DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor untyped
        "CREATE FUNCTION consent_events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the consent log is append-only'; END $$"
    ).execute_if(dialect="postgresql"),
    DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor untyped
        "CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events "
        "FOR EACH ROW EXECUTE FUNCTION consent_events_append_only()"
    ).execute_if(dialect="postgresql"),
)
for _guard in _CONSENT_LOG_GUARDS:
    event.listen(ConsentEvent.__table__, "after_create", _guard)


# --- campaigns ------------------------------------------------------------------------------------------------------


class CampaignStatus(enum.StrEnum):
    """Where a campaign is: draft → scheduled | sending ⇄ paused → sent | cancelled."""

    DRAFT = "draft"  # may still be changed
    SCHEDULED = "scheduled"  # frozen in time only: it starts by itself at `scheduled_at`
    SENDING = "sending"  # texts and audience are frozen, deliveries are claimed
    PAUSED = "paused"  # nothing is claimed until someone resumes it; `hold_reason` says why
    SENT = "sent"  # nothing is pending, sending or deferred
    CANCELLED = "cancelled"  # what had not gone out was skipped


class Campaign(Base):
    """One alert to one audience."""

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    kind: Mapped[str] = mapped_column(String(40))  # names its template: templates/emails/<kind>.mjml
    list_id: Mapped[int] = mapped_column(ForeignKey("lists.id"))
    language: Mapped[str] = mapped_column(String(20))  # of the source text, and for whose language has none
    status: Mapped[CampaignStatus] = mapped_column(_by_value(CampaignStatus), default=CampaignStatus.DRAFT)
    audience: Mapped[dict[str, Any]] = mapped_column(JSON)  # as `segments.Segment.to_json`
    targets: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # as `campaigns.Target`, in the file's order
    deadline: Mapped[datetime | None] = mapped_column(UtcDateTime)  # until when supporters should have acted
    latest_start: Mapped[datetime | None] = mapped_column(UtcDateTime)  # after it, a start waits for a person
    public: Mapped[bool] = mapped_column(default=False)
    forwardable: Mapped[bool] = mapped_column(default=False)
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))  # Message-IDs are hashes of it and the delivery's id
    mail_domain: Mapped[str | None] = mapped_column(String(255))  # right of the @ in them; frozen at the start
    hold_reason: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    scheduled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resumed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when it last went on after a pause
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    mailing_list: Mapped[MailingList] = relationship()
    texts: Mapped[list["CampaignText"]] = relationship(
        back_populates="campaign", cascade="all, delete-orphan", order_by="CampaignText.language"
    )


class CampaignText(Base):
    """What a campaign says in one language, as its author wrote it."""

    __tablename__ = "campaign_texts"
    __table_args__ = (UniqueConstraint("campaign_id", "language"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    language: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(Text)
    preheader: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)  # Markdown with text fields
    body_line: Mapped[int]  # the line of its file on which the body starts, for error messages

    campaign: Mapped[Campaign] = relationship(back_populates="texts")


class Edition(Base):
    """One frozen rendering of a campaign, for everyone who sees the same words."""

    __tablename__ = "editions"
    __table_args__ = (UniqueConstraint("campaign_id", "language", "variant"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    language: Mapped[str] = mapped_column(String(20))
    variant: Mapped[str] = mapped_column(String(200))  # the outcome of each {% if %} in the text, in order: "101"
    rendering: Mapped[dict[str, Any]] = mapped_column(JSON)  # as `editions.to_json`


# --- the delivery ledger --------------------------------------------------------------------------------------------


class Purpose(enum.StrEnum):
    """Why a delivery exists. Anything but a campaign's own mail goes first and counts in no audience."""

    CAMPAIGN = "campaign"  # to a recipient of the frozen audience
    TEST = "test"  # to an address that an organiser named
    NOTICE = "notice"  # a system mail that one person is waiting for: confirm, welcome, goodbye


class DeliveryState(enum.StrEnum):
    """The one state that a delivery is in."""

    PENDING = "pending"  # waits to be claimed
    SENDING = "sending"  # claimed by a worker under a lease
    SENT = "sent"  # the server took it
    DEFERRED = "deferred"  # refused for now; tried again after `not_before`
    FAILED = "failed"  # refused for good
    UNKNOWN = "unknown"  # begun, and nobody learned the answer; only a person may have it sent again
    SKIPPED = "skipped"  # left, suppressed, erased or cancelled before it was sent


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
        Index("ix_work", "campaign_id", "purpose", "state", "id"),
        Index("ix_deliveries_subscriber_id", "subscriber_id"),
        CheckConstraint("state <> 'sending' OR fence IS NOT NULL", name="claimed"),
        {"sqlite_autoincrement": True},  # Message-IDs are made of this id
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    purpose: Mapped[Purpose] = mapped_column(_by_value(Purpose))
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscribers.id", ondelete="SET NULL"))
    address: Mapped[str | None] = mapped_column(EncryptedText("deliveries.address"))  # where there is no subscriber
    # What chose the edition, frozen with the audience.
    language: Mapped[str | None] = mapped_column(String(20))
    country: Mapped[str | None] = mapped_column(String(2))
    union_id: Mapped[int | None]

    state: Mapped[DeliveryState] = mapped_column(_by_value(DeliveryState), default=DeliveryState.PENDING)
    fence: Mapped[int | None] = mapped_column(BigInteger)  # the last claim that held it; kept when it is settled
    attempts: Mapped[int] = mapped_column(default=0)  # transmissions begun
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)  # for deferred
    reason: Mapped[str | None] = mapped_column(String(40))  # why skipped or unknown: one word for grouping
    smtp_code: Mapped[int | None]
    smtp_text: Mapped[str | None] = mapped_column(EncryptedText("deliveries.smtp_text"))  # servers quote addresses
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
