"""What a thief of a disk takes along."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, text


def files_of(engine: Engine) -> Iterator[Path]:
    """The files of a database: of SQLite with its write-ahead log, of PostgreSQL those of its tables and indexes."""
    if engine.dialect.name == "sqlite":
        database = Path(engine.url.database or "")
        yield from database.parent.glob(f"{database.name}*")
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))  # what is in memory only is written, what was dropped is removed
        folder = Path(connection.scalar(text("SHOW data_directory")) or "")
        number = connection.scalar(text("SELECT oid FROM pg_database WHERE datname = current_database()"))
    yield from (file for file in (folder / "base" / str(number)).iterdir() if file.is_file())
