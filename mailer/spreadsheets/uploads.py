"""Uploads: a file of supporters from the moment somebody uploads it until it is gone, a week after it was imported at
the latest.

The file waits sealed in the data directory. A worker looks at what it would do, and once its owner has agreed to that,
imports it, row by row as `importing` does; both are done again from the start if the worker dies, and the rows that
were done are known by `ImportAddition`. Whoever works on a file holds its lock, which ends with the process.
"""

import dataclasses
import fcntl
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.people import lists
from mailer.people.subscribers import one_line
from mailer.spreadsheets.importing import Asked
from mailer.store.crypto import Keyring
from mailer.store.db import utcnow
from mailer.store.models import Import, ImportAddition, ImportState
from mailer.store.sealed_files import SealedWriter

MOST_BYTES = 200 * 1024**2
#: how long what an import added can be taken back, and its rejects be fetched
KEPT = timedelta(days=7)
#: how long a file waits for its owner
WAITS = timedelta(days=1)
_FOLDER = "uploads"  # in the data directory
_STRAY = timedelta(hours=2)  # older than any upload takes: a file that no import names
_NAME_BYTES = 16
_LONGEST_NAME = 200
_AT_ONCE = 5_000
#: among the terms of an import: how many workers have begun with it and not come to an end
_TRIES = "tries"
_MOST_TRIES = 5

#: what a worker has to do
WORK = (ImportState.LOOKING, ImportState.IMPORTING, ImportState.TAKING_BACK)
#: what still waits for its owner
_WAITING = (ImportState.UPLOADED, ImportState.LOOKED)
#: files of one account that lie here at once: all of them together must leave the database its room
MOST_FILES = 5
_S = ImportState


class UnknownImport(MailerError):
    """There is no such import, or it is forgotten: a week after its end nothing of it is kept."""


class NotNow(MailerError):
    """The import has gone on since this page was opened. See how it stands."""


class TooLate(MailerError):
    """What an import added can be taken back for a week, and that is over."""


class TooMany(MailerError):
    """Files of yours wait already, {most} of them. Import or drop one of these first."""


class NoRoom(MailerError):
    """There is no room for this file on the server's disk. Ask whoever looks after the server."""


@dataclass(frozen=True, slots=True)
class Store:
    """Where uploaded files wait."""

    folder: Path
    keyring: Keyring

    @classmethod
    def of(cls, data_dir: Path, keyring: Keyring) -> "Store":
        """Of an installation."""
        return cls(data_dir / _FOLDER, keyring)

    def create(self, *, size: int = 0) -> tuple[str, SealedWriter]:
        """Begin a file; returns its name too.

        :param size: how large it will be, if that is known.
        :raises NoRoom: the disk has less than that, and a little.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(self.folder).free < 2 * size:
            raise NoRoom
        name = secrets.token_hex(_NAME_BYTES)
        return name, SealedWriter(self.path(name), self.keyring)

    def path(self, name: str) -> Path:
        """Where a file is."""
        return self.folder / name

    def drop(self, name: str | None) -> None:
        """Delete a file, if it is there."""
        if name is not None:
            self.path(name).unlink(missing_ok=True)

    @contextmanager
    def held(self, name: str) -> Iterator[bool]:
        """Hold a file for as long as the block lasts, so that nobody else works on it; whether that worked."""
        try:
            file = self.path(name).open("rb")
        except OSError:  # gone, or on another machine
            yield False
            return
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True


# --- what its owner does ----------------------------------------------------------------------------------------------


def begin(session: Session, account_id: int, *, name: str, file: str) -> Import:
    """Note that somebody uploaded a file.

    :param name: of the file, as its owner has it; :param file: as `Store.create` named it.
    :raises TooMany: so many of theirs lie here already.
    """
    theirs = (Import.account_id == account_id, Import.file.is_not(None))
    if (session.scalar(select(func.count()).select_from(Import).where(*theirs)) or 0) >= MOST_FILES:
        raise TooMany(most=MOST_FILES)
    begun = Import(account_id=account_id, name=(one_line(name) or "")[:_LONGEST_NAME], file=file)
    session.add(begun)
    session.flush()
    return begun


def get(session: Session, import_id: int) -> Import:
    """An import.

    :raises UnknownImport: there is none.
    """
    found = session.get(Import, import_id)
    if found is None:
        raise UnknownImport
    return found


def _held(session: Session, import_id: int) -> Import:
    """An import, which nobody else changes until this transaction ends.

    :raises UnknownImport: there is none.
    """
    this = select(Import).where(Import.id == import_id).with_for_update()
    found = session.scalar(this.execution_options(populate_existing=True))
    if found is None:
        raise UnknownImport
    return found


def latest(session: Session) -> Sequence[Import]:
    """All that are kept, the latest first."""
    return session.scalars(select(Import).order_by(Import.id.desc())).all()


def ask(session: Session, import_id: int, asked: Asked) -> None:
    """Say what a file is for, and have a worker look at what it would do. May be said again, before it is imported.

    :raises importing.NoConsentText: the words are missing that people agreed to.
    :raises lists.UnknownList: no list has that slug.
    :raises NotNow: it is imported, or gone.
    """
    asked.require_words()
    lists.get(session, asked.list_slug)
    found = _held(session, import_id)
    _require(found, _S.UPLOADED, _S.LOOKED, _S.REFUSED)
    if found.file is None:
        raise NotNow
    found.terms = dataclasses.asdict(asked)
    found.state, found.found, found.problem, found.rows_done = _S.LOOKING, None, None, 0


def asked_of(found: Import) -> Asked:
    """What an import was asked for."""
    terms = dict(found.terms)
    terms.pop(_TRIES, None)
    pairs = tuple((str(column), str(value)) for column, value in terms.pop("only"))
    ignored = tuple(map(str, terms.pop("ignored")))
    return Asked(**{**terms, "ignored": ignored, "only": pairs, "import_id": found.id})


def confirm(session: Session, import_id: int) -> Import:
    """Have a worker import a file, as it was looked at.

    :raises NotNow: it was not, or it is under way.
    """
    found = _held(session, import_id)
    _require(found, _S.LOOKED)
    found.state, found.rows_done = _S.IMPORTING, 0
    return found


def drop(session: Session, import_id: int) -> str | None:
    """Import nothing of a file.

    :returns: the file, to be dropped once that is committed.
    :raises NotNow: it is too late for that.
    """
    found = _held(session, import_id)
    _require(found, _S.UPLOADED, _S.LOOKING, _S.LOOKED, _S.REFUSED)
    return _end(found, _S.DROPPED)


def take_back(session: Session, import_id: int) -> Import:
    """Have a worker take those out whom an import added, except who has confirmed since.

    :raises NotNow: it has added nobody, or was taken back.
    :raises TooLate: a week is over.
    """
    found = _held(session, import_id)
    _require(found, _S.DONE)
    if found.finished_at is None or utcnow() >= found.finished_at + KEPT:
        raise TooLate
    found.state, found.rows_done = _S.TAKING_BACK, 0
    return found


def _require(found: Import, *states: ImportState) -> None:
    if found.state not in states:
        raise NotNow


def _end(found: Import, state: ImportState) -> str | None:
    file, found.file = found.file, None
    found.state, found.finished_at = state, utcnow()
    return file


# --- what a worker does ---------------------------------------------------------------------------------------------


def with_work(session: Session) -> Sequence[int]:
    """Imports that a worker has something to do for, the oldest first."""
    return session.scalars(select(Import.id).where(Import.state.in_(WORK)).order_by(Import.id)).all()


def begin_try(session: Session, import_id: int) -> bool:
    """Note that a worker begins with a file; whether it may: not if so many have died over it that it is the file."""
    found = _held(session, import_id)
    tries = int(found.terms.get(_TRIES, 0))
    found.terms = {**found.terms, _TRIES: tries + 1}
    return tries < _MOST_TRIES


def end_try(session: Session, import_id: int) -> None:
    """Note that a worker that began with a file is alive still."""
    found = _held(session, import_id)
    found.terms = {name: value for name, value in (found.terms or {}).items() if name != _TRIES}


def settle(session: Session, import_id: int, state: ImportState, was: ImportState, **values: Any) -> bool:
    """Note what a worker came to, unless somebody dropped the file meanwhile.

    :returns: whether it was noted.
    """
    changed = update(Import).where(Import.id == import_id, Import.state == was).values(state=state, **values)
    return session.scalar(changed.returning(Import.id)) is not None


def note_progress(session: Session, import_id: int, done: int, rows: int) -> ImportState | None:
    """Note how far a worker is; returns where the import is, for it may have been dropped."""
    moved = update(Import).where(Import.id == import_id).values(rows_done=done, rows=rows).returning(Import.state)
    return session.scalar(moved)


# --- what is forgotten ----------------------------------------------------------------------------------------------


def forget_old(session: Session) -> None:
    """Forget imports whose week is over, and drop what its owner let lie for a day; a few thousand rows at a time."""
    now = utcnow()
    waits = (Import.state.in_((*_WAITING, _S.REFUSED)), Import.created_at < now - WAITS, Import.file.is_not(None))
    session.execute(update(Import).where(*waits).values(state=_S.DROPPED, file=None, finished_at=now))
    lost = (Import.state.in_((_S.LOOKING, _S.IMPORTING)), Import.created_at < now - KEPT)  # no worker can read them
    session.execute(update(Import).where(*lost).values(state=_S.DROPPED, file=None, finished_at=now))
    over = select(Import.id).where(Import.finished_at < now - KEPT, Import.state.not_in(WORK))
    of_these = select(ImportAddition.subscriber_id, ImportAddition.import_id).where(ImportAddition.import_id.in_(over))
    some = of_these.limit(_AT_ONCE).subquery()
    pair = (ImportAddition.subscriber_id == some.c.subscriber_id, ImportAddition.import_id == some.c.import_id)
    gone = delete(ImportAddition).where(select(some).where(*pair).exists())
    if not session.execute(gone.execution_options(synchronize_session=False)).rowcount:  # type: ignore[attr-defined]
        session.execute(delete(Import).where(Import.id.in_(over)))


def clear(session: Session, store: Store, *, at: datetime | None = None) -> None:
    """Delete files that no import names any more: of an upload that broke off, or of a process that was killed."""
    if not store.folder.is_dir():
        return
    named = or_(Import.file.is_not(None), Import.rejects.is_not(None))
    kept = {name for row in session.execute(select(Import.file, Import.rejects).where(named)) for name in row}
    oldest = (at.timestamp() if at else time.time()) - _STRAY.total_seconds()
    for path in store.folder.iterdir():
        with suppress(FileNotFoundError):
            if path.name not in kept and path.stat().st_mtime < oldest:
                path.unlink()
