"""One open SMTP connection: announces a message, sends its body when invited, hears what became of it.

Why nothing is lost or doubled: a message is in one place at a time. It waits in the backlog; or it is *announced* here
(MAIL, RCPT, DATA said) and goes back to the backlog if the connection ends; or it is *begun* here (its body may be on
the wire) and gets exactly one Outcome: the answer to its final dot or, if none comes, `unknown`. It becomes begun in
one function, `_begin`, after the journal has it and when no other is begun on this connection.
"""

import math
import re
import ssl
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector

from mailer.mail.backlog import Backlog
from mailer.mail.smtp import SenderRefused
from mailer.mail.smtp_envelope import Capabilities, envelope, obstacle
from mailer.mail.smtp_opening import Opened
from mailer.mail.smtp_replies import BrokenReply, ReplyReader, one_line
from mailer.mail.types import Outcome, OutcomeKind, Outgoing, Stage

_PIECE = 8192  # octets read at once: replies are short, and a buffer of 64 KB costs 1 µs more
_TOO_LARGE = 552  # as an answer to MAIL it is about SIZE=, so about the message (RFC 1870, section 6.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How many seconds to wait (RFC 5321, section 4.5.3.2). A short wait at the dot makes slow answers unknown."""

    connect: float = 30  # for each step until the connection is open
    mail: float = 300
    rcpt: float = 300
    data: float = 120
    block: float = 180  # for the server to take another piece of a body
    dot: float = 600


class ConnectionLost(Exception):
    """The connection is of no further use; why, in one line."""


class _Step(IntEnum):
    """What a reply that is still to come answers."""

    RSET = 0
    MAIL = 1
    RCPT = 2
    DATA = 3
    DOT = 4  # the end of a body
    EMPTY_DOT = 5  # the end of no body: the server wanted one after it had refused the recipient


_ENVELOPE = (_Step.MAIL, _Step.RCPT, _Step.DATA)
_WHOLE_GROUP = 1 + len(_ENVELOPE)  # answers to one write: the dot's, and those to the next envelope
#: Those answers, when nothing is refused and they come together.
_CONSENT = re.compile(rb"250 ([^\r\n]*)\r?\n250 [^\n]*\n250 [^\n]*\n354 [^\n]*\n").fullmatch
_STAGES = {_Step.MAIL: Stage.MAIL, _Step.RCPT: Stage.RCPT, _Step.DATA: Stage.DATA}
_KINDS = {2: OutcomeKind.SENT, 4: OutcomeKind.DEFERRED, 5: OutcomeKind.FAILED}


class Connection:
    """An open connection, idle until `start`."""

    def __init__(self, opened: Opened, *, timeouts: Timeouts, selector: BaseSelector) -> None:
        """Watch the connection; `on_ready` is to be called when the selector reports it."""
        self._sock = opened.sock
        self._tls = opened.sock if isinstance(opened.sock, ssl.SSLSocket) else None
        self._offered: Capabilities = opened.capabilities
        self._selector = selector
        self._block_seconds = timeouts.block
        # by _Step
        self._seconds = (timeouts.mail, timeouts.mail, timeouts.rcpt, timeouts.data, timeouts.dot, timeouts.dot)

        self._announced: Outgoing | None = None
        self._begun: Outgoing | None = None
        self._invited = False  # the server answered 354 for the message that is announced
        self._reset_due = False  # a transaction was refused half-way

        self._awaited: deque[_Step] = deque()  # replies that are still to come, in order
        self._unsaid: deque[tuple[_Step, bytes]] = deque()  # commands for later, where the server takes one at a time
        self._unwritten = memoryview(b"")  # what the socket has not taken yet
        self._after_dot = 0  # how many of the octets written last follow the final dot
        self._reader = ReplyReader()

        self.deadline = math.inf  # monotonic seconds
        self.proven = False  # it has answered for a message
        self.problem: str | None = None  # why it was closed
        self.withdrawn = False  # it was closed because its message must not be begun, by no fault of the server's
        selector.register(self._sock, EVENT_READ, self)

    @property
    def closed(self) -> bool:
        """Whether it has ended, for `problem`."""
        return self.problem is not None

    @property
    def idle(self) -> bool:
        """Whether another message may be announced: none is, and every answer is in."""
        return not self._awaited and not self._invited and not self._unsaid

    @property
    def begun(self) -> bool:
        """Whether a body is on its way whose answer has not come."""
        return self._begun is not None

    # --- what the pipeline calls ------------------------------------------------------------------------------------

    def start(self, backlog: Backlog) -> bool:
        """Announce the next message of the backlog. For an idle connection.

        :returns: False if there is none.
        """
        message = self._next(backlog)
        if message is None:
            return False
        self._announced = message
        steps, commands = _ENVELOPE, envelope(message, self._offered)
        try:
            if self._reset_due:
                self._reset_due = False
                self._say((_Step.RSET, *steps), b"RSET\r\n" + commands)
            else:
                self._say(steps, commands)
            self._set_deadline()
        except ConnectionLost as lost:
            self.end(backlog, str(lost))
        return True

    def on_ready(self, backlog: Backlog) -> bool:
        """Read what came, act on it, write what can be written. May end the connection.

        :returns: whether it is still at work, neither idle nor closed.
        """
        try:
            if data := self._receive():
                self._hear_all(data, backlog)
                # Not before all that came is heard: a 421 behind the 354 must find nothing begun.
                if self._invited:
                    self._begin(backlog)
                elif self._unsaid and not self._awaited:
                    self._say_next()
            if self._unwritten:
                self._write_on()
            self._set_deadline()
        except (ConnectionLost, BrokenReply) as lost:
            self.end(backlog, str(lost))
            return False
        return bool(self._awaited) or not self.idle

    def end(self, backlog: Backlog, problem: str) -> None:
        """Close, with the account of what was under way."""
        self.close(problem)
        announced, self._announced = self._announced, None
        begun, self._begun = self._begun, None
        if announced is not None:
            if begun is None and self._awaited and self._awaited[0] in (_Step.RCPT, _Step.DATA):
                backlog.put_back_blamed(announced, problem)
            else:
                backlog.put_back(announced)
        if begun is not None:
            backlog.note(Outcome(begun.id, OutcomeKind.UNKNOWN, 0, problem))

    def close(self, problem: str) -> None:
        """Close without a word, unless it is closed."""
        if self.closed:
            return
        self.problem = problem
        self._selector.unregister(self._sock)
        self._sock.close()

    def say_goodbye(self) -> None:
        """Say QUIT on an idle connection, if it is still there; `hear_goodbye` closes it."""
        with suppress(ConnectionLost):
            self._write(b"QUIT\r\n")

    def hear_goodbye(self, seconds: float) -> None:
        """Wait for the answer to QUIT (RFC 5321, section 4.1.1.10), but not long, and close."""
        self._sock.settimeout(seconds)
        try:
            self._sock.recv(_PIECE)
        except OSError:
            self.close("it did not answer QUIT")
        else:
            self.close("QUIT")

    # --- announcing -------------------------------------------------------------------------------------------------

    def _next(self, backlog: Backlog) -> Outgoing | None:
        """The next message that this server could take; the others get their Outcome."""
        while (message := backlog.next()) is not None and (refusal := obstacle(message, self._offered)) is not None:
            backlog.note(refusal)
        return message

    def _say(self, steps: tuple[_Step, ...], commands: bytes) -> None:
        """Say commands, a line each: at once (RFC 2920), or each after the answer to the one before."""
        if self._offered.pipelining:
            self._awaited.extend(steps)
            self._write(commands)
        else:
            self._unsaid.extend(zip(steps, commands.splitlines(keepends=True), strict=True))
            self._say_next()

    def _say_next(self) -> None:
        step, command = self._unsaid.popleft()
        self._awaited.append(step)
        self._write(command)

    def _begin(self, backlog: Backlog) -> None:
        """Send the body of the announced message and, in the same write, announce the next.

        The only place where a body leaves. Every earlier answer was read, so no other body is begun here.
        """
        if backlog.ending is not None:
            return  # nothing is begun any more; the pipeline closes this connection
        message = self._announced
        assert message is not None  # noqa: S101 - invited means announced
        following = self._next(backlog) if self._offered.pipelining else None
        commands = envelope(following, self._offered) if following is not None else b""
        self._invited = False
        self._announced = following
        if not backlog.begin(message):
            self.withdrawn = True
            raise ConnectionLost("a message was withdrawn")  # after 354 there is no other way out (RFC 5321, 4.1.1.4)
        self._begun = message
        self._awaited.append(_Step.DOT)
        if following is not None:
            self._awaited.extend(_ENVELOPE)
        self._after_dot = len(commands)
        # Joining copies 11 KB in 0.4 µs; sendmsg with its list of pieces costs 1 µs more than send.
        self._write(b"".join((message.data, b".\r\n", commands)))

    # --- hearing ----------------------------------------------------------------------------------------------------

    def _hear_all(self, data: bytes, backlog: Backlog) -> None:
        everything_awaited = self._begun is not None and len(self._awaited) == _WHOLE_GROUP
        if everything_awaited and (consent := _CONSENT(data)) is not None and self._reader.between_replies:
            # What the loop below makes of these four lines too, in a third of its time: 0.5 µs instead of 1.7, right
            # between reading an answer and writing the next body.
            self._settle(250, consent[1], backlog)
            self._awaited.clear()
            self._invited = True
            return
        for code, text in self._reader.feed(data):
            self._hear(code, text, backlog)

    def _hear(self, code: int, text: bytes, backlog: Backlog) -> None:
        if not self._awaited:
            raise ConnectionLost(f"it said, unasked: {code} {one_line(text)}")
        step = self._awaited[0]
        if step is _Step.DOT:
            self._settle(code, text, backlog)
            return
        if code == 421:  # the server closes the connection (RFC 5321, section 3.8)
            raise ConnectionLost(f"{code} {one_line(text)}")
        self._awaited.popleft()
        if step is _Step.DATA and code == 354:
            self._accept_invitation()
        elif step is _Step.EMPTY_DOT:
            return
        elif code >= 400 and step is not _Step.RSET:
            self._give_up_announced(step, code, text, backlog)
        elif code >= 300 or step is _Step.DATA:
            raise ConnectionLost(f"it answered {step.name} with {code} {one_line(text)}")

    def _accept_invitation(self) -> None:
        if self._announced is not None:
            self._invited = True
        else:
            # Its recipient was refused, and the server wants a body all the same (RFC 2920, section 3.1).
            self._awaited.append(_Step.EMPTY_DOT)
            self._write(b".\r\n")

    def _give_up_announced(self, step: _Step, code: int, text: bytes, backlog: Backlog) -> None:
        """MAIL, RCPT or DATA was refused. The commands said ahead are refused with it, which tells nothing new."""
        message, self._announced = self._announced, None
        self._unsaid.clear()
        self._reset_due = True
        if message is None:
            return
        words = one_line(text)
        if step is _Step.MAIL and code >= 500 and code != _TOO_LARGE:
            backlog.ending = backlog.ending or SenderRefused(sender=message.sender, code=code, text=words)
        else:
            kind = OutcomeKind.DEFERRED if code < 500 else OutcomeKind.FAILED
            backlog.note(Outcome(message.id, kind, code, words, _STAGES[step]))
            self.proven = True

    def _settle(self, code: int, text: bytes, backlog: Backlog) -> None:
        """Hear the answer to a body."""
        self._awaited.popleft()
        message, self._begun = self._begun, None
        assert message is not None  # noqa: S101 - a dot is awaited only for a message that is begun
        kind = _KINDS.get(code // 100, OutcomeKind.UNKNOWN)
        early = len(self._unwritten) > self._after_dot  # the dot has not left: a refusal counts, a consent cannot
        if early and kind is OutcomeKind.SENT:
            kind = OutcomeKind.UNKNOWN
        words = one_line(text)
        backlog.note(Outcome(message.id, kind, code, words))
        self.proven = True
        if early or code == 421 or kind is OutcomeKind.UNKNOWN:
            raise ConnectionLost(f"{code} {words}")

    # --- the socket -------------------------------------------------------------------------------------------------

    def _receive(self) -> bytes:
        """What has come; b"" for nothing yet."""
        try:
            data = self._sock.recv(_PIECE)
            while self._tls is not None and self._tls.pending():  # decrypted already: the selector will not tell of it
                data += self._tls.recv(_PIECE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        except OSError as problem:
            raise ConnectionLost(_reason(problem)) from problem
        if not data:
            raise ConnectionLost("it hung up")
        return data

    def _write(self, data: bytes) -> None:
        """Write as much as the socket takes; the rest when it takes more."""
        if self._unwritten:
            self._unwritten = memoryview(bytes(self._unwritten) + data)
            return
        written = self._send(data)
        if written < len(data):
            self._unwritten = memoryview(data)[written:]
            self._selector.modify(self._sock, EVENT_READ | EVENT_WRITE, self)

    def _write_on(self) -> None:
        self._unwritten = self._unwritten[self._send(self._unwritten) :]
        if not self._unwritten:
            self._selector.modify(self._sock, EVENT_READ, self)

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self._sock.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except (BrokenPipeError, ConnectionResetError):
            return 0  # the server's last words may be waiting: reading tells them, and then the end
        except OSError as problem:
            raise ConnectionLost(_reason(problem)) from problem

    def _set_deadline(self) -> None:
        if self._unwritten:
            self.deadline = time.monotonic() + self._block_seconds
        elif self._awaited:
            self.deadline = time.monotonic() + self._seconds[self._awaited[0]]
        else:
            self.deadline = math.inf


def _reason(problem: OSError) -> str:
    return " ".join(str(problem).split())[:300] or type(problem).__name__
