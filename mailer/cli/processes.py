"""The whole system on one machine: starts its processes, watches them, and stops them in order."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from mailer import keys_file, schema
from mailer.db import open_engine
from mailer.errors import MailerError
from mailer.queue import embedded_valkey
from mailer.settings import VALKEY_SOCKET, Settings, load_settings

CAUGHT = "caught"
_STOP_SECONDS = 30
_LOCK = "run.lock"  # in the data directory


class ProcessEnded(MailerError):
    """The {name} process ended with code {code}, so everything was stopped. Its last words are above."""

    exit_code = 3


class AlreadyRunning(MailerError):
    """`mailer run` or `demo` is active on {data_dir} already. Stop it first, or name another MAILER_DATA_DIR."""


class Local:
    """The running processes of one installation, and the environment they share."""

    def __init__(self, settings: Settings, given: frozenset[str], environ: dict[str, str], stack: ExitStack) -> None:
        """:param given: the settings that were set before defaults were filled in."""
        self.settings = settings
        self.given = given
        self.environ = environ
        self._stack = stack
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def start(self, name: str, *command: str, capture: bool = False) -> "subprocess.Popen[str]":
        """Run a Python module beside this process, in a session of its own so that Ctrl-C comes to us first.

        :param capture: whether its standard output is to be read.
        """
        process = subprocess.Popen(  # noqa: S603  # our own modules
            [sys.executable, "-m", *command],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else None,
            text=True,
            start_new_session=True,
        )
        self._processes[name] = process
        self._stack.callback(_stop, process)
        return process

    def check(self) -> None:
        """:raises ProcessEnded: one that should run does not."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise ProcessEnded(name=name, code=process.returncode)

    def wait(self) -> None:
        """Stay until interrupted.

        :raises ProcessEnded: one ended by itself.
        """
        while True:
            self.check()
            time.sleep(0.2)


@contextmanager
def local_installation(defaults: Mapping[str, str]) -> Iterator[Local]:
    """Make what an installation on this machine lacks: keys, the database's schema, a Valkey, a mail catcher.

    :param defaults: settings for what the environment and `.env` leave out.
    :raises AlreadyRunning: another has the data directory.
    """
    # Also where the shell that started us has Ctrl-C ignored, and for whoever stops us by SIGTERM.
    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, _interrupt)
    environ = dict(os.environ)
    given = load_settings(environ).given
    environ |= {variable: value for variable, value in defaults.items() if variable not in given}
    data_dir = load_settings(environ).make_data_dir()
    keys_file.ensure(data_dir)
    with ExitStack() as stack:
        stack.enter_context(_alone_in(data_dir))
        if "MAILER_REDIS_URL" not in given:
            environ["MAILER_REDIS_URL"] = stack.enter_context(embedded_valkey(data_dir / VALKEY_SOCKET))
        local = Local(load_settings(environ), given, environ, stack)
        if "MAILER_SMTP_URL" not in given:
            environ["MAILER_SMTP_URL"] = f"smtp://127.0.0.1:{_start_catcher(local, data_dir / CAUGHT)}"
        local.settings = load_settings(environ)
        engine = open_engine(local.settings.database_url, local.settings.keyring)
        schema.upgrade(engine)
        engine.dispose()
        yield local


@contextmanager
def _alone_in(data_dir: Path) -> Iterator[None]:
    """Hold a data directory for this process alone: a second one would take the first one's Valkey away."""
    with (data_dir / _LOCK).open("w") as file:
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
        raise ProcessEnded(name="mail catcher", code=process.wait())
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
