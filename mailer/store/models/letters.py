"""Letters: what a campaign has people write to its targets."""

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from mailer.store.models.base import Base, by_value
from mailer.store.models.targets import TargetRole


class LetterText(Base):
    """The letter to all targets of a role in one language, as its author wrote it."""

    __tablename__ = "letters"
    __table_args__ = (UniqueConstraint("campaign_id", "role", "language"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    role: Mapped[TargetRole] = mapped_column(by_value(TargetRole))
    language: Mapped[str] = mapped_column(String(20))
    # Of each of these a person gets one; with letter fields, as the body.
    subjects: Mapped[list[str]] = mapped_column(JSON)
    openings: Mapped[list[str]] = mapped_column(JSON)
    closings: Mapped[list[str]] = mapped_column(JSON)
    rules: Mapped[str] = mapped_column(Text)  # what not to write, for those who write; "" for none
    body: Mapped[str] = mapped_column(Text)  # paragraphs at empty lines
    body_line: Mapped[int]  # the line of its file on which the body starts, for error messages
