"""What is kept of messages that come in, beside events: what people wrote until it is handed on, and how many came."""

import enum
from datetime import date, datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from mailer.mail.feedback.types import Kind
from mailer.store.crypto import EncryptedBytes, EncryptedText
from mailer.store.db import UtcDateTime, UtcDay
from mailer.store.models.base import IN_NO_ORDER, Base, by_value

#: as in `ledger`
ANSWER = "replies.message"
UNREAD_WORDS = "unread_messages.words"


class Reply(Base):
    """Something that a person wrote to us, to be handed on to an organiser by a delivery of the ledger.

    Once that is settled, only what tells the message from others stays for a month: it may be given to us again.
    """

    __tablename__ = "replies"
    __table_args__ = IN_NO_ORDER

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)  # `Keyring.mail_digest` of its content
    day: Mapped[date] = mapped_column(UtcDay, index=True)
    # Of the mail that hands it on, with the message; none once that is settled.
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"), index=True)
    # Who was sent what this is about; none where nobody knows. Likewise.
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    message: Mapped[bytes | None] = mapped_column(EncryptedBytes(ANSWER))  # its first MiB, as it came


class UnreadMessage(Base):
    """A message that nobody could tell what it is, kept for some days where an operator asked for that."""

    __tablename__ = "unread_messages"
    __table_args__ = IN_NO_ORDER

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)  # `Keyring.mail_digest` of the message
    day: Mapped[date] = mapped_column(UtcDay)
    until: Mapped[date] = mapped_column(UtcDay)  # the last day on which it is kept
    kind: Mapped[Kind] = mapped_column(by_value(Kind))
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    # Its header and its own words; of a mail that it gives back, the header alone.
    words: Mapped[str] = mapped_column(EncryptedText(UNREAD_WORDS))


class Tally(enum.StrEnum):
    """What is counted of messages that come in, so that there may be only so many."""

    TAKEN = "taken"  # in an hour
    DROPPED = "dropped"  # in an hour: too many had come
    FORWARDED = "forwarded"  # in a day, of what people wrote
    STRANGERS = "strangers"  # of these, those for which no room is kept
    NOT_FORWARDED = "not_forwarded"  # in a day, because so many had been


class InboundTally(Base):
    """How many there were in an hour or a day."""

    __tablename__ = "inbound_tallies"

    what: Mapped[Tally] = mapped_column(by_value(Tally), primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)  # the beginning of the hour or day
    number: Mapped[int]
