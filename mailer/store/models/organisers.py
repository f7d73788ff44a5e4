"""What organisers were written, so that nobody is written the same again."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from mailer.store.db import UtcDateTime, UtcDay
from mailer.store.models.base import Base


class HoldMail(Base):
    """When organisers were last written that a campaign is held for a reason."""

    __tablename__ = "hold_mails"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True)
    reason: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)  # SHA-256, see `hold_mails.owe`
    goes_at: Mapped[datetime] = mapped_column(UtcDateTime)  # the latest of them, which may be to come


class DailyMail(Base):
    """Up to where organisers have been told what happened. There is one row at most."""

    __tablename__ = "daily_mail"

    id: Mapped[int] = mapped_column(primary_key=True)  # 1
    told_until: Mapped[date] = mapped_column(UtcDay)  # the first day that they have not been told of
    complaints: Mapped[int]  # known then: of each only its month is kept
