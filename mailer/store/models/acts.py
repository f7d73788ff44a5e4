"""What people did for a campaign: that they wrote, and that they signed."""

import enum
import secrets
from datetime import date

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from mailer.store.crypto import EncryptedText
from mailer.store.db import UtcDay, utctoday
from mailer.store.models.base import IN_NO_ORDER, Base, BigId, by_value


class ActKind(enum.StrEnum):
    """What somebody did."""

    WROTE = "wrote"  # to those whom the campaign has people write to, as they told us
    SIGNED = "signed"  # its petition


def new_act_id() -> bytes:
    """An id for an act: random, so that it tells no order."""
    return secrets.token_bytes(16)


class Act(Base):
    """That somebody did what a campaign asks for. What is counted is these rows.

    Neither an hour is kept nor from where it came, and the id has no order: that of arrival would tell whoever has a
    web server's log which row is whose. An erasure, and the end of the time for which people are known, take the
    person out, and the row stays.
    """

    __tablename__ = "acts"
    __table_args__ = (
        UniqueConstraint("campaign_id", "kind", "subscriber_id"),
        Index("ix_acts_where", "campaign_id", "kind", "country", "language"),  # what is counted by these
        IN_NO_ORDER,
    )

    id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True, default=new_act_id)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    kind: Mapped[ActKind] = mapped_column(by_value(ActKind))
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscribers.id", ondelete="SET NULL"), index=True)
    country: Mapped[str | None] = mapped_column(String(2))  # ISO 3166-1 alpha-2, where they lived then
    language: Mapped[str] = mapped_column(String(20))  # BCP 47, in which they did it
    day: Mapped[date] = mapped_column(UtcDay, default=utctoday)


class Signature(Base):
    """The name of somebody who signed, where they want it shown or handed over: of all others there is none, and of
    nobody who lives where the authorities are, or named no country. It goes when its owner is erased.
    """

    __tablename__ = "signatures"
    __table_args__ = IN_NO_ORDER

    act_id: Mapped[bytes] = mapped_column(ForeignKey("acts.id", ondelete="CASCADE"), primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(BigId, ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(EncryptedText("signatures.name"))
    place: Mapped[str | None] = mapped_column(EncryptedText("signatures.place"))  # their town, or what they are
    is_shown: Mapped[bool]  # on the campaign's page
    is_handed_over: Mapped[bool]  # with the petition
    is_hidden: Mapped[bool] = mapped_column(default=False)  # an organiser found that it should not be shown
