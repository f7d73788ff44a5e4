"""Where connections get their messages from: what was put back first, then the caller's supply."""

from collections import Counter, deque
from typing import Protocol

from mailer.errors import MailerError
from mailer.mail.types import Outcome, OutcomeKind, Outgoing, Stage

_ENVELOPE_TRIES = 3  # connections that one message may cost


class Supply(Protocol):
    """What the wire pulls from: the caller's messages, and its record of what became of them.

    A supply that raises ends the sending at once, with the answers to bodies on other connections unread; one that
    cannot go on says False to `begin`, is exhausted, and raises afterwards.
    """

    def take(self, *, wait: bool) -> Outgoing | None:
        """The next message; None: nothing now. It is begun later, or never.

        :param wait: nothing is on its way, so this may block for a tenth of a second or so.
        """

    @property
    def exhausted(self) -> bool:
        """Whether nothing will come any more."""

    @property
    def halted(self) -> bool:
        """Whether nothing more may be begun, so that what was taken and not begun is to be dropped."""

    def pulse(self) -> None:
        """Do what is due. Called about twice a second, whatever the wire waits for."""

    def begin(self, message: Outgoing) -> bool:
        """Record durably that the body goes out now. Called right before its first byte may leave.

        :returns: False if it must not: then not a byte of it leaves, and there is no Outcome.
        """

    def note(self, outcome: Outcome) -> None:
        """Record what became of a message; at most once for each. Called before the connection begins another."""


class Backlog:
    """One sending's messages that were taken and not begun, in front of its supply."""

    def __init__(self, supply: Supply) -> None:
        self._supply = supply
        self._waiting: deque[Outgoing] = deque()
        self._lost_with: Counter[int] = Counter()  # message → connections that ended at its envelope
        self.begin = supply.begin
        self.note = supply.note
        self.pulse = supply.pulse
        #: why no message may be begun any more
        self.ending: MailerError | None = None

    def next(self) -> Outgoing | None:
        """Take a message to announce; None if there is none now."""
        if self.ending is not None:
            return None
        return self._waiting.popleft() if self._waiting else self._supply.take(wait=False)

    def stock_up(self, count: int, *, wait: bool = False) -> int:
        """Have so many messages waiting, if the supply can; returns how many do.

        :param wait: nothing is on its way: the supply may block.
        """
        while len(self._waiting) < count and (message := self._supply.take(wait=wait)) is not None:
            self._waiting.append(message)
        return len(self._waiting)

    def put_back(self, message: Outgoing) -> None:
        """Return a message that was taken and not begun, to go over another connection."""
        self._waiting.appendleft(message)

    def put_back_blamed(self, message: Outgoing, problem: str) -> None:
        """Return a message at whose own recipient the connection ended.

        The third time it is deferred: a server that hangs up at one recipient must not keep the others' connections.
        """
        self._lost_with[message.id] += 1
        if self._lost_with[message.id] < _ENVELOPE_TRIES:
            self.put_back(message)
        else:
            self.note(Outcome(message.id, OutcomeKind.DEFERRED, 0, problem, Stage.RCPT))

    def clear(self) -> None:
        """Drop what was taken and no connection has."""
        self._waiting.clear()

    @property
    def halted(self) -> bool:
        """Whether nothing may be begun any more, as far as the supply goes."""
        return self._supply.halted

    @property
    def waiting(self) -> bool:
        """Whether a message was taken that no connection has."""
        return bool(self._waiting)

    @property
    def exhausted(self) -> bool:
        """Whether nothing waits and nothing will come."""
        return not self._waiting and self._supply.exhausted
