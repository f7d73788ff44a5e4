"""Messages that are fetched from a mailbox: each goes the way of every other that comes in, and leaves it only then."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mailer.errors import ServiceUnavailable
from mailer.inbound import receiving
from mailer.inbound.acting import Source
from mailer.inbound.addresses import OwnAddresses
from mailer.mail.mailboxes.types import Mailbox, MailboxUnavailable, Obstacle, Waiting
from mailer.store.db import Sessions

_PAUSE_SECONDS = 60.0  # between two looks
_LONGEST_SECONDS = 900.0  # likewise, while the mailbox or the database is away

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Fetched:
    """What became of the messages of one round."""

    handled: int = 0
    left: int = 0  # they stay as they were: they are not about a mail of ours, or somebody may want to read them


def fetch(
    sessions: Sessions,
    mailbox: Mailbox,
    *,
    addresses: OwnAddresses,
    source: Source,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Fetched:
    """Take in what came into a mailbox since it was last looked at. A message leaves it when all that follows from it
    is saved; if that cannot be told to the mailbox, it is given again, and acts once.

    :param is_stopped: asked before each batch.
    :raises MailboxUnavailable: not all could be read, or not all that was handled has left.
    :raises DatabaseUnavailable: the rest stays for later.
    :raises TooManyInAnHour: likewise.
    """
    round_ = _Round(sessions, mailbox, addresses, source)
    for batch in mailbox.batches():
        if is_stopped():
            break
        round_.take(batch)
    round_.end()
    return round_.fetched


class _Round:
    def __init__(self, sessions: Sessions, mailbox: Mailbox, addresses: OwnAddresses, source: Source) -> None:
        self._sessions, self._mailbox, self._addresses, self._source = sessions, mailbox, addresses, source
        self._trouble: MailboxUnavailable | None = None
        self.fetched = Fetched()

    def take(self, batch: Sequence[Waiting]) -> None:
        """:raises ServiceUnavailable: those before are settled."""
        handled: list[Waiting] = []
        left: list[Waiting] = []
        try:
            for waiting in batch:
                outcome = receiving.receive(
                    self._sessions,
                    waiting.data,
                    addresses=self._addresses,
                    source=self._source,
                    came_at=waiting.came_at,
                )
                (handled if outcome.is_done_with else left).append(waiting)
        finally:
            self._settle(handled, left)

    def _settle(self, handled: Sequence[Waiting], left: Sequence[Waiting]) -> None:
        """What does not leave must not keep those behind it from being read."""
        self.fetched.handled += len(handled)
        self.fetched.left += len(left)
        try:
            self._mailbox.settle(handled, left)
        except MailboxUnavailable as problem:
            if problem.obstacle is not Obstacle.CLEARING:
                raise
            self._trouble = problem

    def end(self) -> None:
        """:raises MailboxUnavailable: something did not leave."""
        if self.fetched.handled or self.fetched.left:
            facts = {"source": self._source.value, "handled": self.fetched.handled, "left": self.fetched.left}
            log.info("looked at a mailbox", extra=facts)
        if self._trouble is not None:
            raise self._trouble


class Stop(Protocol):
    """The wish to stop, true once there is one."""

    def __call__(self) -> bool: ...

    def wait(self, seconds: float) -> None:
        """Let time go by, until there is one."""


def poll(look: Callable[[], object], *, stop: Stop) -> None:
    """Look into a mailbox once a minute until told to stop; ever more rarely while it or the database is away.

    :param look: one round.
    :raises ConfigurationError: what it needs is not there any more.
    """
    failures = 0
    while not stop():
        pause = _PAUSE_SECONDS
        try:
            look()
            failures = 0
        except ServiceUnavailable as problem:
            pause = min(_PAUSE_SECONDS * 2**failures, _LONGEST_SECONDS)
            failures = min(failures + 1, 10)
            log.warning("nothing could be fetched", extra={"problem": str(problem), "again_in_seconds": pause})
        stop.wait(pause)
