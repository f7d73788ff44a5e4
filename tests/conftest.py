"""What tests run against: real SQLite and PostgreSQL, a real Valkey, and the command line in process.

The process that starts the test run also starts `servers.py`, and goes on at once; a test that needs a server waits
for it. A schema is migrated once per worker and database; every test gets a fresh copy.
Files are kept in memory where there is room: tests commit often, and each time would wait for the disk.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.cli import main
from mailer.delivery.worker import Worker
from mailer.mail.pipeline import Pipeline
from mailer.mail.smtp import Server
from mailer.operations import schema
from mailer.settings import Settings, load_settings
from mailer.store.crypto import Key, Keyring
from mailer.store.db import open_engine
from tests.support.accounts import cheap_hashes
from tests.support.engines import shared_statements
from tests.support.factories import SENDER
from tests.support.mail_server import MailServer, running
from tests.support.postgresql import PostgreSQL
from tests.support.servers import VALKEY_DATABASES, Servers, wait_for_servers
from tests.support.web_apps import shared_parts

_DIRECTORY = "TOCSIN_TEST_SERVERS"  # how xdist's workers, which inherit the environment, learn of the directory
#: where files are in memory, and the least that has to be free
_MEMORY = Path("/dev/shm")
_MEMORY_BYTES = 2 * 1024**3
#: PostgreSQL takes 200 connections, and a test opens up to a dozen
_MOST_WORKERS = 16

# How long an example takes is the machine's matter.
hypothesis_settings.register_profile("tests", deadline=None)
hypothesis_settings.load_profile("tests")

#: Fixed, so that ciphertexts in a failure can be read again.
SECRET_KEY = Key(id="k1", secret=bytes(range(32)))
LINK_KEY = Key(id="l1", secret=bytes(range(32, 64)))
INDEX_KEY = bytes(range(64, 96))


# --- the run --------------------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers, in the one process that every other comes from."""
    for variable in [name for name in os.environ if name.startswith("MAILER_")]:
        del os.environ[variable]  # no test may depend on, or touch, the developer's own installation
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    _keep_files_in_memory()
    directory = tempfile.mkdtemp(prefix="tocsin-")  # short: the path of a socket may have 107 bytes
    Path(directory).chmod(0o711)
    os.environ[_DIRECTORY] = directory
    program = Path(__file__).parent / "support" / "servers.py"
    # A session of its own: Ctrl-C ends the tests, whose end ends the servers.
    process = subprocess.Popen([sys.executable, program, directory], stdin=subprocess.PIPE, start_new_session=True)
    config.add_cleanup(partial(_stop, process, Path(directory)))


def pytest_collection(session: pytest.Session) -> None:
    """Where all tests run, have each worker read another part of them first: what it keeps of that on a fresh checkout
    the others need not work out again. They read all in step otherwise."""
    config = session.config
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is None or config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    files = sorted(Path(__file__).parent.rglob("test_*.py"))
    for file in files[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        with suppress(Exception):  # what is wrong with it is told when it is collected
            import_module(".".join(file.relative_to(config.rootpath).with_suffix("").parts))


def pytest_xdist_auto_num_workers() -> int | None:
    """Twice as many as there are processors: many tests wait, for a lease, a time-out or a browser. No more than the
    servers have room for, and as many as the environment says where it does."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return min(2 * len(os.sched_getaffinity(0)), _MOST_WORKERS)


def _keep_files_in_memory() -> None:
    """Have this process, and all that it starts, make temporary files there; a TMPDIR that somebody set is kept."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return
    if os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC or shutil.disk_usage(_MEMORY).free < _MEMORY_BYTES:
        return  # PostgreSQL's programs are copied there for a user who may run them
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


def _stop(process: subprocess.Popen[bytes], directory: Path) -> None:
    process.communicate(timeout=30)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def servers() -> Servers:
    """The addresses of this run's servers."""
    return wait_for_servers(Path(os.environ[_DIRECTORY]))


# --- databases ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    """The keys that every test database is written with."""
    return Keyring(secret_keys=[SECRET_KEY], link_keys=[LINK_KEY], index_key=INDEX_KEY)


def _migrate(url: str, keyring: Keyring) -> None:
    engine = open_engine(url, keyring)
    schema.upgrade(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory, keyring: Keyring) -> Path:
    """A migrated SQLite file to copy."""
    file = tmp_path_factory.mktemp("template") / "tocsin.db"
    _migrate(f"sqlite:///{file}", keyring)
    return file


@pytest.fixture(scope="session")
def postgresql(servers: Servers, worker_id: str, keyring: Keyring) -> Iterator[PostgreSQL]:
    """This run's PostgreSQL, or a skipped test where it cannot run; with CI=true that is a failure."""
    if servers.postgresql_problem:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say(f"PostgreSQL cannot run here: {servers.postgresql_problem}")
    server = PostgreSQL(servers.postgresql_directory, worker_id, lambda url: _migrate(url, keyring))
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database; a test that asks for it, or for what is built on it, runs once on each."""
    return str(request.param)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database of the test's own."""
    if backend == "sqlite":
        file = tmp_path / "tocsin.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql")
        name = server.copy()
        yield server.url(name)
        server.drop(name)


@pytest.fixture
def empty_database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that was never migrated."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql")
        name = f"empty_{request.getfixturevalue('worker_id')}"
        server.drop(name)
        yield server.create(name)
        server.drop(name)


@pytest.fixture
def engine(database_url: str, keyring: Keyring) -> Iterator[Engine]:
    """An engine on a migrated, empty database of the test's own."""
    engine = open_engine(database_url, keyring)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session that the test commits itself, as often as it likes; what is not committed at its end is lost."""
    with Session(engine, expire_on_commit=False) as session:
        yield session


# --- Valkey ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def valkey_url(servers: Servers, worker_id: str) -> str:
    """An empty Valkey database that no other worker uses."""
    number = 0 if worker_id == "master" else int(worker_id.removeprefix("gw")) + 1
    if number >= VALKEY_DATABASES:
        pytest.fail(f"there are Valkey databases for {VALKEY_DATABASES - 1} workers only")
    url = f"unix://{servers.valkey_socket}?db={number}"
    with redis.Redis.from_url(url) as connection:
        connection.flushdb()
    return url


# --- edges ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path, database_url: str) -> dict[str, str]:
    """The variables of an installation that could send: change some and hand them to `settings` or `cli`.

    Valkey and a mail server are not among them.
    """
    return {
        "MAILER_DATA_DIR": str(tmp_path / "data"),
        "MAILER_DATABASE_URL": database_url,
        "MAILER_BASE_URL": "https://act.example.org",
        "MAILER_ORGANISATION": "Harbour Solidarity",
        "MAILER_SENDER": "Harbour Solidarity <alerts@example.org>",
        "MAILER_POSTAL_ADDRESS": "1 Example Street, Example City",
        "MAILER_SECRET_KEYS": str(SECRET_KEY),
        "MAILER_LINK_KEYS": str(LINK_KEY),
        "MAILER_INDEX_KEY": str(Key(id="x", secret=INDEX_KEY)).partition(":")[2],
    }


@pytest.fixture
def settings(environment: dict[str, str], tmp_path: Path) -> Callable[..., Settings]:
    """Makes Settings of the test's installation: `settings()`, `settings(MAILER_SMTP_RATE="20")`.

    A variable given as None is not set.
    """

    def make(**changes: str | None) -> Settings:
        merged = environment | changes
        return load_settings({k: v for k, v in merged.items() if v is not None}, directory=tmp_path)

    return make


class CommandLine:
    """Runs `mailer` in this process, on the test's installation."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def __call__(self, *arguments: str | Path, exit_code: int = 0, **options: Any) -> Result:
        """Run a command, and insist on how it ends.

        :param options: as for `CliRunner.invoke`, such as `input`.
        """
        options.setdefault("env", self.environment)
        result = CliRunner().invoke(main, [str(argument) for argument in arguments], **options)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, f"mailer {arguments} ended with {result.exit_code}:\n{result.output}"
        return result


@pytest.fixture(scope="session", autouse=True)
def quick_parts() -> Iterator[None]:
    """Make it cheap to have an engine and an app in each test."""
    with shared_statements(), shared_parts():
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """To hash a password takes a fifth of a second, on purpose."""
    with cheap_hashes():
        yield


@pytest.fixture
def cli(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """`cli("lists", "create", "news", "--name", "News")`, on SQLite and on PostgreSQL, away from any `.env`."""
    monkeypatch.chdir(tmp_path)
    return CommandLine(environment)


@pytest.fixture
def kept_logging() -> Iterator[None]:
    """For a command that configures the log of its process, which here is the tests' own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def kept_signals() -> Iterator[None]:
    """For a command that says what its process does when it is told to stop."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


# --- sending --------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server that takes everything, unless a test has it misbehave."""
    with running() as state:
        yield state


@pytest.fixture
def wire(server: MailServer) -> Iterator[Pipeline]:
    """One connection to it, so that what happens has an order."""
    wire = Pipeline(Server("127.0.0.1", server.port), connections=1)
    yield wire
    wire.close()


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    """One with a journal of the test's own."""
    return Worker(name="test", lease=timedelta(seconds=30), journals=tmp_path / "journals", sender=SENDER)
