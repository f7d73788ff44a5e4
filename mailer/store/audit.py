"""The audit log: who did what to what, and when; and proof that nobody has changed or removed a line of it since.

An entry is written in the transaction of the change that it tells of: there is neither without the other, and nobody
waits for anybody. Entries are chained afterwards, in a short transaction of its own (`chain`), so that a lock is held
for as long as it takes to link a few rows, whatever the change took. What a crash leaves is chained by whoever comes
next, a worker's housekeeping at the latest.

From its first moment an entry has a digest of its content, under a key that is kept outside the database; the chain
shows what is missing. So whoever changes the database by its back door can go unnoticed in one way: by taking away the
newest entries. What shows that is the number and hash of the newest, noted elsewhere: see `verify`.

This module knows nothing of what is done: what an action is called, and what kinds of things there are, is up to who
writes an entry. Never an address, a name, or what somebody typed, save in `details`, which are encrypted.
"""

import enum
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, LargeBinary, bindparam, insert, select, type_coerce, update
from sqlalchemy.orm import Session

from mailer.store import db
from mailer.store.crypto import Keyring, UnreadableSecret, keyring_of
from mailer.store.db import utcnow
from mailer.store.models import AuditActor, AuditEntry, Base

_LOCK = 0xA0D17  # any number that nothing else in the database locks
_MOST_CHAINED = 1000  # in one transaction: the lock is short
_FIRST = bytes(32)  # what stands before the first entry
_TABLE = Base.metadata.tables["audit_entries"]
_NUMBERED = AuditEntry.number.is_not(None)
_CONTENT = ("created_at", "actor", "account_id", "session", "action", "kind", "subject")


@dataclass(frozen=True, slots=True)
class Who:
    """Who does something, and from where."""

    actor: AuditActor
    account_id: int | None = None
    session: str | None = None  # what it is called where its owner sees it; nothing that could open it


COMMAND_LINE = Who(AuditActor.COMMAND_LINE)
ITSELF = Who(AuditActor.ITSELF)


class Written(NamedTuple):
    """An entry that was added."""

    id: int
    digest: bytes


def append(
    database: Session | Connection,
    action: str,
    who: Who,
    *,
    kind: str | None = None,
    subject: str | int | None = None,
    details: Mapping[str, Any] | None = None,
    day_only: bool = False,
) -> Written:
    """Add an entry to the log, in the transaction that is open.

    :param action: a word of ours: what is done to, and what, such as "campaigns.send".
    :param kind: of what it is done to, such as "campaign".
    :param subject: its slug; its id, if it may have to lose its name, or never had one.
    :param details: what else is to be known; encrypted.
    :param day_only: keep only the day: it is about one person.
    :returns: for `is_written`.
    """
    now = utcnow()
    content = {
        "created_at": now.replace(hour=0, minute=0, second=0, microsecond=0) if day_only else now,
        "actor": who.actor,
        "account_id": who.account_id,
        "session": who.session,
        "action": action,
        "kind": kind,
        "subject": None if subject is None else str(subject),
    }
    # By the connection, so that a session that is limited to a union may write, too.
    connection = database.connection() if isinstance(database, Session) else database
    digest = _digest(keyring_of(connection.engine), content, details)
    adding = insert(_TABLE).values(**content, details=details, digest=digest).returning(_TABLE.c.id)
    return Written(connection.execute(adding).scalar_one(), digest)


def is_written(connection: Connection, entry: Written) -> bool:
    """Whether an entry was committed."""
    same = (_TABLE.c.id == entry.id, _TABLE.c.digest == entry.digest)  # SQLite gives out an id again
    return connection.scalar(select(_TABLE.c.id).where(*same)) is not None


def _digest(keyring: Keyring, content: Mapping[str, Any], details: Any) -> bytes:
    at = content["created_at"].isoformat()
    written = {**content, "created_at": at, "details": details}
    return keyring.audit_digest(json.dumps(written, sort_keys=True, separators=(",", ":")).encode())


def _hash(keyring: Keyring, previous: bytes, number: int, digest: bytes) -> bytes:
    return keyring.audit_digest(previous + number.to_bytes(8, "big") + digest)


# --- the chain ------------------------------------------------------------------------------------------------------


def chain(session: Session) -> None:
    """Give a number to each entry that has none, up to a thousand, and tie it to the one before. To be called in a
    transaction that does nothing else: until that ends, everybody else who does so waits.
    """
    waiting = select(AuditEntry.id, AuditEntry.digest).where(AuditEntry.number.is_(None))
    if session.execute(waiting.limit(1)).first() is None:
        return
    db.lock(session, _LOCK)
    keyring = keyring_of(session)
    newest = newest_of(session)
    number, previous = (newest.number, newest.hash) if newest else (0, _FIRST)
    links = []
    for entry_id, digest in session.execute(waiting.order_by(AuditEntry.id).limit(_MOST_CHAINED)):
        number += 1
        link = {"row": entry_id, "number": number, "previous": previous}
        previous = _hash(keyring, previous, number, bytes(digest))
        links.append(link | {"hash": previous})
    if links:  # somebody else may just have done it
        session.connection().execute(
            update(_TABLE)
            .where(_TABLE.c.id == bindparam("row"))
            .values(number=bindparam("number"), previous=bindparam("previous"), hash=bindparam("hash")),
            links,
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry, as it can be noted elsewhere: it proves all that stands before it."""

    number: int
    hash: bytes

    @classmethod
    def parse(cls, text: str) -> "Mark":
        """Read what `str` makes of a mark.

        :raises ValueError: it is none.
        """
        number, _, digits = text.strip().partition(":")
        return cls(int(number), bytes.fromhex(digits))

    def __str__(self) -> str:
        return f"{self.number}:{self.hash.hex()}"


def newest_of(session: Session) -> Mark | None:
    """The newest entry that is chained."""
    newest = select(AuditEntry.number, AuditEntry.hash).where(_NUMBERED).order_by(AuditEntry.number.desc()).limit(1)
    found = session.execute(newest).first()
    return Mark(found[0] or 0, bytes(found[1] or b"")) if found else None


# --- reading --------------------------------------------------------------------------------------------------------


def page(
    session: Session,
    *,
    before: int | None = None,
    limit: int,
    kind: str | None = None,
    subject: str | int | None = None,
    account_id: int | None = None,
) -> Sequence[AuditEntry]:
    """The newest entries, the newest first.

    :param before: only those with a lower number. Else those that are not chained yet come first.
    :param kind: only of what was done to things of this kind.
    :param subject: likewise, to the one that is called so.
    :param account_id: only what somebody at the desk did.
    """
    wanted = {"kind": kind, "subject": None if subject is None else str(subject), "account_id": account_id}
    which = [getattr(AuditEntry, name) == value for name, value in wanted.items() if value is not None]
    chained = select(AuditEntry).where(_NUMBERED, *which).order_by(AuditEntry.number.desc())
    if before is not None:
        return session.scalars(chained.where(AuditEntry.number < before).limit(limit)).all()
    waiting = select(AuditEntry).where(AuditEntry.number.is_(None), *which).order_by(AuditEntry.id.desc())
    found = session.scalars(waiting.limit(limit)).all()
    return [*found, *session.scalars(chained.limit(limit - len(found)))]


def by_account(session: Session, account_id: int, action: str, *, since: datetime) -> Sequence[AuditEntry]:
    """What somebody at the desk did of one kind, from some time on."""
    theirs = (AuditEntry.account_id == account_id, AuditEntry.action == action, AuditEntry.created_at >= since)
    return session.scalars(select(AuditEntry).where(*theirs).order_by(AuditEntry.id)).all()


class Fault(enum.StrEnum):
    """What is wrong with an entry."""

    MISSING = "missing"
    CHANGED = "changed"  # it is not as it was written
    ASTRAY = "astray"  # it is whole, but belongs after another one than the one before it, or in place of another
    UNREADABLE = "unreadable"  # the key of its details is not in the ring, or they were damaged


@dataclass(frozen=True, slots=True)
class Finding:
    """Entries with which something is wrong, by their numbers."""

    first: int
    last: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a verification."""

    entries: int  # that are chained
    newest: Mark | None
    findings: Sequence[Finding]


def verify(session: Session, *, noted: Mark | None = None) -> Verdict:
    """Compare every entry that is chained with its digest, and with the entry before.

    :param noted: an entry as it was the newest one once. Without it nobody can tell whether the newest are missing.
    """
    keyring = keyring_of(session)
    columns = [_TABLE.c[name] for name in (*_CONTENT, "digest", "number", "previous", "hash")]
    details = type_coerce(AuditEntry.details, LargeBinary).label("stored")
    rows = session.execute(select(*columns, details).where(_NUMBERED).order_by(AuditEntry.number))
    entries, faults = 0, list[tuple[int, int, Fault]]()
    last: Mark | None = None
    seen: bytes | None = None  # the hash of the entry that was noted
    for row in rows.yield_per(_MOST_CHAINED):
        entries += 1
        expected = last.number + 1 if last else 1
        if row.number != expected:
            faults.append((expected, row.number - 1, Fault.MISSING))
        fault = _fault(keyring, row)
        if fault is None and row.number == expected and bytes(row.previous) != (last.hash if last else _FIRST):
            fault = Fault.ASTRAY
        if fault:
            faults.append((row.number, row.number, fault))
        last = Mark(row.number, bytes(row.hash))
        if noted and row.number == noted.number:
            seen = last.hash
    if noted and noted.number > (last.number if last else 0):
        faults.append((last.number + 1 if last else 1, noted.number, Fault.MISSING))
    elif noted and seen is not None and seen != noted.hash:
        faults.append((noted.number, noted.number, Fault.ASTRAY))
    return Verdict(entries, last, list(_joined(faults)))


def _joined(faults: Iterable[tuple[int, int, Fault]]) -> Iterator[Finding]:
    """Findings, those of neighbours as one: after a change of the key there may be one of each entry."""
    joined: Finding | None = None
    for first, last, fault in faults:
        if joined and (fault, first) == (joined.fault, joined.last + 1):
            joined = replace(joined, last=last)
            continue
        if joined:
            yield joined
        joined = Finding(first, last, fault)
    if joined:
        yield joined


def _fault(keyring: Keyring, row: Any) -> Fault | None:
    """What is wrong with an entry by itself."""
    digest = bytes(row.digest)
    if bytes(row.hash) != _hash(keyring, bytes(row.previous), row.number, digest):
        return Fault.CHANGED
    try:
        stored = keyring.decrypt(bytes(row.stored), "audit_entries.details") if row.stored is not None else "null"
    except UnreadableSecret:
        return Fault.UNREADABLE
    content = {name: getattr(row, name) for name in _CONTENT}
    return None if _digest(keyring, content, json.loads(stored)) == digest else Fault.CHANGED
