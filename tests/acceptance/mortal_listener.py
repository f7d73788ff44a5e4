"""Starts `mailer inbound listen` from a process that has read the program in already. It can be killed, and it dies at
the point that a test has chosen."""

import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.orm import Session

from mailer.cli import inbound_listening as _read_in_already  # noqa: F401  # it takes long
from mailer.cli import main
from tests.acceptance.dying import Death


def start(environment: dict[str, str], folder: Path, log: Path) -> ForkServerProcess:
    """Start one that takes LMTP on any free port.

    :param environment: all its variables.
    :param folder: where it is to be, and where a file says at which point it dies.
    :param log: gets what it says.
    """
    process = _context().Process(target=_listen, args=(environment, folder, log))
    process.start()
    return process


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # takes effect once, with the first start
    return context


def _listen(environment: dict[str, str], folder: Path, log: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    with log.open("wb") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    death = Death(folder)
    death.listen()
    event.listen(Session, "after_begin", lambda *_: death.may_come(True))
    main(["inbound", "listen", "--lmtp", "0"], prog_name="mailer")
