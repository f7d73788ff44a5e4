"""A listener in a process of its own, with an inbox that writes down what it takes."""

import json
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from mailer.errors import ServiceUnavailable
from mailer.mail import smtp_listening
from mailer.mail.smtp import Place
from mailer.mail.smtp_conversation import Patience
from mailer.mail.smtp_taking import Dialect
from mailer.operations import logs

#: octets of a message that are kept
READS = 4096


class NotNow(ServiceUnavailable):
    """The database cannot be used."""


@dataclass(frozen=True)
class Inbox:
    """Expects everybody at in.example.org. What it is asked for decides how it goes: `later` is put off as long as the
    folder has a file of that name, `broken` is a mistake, `held` waits for a file of that name.
    """

    folder: Path
    reads = READS

    def expects(self, recipient: str) -> bool:
        return recipient.endswith("@in.example.org")

    def take(self, message: bytes, *, recipient: str, sender: str, dialect: Dialect) -> None:
        name = recipient.partition("@")[0].partition("+")[0]
        if name == "later" and (self.folder / name).exists():
            raise NotNow
        if name == "broken":
            raise ValueError(f"about {recipient}")
        while name == "held" and not (self.folder / name).exists():
            (self.folder / "is-held").touch()
            time.sleep(0.01)
        line = json.dumps([recipient, sender, dialect.value, message.decode("latin-1")])
        with (self.folder / "taken").open("a") as file:
            file.write(line + "\n")


@dataclass(frozen=True)
class Taken:
    """What an inbox took."""

    recipient: str
    sender: str
    dialect: str
    message: bytes


class Listener:
    """A running one.

    :param folder: for what it takes and what it says.
    """

    def __init__(self, folder: Path, places: Mapping[Dialect, Place], patience: Patience | None = None) -> None:
        self.folder = folder
        ours, theirs = multiprocessing.Pipe(duplex=False)
        arguments = (folder, dict(places), patience, theirs)
        self.process: BaseProcess = multiprocessing.get_context("spawn").Process(target=_serve, args=arguments)
        self.process.start()
        theirs.close()
        self.places: Mapping[Dialect, Place] = ours.recv()
        ours.close()

    def taken(self) -> list[Taken]:
        """All that was taken so far."""
        file = self.folder / "taken"
        lines = file.read_text().splitlines() if file.exists() else []
        found = (json.loads(line) for line in lines)
        return [Taken(to, sender, dialect, message.encode("latin-1")) for to, sender, dialect, message in found]

    def log(self) -> str:
        """What it said."""
        return (self.folder / "log").read_text()

    def tell_to_stop(self) -> None:
        """SIGTERM."""
        assert self.process.pid
        os.kill(self.process.pid, signal.SIGTERM)

    def stop(self) -> int | None:
        """Stop it; its exit code."""
        if self.process.is_alive():
            self.tell_to_stop()
        return self.wait()

    def wait(self) -> int | None:
        """Its exit code, when it has ended."""
        self.process.join(60)
        return self.process.exitcode


def _serve(folder: Path, places: Mapping[Dialect, Place], patience: Patience | None, ready: Connection) -> None:
    with (folder / "log").open("ab") as log:
        os.dup2(log.fileno(), 2)
    logs.configure(json=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    inbox = Inbox(folder)
    smtp_listening.serve(inbox, places, name="in.example.org", patience=patience, on_ready=ready.send)
