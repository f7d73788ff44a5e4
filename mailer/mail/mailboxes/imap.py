"""A folder on an IMAP server, as a mailbox to take messages out of."""

import logging
from collections.abc import Iterator, Sequence

from mailer.mail.mailboxes.imap_session import Refused, Session
from mailer.mail.mailboxes.imap_words import Listed
from mailer.mail.mailboxes.remembered import Remembered
from mailer.mail.mailboxes.types import (
    BATCH,
    HANDLED_FOLDER,
    Disposal,
    MailboxUnavailable,
    Obstacle,
    Waiting,
)

_BATCH_BYTES = 4 * 2**20

log = logging.getLogger(__name__)


class Imap:
    """Takes what came since the last look. UIDs only grow (RFC 3501, 2.3.1.1), so one number says what was looked at:
    in the file stand UIDVALIDITY and the last UID up to which all is settled; below, what else was left behind that.
    """

    def __init__(self, session: Session, remembered: Remembered, *, disposal: Disposal, most_bytes: int) -> None:
        """:param session: in which the folder is open.
        :param remembered: what stays in the folder though it was looked at.
        :param most_bytes: of each message that are read.
        """
        self._session, self._remembered = session, remembered
        self._disposal, self._most_bytes = disposal, most_bytes
        self._is_stuck = False  # something that was handled did not leave: it has to be given again
        self._left: frozenset[int] = frozenset()

    def batches(self) -> Iterator[Sequence[Waiting]]:
        """As of `Mailbox`."""
        last = self._recall()
        new = [each for each in self._session.list_from(last + 1) if each.uid not in self._left]
        for batch in _batches(new, self._most_bytes):
            read = self._read([each.uid for each in batch])
            if found := [Waiting(str(each.uid), read[each.uid], each.came_at) for each in batch if each.uid in read]:
                yield found

    def settle(self, handled: Sequence[Waiting], left: Sequence[Waiting]) -> None:
        """As of `Mailbox`."""
        try:
            if handled:
                self._clear([int(waiting.name) for waiting in handled])
        except MailboxUnavailable:
            self._is_stuck = True
            raise
        finally:
            self._remember([int(waiting.name) for waiting in handled], [int(waiting.name) for waiting in left])

    def _clear(self, uids: Sequence[int]) -> None:
        if self._disposal is Disposal.DELETE:
            self._session.delete(uids)
        else:
            self._session.move(uids, HANDLED_FOLDER)

    def _read(self, uids: Sequence[int]) -> dict[int, bytes]:
        """One that the server cannot give must not keep those behind it from being read; but if it gives none, the
        trouble is its own, and passes."""
        try:
            return self._session.read(uids, most_bytes=self._most_bytes)
        except Refused as refused:
            problem = refused
        found: dict[int, bytes] = {}
        broken = 0
        for uid in uids:
            try:
                found |= self._session.read([uid], most_bytes=self._most_bytes)
            except Refused as refused:
                problem, broken = refused, broken + 1
        if broken == len(uids):
            with self._session.explained(Obstacle.FOLDER):
                raise problem
        log.warning("messages that the mailbox does not give out stay in it", extra={"messages": broken})
        return found

    def _recall(self) -> int:
        """The last UID up to which nothing is new."""
        words = [word for line in self._remembered.lines() for word in line.split() if word.isdecimal()]
        if len(words) < 2 or words[0] != self._session.validity:
            self._remembered.replace([f"{self._session.validity} 0"])
            return 0
        self._left = frozenset(map(int, words[2:]))
        return int(words[1])

    def _remember(self, handled: Sequence[int], left: Sequence[int]) -> None:
        if self._is_stuck:
            self._remembered.add(map(str, left))
        elif handled or left:
            last = max([*handled, *left])
            behind = sorted(uid for uid in self._left if uid > last)
            self._remembered.replace([f"{self._session.validity} {last}", *map(str, behind)])


def _batches(messages: Sequence[Listed], most_bytes: int) -> Iterator[Sequence[Listed]]:
    batch: list[Listed] = []
    size = 0
    for message in messages:
        weight = min(message.size, most_bytes)
        if batch and (len(batch) == BATCH or size + weight > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += weight
    if batch:
        yield batch
