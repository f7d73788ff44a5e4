"""What a worker does with an uploaded file: look at what it would do, import it, or take back what it added."""

import dataclasses
import io
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine

from mailer.errors import MailerError, ServiceUnavailable
from mailer.formats.csv_output import RejectsFile
from mailer.formats.tables import TableFile
from mailer.spreadsheets import headers, importing, taking_back, uploads
from mailer.spreadsheets.importing import Asked, ImportStopped
from mailer.spreadsheets.uploads import Store
from mailer.store.db import DatabaseUnavailable, session_scope, utcnow
from mailer.store.models import ImportState
from mailer.store.sealed_files import BrokenSeal, SealedWriter, open_sealed

log = logging.getLogger(__name__)

_S = ImportState


class Deadly(MailerError):
    """The program has ended several times while it read this file. Save it as CSV, in smaller parts, and upload
    these."""


class _Over(Exception):
    """The process is to end, or nobody wants the import any more."""


def work(engine: Engine, store: Store, import_id: int, stopping: Callable[[], bool]) -> bool:
    """Do what is to be done for an import; from the start, if it was begun before.

    :param stopping: says whether to break off: what is done stays done.
    :returns: whether there was anything to do here: the file may be on another machine, or held by another worker.
    :raises ServiceUnavailable: the database is away; to be tried again.
    """
    with session_scope(engine, read_only=True) as session:
        found = uploads.get(session, import_id)
        state, file, name, before = found.state, found.file, found.name, found.found
        asked = uploads.asked_of(found) if state in (_S.LOOKING, _S.IMPORTING) else None
    if state is _S.TAKING_BACK:
        return _take_back(engine, import_id, before, stopping)
    if asked is None or file is None:
        return False
    with store.held(file) as is_held:
        if not is_held:
            return False
        with session_scope(engine) as session:
            may_try = uploads.begin_try(session, import_id)
        try:
            if not may_try:
                raise Deadly
            _read(engine, store, import_id, file, name, asked, stopping, dry_run=state is _S.LOOKING)
        except _Over:
            return True
        except ServiceUnavailable:
            raise
        except (MailerError, BrokenSeal) as problem:
            if isinstance(problem, ImportStopped):
                raise DatabaseUnavailable(problem=problem) from problem
            with session_scope(engine) as session:
                uploads.settle(session, import_id, _S.REFUSED, state, problem=str(problem))
        finally:  # which a process that is killed does not come to
            _survive(engine, import_id)
    return True


def _survive(engine: Engine, import_id: int) -> None:
    """Not have a file be refused that no worker has died over."""
    with suppress(ServiceUnavailable, uploads.UnknownImport), session_scope(engine) as session:
        uploads.end_try(session, import_id)


def _read(
    engine: Engine,
    store: Store,
    import_id: int,
    file: str,
    name: str,
    asked: Asked,
    stopping: Callable[[], bool],
    *,
    dry_run: bool,
) -> None:
    def progress(done: int, rows: int) -> None:
        with session_scope(engine) as session:
            state = uploads.note_progress(session, import_id, done, rows)
        if stopping() or state is not (_S.LOOKING if dry_run else _S.IMPORTING):
            raise _Over

    rejects: list[tuple[str, SealedWriter]] = []

    def open_rejects() -> RejectsFile:
        if dry_run:
            return RejectsFile(None, table)
        rejects.append(store.create())
        file = io.TextIOWrapper(cast(Any, rejects[0][1]), encoding="utf-8", newline="")
        return RejectsFile(None, table, file=file)

    stream = open_sealed(store.path(file), store.keyring)
    with TableFile(Path(name), columns=importing.COLUMNS, spellings=headers.SUPPORTERS, stream=stream) as table:
        try:
            report = importing.import_table(engine, table, asked, open_rejects, dry_run=dry_run, progress=progress)
        except BaseException:
            for made, _writer in rejects:
                store.drop(made)
            raise
    found = dataclasses.asdict(report)
    if dry_run:
        with session_scope(engine) as session:
            uploads.settle(session, import_id, _S.LOOKED, _S.LOOKING, found=found, rows=report.read)
        return
    kept = rejects[0][0] if report.remarked else None
    with session_scope(engine) as session:
        uploads.settle(
            session,
            import_id,
            _S.DONE,
            _S.IMPORTING,
            found=found,
            file=None,
            rejects=kept,
            rows=report.read,
            rows_done=report.read,
            finished_at=utcnow(),
        )
    store.drop(file)
    if kept is None:
        store.drop(rejects[0][0])


def _take_back(engine: Engine, import_id: int, found: Any, stopping: Callable[[], bool]) -> bool:
    """Take people out a few at a time. Whoever does so beside another finds fewer of them."""
    while more := taking_back.take_some(engine, import_id):
        with session_scope(engine) as session:
            uploads.note_progress(session, import_id, more, more)
        if stopping():
            return True
    with session_scope(engine) as session:
        left = taking_back.kept(session, import_id)
        uploads.settle(session, import_id, _S.TAKEN_BACK, _S.TAKING_BACK, found={**(found or {}), "kept": left})
    return True
