"""The worker's own record of what it began and what was answered, for whoever has to clear up after it.

A row in the ledger says that a worker holds a delivery; only the journal says whether the first byte of its body may
have left. A worker writes `begun` before that byte and the answer after it was read, into a file that it keeps locked
for as long as it lives. So a free lock means a dead worker, and what it left is exact:

- begun and answered: the answer counts;
- begun, not answered: nobody knows (at most one for each open SMTP connection);
- not begun: nothing of it ever left.

`write(2)` into the page cache outlives `kill -9`; it does not outlive the machine. Hence the boot id in the header:
after a reboot, what the file lacks proves nothing. It holds ids and reply codes, never an address or a server's words.
"""

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mailer.errors import ServiceUnavailable
from mailer.mail.feedback.types import Category
from mailer.mail.types import Outcome, OutcomeKind

_SUFFIX = ".journal"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_HEADER = "tocsin-journal 1 "
_MARK = "highest-claim"
_MARK_DIGITS = 20  # always as many, so that a new number takes the place of the old one in a single write
#: What is no line of ours is passed over: a power cut may leave anything in the place of what was not on the disk yet.
_BEGUN = re.compile(rb"b (\d+) (\d+)")
_ANSWER = re.compile(rb"a (\d+) (\d+) (sent|deferred|failed|unknown) (\d+)(?: ([a-z_-]{1,40}))?")
_REFUSED: Mapping[bytes | None, Category] = {
    **{each.encode(): each for each in Category},
    b"no-such-address": Category.NO_MAILBOX,  # as it was written before the others were
}


class JournalUnwritable(ServiceUnavailable):
    """The worker's journal in {folder} cannot be written: {problem}. Make room on the disk; sending then goes on by
    itself. No mail was begun that is not in the journal."""


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What a server said to a whole message, as far as the ledger needs it."""

    kind: OutcomeKind
    code: int
    refused: Category | None = None  # what it has against the address, as `Settlement` keeps it


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """What a journal knows of one claim: delivery id → its answer, None for one begun and not answered."""

    begun: Mapping[int, ServerAnswer | None]
    complete: bool  # what it lacks never happened: the machine was not rebooted since


class Journal:
    """The journal of a living worker. Closing it without `discard` leaves it to the sweeper."""

    def __init__(self, folder: Path) -> None:
        """Make a new journal and lock it.

        :raises JournalUnwritable: the folder cannot be written to.
        """
        self._folder = folder
        self._torn = False
        self._unwritten: list[bytes] = []  # lines not written yet
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path, self._descriptor = _create(folder)
            self._write(f"{_HEADER}{boot_id()}\n".encode())
        except OSError as problem:
            raise JournalUnwritable(folder=folder, problem=problem.strerror or problem) from problem

    @property
    def name(self) -> str:
        """What a claim names it by; no other journal on any machine has the same."""
        return self.path.name

    def begin(self, fence: int, delivery_id: int) -> None:
        """Record that the first byte of a body is about to leave.

        :raises JournalUnwritable: it could not be recorded, so the body must not leave.
        """
        self._unwritten.append(b"b %d %d\n" % (fence, delivery_id))
        self.flush()

    def answer(self, fence: int, outcome: Outcome, *, refused: Category | None = None) -> None:
        """Record what a server said, at the latest together with the next message that is begun.

        :param refused: what it has against the address, if that may end mail to it.

        One write for both costs half as much as two, and promises as much: a connection begins its next message only
        after this, so that at most the last one on each is in doubt.
        """
        why = b" " + refused.encode() if refused else b""
        self._unwritten.append(b"a %d %d %b %d%b\n" % (fence, outcome.id, outcome.kind.encode(), outcome.code, why))

    def flush(self) -> None:
        """Write down what is known and not written yet.

        :raises JournalUnwritable: it could not be recorded; it can still be settled in the ledger.
        """
        if not self._unwritten:
            return
        lines, self._unwritten = b"".join(self._unwritten), []
        try:
            self._write(lines)
        except OSError as problem:
            raise JournalUnwritable(folder=self._folder, problem=problem.strerror or problem) from problem

    def discard(self) -> None:
        """Remove it: everything in it stands in the ledger."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Write down what is left to write, and let go of the lock."""
        with suppress(JournalUnwritable):  # what it lacks is in doubt then, and no more than that
            self.flush()
        os.close(self._descriptor)

    def _write(self, lines: bytes) -> None:
        # One write(2) on an O_APPEND file: a reader sees it whole or, at the very end, cut short. Behind a line that
        # was cut short nothing may be written, because it would run into it.
        if self._torn or os.write(self._descriptor, lines) != len(lines):
            self._torn = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _create(folder: Path) -> tuple[Path, int]:
    while True:
        path = folder / f"{secrets.token_hex(12)}{_SUFFIX}"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Between these two lines a sweeper may have taken the file for a dead worker's, and removed it.
        if _lock(descriptor) and path.exists():
            return path, descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def boot_id() -> str:
    """What tells this start of the machine from every other."""
    return _BOOT_ID.read_text().strip()


# --- the host's own mark ----------------------------------------------------------------------------------------------


def highest_claim(folder: Path) -> int:
    """The highest fencing number that this host knows to have been given out; 0 if none."""
    try:
        return _number((folder / _MARK).read_bytes())
    except FileNotFoundError:
        return 0


def _number(mark: bytes) -> int:
    return int(mark) if mark.strip().isdigit() else 0


def mark_claim(folder: Path, fence: int) -> None:
    """Remember that a fencing number was given out, so that a database restored from before then is noticed.

    :raises JournalUnwritable: it could not be written down.
    """
    _mark(folder, lambda known: max(known, fence))


def forget_claims_after(folder: Path, fence: int) -> None:
    """Remember that no fencing number above this one counts any more: the database does not know of any.

    :raises JournalUnwritable: it could not be written down.
    """
    _mark(folder, lambda known: min(known, fence))


def _mark(folder: Path, change: Callable[[int], int]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / _MARK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # of two workers on a host, the later may have the lower number
            known = _number(os.pread(descriptor, _MARK_DIGITS, 0))
            if change(known) != known:
                os.pwrite(descriptor, str(change(known)).rjust(_MARK_DIGITS, "0").encode(), 0)
        finally:
            os.close(descriptor)
    except OSError as problem:
        raise JournalUnwritable(folder=folder, problem=problem.strerror or problem) from problem


# --- what others left -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """The journal of a worker that is gone, locked so that nobody else clears up after it at the same time."""

    path: Path
    records: Mapping[int, JournalRecord]  # by fencing number
    complete: bool

    def of(self, fence: int) -> JournalRecord:
        """What it knows of a claim: of one it does not name, that nothing was begun."""
        return self.records.get(fence, JournalRecord(begun={}, complete=self.complete))


def names(folder: Path) -> list[str]:
    """The journals in a folder, whoever they belong to."""
    return sorted(path.name for path in folder.glob(f"*{_SUFFIX}"))


@contextmanager
def taken_over(folder: Path, name: str) -> Iterator[LeftBehind | None]:
    """Take over a journal if its worker is gone; it is removed when the block ends well.

    :returns: None when its worker lives, or somebody else is at it, or it is not there.
    """
    path = folder / name
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        if not _lock(descriptor) or not path.exists():
            yield None
            return
        yield _read(path)
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _read(path: Path) -> LeftBehind:
    lines = path.read_bytes().split(b"\n")[:-1]  # what stands behind the last line end was cut short
    # Without its header a file proves nothing: a power cut may have left it empty.
    complete = bool(lines) and lines[0] == f"{_HEADER}{boot_id()}".encode()
    begun: dict[int, dict[int, ServerAnswer | None]] = {}
    for line in lines[1:]:
        if found := _BEGUN.fullmatch(line):
            begun.setdefault(int(found[1]), {})[int(found[2])] = None
        elif found := _ANSWER.fullmatch(line):
            answer = ServerAnswer(OutcomeKind(found[3].decode()), int(found[4]), _REFUSED.get(found[5]))
            begun.setdefault(int(found[1]), {})[int(found[2])] = answer
    records = {fence: JournalRecord(begun=entries, complete=complete) for fence, entries in begun.items()}
    return LeftBehind(path=path, records=records, complete=complete)
