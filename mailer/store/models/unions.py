"""Trade unions: who they are, who speaks for them, who asked to affiliate, and what came through their links."""

import enum
from datetime import date, datetime

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from mailer.store.crypto import EncryptedBytes, EncryptedJson, EncryptedText
from mailer.store.db import UtcDateTime, UtcDay, utcnow, utctoday
from mailer.store.models.base import Base, by_value


class UnionStatus(enum.StrEnum):
    """Where a union stands with us: listed | interested → affiliated → lapsed, and back to affiliated."""

    LISTED = "listed"  # people may say that they belong to it, and no more
    INTERESTED = "interested"  # said that it may affiliate
    AFFILIATED = "affiliated"  # gets a kit of every campaign that may be forwarded
    LAPSED = "lapsed"  # was affiliated once


class Union(Base):
    """A trade union, a branch of one, or a federation of several."""

    __tablename__ = "unions"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)  # random for one that asked not to be named
    name: Mapped[str] = mapped_column(EncryptedText("unions.name"))
    country: Mapped[str | None] = mapped_column(String(2))  # ISO 3166-1 alpha-2; none for an international federation
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("unions.id"))
    status: Mapped[UnionStatus] = mapped_column(
        by_value(UnionStatus), default=UnionStatus.LISTED, server_default=UnionStatus.LISTED.value
    )
    # Days, as of people: its contacts confirmed, and were written to, at such a moment.
    interested_at: Mapped[date | None] = mapped_column(UtcDay)
    affiliated_at: Mapped[date | None] = mapped_column(UtcDay)  # the last time
    lapsed_at: Mapped[date | None] = mapped_column(UtcDay)  # the last time
    # What it passed: by whom, when, in which words.
    resolution: Mapped[str | None] = mapped_column(EncryptedText("unions.resolution"))
    languages: Mapped[list[str]] = mapped_column(JSON, default=list)  # BCP 47, the first one first
    members: Mapped[int | None]  # about how many, as it says itself
    is_named: Mapped[bool] = mapped_column(default=True, server_default=true())  # else its kits carry nobody's name
    # Language → words.
    introductions: Mapped[dict[str, str]] = mapped_column(EncryptedJson("unions.introductions"), default=dict)
    # PNG, as `logos.read` makes it.
    logo: Mapped[bytes | None] = mapped_column(EncryptedBytes("unions.logo"), deferred=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    # Counts the changes of what its kits print; a kit made of an earlier one is out of date.
    revision: Mapped[int] = mapped_column(default=0, server_default="0")
    # Counts how often its links to kits and results were replaced; those of an earlier generation show nothing.
    link_generation: Mapped[int] = mapped_column(default=0, server_default="0")

    parent: Mapped["Union | None"] = relationship(remote_side=[id])


class UnionContact(Base):
    """A person who gets a union's mail, such as its kits. There is a row only once they confirmed their address."""

    __tablename__ = "union_contacts"
    # AUTOINCREMENT: links carry this id for ever.
    __table_args__ = (UniqueConstraint("union_id", "subscriber_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    union_id: Mapped[int] = mapped_column(ForeignKey("unions.id", ondelete="CASCADE"))
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    role: Mapped[str | None] = mapped_column(EncryptedText("union_contacts.role"))  # "General secretary"
    confirmed_at: Mapped[date] = mapped_column(UtcDay, default=utctoday)


class Application(Base):
    """What somebody asked for on a union's behalf, with an address they confirmed, until an organiser has decided.

    Kept apart from `unions`: anybody can write anything into a form, and what stands there is shown to everyone.
    """

    __tablename__ = "applications"
    # AUTOINCREMENT: who accepts number 3 a second time must not accept what somebody else asked for.
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(EncryptedText("applications.name"))
    country: Mapped[str | None] = mapped_column(String(2))
    languages: Mapped[list[str]] = mapped_column(JSON)
    members: Mapped[int | None]
    parent: Mapped[str | None] = mapped_column(EncryptedText("applications.parent"))  # as they wrote it
    resolution: Mapped[str | None] = mapped_column(EncryptedText("applications.resolution"))
    is_named: Mapped[bool]
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscribers.id", ondelete="SET NULL"), index=True)
    role: Mapped[str | None] = mapped_column(EncryptedText("applications.role"))
    confirmed_at: Mapped[date] = mapped_column(UtcDay, default=utctoday)


class JoinCount(Base):
    """How many joined through a union's link in a month. Never stored on the person."""

    __tablename__ = "join_counts"

    union_id: Mapped[int] = mapped_column(ForeignKey("unions.id"), primary_key=True)
    month: Mapped[str] = mapped_column(String(7), primary_key=True)  # "2026-11"
    joined: Mapped[int]
