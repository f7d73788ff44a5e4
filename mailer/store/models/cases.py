"""Cases: persons whom alerts are for, what may be said of them, and what became of it.

All words but the slug are encrypted: a case may be worked on for months before anything of it may be public.
"""

import enum
from datetime import date, datetime
from typing import Any

from sqlalchemy import DDL, ForeignKey, String, UniqueConstraint, event
from sqlalchemy.orm import Mapped, mapped_column, relationship

from mailer.store.crypto import EncryptedJson, EncryptedText
from mailer.store.db import UtcDateTime, UtcDay, utcnow, utctoday
from mailer.store.models.base import Base, by_value


class CaseStatus(enum.StrEnum):
    """Where a case stands: open ⇄ stopped → closed."""

    OPEN = "open"  # people may be asked to write
    STOPPED = "stopped"  # nobody may be, until it is opened again
    CLOSED = "closed"  # over; `outcome` says how it ended


class Case(Base):
    """What happened to one person or several, and whose authorities are addressed for it."""

    __tablename__ = "cases"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    country: Mapped[str] = mapped_column(String(2))  # ISO 3166-1 alpha-2
    status: Mapped[CaseStatus] = mapped_column(by_value(CaseStatus), default=CaseStatus.OPEN)
    public: Mapped[bool]
    persons: Mapped[list[dict[str, Any]]] = mapped_column(EncryptedJson("cases.persons"))  # as `dossier.Person`
    asks: Mapped[dict[str, list[str]]] = mapped_column(
        EncryptedJson("cases.asks")
    )  # language → demands, in their order
    copy_to: Mapped[list[dict[str, Any]]] = mapped_column(EncryptedJson("cases.copy_to"))  # as `targets.Target`
    contact: Mapped[list[dict[str, Any]]] = mapped_column(EncryptedJson("cases.contact"))  # likewise
    outcome: Mapped[dict[str, str]] = mapped_column(
        EncryptedJson("cases.outcome")
    )  # language → words; empty until there is one
    consent: Mapped[dict[str, Any] | None] = mapped_column(EncryptedJson("cases.consent"))  # as `dossier.ConsentRecord`
    never: Mapped[list[str]] = mapped_column(EncryptedJson("cases.never"))  # what must appear nowhere
    notes: Mapped[str | None] = mapped_column(EncryptedText("cases.notes"))  # for organisers alone
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    loaded_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)  # the last time

    texts: Mapped[list["CaseText"]] = relationship(cascade="all, delete-orphan", order_by="CaseText.language")
    facts: Mapped[list["CaseFact"]] = relationship(cascade="all, delete-orphan", order_by="CaseFact.id")
    events: Mapped[list["CaseEvent"]] = relationship(order_by="CaseEvent.happened_on, CaseEvent.id")


class CaseText(Base):
    """What a case is about, in one language."""

    __tablename__ = "case_texts"
    __table_args__ = (UniqueConstraint("case_id", "language"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"))
    language: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(EncryptedText("case_texts.title"))
    body: Mapped[str] = mapped_column(EncryptedText("case_texts.body"))  # Markdown


class Certainty(enum.StrEnum):
    """How sure a fact is."""

    KNOWN = "known"
    REPORTED = "reported"


class CaseFact(Base):
    """Something that texts say of a case, and must be looked at again after some days."""

    __tablename__ = "case_facts"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), index=True)
    text: Mapped[str] = mapped_column(EncryptedText("case_facts.text"))
    source: Mapped[str] = mapped_column(EncryptedText("case_facts.source"))
    certainty: Mapped[Certainty] = mapped_column(by_value(Certainty))
    checked_on: Mapped[date] = mapped_column(UtcDay)
    good_for: Mapped[int]  # days


class CaseEventKind(enum.StrEnum):
    """What happened: out in the world, or with the case here."""

    NEWS = "news"  # of the case, from its file
    LOADED = "loaded"
    STOPPED = "stopped"
    REOPENED = "reopened"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"  # a campaign's words and names were taken down
    CORRECTED = "corrected"  # a campaign's letters were changed after it began
    CONSENT = "consent"  # it was recorded or withdrawn


class CaseEvent(Base):
    """A line of the history of a case, or of a campaign with one or without. The database itself refuses to change or
    delete one; only its key may change."""

    __tablename__ = "case_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"), index=True)
    # none: it is about the whole case
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id", ondelete="SET NULL"), index=True)
    kind: Mapped[CaseEventKind] = mapped_column(by_value(CaseEventKind))
    happened_on: Mapped[date] = mapped_column(UtcDay, default=utctoday)
    words: Mapped[dict[str, str]] = mapped_column(EncryptedJson("case_events.words"))  # language → words
    link: Mapped[str | None] = mapped_column(EncryptedText("case_events.link"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


# As for the consent log: a history that an UPDATE can rewrite proves nothing.
_SET = "case_id, kind, happened_on, created_at"
_HISTORY_GUARDS: tuple[DDL, ...] = (
    DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor untyped
        f"CREATE TRIGGER case_events_append_only BEFORE UPDATE OF {_SET} ON case_events "
        "BEGIN SELECT RAISE(ABORT, 'the history of a case is append-only'); END"
    ).execute_if(dialect="sqlite"),
    DDL(  # type: ignore[no-untyped-call]  # likewise
        "CREATE TRIGGER case_events_kept BEFORE DELETE ON case_events "
        "BEGIN SELECT RAISE(ABORT, 'the history of a case is append-only'); END"
    ).execute_if(dialect="sqlite"),
    DDL(  # type: ignore[no-untyped-call]  # likewise
        "CREATE FUNCTION case_events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the history of a case is append-only'; END $$"
    ).execute_if(dialect="postgresql"),
    DDL(  # type: ignore[no-untyped-call]  # likewise
        f"CREATE TRIGGER case_events_append_only BEFORE UPDATE OF {_SET} OR DELETE ON case_events "
        "FOR EACH ROW EXECUTE FUNCTION case_events_append_only()"
    ).execute_if(dialect="postgresql"),
)
for _guard in _HISTORY_GUARDS:
    event.listen(CaseEvent.__table__, "after_create", _guard)


def _refuse_other_words(_mapper: object, _connection: object, line: CaseEvent) -> None:
    raise TypeError(f"line {line.id} of a history is append-only")


# The database cannot tell other words from the same ones under another key.
event.listen(CaseEvent, "before_update", _refuse_other_words)
