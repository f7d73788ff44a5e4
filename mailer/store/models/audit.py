"""The audit log: who did what, and when. What `store.audit` writes, the database refuses to change or delete."""

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import DDL, Index, LargeBinary, String, event
from sqlalchemy.orm import Mapped, mapped_column

from mailer.store.crypto import EncryptedJson
from mailer.store.db import UtcDateTime
from mailer.store.models.base import Base, BigId, by_value


class AuditActor(enum.StrEnum):
    """Who did something."""

    ACCOUNT = "account"  # somebody at the desk; `account_id` says who
    COMMAND_LINE = "command line"  # whoever could run a command with the keys
    ITSELF = "by itself"  # a worker, without being told


class AuditEntry(Base):
    """One line of the audit log. Of its columns, only the number and the two hashes that tie it to the entry before may
    be set, once, and `details` be put under another key."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index(None, "kind", "subject"), Index(None, "account_id", "number"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    # The day alone, at its midnight, for what is about one person: with a mail provider's log beside it, a time is a
    # name.
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[AuditActor] = mapped_column(by_value(AuditActor))
    account_id: Mapped[int | None]  # no foreign key: an entry outlives whom it names
    session: Mapped[str | None] = mapped_column(String(40))  # what a session is called where its owner sees it
    action: Mapped[str] = mapped_column(String(60))  # a word of ours, such as "campaigns.send"
    kind: Mapped[str | None] = mapped_column(String(20))  # of what it was done to, such as "campaign"
    subject: Mapped[str | None] = mapped_column(String(80))  # its slug; the id of what may have to lose its name
    details: Mapped[Any] = mapped_column(EncryptedJson("audit_entries.details"), nullable=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))  # `Keyring.audit_digest` of all of the above but the id
    # From here on set when the entry is chained; see `store.audit.chain`.
    number: Mapped[int | None] = mapped_column(BigId, unique=True)  # from 1, without a gap
    previous: Mapped[bytes | None] = mapped_column(LargeBinary(32))  # `hash` of the entry before; zeros for the first
    hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))  # of `previous`, `number` and `digest`


# As for the consent log: a log that an UPDATE can rewrite proves nothing.
_REFUSED = "the audit log is append-only"
_WRITTEN = "id, created_at, actor, account_id, session, action, kind, subject, digest"
_CHAINED = "number, previous, hash"
_AUDIT_LOG_GUARDS: tuple[DDL, ...] = tuple(
    DDL(statement).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    for dialect, statements in {
        "sqlite": [
            *(
                f"CREATE TRIGGER audit_entries_{name} BEFORE {change} BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
                for name, change in (
                    ("append_only", f"UPDATE OF {_WRITTEN} ON audit_entries"),
                    ("chained", f"UPDATE OF {_CHAINED} ON audit_entries WHEN OLD.hash IS NOT NULL"),
                    ("kept", "DELETE ON audit_entries"),
                )
            )
        ],
        "postgresql": [
            "CREATE FUNCTION audit_entries_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$",
            *(
                f"CREATE TRIGGER audit_entries_{name} BEFORE {change} EXECUTE FUNCTION audit_entries_append_only()"
                for name, change in (
                    ("append_only", f"UPDATE OF {_WRITTEN} OR DELETE ON audit_entries FOR EACH ROW"),
                    (
                        "chained",
                        f"UPDATE OF {_CHAINED} ON audit_entries FOR EACH ROW WHEN (OLD.hash IS NOT NULL)",
                    ),
                    ("kept", "TRUNCATE ON audit_entries FOR EACH STATEMENT"),
                )
            ),
        ],
    }.items()
    for statement in statements
)
for _guard in _AUDIT_LOG_GUARDS:
    event.listen(AuditEntry.__table__, "after_create", _guard)


def _refuse_change(_mapper: object, _connection: object, entry: AuditEntry) -> None:
    raise TypeError(f"entry {entry.id} of the audit log is append-only")


# The database cannot tell other details from the same ones under another key.
event.listen(AuditEntry, "before_update", _refuse_change)
