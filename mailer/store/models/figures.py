"""What a campaign came to, counted once: its report shows this, however many there are to count."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from mailer.store.crypto import EncryptedJson
from mailer.store.db import UtcDateTime
from mailer.store.models.base import Base


class CampaignFigures(Base):
    """The figures of a campaign. `reports.figures` alone writes them."""

    __tablename__ = "campaign_figures"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True)
    counted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    milliseconds: Mapped[int]  # for how long they were counted
    # When the campaign ended, if it was over when they were counted: then they stay as they are until somebody has it
    # sent again.
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # How many were unknown then. A journal that turns up late makes some of them known, and all is counted anew.
    unknown: Mapped[int]
    sending: Mapped[Any] = mapped_column(EncryptedJson("campaign_figures.sending"))  # `figures.Sending`
    departures: Mapped[Any] = mapped_column(EncryptedJson("campaign_figures.departures"))  # `departures.Departures`
    departures_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when these were counted
    is_closed: Mapped[bool]  # departures are not counted any more
