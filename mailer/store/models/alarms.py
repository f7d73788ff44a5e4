"""What the alarms of a campaign remember."""

from datetime import datetime

from sqlalchemy import ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from mailer.store.db import UtcDateTime
from mailer.store.models.base import Base


class CampaignAlarm(Base):
    """What was noticed of what came back of a campaign. Only who has locked the campaign's row writes it; but
    `forgetting` forgets `first_until` of those that are over, which is found again where one of them goes on.
    """

    __tablename__ = "campaign_alarms"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True)
    # Up to when somebody last had it go on: what they had seen does not pause it again.
    complaints_before: Mapped[int] = mapped_column(default=0)
    gone_before: Mapped[int] = mapped_column(default=0)  # addresses among the first that do not exist
    # Of these, those that nobody can have made up.
    sure_complaints_before: Mapped[int] = mapped_column(default=0)
    sure_gone_before: Mapped[int] = mapped_column(default=0)
    # When the last of the first mails was answered that tell of a bad import, while the campaign is under way.
    first_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_at_least: Mapped[int] = mapped_column(default=0)  # mails, when they were last counted: they only become more
    complaints_in_1000: Mapped[int] = mapped_column(SmallInteger, default=0)  # as `alarms.level`
    is_to_tell: Mapped[bool] = mapped_column(default=False)  # organisers are still to be written that it is paused
