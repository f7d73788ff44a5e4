"""One worker's part of the run's PostgreSQL: databases with the schema, which are used again and again."""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import sql

_MOST_BYTES = 2 * 1024**2  # of tables and indexes: a new one has 0.7 MB, and each row that was there once takes room

#: what tells a database from a new one, but for rows and the next ids: definitions, what ANALYZE found, size
_STATE = """
    SELECT
        (SELECT md5(string_agg(ROW(oid, xmin, reltuples, relpages)::text, ',' ORDER BY oid)) FROM pg_class
         WHERE relnamespace = 'public'::regnamespace),
        (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
        (SELECT version_num FROM alembic_version),
        (SELECT sum(pg_total_relation_size(oid)) < %s FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
_FIRST_IDS = "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"
_HANG_UP = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True)
class Database:
    """One that has the schema and no rows when a test gets it."""

    name: str
    url: str
    connection: psycopg.Connection
    state: tuple[object, ...]  # when it was new


class PostgreSQL:
    """Hands out databases, one after the other, and makes each as good as new when it comes back.

    To make one takes 40 ms of a processor and to remove it 10; to empty it takes 2.

    :param migrate: brings the database of a URL up to date.
    """

    def __init__(self, directory: str, worker: str, migrate: Callable[[str], None]) -> None:
        self._directory = directory
        self._template = f"template_tocsin_{worker}"
        self._prefix = f"test_{worker}"
        self._made = 0
        self._ready: list[Database] = []
        self._server = self._connect("postgres")
        migrate(self.create(self._template))

    def _connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(host=self._directory, user="postgres", dbname=name, autocommit=True)

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self._directory}"

    def create(self, name: str) -> str:
        """Make an empty database; returns its SQLAlchemy URL."""
        self._server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._url(name)

    def drop(self, name: str) -> None:
        """Remove a database, also from under a process that a test left connected."""
        self._server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def take(self, *, new: bool) -> Database:
        """A database with the schema, for one test.

        :param new: whether it must not have been used before.
        """
        return self._ready.pop() if self._ready and not new else self._copy()

    def _copy(self) -> Database:
        self._made += 1
        name = f"{self._prefix}_{self._made}"
        # Copying files takes less than the default, which goes through the write-ahead log.
        self._server.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(self._template)
            )
        )
        connection = self._connect(name)
        connection.execute("SET session_replication_role = replica")  # no trigger and no foreign key minds an order
        return Database(name, self._url(name), connection, _state(connection))

    def give_back(self, database: Database) -> None:
        """Take a database from a test, also from under a process that the test left connected.

        It is emptied, or removed where the test changed more than rows.
        """
        database.connection.execute(_HANG_UP)
        if _state(database.connection) == database.state:
            _empty(database.connection)
            self._ready.append(database)
        else:
            database.connection.close()
            self.drop(database.name)

    def close(self) -> None:
        """Hang up."""
        for database in self._ready:
            database.connection.close()
        self._server.close()


def _state(connection: psycopg.Connection) -> tuple[object, ...]:
    [state] = connection.execute(_STATE, [_MOST_BYTES])
    return state


def _empty(connection: psycopg.Connection) -> None:
    tables = [name for (name,) in connection.execute(_TABLES)]
    delete = sql.SQL("DELETE FROM {}")
    emptied = sql.SQL(";").join([*(delete.format(sql.Identifier(table)) for table in tables), sql.SQL(_FIRST_IDS)])
    connection.execute(emptied)
