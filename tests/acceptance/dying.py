"""A server that is killed within a press or a message, at the point that a test has chosen: what it calls for that."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

#: of a press that changes something: after its first change, then before and after that is committed
POINTS = WRITTEN, BEFORE_COMMIT, COMMITTED = "written", "before the commit", "after the commit"
_WRITES = ("INSERT", "UPDATE", "DELETE")
_OF_ANY_PAGE = "desk_sessions"  # that somebody was there is no change


class Death:
    """What kills the process that serves a press.

    :param folder: where a file says at which point, until it is reached.
    """

    def __init__(self, folder: Path) -> None:
        self._file = _file(folder)
        self._here = threading.local()

    def listen(self) -> None:
        """Look at all that this process has the database do."""
        event.listen(Engine, "after_cursor_execute", self._executed)
        event.listen(Engine, "commit", lambda _: self._reach(BEFORE_COMMIT))
        event.listen(Session, "after_commit", self._committed)

    def begin(self, _worker: Any, asked: Any) -> None:
        """Have a request be mortal if it is a press."""
        self.may_come(asked.method == "POST")

    def may_come(self, may: bool) -> None:  # it is what this says
        """Whether this thread is mortal, from what it writes next on."""
        self._here.is_press, self._here.has_written = may, False

    def _executed(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(_WRITES) and _OF_ANY_PAGE not in statement:
            self._here.has_written = True
            self._reach(WRITTEN)

    def _committed(self, session: Session) -> None:
        if not session.in_nested_transaction():  # the end of a savepoint is told too
            self._reach(COMMITTED)

    def _reach(self, point: str) -> None:
        here = self._here
        if not getattr(here, "is_press", False) or not here.has_written:
            return
        if self._file.exists() and self._file.read_text() == point:
            self._file.unlink(missing_ok=True)
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def at(folder: Path, point: str) -> Iterator[None]:
    """Have the server die at the next press or message that gets there; none of this block need get there."""
    file = _file(folder)
    new = file.with_suffix(".new")
    new.write_text(point)
    new.rename(file)  # so that it is read whole
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def is_to_come(folder: Path) -> bool:
    """Whether nothing has got there yet."""
    return _file(folder).exists()


def _file(folder: Path) -> Path:
    return folder / "dies"
