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


def start(environment: dict[str, str], folder: Path, log: Path, *, port: int = 0) -> ForkServerProcess:
    """Start one that takes LMTP.

    :param port: 0 for any free one.
    :param environment: all its variables.
    :param folder: where it is to be, and where a file says at which point it dies.
    :param log: gets what it says.
    """
    process = forked.context(__name__).Process(target=_listen, args=(environment, folder, log, port))
    process.start()
    return process


def _listen(environment: dict[str, str], folder: Path, log: Path, port: int) -> None:
    forked.become(environment, folder, log)
    death = Death(folder)
    death.listen()
    event.listen(Session, "after_begin", lambda *_: death.may_come(True))
    main(["inbound", "listen", "--lmtp", str(port)], prog_name="mailer")
