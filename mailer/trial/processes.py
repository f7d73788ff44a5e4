"""The whole system on one machine: starts its processes, watches them, and stops them in order."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import click
from redis import Redis
from redis.exceptions import RedisError

from mailer.errors import MailerError
from mailer.operations import schema
from mailer.operations.queue import connect
from mailer.settings import VALKEY_SOCKET, Settings, keys_file, load_settings
from mailer.store.db import open_engine
from mailer.trial import catcher
from mailer.trial.valkey import VALKEY_LOG, embedded_valkey

_STOP_SECONDS = 30
LOCK = "run.lock"  # in the data directory


class ProcessEnded(MailerError):
    """The {name} process ended with code {code}, so everything was stopped. Its last messages are {where}."""

    exit_code = 3


class ValkeyEnded(MailerError):
    """The embedded Valkey ended, so everything was stopped. Its last messages are in {log}"""

    exit_code = 3


class AlreadyRunning(MailerError):
    """`mailer run` or `mailer demo` is already running on {data_dir}. Stop it first, or set MAILER_DATA_DIR to another
    directory."""


class Local:
    """The running processes of one installation, and the environment they share."""

    def __init__(
        self, settings: Settings, given: frozenset[str], environ: dict[str, str], stack: ExitStack, log: Path | None
    ) -> None:
        """:param given: the settings that were set before defaults were filled in.

        :param log: the file that the processes' log goes to, instead of this process's standard error.
        """
        self.settings = settings
        self.given = given
        self.environ = environ
        self._stack = stack
        self._log = log
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._valkey: Redis | None = None  # the embedded one, if there is

    def start(self, name: str, *command: str, capture: bool = False) -> "subprocess.Popen[str]":
        """Run a Python module beside this process, in a session of its own so that Ctrl-C comes to us first.

        :param capture: whether its standard output is to be read.
        """
        with self._log.open("a") if self._log else nullcontext() as log:
            process = subprocess.Popen(  # noqa: S603  # our own modules
                [sys.executable, "-m", *command],
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if capture else log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._processes[name] = process
        self._stack.callback(_stop, process)
        return process

    def start_valkey(self) -> str:
        """Run the embedded Valkey; returns its URL."""
        url = self._stack.enter_context(embedded_valkey(self.settings.data_dir / VALKEY_SOCKET))
        self._valkey = self._stack.enter_context(connect(url))
        return url

    def check(self) -> None:
        """Look whether all run that should.

        :raises ProcessEnded: a process of ours does not.
        :raises ValkeyEnded: the embedded Valkey does not.
        """
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise self.ended(name, process.returncode)
        if self._valkey is not None:
            try:
                self._valkey.ping()
            except RedisError:
                raise ValkeyEnded(log=self.settings.data_dir / VALKEY_LOG) from None

    def ended(self, name: str, code: int) -> ProcessEnded:
        """The error to raise where a process is not there any more."""
        return ProcessEnded(name=name, code=code, where=f"in {self._log}" if self._log else "above")

    def wait(self) -> None:
        """Stay until interrupted.

        :raises ProcessEnded: a process of ours ended by itself.
        :raises ValkeyEnded: the embedded Valkey did.
        """
        while True:
            self.check()
            time.sleep(0.2)


@contextmanager
def local_installation(defaults: Mapping[str, str], *, log: Path | None = None) -> Iterator[Local]:
    """Make what an installation on this machine lacks: keys, the database's schema, a Valkey, a mail catcher.

    Whoever calls this holds the data directory: see `alone_in`.

    :param defaults: settings for what the environment and `.env` leave out.
    :param log: the file that the processes' log goes to, instead of this process's standard error.
    """
    # Also where the shell that started us has Ctrl-C ignored, and for whoever stops us by SIGTERM.
    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, _interrupt)
    environ = dict(os.environ)
    given = load_settings(environ).given
    environ |= {variable: value for variable, value in defaults.items() if variable not in given}
    settings = load_settings(environ)
    data_dir = settings.make_data_dir()
    keys_file.ensure(settings.keys_file)
    with ExitStack() as stack:
        local = Local(load_settings(environ), given, environ, stack, log)
        if "MAILER_REDIS_URL" not in given:
            environ["MAILER_REDIS_URL"] = local.start_valkey()
        if "MAILER_SMTP_URL" not in given:
            environ["MAILER_SMTP_URL"] = f"smtp://127.0.0.1:{_start_catcher(local, data_dir / catcher.FOLDER)}"
            environ["MAILER_SMTP_HELO"] = "[127.0.0.1]"  # the catcher does not care what this machine is called
        local.settings = load_settings(environ)
        engine = open_engine(local.settings.database_url, local.settings.keyring)
        try:
            schema.upgrade(engine)
        except schema.NotWrittenAnew as problem:  # it can wait; nothing is wrong with what is stored
            click.echo(f"Warning: {problem}", err=True)
        finally:
            engine.dispose()
        yield local


@contextmanager
def alone_in(data_dir: Path) -> Iterator[None]:
    """Hold a data directory for this process alone: a second one would take the first one's Valkey away.

    :raises AlreadyRunning: another has it.
    """
    with (data_dir / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(data_dir=data_dir) from None
        yield


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _start_catcher(local: Local, maildir: Path) -> int:
    """Start the mail catcher; returns its port."""
    process = local.start("mail catcher", "mailer.cli", "catcher", "--maildir", str(maildir), capture=True)
    line = process.stdout.readline() if process.stdout else ""
    if not line.strip().isdigit():
        raise local.ended("mail catcher", process.wait())
    return int(line)


def _stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
