"""The database's schema: brought up to date under a lock, and checked before anything runs on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from mailer.db import SQLITE_BUSY_SECONDS, unavailable
from mailer.errors import MailerError

_MIGRATIONS = Path(__file__).parent.parent / "migrations"
_LOCK_SECONDS = SQLITE_BUSY_SECONDS
_ADVISORY_LOCK = 0x70C51  # any number that nothing else in the database locks


class SchemaOutdated(MailerError):
    """The database has not been brought up to date with this version. Run: mailer db upgrade"""


class SchemaTooNew(MailerError):
    """The database was made by a newer version of this program. Install that version, or restore a backup made
    before the upgrade."""


class UpgradeInProgress(MailerError):
    """Another process has been upgrading this database for over {seconds} seconds. Wait for it to end, then try
    again."""


def upgrade(engine: Engine) -> None:
    """Run the migrations that the database lacks: all of them or, on any error, none.

    Safe to run twice and by two processes at once: the second waits for the first and finds nothing to do.

    :raises SchemaTooNew: the database has a migration that this version does not know.
    :raises UpgradeInProgress: another upgrade held the lock for too long.
    :raises DatabaseUnavailable: the database cannot be reached or written.
    """
    config = _config()
    try:
        with _locked(engine) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as problem:
        if "Can't locate revision" in str(problem):
            raise SchemaTooNew from problem
        raise
    except OperationalError as problem:
        if _is_lock_timeout(problem):
            raise UpgradeInProgress(seconds=_LOCK_SECONDS) from problem
        raise unavailable(problem) from problem


def is_current(engine: Engine) -> bool:
    """Whether the database has exactly the migrations of this version.

    :raises DatabaseUnavailable: the database cannot be reached.
    """
    try:
        with engine.execution_options(read_only=True).connect() as connection:
            return MigrationContext.configure(connection).get_current_heads() == (head(),)
    except OperationalError as problem:
        raise unavailable(problem) from problem


def require_current(engine: Engine) -> None:
    """Refuse to work on another schema than this version's.

    :raises SchemaOutdated: `mailer db upgrade` has to be run first.
    :raises DatabaseUnavailable: the database cannot be reached.
    """
    if not is_current(engine):
        raise SchemaOutdated


def head() -> str:
    """The number of the newest migration, such as "0001"."""
    number = ScriptDirectory.from_config(_config()).get_current_head()
    if number is None:
        raise FileNotFoundError(f"no migrations in {_MIGRATIONS}")
    return number


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


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


def _is_lock_timeout(problem: OperationalError) -> bool:
    return getattr(problem.orig, "sqlstate", None) == "55P03" or "database is locked" in str(problem.orig)
