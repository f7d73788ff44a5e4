"""Imports of supporters by upload, while they are under way and for a week."""

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from mailer.store.crypto import EncryptedJson, EncryptedText
from mailer.store.db import UtcDateTime, utcnow
from mailer.store.models.base import IN_NO_ORDER, Base, by_value


class ImportState(enum.StrEnum):
    """Where an import is."""

    UPLOADED = "uploaded"  # the file is there; nobody has said yet for which list, and who agreed to what
    LOOKING = "looking"  # a worker looks at what it would do
    LOOKED = "looked"  # that is known; it waits for its owner
    IMPORTING = "importing"  # a worker brings the people in
    DONE = "done"
    REFUSED = "refused"  # the file cannot be taken; nothing was imported
    DROPPED = "dropped"  # its owner did not want it, or said nothing for a day
    TAKING_BACK = "taking back"  # a worker takes those out whom it added
    TAKEN_BACK = "taken back"


class Import(Base):
    """A file of supporters that somebody uploaded, and what became of it."""

    __tablename__ = "imports"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    state: Mapped[ImportState] = mapped_column(by_value(ImportState), default=ImportState.UPLOADED, index=True)
    name: Mapped[str] = mapped_column(EncryptedText("imports.name"))  # of the file, as its owner has it
    # Of the sealed files in the data directory, at random; none once they are gone.
    file: Mapped[str | None] = mapped_column(String(40))
    rejects: Mapped[str | None] = mapped_column(String(40))
    terms: Mapped[Any] = mapped_column(EncryptedJson("imports.terms"), nullable=True)  # `uploads.Terms`
    found: Mapped[Any] = mapped_column(
        EncryptedJson("imports.found"), nullable=True
    )  # what it would do, and then what it did
    problem: Mapped[str | None] = mapped_column(EncryptedText("imports.problem"))  # why it was refused
    rows: Mapped[int] = mapped_column(default=0)  # that there are, once that is known
    rows_done: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ImportAddition(Base):
    """Whom an import brought in, or filled in: so that it goes on where it was, and can be taken back."""

    __tablename__ = "import_additions"
    __table_args__ = (Index(None, "import_id", "subscriber_id"), IN_NO_ORDER)

    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True)
    fate: Mapped[str] = mapped_column(String(20))  # `enrolment.Fate`
