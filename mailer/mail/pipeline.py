"""Handing messages to a mail server over several kept-open connections, as fast as it takes them.

One thread serves all connections. What happens on one of them, and why no message is lost or doubled, is in
`smtp_connection`; how one comes to be, in `smtp_opening`; what was learned of the server, in `smtp_habits`. Here stands
who gets the next message, when another connection is opened, and when to give up.
"""

import ssl
import time
from selectors import DefaultSelector

from mailer.mail.backlog import Backlog, Supply
from mailer.mail.smtp import Server, SmtpUnavailable
from mailer.mail.smtp_connection import Connection, Timeouts
from mailer.mail.smtp_habits import Habits
from mailer.mail.smtp_opening import Opened, OpeningFailed, Steps, open_connection

__all__ = ["Pipeline", "Supply", "Timeouts"]

_TRIES = 3  # connections in a row that come to nothing before the server counts as unavailable
_FIRST_PAUSE = 0.1  # seconds after the first failure; doubled after each further one
_LONGEST_PAUSE = 5.0
_STARVED_SECONDS = 0.02  # between two questions to a supply that had nothing while others were busy
_GOODBYE_SECONDS = 2.0  # for all connections together
_PULSE_SECONDS = 0.5


class _Opening:
    """A connection that is not open yet."""

    def __init__(self, steps: Steps[Opened]) -> None:
        self.steps = steps
        self.watched: int | None = None  # the file descriptor
        self.deadline = 0.0  # monotonic seconds


class Pipeline:
    """Connections to one mail server. Not thread-safe."""

    def __init__(
        self,
        server: Server,
        *,
        connections: int = 4,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Nothing is opened before there is something to send.

        :param connections: at most so many at a time.
        :param context: for TLS; by default the system's certificates are trusted.
        """
        self._server = server
        self._most = connections
        self._timeouts = timeouts
        self._context = context or ssl.create_default_context()
        self._habits = Habits()
        self._selector = DefaultSelector()
        self._connections: set[Connection] = set()
        self._idle: list[Connection] = []  # some of them
        self._openings: set[_Opening] = set()
        self._failures = 0  # connections in a row that came to nothing
        self._problem = ""  # of the last one
        self._open_after = 0.0  # monotonic seconds
        shortest = min(timeouts.connect, timeouts.mail, timeouts.rcpt, timeouts.data, timeouts.block, timeouts.dot)
        #: Deadlines are looked at this often only: at each answer it would cost 1 µs, and more with more connections.
        self._tick = min(_PULSE_SECONDS, shortest / 4)
        self._next_look = 0.0  # monotonic seconds

    def send(self, supply: Supply) -> None:
        """Send what the supply gives until it is exhausted and every answer has been noted.

        A message that was taken and has neither an Outcome nor a `begin` had no byte of its body sent.

        :raises SmtpUnavailable: no connection can be had. What had been begun has been answered.
        :raises SenderRefused: the server takes no mail from an envelope sender. Likewise.
        """
        backlog = Backlog(supply)
        self._failures, self._open_after = 0, 0.0
        try:
            while not self._finished(backlog):
                self._hand_out(backlog)
                self._attend(backlog)
        finally:
            self._abandon()

    def close(self) -> None:
        """Say QUIT on every connection and close it. More may be sent afterwards, over new ones."""
        end = time.monotonic() + _GOODBYE_SECONDS
        for connection in self._idle:
            connection.say_goodbye()
        for connection in self._idle:
            connection.hear_goodbye(max(0.01, end - time.monotonic()))
        self._idle.clear()
        self._connections.clear()

    def _finished(self, backlog: Backlog) -> bool:
        if backlog.ending is not None:
            if not any(connection.begun for connection in self._connections):
                raise backlog.ending
            return False
        at_work = len(self._connections) - len(self._idle)
        return backlog.exhausted and at_work == sum(connection.leaving for connection in self._connections)

    def _abandon(self) -> None:
        """Close what is not idle: after an error, or because nothing is left to open a connection for."""
        for opening in self._openings:
            self._unwatch(opening)
            opening.steps.close()
        self._openings.clear()
        for connection in self._connections.difference(self._idle):
            connection.close("given up")
        self._connections.intersection_update(self._idle)

    # --- who gets the next message ----------------------------------------------------------------------------------

    def _hand_out(self, backlog: Backlog) -> None:
        """Give messages to idle connections, and open another when all are busy and there is more to do."""
        if backlog.ending is not None:
            return
        if len(self._idle) == len(self._connections) and not self._openings and not backlog.waiting:
            backlog.stock_up(1, wait=True)  # nothing is on its way
        while self._idle and self._idle[-1].start(backlog):
            connection = self._idle.pop()
            if connection.closed:
                self._sort(connection)
        if self._idle:
            return
        # One for each connection: it is made while the server works. What is left over shows that there is more.
        more = backlog.stock_up(len(self._openings) + max(1, len(self._connections))) > len(self._openings)
        if more and len(self._connections) + len(self._openings) < self._most:
            self._open_another(backlog)

    def _open_another(self, backlog: Backlog) -> None:
        """Begin to open a connection, as many at a time as are open already: a server is not stormed."""
        count = len(self._connections)
        if len(self._openings) >= max(1, count):
            return
        if not count and not self._openings and self._failures >= _TRIES:
            backlog.ending = SmtpUnavailable(server=self._server, problem=self._problem)
        elif time.monotonic() >= self._open_after:
            opening = _Opening(open_connection(self._server, self._context))
            self._openings.add(opening)
            self._advance(opening)

    # --- what happens on the wire -----------------------------------------------------------------------------------

    def _attend(self, backlog: Backlog) -> None:
        """Wait until something happens, and deal with it."""
        for key, _ in self._selector.select(self._patience(backlog)):
            if isinstance(key.data, _Opening):
                self._advance(key.data)
            elif not key.data.on_ready(backlog):
                self._sort(key.data)
        if time.monotonic() >= self._next_look:
            self._look_at_deadlines(backlog)
            backlog.pulse()
            if backlog.halted:
                self._let_go(backlog)

    def _patience(self, backlog: Backlog) -> float:
        """Seconds until something must be done even if nothing happens."""
        if backlog.ending is not None or (len(self._connections) == self._most and not self._idle):
            return self._tick
        if backlog.waiting and (pause := self._open_after - time.monotonic()) > 0:
            return min(self._tick, pause + 0.001)
        return self._tick if backlog.waiting else _STARVED_SECONDS

    def _sort(self, connection: Connection) -> None:
        """Put a connection that is idle or closed where it belongs."""
        was_idle = connection in self._idle
        if not connection.closed:
            if not was_idle:
                self._idle.append(connection)
            return
        self._connections.remove(connection)
        if was_idle:
            self._idle.remove(connection)
        elif connection.proven:
            self._failures, self._open_after = 0, 0.0  # it did its work: that it ended tells nothing of the next
        elif not connection.withdrawn:
            self._count_failure(connection.problem or "")

    def _let_go(self, backlog: Backlog) -> None:
        """Keep nothing that was not begun, however long the server takes to answer."""
        for connection in [each for each in self._connections if not each.begun]:
            connection.let_go(backlog)
            if connection.closed:
                self._sort(connection)
        backlog.clear()

    def _look_at_deadlines(self, backlog: Backlog) -> None:
        now = time.monotonic()
        self._next_look = now + self._tick
        for connection in [each for each in self._connections if each.deadline <= now]:
            connection.end(backlog, "it did not answer in time")
            self._sort(connection)
        for opening in [each for each in self._openings if each.deadline <= now]:
            self._advance(opening, late=True)

    # --- opening ----------------------------------------------------------------------------------------------------

    def _advance(self, opening: _Opening, *, late: bool = False) -> None:
        """Let an opening go on, to its next wait or its end."""
        self._unwatch(opening)
        try:
            wait = opening.steps.throw(TimeoutError("it did not answer in time")) if late else next(opening.steps)
        except StopIteration as done:
            self._openings.remove(opening)
            connection = Connection(done.value, timeouts=self._timeouts, selector=self._selector, habits=self._habits)
            self._connections.add(connection)
            self._idle.append(connection)
        except OpeningFailed as failed:
            self._openings.remove(opening)
            self._count_failure(str(failed), final=failed.final)
        else:
            opening.watched = wait.sock.fileno()
            opening.deadline = time.monotonic() + self._timeouts.connect
            self._selector.register(opening.watched, wait.events, opening)

    def _unwatch(self, opening: _Opening) -> None:
        if opening.watched is not None:
            self._selector.unregister(opening.watched)
            opening.watched = None

    def _count_failure(self, problem: str, *, final: bool = False) -> None:
        """Wait longer before the next try.

        :param final: there is no use in another.
        """
        self._failures = max(self._failures + 1, _TRIES if final else 0)
        self._problem = problem
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self._failures - 1))
        self._open_after = time.monotonic() + pause
