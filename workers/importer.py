"""The process that works on uploaded files: one of its own, since an import takes minutes and no mail waits for it.

It looks for work in the database once a second, and needs no bell.
"""

import logging
import os
import sqlite3

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from mailer.errors import MailerError
from mailer.operations.stopping import Stop
from mailer.settings import load_settings
from mailer.spreadsheets import upload_work, uploads
from mailer.spreadsheets.uploads import Store
from mailer.store.db import open_engine, session_scope

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 10.0
#: behind everything else on the machine: whoever reads a page or gets a mail does not wait for a file
_NICE = 10


def run() -> None:
    """Work on uploaded files until told to stop."""
    stop = Stop().listen()
    os.nice(_NICE)
    settings = load_settings()
    store = Store.of(settings.data_dir, settings.keyring)
    engine = open_engine(settings.database_url, settings.keyring)
    try:
        while not stop():
            stop.wait(_LOOK_SECONDS if _work(engine, store, stop) else _RETRY_SECONDS)
    finally:
        engine.dispose()


def _work(engine: Engine, store: Store, stop: Stop) -> bool:
    """Do what there is to do; whether nothing went wrong."""
    try:
        with session_scope(engine, read_only=True) as session:
            waiting = uploads.with_work(session)
        for import_id in waiting:
            if not stop():
                upload_work.work(engine, store, import_id, stop)
    except (MailerError, SQLAlchemyError, sqlite3.Error, OSError) as problem:
        log.warning("an upload waits: %s", problem)
        return False
    return True
