"""A Maildir on this machine: new mail lies in `new`, and what somebody has read in `cur`."""

import errno
import logging
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from mailer.mail.mailboxes.remembered import Remembered
from mailer.mail.mailboxes.types import BATCH, Disposal, MailboxUnavailable, Obstacle, Waiting

_READ = ":2,S"  # what the name of a message ends with that somebody has seen
_NAMED = re.compile(r"[0-9]{9,11}(?=\.)")  # the second in which a message came, in front of its name

log = logging.getLogger(__name__)


class Maildir:
    """Takes what lies in `new`. It only ever renames and deletes, so a program that reads it at the same time sees
    each message once.
    """

    def __init__(self, folder: Path, remembered: Remembered, *, disposal: Disposal, most_bytes: int) -> None:
        """:param folder: has `new` and `cur` in it.
        :param remembered: what stays in `new` though it was looked at.
        :param most_bytes: of each message that are read.
        """
        self._new, self._cur = folder / "new", folder / "cur"
        self._remembered, self._disposal, self._most_bytes = remembered, disposal, most_bytes
        self._unreadable = 0  # messages

    def __str__(self) -> str:
        return str(self._new.parent)

    def batches(self) -> Iterator[Sequence[Waiting]]:
        """As of `Mailbox`. Names begin with the second in which a message came, so the oldest are the first."""
        with self._explained(Obstacle.FOLDER):
            self._cur.stat()
            # What has a line end in its name was put there by no mail server.
            lying = sorted(each.name for each in self._new.iterdir() if not re.search(r"^\.|\n", each.name))
        names = self._not_looked_at(lying)
        for start in range(0, len(names), BATCH):
            read = map(self._read, names[start : start + BATCH])
            if batch := [waiting for waiting in read if waiting is not None]:
                yield batch
        if self._unreadable:
            log.warning("messages that the mailbox does not give out stay in it", extra={"messages": self._unreadable})

    def settle(self, handled: Sequence[Waiting], left: Sequence[Waiting]) -> None:
        """As of `Mailbox`."""
        if left:
            self._remembered.add(waiting.name for waiting in left)
        with self._explained(Obstacle.CLEARING):
            for waiting in handled:
                self._clear(waiting.name)

    def _not_looked_at(self, lying: Sequence[str]) -> list[str]:
        before = self._remembered.lines()
        known = set(before).intersection(lying)
        if len(known) < len(before):
            self._remembered.replace(sorted(known))
        return [name for name in lying if name not in known]

    def _read(self, name: str) -> Waiting | None:
        """None for what another program has taken away, for what may not be read, and for what is no file."""
        try:
            # A pipe must not keep us waiting, and a link may lead to a file that is none of the mailbox.
            descriptor = os.open(self._new / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as problem:
            if problem.errno not in (errno.ENOENT, errno.ELOOP):
                self._unreadable += 1
            return None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return Waiting(name, file.read(self._most_bytes), _came_at(name, status.st_mtime))
        finally:
            os.close(descriptor)

    def _clear(self, name: str) -> None:
        try:
            if self._disposal is Disposal.DELETE:
                (self._new / name).unlink()
            else:
                (self._new / name).rename(self._free(name.partition(":")[0]))
        except FileNotFoundError:
            return  # another program was quicker; what follows is saved

    def _free(self, name: str) -> Path:
        """A place in `cur` that no other message has: a rename would put this one in its place."""
        while (place := self._cur / f"{name}{_READ}").exists():
            name += "_"
        return place

    def _explained(self, obstacle: Obstacle) -> AbstractContextManager[None]:
        return _explained(self._new.parent, obstacle)


def _came_at(name: str, changed: float) -> datetime | None:
    """When a message came. A copy of a mailbox may have the time at which it was made, so the earlier one counts.

    :param changed: seconds, when its file was.
    """
    named = _NAMED.match(name)
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(min(changed, int(named[0])) if named else changed, UTC)
    return None


def look(folder: Path) -> int:
    """How many messages lie new in a Maildir; nothing is changed.

    :raises MailboxUnavailable: it is none, or nothing could be taken out of it.
    """
    with _explained(folder, Obstacle.FOLDER):
        (folder / "cur").stat()
        lying = sum(1 for _ in (folder / "new").iterdir())
    with _explained(folder, Obstacle.CLEARING):
        for part in (folder / "new", folder / "cur"):
            if not os.access(part, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "may not be written to", str(part))
    return lying


@contextmanager
def _explained(folder: Path, obstacle: Obstacle) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        words = f"{problem.filename or 'a message'}: {problem.strerror or problem}"
        raise MailboxUnavailable(place=folder, problem=words, obstacle=obstacle) from problem
