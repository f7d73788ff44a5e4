"""This machine: the disk, and where the keys lie; and the two services that hold the installation's data."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine

from mailer.errors import MailerError
from mailer.operations import schema
from mailer.operations.doctor import clock, sweep
from mailer.operations.doctor.findings import Finding, Level
from mailer.operations.doctor.rounds import Seen
from mailer.operations.schema import SchemaOutdated, SchemaTooNew
from mailer.store import db
from mailer.store.db import DatabaseUnavailable, session_scope

_MEGABYTE = 1_000_000
_FULL = 100 * _MEGABYTE  # under which journals and the database soon cannot be written
_LOW = 1000 * _MEGABYTE
_COPIES = 2.5  # of an SQLite file that an upgrade may need for a while


def look_at_disk(data_dir: Path, database: Path | None) -> Seen:
    """Find out whether what has to be written can be.

    :param database: the file of SQLite, where there is one.
    """
    if not data_dir.is_dir():
        what, remedy = (
            "the data directory is not there yet",
            "Run `mailer keys new` and `mailer db upgrade`, or `mailer run`.",
        )
        return Seen(findings=(Finding(Level.ERROR, "data-directory", str(data_dir), what, remedy),))
    if not os.access(data_dir, os.W_OK | os.X_OK):
        what = "whoever runs this command may not write to the data directory"
        remedy = "Run it as the user of the workers; if that is who you are, chown the directory to them."
        return Seen(findings=(Finding(Level.ERROR, "data-directory", str(data_dir), what, remedy),))
    folders = {data_dir.resolve(), *([database.resolve().parent] if database else [])}
    size = database.stat().st_size if database and database.exists() else 0
    findings = [finding for folder in sorted(folders) if folder.is_dir() for finding in _of_room(folder, size)]
    return Seen(f"{shutil.disk_usage(data_dir).free / 1000 / _MEGABYTE:,.1f} GB free", tuple(findings))


def _of_room(folder: Path, database_size: int) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    remedy = "Make room: old logs, backups and packages are the usual ones (`du -xh / | sort -h | tail`)."
    if free < _FULL:
        what = f"only {free // _MEGABYTE} MB are free, and without room nothing is sent"
        yield Finding(Level.ERROR, "disk-full", str(folder), what, remedy)
    elif free < max(_LOW, _COPIES * database_size):
        what = f"only {free // _MEGABYTE:,} MB are free, which an upgrade or a large campaign may need"
        yield Finding(Level.WARNING, "disk-low", str(folder), what, remedy)


def look_at_database(engine: Engine) -> Seen:
    """Find out whether the database can be used, whether workers look after it, and, if it
    is on PostgreSQL, whether its clock agrees with ours."""
    file = Path(str(engine.url.database)) if engine.dialect.name == "sqlite" else None
    if file is not None and not file.exists():  # to open it would make it
        what, remedy = "there is no database yet", "Run `mailer db upgrade`."
        return Seen(findings=(Finding(Level.ERROR, "database-missing", str(file), what, remedy),))
    where = "database" if file is None else str(file)
    try:
        schema.require_current(engine)
        with session_scope(engine, read_only=True) as session:
            theirs, ours = db.now(session), datetime.now(UTC)
            swept = sweep.look(session)
    except (SchemaOutdated, SchemaTooNew) as problem:
        what, _, remedy = str(problem).partition(". ")
        return Seen(findings=(Finding(Level.ERROR, "database-version", where, what, remedy),))
    except DatabaseUnavailable as problem:
        what = f"the database cannot be used: {str(problem.fields['problem']).rstrip('.')}"
        remedy = "See that its server runs, that MAILER_DATABASE_URL is right, and that the disk has room."
        return Seen(findings=(Finding(Level.ERROR, "database-away", where, what, remedy),))
    except MailerError as problem:
        what, _, remedy = str(problem).partition(". ")
        return Seen(findings=(Finding(Level.ERROR, "database-away", where, what, remedy),))
    kind = "SQLite" if file else "PostgreSQL"
    said = (*clock.compare("the database", theirs, ours), *swept.findings)
    return Seen(f"{kind}, of this version{f'; {swept.says}' if swept.says else ''}", said)


def look_at_redis(connection: Redis) -> Seen:
    """Find out whether Redis can be reached."""
    try:
        connection.ping()
    except (RedisError, OSError) as problem:
        what = f"Redis cannot be reached ({' '.join(str(problem).split())[:200]}), so workers learn late of new mail"
        remedy = "Start it, and see that MAILER_REDIS_URL is right. Nothing is lost meanwhile."
        return Seen(findings=(Finding(Level.WARNING, "redis-away", "Redis", what, remedy),))
    return Seen("answers")


def look_at_keys(advice: str | None) -> Seen:
    """Say whether the keys lie where a copy of the database takes them along.

    :param advice: what the settings say of that.
    """
    if advice is None:
        return Seen("set, and not beside the database")
    what, _, remedy = advice.partition(". ")
    return Seen(findings=(Finding(Level.WARNING, "keys-beside-database", "MAILER_KEYS_FILE", what, remedy),))
