"""One worker's part of the run's PostgreSQL: a migrated template, and copies of it."""

from collections.abc import Callable

import psycopg
from psycopg import sql


class PostgreSQL:
    """Makes a database with the schema for each test, and removes it.

    Databases are not used again: emptied ones hand out their rows in another order, which tests would have to mind.

    :param migrate: brings the database of a URL up to date.
    """

    def __init__(self, directory: str, worker: str, migrate: Callable[[str], None]) -> None:
        self._directory = directory
        self._template = f"template_tocsin_{worker}"
        self._prefix = f"test_{worker}"
        self._made = 0
        self._server = psycopg.connect(host=directory, user="postgres", dbname="postgres", autocommit=True)
        migrate(self.create(self._template))

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://postgres@/{name}?host={self._directory}"

    def create(self, name: str) -> str:
        """Make an empty database; returns its URL."""
        self._server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def copy(self) -> str:
        """Make a database with the schema; returns its name."""
        self._made += 1
        name = f"{self._prefix}_{self._made}"
        # Copying files takes 6 ms; the default, through the write-ahead log, takes 29.
        self._server.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(self._template)
            )
        )
        return name

    def drop(self, name: str) -> None:
        """Remove a database, also from under a process that a test left connected."""
        self._server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def close(self) -> None:
        """Hang up."""
        self._server.close()
