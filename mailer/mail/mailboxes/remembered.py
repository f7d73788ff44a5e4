"""What was looked at in a mailbox and stays in it, so that nothing is read in each round anew."""

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mailer.errors import MailerError


class AlreadyFetching(MailerError):
    """Another `mailer inbound fetch` reads this mailbox already. One is enough: stop the other first, or leave this to
    it."""


class Remembered:
    """Lines in a file that only its owner reads. Without it, or where the mailbox calls its messages
    otherwise, every message is looked at again; none acts twice, as each is known by what is in it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def lines(self) -> Sequence[str]:
        """What was remembered."""
        try:
            return [os.fsdecode(line) for line in self._file.read_bytes().split(b"\n") if line]
        except FileNotFoundError:
            return []

    def replace(self, lines: Iterable[str]) -> None:
        """Remember these instead."""
        new = self._file.with_suffix(".new")
        new.write_bytes(_written(lines))
        new.replace(self._file)

    def add(self, lines: Iterable[str]) -> None:
        """Remember these too."""
        with self._file.open("ab") as file:
            file.write(_written(lines))


def _written(lines: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(line) + b"\n" for line in lines)


@contextmanager
def alone_with(folder: Path, mailbox: str) -> Iterator[Remembered]:
    """What is remembered of a mailbox, for this process alone.

    :param folder: for all such files; made where there is none.
    :param mailbox: tells it from others, in letters and digits.
    :raises AlreadyFetching: another process has it.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(folder / f"{mailbox}.lock", os.O_CREAT | os.O_WRONLY, 0o600), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyFetching from None
        yield Remembered(folder / f"{mailbox}.seen")
