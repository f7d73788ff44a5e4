"""The worker program: a queue process that runs jobs, one that imports uploaded files, and this one, which watches them
and sweeps.

python -m workers        (or: mailer worker)
"""

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import time

from sqlalchemy.orm import configure_mappers

from mailer.delivery import message_ids
from mailer.errors import ConfigurationError, MailerError
from mailer.operations import logs, schema
from mailer.operations.queue import connect
from mailer.operations.stopping import Stop
from mailer.settings import Settings, load_settings
from mailer.store.db import open_engine, session_scope
from workers import importer, sweeper
from workers.queue_worker import QueueWorker
from workers.runtime import open_runtime

log = logging.getLogger(__name__)

_RESTART_SECONDS = 1.0
#: for the job at work to finish what it began; a server that stalls at the dot may take longer
_STOP_SECONDS = 20


def main() -> int:
    """Run until told to stop. Returns the exit code."""
    logs.configure(json=not sys.stderr.isatty())
    try:
        settings = load_settings()
        _check(settings)
    except (ConfigurationError, MailerError) as problem:
        print(f"mailer: {problem}", file=sys.stderr)  # noqa: T201  # the one line that a person reads at start
        return problem.exit_code
    if advice := settings.advice_on_keys:
        log.warning("keys beside the database: %s", advice)
    if poor_name := settings.advice_on_helo:
        log.warning("a poor name for mail servers: %s", poor_name)
    _supervise(settings)
    return 0


def _check(settings: Settings) -> None:
    """Refuse to start with what cannot work."""
    _ = settings.redis_url, settings.smtp, settings.mail_sender
    engine = open_engine(settings.database_url, settings.keyring)
    try:
        schema.require_current(engine)
        with session_scope(engine) as session:
            message_ids.require_keys(session)
    finally:
        engine.dispose()


def _supervise(settings: Settings) -> None:
    """Keep a queue process running, and sweep beside it."""
    # Fork from a process that has no thread and no connection; what jobs import is imported once, here.
    configure_mappers()
    stop = Stop().listen()
    child = _start_queue_process(settings.redis_url)
    importing = _start_importer()
    with open_runtime(stop) as runtime:
        interval = sweeper.interval(runtime)
        next_sweep = time.monotonic()
        while not stop():
            if not child.is_alive():
                log.error(
                    "the queue process ended with code %s; starting it again; the reason is above", child.exitcode
                )
                time.sleep(_RESTART_SECONDS)
                # SQLite's locks end at a fork and its memory of them does not: a child that inherits a connection
                # would commit into a write-ahead log that others have removed.
                runtime.engine.dispose()
                child = _start_queue_process(settings.redis_url)
            if not importing.is_alive():
                log.error("the process that imports ended with code %s; starting it again", importing.exitcode)
                time.sleep(_RESTART_SECONDS)
                runtime.engine.dispose()  # likewise
                importing = _start_importer()
            if time.monotonic() >= next_sweep:
                sweeper.sweep(runtime)
                next_sweep = time.monotonic() + interval
            time.sleep(0.1)
    importing.terminate()
    child.terminate()
    child.join(_STOP_SECONDS)
    if child.is_alive():
        log.error("the queue process does not end; killing it. Its journal says what it had begun")
        child.kill()
        child.join()
    importing.join(_STOP_SECONDS)
    if importing.is_alive():  # what it has done is in the database
        importing.kill()
        importing.join()


def _start_queue_process(redis_url: str) -> multiprocessing.context.ForkProcess:
    child = multiprocessing.get_context("fork").Process(target=_run_queue, args=(redis_url, os.getpid()), name="queue")
    child.start()
    return child


def _start_importer() -> multiprocessing.context.ForkProcess:
    child = multiprocessing.get_context("fork").Process(target=_run_importer, args=(os.getpid(),), name="importer")
    child.start()
    return child


def _run_importer(supervisor: int) -> None:
    os.setsid()
    _end_with(supervisor)
    importer.run()


def _run_queue(redis_url: str, supervisor: int) -> None:
    # Ctrl-C reaches every process of the terminal; the supervisor passes it on, once. Until RQ listens for a wish to
    # stop, one just ends this process: the handlers that came with the fork are the supervisor's.
    os.setsid()
    for wish in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wish, signal.SIG_DFL)
    _end_with(supervisor)
    QueueWorker(connect(redis_url)).work(logging_level="WARNING")


def _end_with(supervisor: int) -> None:
    """Ask the kernel for a SIGTERM when the supervisor dies, however it dies: prctl(2), PR_SET_PDEATHSIG."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != supervisor:  # it died before the kernel was asked
        sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
