"""Starts `mailer inbound listen` from a process that has read the program in already. It can be killed, and it dies at
the point that a test has chosen."""

from multiprocessing.context import ForkServerProcess
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.orm import Session

from mailer.cli import inbound_listening as _read_in_already  # noqa: F401  # it takes long
from mailer.cli import main
from tests.acceptance import forked
from tests.acceptance.dying import Death


def start(environment: dict[str, str], folder: Path, log: Path) -> ForkServerProcess:
    """Start one that takes LMTP on any free port.

    :param environment: all its variables.
    :param folder: where it is to be, and where a file says at which point it dies.
    :param log: gets what it says.
    """
    process = forked.context(__name__).Process(target=_listen, args=(environment, folder, log))
    process.start()
    return process


def _listen(environment: dict[str, str], folder: Path, log: Path) -> None:
    forked.become(environment, folder, log)
    death = Death(folder)
    death.listen()
    event.listen(Session, "after_begin", lambda *_: death.may_come(True))
    main(["inbound", "listen", "--lmtp", "0"], prog_name="mailer")
