"""Campaigns: what they say, and to whom."""

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from mailer.store.crypto import EncryptedJson, EncryptedText
from mailer.store.db import UtcDateTime, utcnow
from mailer.store.models.base import Base, BigId, by_value
from mailer.store.models.cases import Case
from mailer.store.models.letters import LetterText
from mailer.store.models.people import MailingList
from mailer.store.models.targets import TargetRole


class CampaignStatus(enum.StrEnum):
    """Where a campaign is: draft → scheduled | sending ⇄ paused → sent | cancelled."""

    DRAFT = "draft"  # may still be changed
    SCHEDULED = "scheduled"  # frozen in time only: it starts by itself at `scheduled_at`
    SENDING = "sending"  # texts and audience are frozen, deliveries are claimed
    PAUSED = "paused"  # nothing is claimed until someone resumes it; `hold_reason` says why
    SENT = "sent"  # nothing is pending, sending or deferred
    CANCELLED = "cancelled"  # what had not gone out was skipped
    STANDING = "standing"  # the one that system notices are owed under: no person made it, and it never ends


class Asking(enum.StrEnum):
    """Whether people are asked to act on a campaign, as far as it was decided about this one: `asking.of` knows its
    case, too."""

    OPEN = "open"
    CLOSED = "closed"  # nobody is asked any more; the text stays
    STOPPED = "stopped"  # everybody is asked to do nothing, because it would do harm
    WITHDRAWN = "withdrawn"  # the text and its names are taken down for good


class HomeRule(enum.StrEnum):
    """Whether people who live where a campaign's authorities are get it."""

    EXCLUDE = "exclude"
    INCLUDE = "include"


class Campaign(Base):
    """One alert to one audience."""

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    kind: Mapped[str] = mapped_column(String(40))  # names its template: templates/emails/campaigns/<kind>.mjml
    list_id: Mapped[int] = mapped_column(ForeignKey("lists.id"), nullable=True)  # none only for the standing one
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"), index=True)  # what it asks people to act on
    # Whose authorities it addresses: ISO 3166-1 alpha-2, or `segments.NO_COUNTRY`; none until its file says so.
    about: Mapped[str | None] = mapped_column(String(4))
    home: Mapped[HomeRule | None] = mapped_column(by_value(HomeRule))  # none: nobody has decided
    unknown_home: Mapped[HomeRule | None] = mapped_column(by_value(HomeRule))  # of those who did not say their country
    asking: Mapped[Asking] = mapped_column(by_value(Asking), default=Asking.OPEN)
    language: Mapped[str] = mapped_column(String(20))  # of the source text, and for whose language has none
    status: Mapped[CampaignStatus] = mapped_column(by_value(CampaignStatus), default=CampaignStatus.DRAFT)
    audience: Mapped[dict[str, Any]] = mapped_column(JSON)  # as `segments.Segment.to_json`
    # language → those that its readers are sent instead, the best first
    fallbacks: Mapped[dict[str, list[str]]] = mapped_column(JSON, default=dict)
    targets: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # as `targets.Target`, in the file's order
    # The roles of those whom people are asked to write to, the most important first: `TargetRole`.
    ask: Mapped[list[str]] = mapped_column(JSON, default=list)
    petition: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # as `petitions.Petition`
    goal: Mapped[int | None]  # how many are to act on it, as the page says
    deadline: Mapped[datetime | None] = mapped_column(UtcDateTime)  # until when supporters should have acted
    latest_start: Mapped[datetime | None] = mapped_column(UtcDateTime)  # after it, a start waits for a person
    public: Mapped[bool] = mapped_column(default=False)
    forwardable: Mapped[bool] = mapped_column(default=False)
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))  # random
    message_key: Mapped[str] = mapped_column(String(32))  # id of the link key that its Message-IDs are sealed with
    hashed_until: Mapped[int | None] = mapped_column(BigInteger)  # up to this delivery they are of the old kind
    mail_domain: Mapped[str | None] = mapped_column(String(255))  # right of the @ in them; frozen at the start
    hold_reason: Mapped[str | None] = mapped_column(String(300))
    hold_words: Mapped[str | None] = mapped_column(EncryptedText("campaigns.hold_words"))  # of whoever paused it
    held_by: Mapped[int | None]  # the account that paused it; no foreign key, as in the audit log
    held_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # since when it is paused
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    scheduled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # How often somebody undid that it was scheduled: a form from before that sends nothing any more.
    undone: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resumed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when somebody last had it go on, or send again
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    mailing_list: Mapped[MailingList] = relationship()
    case: Mapped[Case | None] = relationship()
    texts: Mapped[list["CampaignText"]] = relationship(
        back_populates="campaign", cascade="all, delete-orphan", order_by="CampaignText.language"
    )
    letters: Mapped[list[LetterText]] = relationship(
        cascade="all, delete-orphan", order_by="LetterText.role, LetterText.language"
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


class TextVersion(Base):
    """A text or a letter of a draft as somebody saved it, finished or not. Kept while the campaign is a draft: what was
    taken out again is nobody's business later."""

    __tablename__ = "text_versions"
    __table_args__ = (Index(None, "campaign_id", "language"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)  # the order in which they were saved
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    language: Mapped[str] = mapped_column(String(20))
    role: Mapped[TargetRole | None] = mapped_column(by_value(TargetRole))  # to whom a letter is; none: what mails say
    # As `written.Written` or `written.WrittenLetter`; none: from here on there was no text in that language.
    written: Mapped[Any] = mapped_column(EncryptedJson("text_versions.written"), nullable=True)
    goes_out: Mapped[bool]  # whether it could be sent like this, so that it is what the campaign says then
    # The version of the campaign's own text that its translation was last compared with; no foreign key: it may go.
    source_id: Mapped[int | None] = mapped_column(BigId)
    window: Mapped[str | None] = mapped_column(String(40))  # the open page whose script saved it; random
    turn: Mapped[int] = mapped_column(default=0)  # the how manieth time that it did
    account_id: Mapped[int | None]  # none: it was loaded from a folder. No foreign key, as in the audit log
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SavedAudience(Base):
    """Whom campaigns may be for, under a name, to be chosen again."""

    __tablename__ = "saved_audiences"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("unions.id"), index=True)  # of the lists that it is for
    name: Mapped[str] = mapped_column(EncryptedText("saved_audiences.name"))
    audience: Mapped[dict[str, Any]] = mapped_column(JSON)  # as `segments.Segment.to_json`
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Edition(Base):
    """One frozen rendering of a campaign, for everyone who sees the same words."""

    __tablename__ = "editions"
    __table_args__ = (UniqueConstraint("campaign_id", "language", "variant", "letters"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    language: Mapped[str] = mapped_column(String(20))
    variant: Mapped[str] = mapped_column(String(200))  # the outcome of each {% if %} in the text, in order: "101"
    letters: Mapped[str] = mapped_column(Text, default="")  # which letters it shows, as `letters.Shape`; "" for none
    rendering: Mapped[dict[str, Any]] = mapped_column(JSON)  # as `editions.to_json`
