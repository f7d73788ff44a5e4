"""The database's schema: brought up to date under a lock, and checked before anything runs on it."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError

from mailer.errors import MailerError, ServiceUnavailable
from mailer.store.db import SQLITE_BUSY_SECONDS, DatabaseUnavailable, driver_errors_explained, empty_log, on_driver

_MIGRATIONS = Path(__file__).parents[2] / "migrations"
_LOCK_SECONDS = SQLITE_BUSY_SECONDS
_ROOM = 2.5  # VACUUM writes a copy into a temporary file, and from there another into the log
_ADVISORY_LOCK = 0x70C51  # any number that nothing else in the database locks


class SchemaOutdated(MailerError):
    """The database is not up to date with this version. Run: mailer db upgrade"""

    exit_code = 3


class SchemaTooNew(MailerError):
    """The database was made by a newer version of this program. Install that version, or restore a backup made
    before the upgrade."""

    exit_code = 3


class UpgradeInProgress(MailerError):
    """Another process has been upgrading this database for over {seconds} seconds. Wait for it to end, then try
    again."""


class DatabaseInUse(MailerError):
    """Others have used this database without a pause for over {seconds} seconds. Nothing was changed. Stop the web part
    and the workers, then run again: mailer db upgrade"""


class NotWrittenAnew(ServiceUnavailable):
    """The database is up to date, but its file may still hold what was taken out of it: {problem}. Stop what uses the
    database, see that the disk has room for two more copies of it, and run again: mailer db upgrade"""


def upgrade(engine: Engine) -> None:
    """Run the migrations that the database lacks: all of them or, on any error, none.

    Safe to run twice and by two processes at once: the second waits for the first and finds nothing to do.

    Afterwards SQLite's file is written anew, where `db.have_written_anew` has asked for that.

    :raises SchemaTooNew: the database has a migration that this version does not know.
    :raises UpgradeInProgress: another upgrade held the lock for too long.
    :raises DatabaseInUse: others left no moment in which nobody used the database.
    :raises DatabaseUnavailable: the database cannot be reached or written.
    :raises NotWrittenAnew: it is up to date, and its file is still to be written anew.
    """
    # Imported here: it takes a tenth of a second, and every command checks the schema.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with driver_errors_explained(), _lock_timeout_explained(), _locked(engine) as connection:
        current = _current(connection)
        _refuse_newer(current)
        if current != head():
            _take_tables(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    if engine.dialect.name == "sqlite":
        _write_anew(engine)


def _write_anew(engine: Engine) -> None:
    """Do what was asked for with `db.have_written_anew`.

    :raises NotWrittenAnew: there is no room, or another program is in the way.
    """
    file = Path(str(engine.url.database))
    try:
        with on_driver(engine) as cursor:
            (is_asked,) = cursor.execute("PRAGMA user_version").fetchone()
            if not is_asked:
                return
            if shutil.disk_usage(file.parent).free < _ROOM * file.stat().st_size:
                raise NotWrittenAnew(problem="the disk has too little room")
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA user_version = 0")
        empty_log(engine)
    except DatabaseUnavailable as problem:
        raise NotWrittenAnew(problem=problem.fields["problem"]) from problem


def require_current(engine: Engine) -> None:
    """Refuse to work on another schema than this version's.

    :raises SchemaOutdated: `mailer db upgrade` has to be run first.
    :raises SchemaTooNew: the database has a migration that this version does not know.
    :raises DatabaseUnavailable: the database cannot be reached.
    """
    with driver_errors_explained(), engine.execution_options(read_only=True).connect() as connection:
        current = _current(connection)
    _refuse_newer(current)
    if current != head():
        raise SchemaOutdated


def head() -> str:
    """The number of the newest migration, such as "0001"."""
    return max(_known())


def _known() -> set[str]:
    """The numbers of all migrations: their files are called NNNN_what_it_does.py."""
    return {file.name[:4] for file in (_MIGRATIONS / "versions").glob("[0-9][0-9][0-9][0-9]_*.py")}


def _current(connection: Connection) -> str | None:
    """The number of the migration that the database is at."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    number: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return number


def _refuse_newer(current: str | None) -> None:
    if current is not None and current not in _known():
        raise SchemaTooNew


@contextmanager
def _lock_timeout_explained() -> Iterator[None]:
    try:
        yield
    except OperationalError as problem:
        if getattr(problem.orig, "sqlstate", None) == "55P03" or "database is locked" in str(problem.orig):
            raise UpgradeInProgress(seconds=_LOCK_SECONDS) from problem
        raise


@contextmanager
def _locked(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other upgrade runs beside."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            with _foreign_keys_off(connection), connection.begin():  # BEGIN IMMEDIATE is the lock
                yield connection
                _check_foreign_keys(connection)
        else:
            with connection.begin():
                connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
                yield connection


def _take_tables(connection: Connection) -> None:
    """Keep everybody else out of PostgreSQL's tables until the upgrade ends. All at once, in a moment in which nobody
    uses any: a migration that takes one after the other would wait for somebody who waits for it.

    :raises DatabaseInUse: there was no such moment.
    """
    if connection.dialect.name == "sqlite":
        return  # there is one writer at a time
    tables = ", ".join(sorted(inspect(connection).get_table_names()))
    if not tables:
        return
    give_up = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            with connection.begin_nested():
                connection.execute(text(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE NOWAIT"))
        except OperationalError as problem:
            if getattr(problem.orig, "sqlstate", None) != "55P03":
                raise
            if time.monotonic() > give_up:
                raise DatabaseInUse(seconds=_LOCK_SECONDS) from problem
            time.sleep(0.02)
        else:
            return


@contextmanager
def _foreign_keys_off(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by copying it and dropping the old one, which would delete every row that refers to it.

    The switch has no effect inside a transaction, so it is thrown on the driver's connection
    (sqlite.org/lang_altertable.html, section 7).
    """
    driver = connection.connection
    driver.cursor().execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.cursor().execute("PRAGMA foreign_keys = ON")


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise RuntimeError(f"the migration left a row of {broken[0]} that refers to no row of {broken[2]}")
