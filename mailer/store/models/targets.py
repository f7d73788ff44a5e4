"""Targets: whom people write to, kept apart from campaigns, so that an address is corrected once for all of them.

What they are called and where they are is encrypted: a prison's address tells who is held there, and who checked it is
one of us.
"""

import enum
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from mailer.store.crypto import EncryptedJson
from mailer.store.db import UtcDateTime, UtcDay, utcnow
from mailer.store.models.base import Base, by_value
from mailer.store.models.cases import Case


class TargetRole(enum.StrEnum):
    """What a target is to the person or the cause that people write for."""

    AUTHORITY = "authority"  # who can decide: a court, a ministry
    EMBASSY = "embassy"  # who speaks for these where people live
    COMPANY = "company"
    REPRESENTATIVE = "representative"  # whom people elected themselves
    PRISONER = "prisoner"
    SOLIDARITY = "solidarity"  # who is on our side: a family, a lawyer, a union


class StoredTarget(Base):
    """A target, as `targets.Target` has it."""

    __tablename__ = "targets"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    role: Mapped[TargetRole] = mapped_column(by_value(TargetRole))
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"), index=True)  # none: of every case it suits
    # Whose authorities it is or speaks for, where no case says so: ISO 3166-1 alpha-2.
    about: Mapped[str | None] = mapped_column(String(2))
    countries: Mapped[list[str]] = mapped_column(JSON)  # where people live who write to it; with groups, such as "@EU"
    languages: Mapped[list[str]] = mapped_column(JSON)  # that it reads, the best first
    details: Mapped[dict[str, Any]] = mapped_column(EncryptedJson("targets.details"))  # all else of `targets.Target`
    own_words: Mapped[bool]  # it refuses letters that are copies
    verified_on: Mapped[date | None] = mapped_column(UtcDay)
    # Since then, from which of sixteen shares of all networks somebody reported that it is not right: numbers.
    doubts: Mapped[list[int]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    case: Mapped[Case | None] = relationship()


class TargetReportKind(enum.StrEnum):
    """What people reported of a target."""

    CAME_BACK = "came_back"  # what they wrote
    WANTS_POST = "wants_post"  # it asks for a postal address
    MOVED = "moved"


class TargetReport(Base):
    """How often something was reported of a target in a month; nothing about who reported it."""

    __tablename__ = "target_reports"
    __table_args__ = (UniqueConstraint("target_id", "month", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id", ondelete="CASCADE"))
    month: Mapped[date] = mapped_column(UtcDay)  # its first day
    kind: Mapped[TargetReportKind] = mapped_column(by_value(TargetReportKind))
    number: Mapped[int]
