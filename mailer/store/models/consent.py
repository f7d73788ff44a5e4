"""What people agreed to, and what they asked for."""

import enum
from datetime import date, datetime

from sqlalchemy import DDL, ForeignKey, Index, LargeBinary, String, Text, event
from sqlalchemy.orm import Mapped, mapped_column

from mailer.store.crypto import EncryptedText
from mailer.store.db import UtcDateTime, UtcDay, utcnow, utctoday
from mailer.store.models.base import Base, BigId, by_value


class ConsentText(Base):
    """The exact words that people agreed to. A row is never changed: new words are a new row."""

    __tablename__ = "consent_texts"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)  # of language, a newline, and the text
    language: Mapped[str] = mapped_column(String(20))  # "und" where nobody said
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[date] = mapped_column(UtcDay, default=utctoday)  # when the first person agreed to it


class ConsentPurpose(enum.StrEnum):
    """What a person agreed to."""

    ALERTS = "alerts"  # mail from a list
    UNION = "union"  # our storing which union they belong to (GDPR Art. 9(2)(a))
    CONTACT = "contact"  # our writing to them on their union's behalf
    ACTED = "acted"  # our keeping that they acted on a campaign: a political opinion
    SIGNED = "signed"  # likewise, that they signed its petition
    SHOWN = "shown"  # our showing their name below it
    HANDED_OVER = "handed_over"  # our handing their name over with it


class ConsentAction(enum.StrEnum):
    """What happened to an agreement."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class ConsentEvent(Base):
    """One line of the append-only consent log. The database itself refuses to change one; erasure deletes a
    person's lines along with the person."""

    __tablename__ = "consent_events"
    __table_args__ = (Index(None, "subscriber_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"))
    list_id: Mapped[int | None] = mapped_column(ForeignKey("lists.id"))  # for purpose alerts
    # The campaign, for what they did; the line goes when nobody knows any more who did it. No foreign key, as in
    # `MailEvent`: SQLite would have to write the log anew, past what keeps it from being changed.
    campaign_id: Mapped[int | None] = mapped_column(index=True)
    purpose: Mapped[ConsentPurpose] = mapped_column(by_value(ConsentPurpose))
    action: Mapped[ConsentAction] = mapped_column(by_value(ConsentAction))
    text_id: Mapped[int | None] = mapped_column(ForeignKey("consent_texts.id"))  # none for a withdrawal
    method: Mapped[str] = mapped_column(String(40))  # how it reached us: "import", "sign-up form", "one-click"
    asked_at: Mapped[date | None] = mapped_column(UtcDay)
    confirmed_at: Mapped[date | None] = mapped_column(UtcDay)
    recorded_at: Mapped[date] = mapped_column(UtcDay, default=utctoday)


class ConsentSource(Base):
    """Where an agreement was collected, as the import says. Apart from the log, which refuses to be changed even to put
    a value under another key."""

    __tablename__ = "consent_sources"

    event_id: Mapped[int] = mapped_column(ForeignKey("consent_events.id", ondelete="CASCADE"), primary_key=True)
    source: Mapped[str] = mapped_column(EncryptedText("consent_sources.source"))


# Kept in the database, not only in code: a log that an UPDATE can rewrite proves nothing.
_CONSENT_LOG_GUARDS: tuple[DDL, ...] = (
    DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor untyped
        "CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events "
        "BEGIN SELECT RAISE(ABORT, 'the consent log is append-only'); END"
    ).execute_if(dialect="sqlite"),
    DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor untyped
        "CREATE FUNCTION consent_events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the consent log is append-only'; END $$"
    ).execute_if(dialect="postgresql"),
    DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor untyped
        "CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events "
        "FOR EACH ROW EXECUTE FUNCTION consent_events_append_only()"
    ).execute_if(dialect="postgresql"),
)
for _guard in _CONSENT_LOG_GUARDS:
    event.listen(ConsentEvent.__table__, "after_create", _guard)


class MailedLinkKind(enum.StrEnum):
    """What a link in a mail proves that its reader asked for."""

    SIGN_UP = "sign-up"  # to be on lists; nothing about them is stored elsewhere before they confirm
    MANAGE = "manage"  # to see, change, download and erase all that is held about them
    ADDRESS = "address"  # to be written to at another address, whose mail this link is in
    UNDO = "undo"  # to have a leaving taken back
    RESUME = "resume"  # to have a pause ended
    MOVED = "moved"  # to have all mail stopped that went to this address before, and goes to another now
    CONTACT = "contact"  # to be written to on a union's behalf, which may ask to affiliate by that
    ANSWER = "answer"  # to change what a union said of a kit
    SIGN = "sign"  # a petition: nothing of it is stored elsewhere before they confirm
    TAKE_BACK = "take-back"  # what they did for a campaign, as they or somebody else said


class MailedLink(Base):
    """What somebody asked for on the site, until the link that was mailed to them proves that it was they."""

    __tablename__ = "mailed_links"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[MailedLinkKind] = mapped_column(by_value(MailedLinkKind))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)  # SHA-256; the token is in the mail only
    # `Keyring.link_index` of the address that the mail goes to, and of the subscriber; random where there is none. No
    # other table has these: who reads the database and fills in a form must not learn from them whose row is whose.
    email_index: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)
    person: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)
    # Likewise of the mailbox that the address leads to, by which limits count; none where nobody typed the address into
    # a form, and once the link was used: it counts no more.
    mailbox: Mapped[bytes | None] = mapped_column(LargeBinary(32), index=True)
    # JSON: the subscriber's id, and what depends on the kind. The name of old is bound into every ciphertext: it stays.
    details: Mapped[str] = mapped_column(EncryptedText("requests.details"))
    # Whether the link went out by mail. Where it must not, a row is kept all the same: nobody is to learn that from the
    # answer. And what undoes a leaving stands on a page, too, under a link of its own.
    is_mailed: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    used_at: Mapped[date | None] = mapped_column(UtcDay)
