"""Forwarding kits: what a union gets of a campaign to put in front of its members, and what it says came of it."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from mailer.store.db import UtcDateTime, utcnow
from mailer.store.models.base import Base
from mailer.store.models.campaigns import Campaign
from mailer.store.models.unions import Union


class Kit(Base):
    """One campaign's kit for one union, or the one for everybody else, which carries no union's name."""

    __tablename__ = "kits"
    __table_args__ = (
        UniqueConstraint("campaign_id", "union_id"),
        Index(
            "uq_kits_unbranded",
            "campaign_id",
            unique=True,
            sqlite_where=text("union_id IS NULL"),
            postgresql_where=text("union_id IS NULL"),
        ),
        {"sqlite_autoincrement": True},  # links carry this id for ever
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    union_id: Mapped[int | None] = mapped_column(ForeignKey("unions.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    ready_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # every edition made, or given up
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the notice was owed to one contact at least
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # What the union said, and when first.
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    promised_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # "we will forward it"
    forwarded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reached: Mapped[int | None]  # to about how many members, as it says itself
    # How often that number was corrected by whoever has the kit's link.
    corrections: Mapped[int] = mapped_column(default=0, server_default="0")

    campaign: Mapped[Campaign] = relationship()
    union: Mapped[Union | None] = relationship()
    editions: Mapped[list["KitEdition"]] = relationship(
        back_populates="kit", cascade="all, delete-orphan", order_by="KitEdition.language"
    )


class KitEdition(Base):
    """A kit in one language: waits to be made, is made, or cannot be and says why."""

    __tablename__ = "kit_editions"
    __table_args__ = (
        UniqueConstraint("kit_id", "language"),
        # What workers look for: the few that wait.
        Index(
            "ix_kit_work",
            "taken_until",
            sqlite_where=text("made_at IS NULL AND problem IS NULL"),
            postgresql_where=text("made_at IS NULL AND problem IS NULL"),
        ),
        # What tidying up looks for: those whose files are there still.
        Index(
            "ix_kit_archives",
            "kit_id",
            sqlite_where=text("archive IS NOT NULL"),
            postgresql_where=text("archive IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kit_id: Mapped[int] = mapped_column(ForeignKey("kits.id", ondelete="CASCADE"))
    language: Mapped[str] = mapped_column(String(20))
    taken_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a worker is at it; past that, another may
    made_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str | None] = mapped_column(String(300))  # why it cannot be made
    union_revision: Mapped[int | None]  # of the union, when this was made or could not be
    # Of the letters and targets that this was made of, or could not be: `Correspondence.state`.
    letters: Mapped[str | None] = mapped_column(String(32))
    archive: Mapped[bytes | None] = mapped_column(
        LargeBinary, deferred=True
    )  # a ZIP; gone when the campaign is long over

    kit: Mapped[Kit] = relationship(back_populates="editions")
