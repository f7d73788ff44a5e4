"""What came back of our mails: kept for a while as events, and then as numbers."""

from datetime import date

from sqlalchemy import ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from mailer.mail.feedback.types import Category, Effect, Identified, Kind
from mailer.store.db import UtcDay, utctoday
from mailer.store.models.base import IN_NO_ORDER, Base, by_value

_ONCE = text("kind IN ('bounce', 'complaint')")


class MailEvent(Base):
    """One message that came back and was about a mail of ours. Neither its text is kept nor an address.

    The key has no order: that of arrival would tell whoever has a mail server's log which row is whose.
    """

    __tablename__ = "mail_events"
    __table_args__ = (
        # A mail comes back once, and is called spam once, whatever a program or a stranger sends.
        Index(
            "uq_mail_events_delivery_id_kind",
            "delivery_id",
            "kind",
            unique=True,
            sqlite_where=_ONCE,
            postgresql_where=_ONCE,
        ),
        Index("ix_mail_events_campaign_id", "campaign_id", "kind", "category"),
        IN_NO_ORDER,
    )

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)  # `Keyring.mail_digest` of the message
    # None where somebody left by mail who was never mailed.
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"), index=True)
    # Of the delivery, so that an alarm need not read deliveries; none of what was refused when it was sent, nor of what
    # a campaign did not send to its audience: test mails, system mails.
    campaign_id: Mapped[int | None]
    kind: Mapped[Kind] = mapped_column(by_value(Kind))
    category: Mapped[Category | None] = mapped_column(by_value(Category))  # of a bounce
    status: Mapped[str | None] = mapped_column(String(20))  # enhanced status code (RFC 3463)
    effect: Mapped[Effect] = mapped_column(by_value(Effect))  # what was done
    source: Mapped[str] = mapped_column(String(20))  # what brought it, as `inbound.acting.Source`, or a `Provider`
    # What in it led to the delivery; none where no message was needed, as of what was refused when it was sent.
    identified_by: Mapped[Identified | None] = mapped_column(by_value(Identified))
    day: Mapped[date] = mapped_column(UtcDay, default=utctoday, index=True)
    # `Keyring.blind_index` of the address that a bounce counts against; none once the counts have been used up.
    email_index: Mapped[bytes | None] = mapped_column(LargeBinary(32), index=True)


class MailEventCount(Base):
    """How many such messages there were of a campaign in a month, beside the events that are still kept."""

    __tablename__ = "mail_event_counts"

    campaign_id: Mapped[int] = mapped_column(primary_key=True)  # 0: about no mail that we know of
    month: Mapped[str] = mapped_column(String(7), primary_key=True)  # "2026-11"
    kind: Mapped[Kind] = mapped_column(by_value(Kind), primary_key=True)
    category: Mapped[str] = mapped_column(String(20), primary_key=True)  # of a bounce, or `returned.UNHEEDED`; or ""
    number: Mapped[int]
