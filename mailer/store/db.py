"""The database: one way to open it, one way to hold a transaction, and every SQLite / PostgreSQL difference."""

import json
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any, Protocol, cast

from psycopg.errors import DeadlockDetected, UndefinedTable, UniqueViolation
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Engine,
    SQLColumnExpression,
    String,
    Table,
    bindparam,
    column,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.sql.dml import Update
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from mailer.errors import ServiceUnavailable
from mailer.store import crypto

SQLITE_BUSY_SECONDS = 15
#: how long PostgreSQL waits for the next statement of a transaction that may hold locks
IDLE_SECONDS = 30
_EMPTYING_MILLISECONDS = 200  # for which writers may have to wait for `empty_log`
_SURELY_ALIVE_SECONDS = 1  # after its last use
_USED_AT = "used at"  # in `ConnectionPoolEntry.info`
_CHANGES = "changes"  # in `Connection.info`: what tells `before_commits` whether a transaction has changed something
_GROUP_AND_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class DatabaseUnavailable(ServiceUnavailable):
    """The database cannot be used: {problem}. Check MAILER_DATABASE_URL, that the server is running, that the disk has
    room, and that `mailer db upgrade` has been run. What was saved before is safe."""


class Deadlock(DatabaseUnavailable):
    """Two programs waited for each other, so the database ended what this one did. Nothing of it was saved: do it
    again."""


class ForeignFile(ServiceUnavailable):
    """{file} can be read by others, and belongs to another user. Only that user can change this. Have them run:
    chmod 600 {file}"""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time, also on SQLite, which keeps no zone. A naive time is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive time {value!r}: times are stored in UTC")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class UtcDay(TypeDecorator[date]):
    """A day in UTC, for what belongs to a person and needs no hours: to the microsecond, a time is as good as a name
    for whoever has a log beside it. Of a moment only its day is bound; a naive one is refused. Kept as its midnight.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise ValueError(f"naive time {value!r}: days are those of UTC")
            value = value.astimezone(UTC).date()
        midnight = datetime.combine(value, time_of_day(tzinfo=UTC))
        return midnight.replace(tzinfo=None) if dialect.name == "sqlite" else midnight

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> date | None:
        if value is None:
            return None
        return (value if value.tzinfo is None else value.astimezone(UTC)).date()


def open_engine(url: str, keyring: crypto.Keyring) -> Engine:
    """Make the engine of a database. Nothing is connected yet.

    :param url: SQLAlchemy URL of SQLite or PostgreSQL (`postgresql+psycopg://`).
    :param keyring: for the encrypted columns.
    """
    make_engine = _sqlite_engine if make_url(url).get_backend_name() == "sqlite" else _postgresql_engine
    engine = make_engine(url)
    crypto.attach(engine, keyring)
    return engine


def _postgresql_engine(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True)
    _replace_what_died(engine)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: ConnectionPoolEntry) -> None:
        # A host that stands still in the middle of a transaction would keep from all others what it locked: people
        # whom nobody else may claim.
        connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
        connection.commit()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("read_only"):  # it locks nothing, and its reader may be slow
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")

    return engine


def _replace_what_died(engine: Engine) -> None:
    """Have a connection that died while the program was busy elsewhere not fail the next transaction. SQLAlchemy's own
    `pool_pre_ping` asks before each one, which costs a short transaction one way to the server and back more.
    """

    @event.listens_for(engine, "checkin")
    def note(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[_USED_AT] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ask(connection: Any, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
        if time.monotonic() - record.info.get(_USED_AT, time.monotonic()) < _SURELY_ALIVE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as problem:
            raise DisconnectionError from problem  # the pool opens another


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": SQLITE_BUSY_SECONDS}, hide_parameters=True)
    file = engine.url.database

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS * 1000}")
        _write_ahead(cursor)
        cursor.execute("PRAGMA synchronous = FULL")  # a committed claim must survive a power cut
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA recursive_triggers = ON")  # else INSERT OR REPLACE deletes what a trigger keeps
        cursor.execute("PRAGMA secure_delete = ON")  # an erased person leaves no bytes in free pages
        cursor.execute("PRAGMA cache_size = -16000")
        cursor.close()
        if file:
            _keep_from_others(Path(file))

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that reads and then writes fails at once with SQLITE_BUSY, whatever the busy
        # time-out, when another wrote in between. So who may write says so at the start.
        mode = "DEFERRED" if connection.get_execution_options().get("read_only") else "IMMEDIATE"
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Have the file keep a write-ahead log.

    Where programs open a new file at the same moment, this is the one statement that does not wait for the others,
    whatever the busy time-out.
    """
    give_up = time.monotonic() + SQLITE_BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return


def _keep_from_others(file: Path) -> None:
    """:raises ForeignFile: others may read it, and this user may not change that."""
    if file.exists() and file.stat().st_mode & _GROUP_AND_OTHERS:
        try:
            file.chmod(0o600)
        except PermissionError:
            raise ForeignFile(file=file) from None


@contextmanager
def session_scope(engine: Engine, *, read_only: bool = False) -> Iterator[Session]:
    """A session that commits when its block ends well and rolls back when it does not.

    :param read_only: promise not to write; on SQLite such a transaction waits for no writer.
    :raises DatabaseUnavailable: the database cannot be reached, is not migrated, or its disk is full.
    """
    bind = engine.execution_options(read_only=True) if read_only else engine
    with driver_errors_explained(), Session(bind, expire_on_commit=False) as session, session.begin():
        yield session


class Sessions(Protocol):
    """Opens sessions as `session_scope` does, for somebody who does more after each commit."""

    def __call__(self, *, read_only: bool = False) -> AbstractContextManager[Session]: ...


@contextmanager
def driver_errors_explained() -> Iterator[None]:
    """Say in one line what drivers say of a database that cannot be used. Mistakes in our own statements, and what
    the schema forbids, are not of that kind and pass as they are.

    :raises DatabaseUnavailable: instead of SQLAlchemy's error.
    """
    try:
        yield
    except DBAPIError as problem:
        if not _is_out_of_use(problem):
            raise
        raise unavailable(problem) from problem


def _is_out_of_use(problem: DBAPIError) -> bool:
    if isinstance(problem, OperationalError) or problem.connection_invalidated:
        return True
    # What has no class of its own: SQLite's "no database" and "damaged", and PostgreSQL's missing table, which SQLite
    # calls an OperationalError.
    primary_code = getattr(problem.orig, "sqlite_errorcode", 0) & 0xFF  # sqlite.org/rescode.html
    return primary_code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT) or isinstance(problem.orig, UndefinedTable)


def unavailable(problem: DBAPIError) -> DatabaseUnavailable:
    """The error to show: what the driver said, in one line and without the statement, whose parameters may be
    personal."""
    if isinstance(problem.orig, DeadlockDetected):
        return Deadlock()
    if isinstance(problem.orig, UndefinedTable):
        return DatabaseUnavailable(problem=problem.orig.diag.message_primary)
    return DatabaseUnavailable(problem=" ".join(str(problem.orig).split())[:300])


def add_unique(session: Session, row: object) -> bool:
    """Insert a row unless one with its unique value is there, also one that another program is just inserting.

    :returns: whether it was inserted. If not, the other row is committed and can be read.
    """
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as problem:
        if not _is_unique_violation(problem):
            raise
        return False
    return True


def insert_unless_there(session: Session, row: DeclarativeBase) -> bool:
    """As `add_unique`, in one statement instead of three, for a row that nobody works with afterwards: the session does
    not know it.
    """
    session.flush()  # what it refers to
    table = cast(Table, type(row).__table__)
    build = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {name: value for name, value in vars(row).items() if name in table.columns}
    insert = build(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return session.connection().execute(insert, values).rowcount == 1


def _is_unique_violation(problem: IntegrityError) -> bool:
    unique = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
    return getattr(problem.orig, "sqlite_errorcode", None) in unique or isinstance(problem.orig, UniqueViolation)


def lock(session: Session, number: int, *, shared: bool = False) -> None:
    """Wait for, and hold until the transaction ends, a lock of the whole database, by its number.

    SQLite has one writer at a time, who holds it from the first statement on: there is nothing to do.

    :param shared: beside others who share it; else alone.
    """
    if session.get_bind().dialect.name == "postgresql":
        acquire = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        session.execute(select(acquire(number)))


def before_commits(engine: Engine, act: Callable[[Connection], None], *, always: bool = False) -> None:
    """Have something done in each transaction that changed a row, last, before it is committed.

    :param act: what it does is committed with the rest; what it raises keeps the rest from being committed.
    :param always: also in one that changed none.
    """
    if engine.dialect.name == "sqlite":
        # Before its rows are fetched, a cursor does not know how many a statement with RETURNING has changed.
        def changes(connection: Connection) -> int:
            return cast("sqlite3.Connection", connection.connection.dbapi_connection).total_changes

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.info[_CHANGES] = changes(connection)

        def has_changed(connection: Connection) -> bool:
            return bool(changes(connection) != connection.info[_CHANGES])
    else:

        @event.listens_for(engine, "begin")
        def begin_anew(connection: Connection) -> None:
            connection.info[_CHANGES] = False

        @event.listens_for(engine, "after_cursor_execute")
        def count(
            connection: Connection, cursor: Any, _statement: str, _values: Any, context: Any, _many: bool
        ) -> None:
            if cursor.rowcount and (context.isinsert or context.isupdate or context.isdelete):
                connection.info[_CHANGES] = True

        def has_changed(connection: Connection) -> bool:
            return bool(connection.info[_CHANGES])

    @event.listens_for(engine, "commit")
    def commit(connection: Connection) -> None:
        if always or has_changed(connection):
            act(connection)


def utcnow() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)


def utctoday() -> date:
    """The day now, in UTC."""
    return utcnow().date()


def next_midnight(moment: datetime) -> datetime:
    """The first midnight in UTC that is not before a moment."""
    midnight = datetime.combine(moment.astimezone(UTC), time_of_day(tzinfo=UTC))
    return midnight if midnight == moment else midnight + timedelta(days=1)


def day_of(session: Session, moment: SQLColumnExpression[datetime | None]) -> ColumnElement[datetime]:
    """The midnight in UTC at which the day of a stored time began."""
    if session.get_bind().dialect.name == "sqlite":
        return type_coerce(func.substr(type_coerce(moment, String), 1, 10).concat(" 00:00:00.000000"), UtcDateTime)
    return type_coerce(func.timezone("UTC", func.date_trunc("day", func.timezone("UTC", moment))), UtcDateTime)


def ten_minutes_of(session: Session, moment: SQLColumnExpression[datetime | None]) -> ColumnElement[datetime]:
    """The moment at which the ten minutes of a stored time began, counted from the full hour in UTC."""
    if session.get_bind().dialect.name == "sqlite":
        return type_coerce(func.substr(type_coerce(moment, String), 1, 15).concat("0:00.000000"), UtcDateTime)
    return type_coerce(func.date_bin(text("interval '10 minutes'"), moment, text("timestamptz 'epoch'")), UtcDateTime)


def prefers_groups(session: Session) -> bool:
    """Whether counting a million rows is quicker when they are grouped before conditions are asked.

    Each condition costs SQLite 50 to 100 ms on a million rows; PostgreSQL takes 100 ms longer for the groups.
    """
    return session.get_bind().dialect.name == "sqlite"


def now(session: Session) -> datetime:
    """The database's own time, aware, in UTC: leases that hosts hold against each other need one clock.

    SQLite is on one machine, so there the machine's clock is that clock.
    """
    if session.get_bind().dialect.name == "sqlite":
        return utcnow()
    time: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return time.astimezone(UTC)


class random_number(GenericFunction[int]):  # noqa: N801  # named as functions of SQL are
    """A whole number by the database's own lot, anew for each row."""

    type = BigInteger()
    inherit_cache = True


@compiles(random_number)
def _random_number(*_: Any, **__: Any) -> str:
    return "random()"


@compiles(random_number, "postgresql")
def _random_number_postgresql(*_: Any, **__: Any) -> str:
    return "CAST((random() - 0.5) * 9e18 AS BIGINT)"


def join_in_order(session: Session) -> None:
    """Have PostgreSQL join by looking up one row after the other, in the order in which they are named, until the
    transaction ends: so it updates them, and writes them to its file. SQLite keeps each row at its place.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"))


def analyze(session: Session, *tables: type[DeclarativeBase]) -> None:
    """Let PostgreSQL see how much is in tables that were just filled. Until then it takes them for small, and reads
    them from end to end where an index leads to a few rows; SQLite always takes the index.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"ANALYZE {', '.join(table.__tablename__ for table in tables)}"))


def last_id_given(session: Session, table: str) -> int:
    """The highest id that a table ever gave out, also to rows that are gone; 0 if none.

    :param table: one whose ids are never used again: AUTOINCREMENT on SQLite, a sequence on PostgreSQL.
    """
    if session.get_bind().dialect.name == "sqlite":
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
    else:
        query = text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:table, 'id')::regclass)")
    return session.scalar(query, {"table": table}) or 0


def empty_log(engine: Engine) -> bool:
    """Bring all of SQLite's write-ahead log into the file, and empty the log: until then what was deleted can be read
    in both. Gives up soon where others read or write, since they wait meanwhile; nothing is wrong then.

    :returns: whether the log is empty now; on PostgreSQL, which has no such log beside its file, always.
    :raises DatabaseUnavailable: the file cannot be written.
    """
    if engine.dialect.name != "sqlite":
        return True
    with on_driver(engine) as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")  # the most of it, while nobody waits
        cursor.execute(f"PRAGMA busy_timeout = {_EMPTYING_MILLISECONDS}")
        try:
            is_busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS * 1000}")
    return not is_busy


def have_written_anew(session: Session) -> None:
    """Have the next upgrade write SQLite's file anew. When rows move between pages, SQLite leaves copies of a few in
    the unused part of a page: what is deleted later can still be read there, whatever `secure_delete` says. For what
    was erased for good; a migration that takes something out asks for it too.
    """
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("PRAGMA user_version = 1"))  # no other part uses that number


@contextmanager
def on_driver(engine: Engine) -> Iterator[sqlite3.Cursor]:
    """SQLite's own connection, for what cannot be run in a transaction: every other one begins with it.

    :raises DatabaseUnavailable: whatever SQLite says.
    """
    with driver_errors_explained(), engine.connect() as connection:
        cursor = connection.connection.cursor()
        try:
            yield cast("sqlite3.Cursor", cursor)
        except sqlite3.Error as problem:
            raise DatabaseUnavailable(problem=problem) from problem
        finally:
            cursor.close()


def has_one_writer(engine: Engine) -> bool:
    """Whether writing transactions wait for each other in this database, whatever they write."""
    return engine.dialect.name == "sqlite"


class Numbers(TypeDecorator[Sequence[int]]):
    """A list of whole numbers as one parameter, so that a statement is the same for lists of any length."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return ARRAY(BigInteger()) if dialect.name == "postgresql" else String()

    def process_bind_param(self, value: Sequence[int] | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return json.dumps(value)


class is_among(GenericFunction[Any]):  # noqa: N801  # named as functions of SQL are
    """Whether a column is one of `Numbers`: `is_among(column, bindparam("ids", type_=Numbers()))`."""

    type = NullType()  # of a Boolean SQLAlchemy asks SQLite whether it is 1, and then no index serves it
    inherit_cache = True


@compiles(is_among)
def _is_among(element: Any, compiler: Any, **options: Any) -> str:
    wanted, numbers = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{wanted} IN (SELECT value FROM json_each({numbers}))"  # noqa: S608  # a parameter, not a value


@compiles(is_among, "postgresql")
def _is_among_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    wanted, numbers = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{wanted} = ANY ({numbers})"


#: the values of a row, as a statement sees them
Columns = Mapping[str, ColumnElement[Any]]


class EachRow:
    """A writing statement to be run for each of many rows, built once for either kind of database."""

    def __init__(self, build: Callable[[Columns], Update], columns: Mapping[str, TypeEngine[Any]]) -> None:
        """:param build: makes the statement from the values of a row; :param columns: their names and types."""
        self.names = tuple(columns)
        self.one = build({name: bindparam(name, type_=kind) for name, kind in columns.items()})
        arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in columns.items()]
        table = func.unnest(*arrays).table_valued(*(column(name, kind) for name, kind in columns.items()))
        given = table.render_derived(name="given")
        self.all = build({name: given.c[name] for name in columns})


def run_for_each(
    session: Session, statement: EachRow, rows: Sequence[Mapping[str, Any]], shared: Mapping[str, Any]
) -> None:
    """Run a statement for each row.

    PostgreSQL gets all rows as arrays in one statement, which takes it half as long as a statement a row.

    :param shared: values that are the same for all rows.
    """
    if has_one_writer(session.get_bind().engine):
        session.connection().execute(statement.one, [{**row, **shared} for row in rows])
    else:
        arrays = {name: [row[name] for row in rows] for name in statement.names}
        session.connection().execute(statement.all, {**arrays, **shared})
