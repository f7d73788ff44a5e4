"""One open SMTP connection: announces a message, sends its body when invited, hears what became of it.

Why nothing is lost or doubled: a message is in one place at a time. It waits in the backlog; or it is *announced* here
(MAIL, RCPT, DATA said) and goes back to the backlog if the connection ends; or it is *begun* here (its body may be on
the wire) and gets exactly one Outcome: the answer to its final dot or, if none comes, `unknown`. It becomes begun in
one function, `_begin`, after the journal has it.

MAIL, RCPT and DATA are one write where the server offers PIPELINING (RFC 2920). That allows them behind the body of the
message before, too, but three servers of fourteen do not take them there; it would be 5 % faster with Postfix. So at
most one message is in a connection's hands.
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
from mailer.mail.smtp_habits import Habits
from mailer.mail.smtp_opening import Opened, acknowledge_at_once
from mailer.mail.smtp_replies import BrokenReply, ReplyReader, one_line
from mailer.mail.types import Outcome, OutcomeKind, Outgoing, Stage

_PIECE = 8192  # octets read at once: replies are short, and a buffer of 64 KB costs 1 µs more
_GOODBYE_SECONDS = 2.0  # that the answer to QUIT is waited for
#: How long commands that were said ahead may stay without an answer before one at a time is tried, while the server has
#: not shown yet that it takes them.
_DOUBTFUL_SECONDS = 20.0
#: Recipients that may be refused on a connection before another is opened. With more, Postfix becomes slow (10 errors:
#: `smtpd_soft_error_limit`) and Exim refuses everything (10 RSET: `smtp_accept_max_nonmail`).
_MOST_REFUSED = 8
#: A refusal that took longer is taken for a tarpit: Courier waits 8 seconds before the first of a connection, then 16,
#: always twice as many.
_TARPIT_SECONDS = 4.0
#: As answers to MAIL with SIZE= these are about the message (RFC 1870, section 6.1; RFC 3463: 5.2.3 and 5.3.4).
_TOO_LARGE = (552, 534, 523)
_SAYS_TOO_LARGE = re.compile(rb"5\.(?:2\.3|3\.4)(?!\d)")
#: "Too many recipients" (RFC 3463, 4.5.3): to the only one of a message, it is about the connection.
_SAYS_TOO_MANY = re.compile(rb"4\.5\.3(?!\d)")


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
    QUIT = 6


_ENVELOPE = (_Step.MAIL, _Step.RCPT, _Step.DATA)
_DATA = b"DATA\r\n"
#: The answer to a body that was taken.
_TAKEN = re.compile(rb"250 ([^\r\n]*)\r?\n").fullmatch
#: The answers to an envelope, when nothing is refused and they come together.
_CONSENT = re.compile(rb"250 [^\n]*\n250 [^\n]*\n354 [^\n]*\n").fullmatch
_STAGES = {_Step.MAIL: Stage.MAIL, _Step.RCPT: Stage.RCPT, _Step.DATA: Stage.DATA}
_KINDS = {2: OutcomeKind.SENT, 4: OutcomeKind.DEFERRED, 5: OutcomeKind.FAILED}


class Connection:
    """An open connection, idle until `start`."""

    def __init__(self, opened: Opened, *, timeouts: Timeouts, selector: BaseSelector, habits: Habits) -> None:
        """Watch the connection; `on_ready` is to be called when the selector reports it.

        :param habits: of the server, shared with its other connections.
        """
        self._sock = opened.sock
        self._tls = opened.sock if isinstance(opened.sock, ssl.SSLSocket) else None
        self._offered: Capabilities = opened.capabilities
        self._selector = selector
        self._habits = habits
        self._block_seconds = timeouts.block
        # by _Step
        self._seconds = (
            timeouts.mail,
            timeouts.mail,
            timeouts.rcpt,
            timeouts.data,
            timeouts.dot,
            timeouts.dot,
            _GOODBYE_SECONDS,
        )

        self._message: Outgoing | None = None  # announced or begun
        self._is_begun = False
        self._said_ahead = False  # its commands were said before the answers to those in front of them
        self._invited = False  # the server answered 354 for it
        self._reset_due = False  # a transaction was refused half-way

        self._awaited: deque[_Step] = deque()  # replies that are still to come, in order
        self._unsaid: deque[tuple[_Step, bytes]] = deque()  # commands for later
        self._unwritten = memoryview(b"")  # what the socket has not taken yet
        self._reader = ReplyReader()

        self._transactions = 0  # MAIL that was accepted
        self._announced_at = 0.0  # monotonic seconds
        self._refused = 0  # transactions that ended without a body
        self._has_delivered = False
        self._is_used_up = False  # the server takes no more on this connection
        self._turned_away: str | None = None  # what it said to the first MAIL instead
        self._dismissed = False  # it answered 421 to MAIL, which was said ahead of nothing

        self.deadline = math.inf  # monotonic seconds
        self.proven = False  # it has answered for a message
        self.problem: str | None = None  # why it was closed
        self.withdrawn = False  # it was closed by us, or for how we spoke: that is no failure of the server's
        selector.register(self._sock, EVENT_READ, self)

    @property
    def closed(self) -> bool:
        """Whether it has ended, for `problem`."""
        return self.problem is not None

    @property
    def idle(self) -> bool:
        """Whether another message may be announced: none is, and every answer is in."""
        return self._message is None and not self._awaited and not self.closed

    @property
    def begun(self) -> bool:
        """Whether a body is on its way whose answer has not come."""
        return self._is_begun

    @property
    def leaving(self) -> bool:
        """Whether it has said QUIT."""
        return bool(self._awaited) and self._awaited[-1] is _Step.QUIT

    # --- what the pipeline calls ------------------------------------------------------------------------------------

    def start(self, backlog: Backlog) -> bool:
        """Announce the next message of the backlog, or leave if this connection is worn. For an idle connection.

        :returns: False if there is none.
        """
        try:
            self._go_on(backlog)
            self._set_deadline()
        except ConnectionLost as lost:
            self.end(backlog, str(lost))
        return not self.idle

    def on_ready(self, backlog: Backlog) -> bool:
        """Read what came, act on it, write what can be written. May end the connection.

        :returns: whether it is still at work, neither idle nor closed.
        """
        try:
            if data := self._receive():
                self._hear_all(data, backlog)
                # Not before all that came is heard: a 421 behind the 354 must find nothing begun.
                if self._awaited:
                    acknowledge_at_once(self._sock)  # what is written below acknowledges it for nothing
                else:
                    self._go_on(backlog)
            if self._unwritten:
                self._write_on()
            self._set_deadline()
        except (ConnectionLost, BrokenReply) as lost:
            self.end(backlog, str(lost))
        return not (self.closed or self.idle)

    def let_go(self, backlog: Backlog) -> None:
        """Close if its message was announced and not begun: nothing is begun any more."""
        if self._message is not None and not self._is_begun:
            self.withdrawn = True
            self.end(backlog, "sending was stopped")

    def end(self, backlog: Backlog, problem: str) -> None:
        """Close, with the account of what was under way."""
        self.close(self._turned_away or problem)
        message, self._message = self._message, None
        if message is None:
            return
        if self._is_begun:
            self._is_begun = False
            backlog.note(Outcome(message.id, OutcomeKind.UNKNOWN, 0, problem))
        elif self.withdrawn:
            backlog.put_back(message)
        elif self._said_ahead and self._habits.is_unproven and not self._dismissed:
            self._habits.doubt(message.id, problem)
            self.withdrawn = True
            backlog.put_back(message)
        elif self._awaited and self._awaited[0] in (_Step.RCPT, _Step.DATA):
            if not self._said_ahead:
                self._habits.lost_alone(message.id)
            backlog.put_back_blamed(message, problem)
        else:
            backlog.put_back(message)

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

    def _go_on(self, backlog: Backlog) -> None:
        """Do what comes next, every answer being in."""
        if self.closed:
            return
        if self._invited:
            self._begin(backlog)
        elif self._unsaid:
            self._say_next()
        elif self._is_worn:
            self._awaited.append(_Step.QUIT)
            self._write(b"QUIT\r\n")
        elif self._message is None and (message := self._next(backlog)) is not None:
            self._announce(message)

    @property
    def _is_worn(self) -> bool:
        """Whether the next message is better announced on another connection."""
        if self._is_used_up or self._turned_away is not None or self._refused >= _MOST_REFUSED:
            return True
        return self._message is None and self._habits.is_full(self._transactions)

    def _next(self, backlog: Backlog) -> Outgoing | None:
        """The next message that this server could take; the others get their Outcome."""
        while (message := backlog.next()) is not None and (refusal := obstacle(message, self._offered)) is not None:
            backlog.note(refusal)
        return message

    def _announce(self, message: Outgoing) -> None:
        """Say MAIL, RCPT and DATA: at once, or each after the answer to the one before."""
        self._message = message
        self._announced_at = time.monotonic()
        commands = envelope(message, self._offered)
        steps: tuple[_Step, ...] = _ENVELOPE
        if self._reset_due:
            self._reset_due = False
            commands, steps = b"RSET\r\n" + commands, (_Step.RSET, *steps)
        self._said_ahead = self._habits.may_say_ahead(self._offered)
        if not self._said_ahead:
            self._unsaid.extend(zip(steps, commands.splitlines(keepends=True), strict=True))
            self._say_next()
        elif self._refused:
            # A DATA behind a refused recipient is one more error, and servers count them.
            self._unsaid.append((_Step.DATA, _DATA))
            self._awaited.extend(steps[:-1])
            self._write(commands[: -len(_DATA)])
        else:
            self._awaited.extend(steps)
            self._write(commands)

    def _say_next(self) -> None:
        step, command = self._unsaid.popleft()
        self._awaited.append(step)
        self._write(command)

    def _begin(self, backlog: Backlog) -> None:
        """Send the body of the announced message.

        The only place where a body leaves. Every earlier answer was read, so no other body is begun here.
        """
        if backlog.ending is not None:
            return  # nothing is begun any more; the pipeline closes this connection
        message = self._message
        assert message is not None  # noqa: S101 - invited means announced
        self._invited = False
        if not backlog.begin(message):
            self.withdrawn = True
            self._message = None
            raise ConnectionLost("a message was withdrawn")  # after 354 there is no other way out (RFC 5321, 4.1.1.4)
        self._is_begun = True
        self._awaited.append(_Step.DOT)
        # Joining copies 11 KB in 0.4 µs; sendmsg with its list of pieces costs 1 µs more than send.
        self._write(message.data + b".\r\n")

    # --- hearing ----------------------------------------------------------------------------------------------------

    def _hear_all(self, data: bytes, backlog: Backlog) -> None:
        # What the loop below makes of these lines too, in a third of its time.
        if self._is_begun and (taken := _TAKEN(data)) is not None and self._reader.between_replies:
            self._settle(250, taken[1], backlog)
            return
        if len(self._awaited) == len(_ENVELOPE) and _CONSENT(data) is not None and self._reader.between_replies:
            self._awaited.clear()
            self._count_transaction()
            self._accept_invitation()
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
            self._dismissed = step is _Step.MAIL
            raise ConnectionLost(f"{code} {one_line(text)}")
        self._awaited.popleft()
        if step is _Step.QUIT:
            self.close(self._turned_away or "QUIT")
        elif step is _Step.DATA and code == 354:
            self._accept_invitation()
        elif step is _Step.EMPTY_DOT:
            self._reset_due = False
        elif code >= 400 and step is not _Step.RSET:
            self._give_up_announced(step, code, text, backlog)
        elif code >= 300 or step is _Step.DATA:
            raise ConnectionLost(f"it answered {step.name} with {code} {one_line(text)}")
        elif step is _Step.MAIL:
            self._count_transaction()

    def _count_transaction(self) -> None:
        self._transactions += 1
        self._habits.had(self._transactions)

    def _accept_invitation(self) -> None:
        if self._message is not None:
            self._invited = True
            self._habits.took(self._message.id, ahead=self._said_ahead)
        else:
            # Its recipient was refused, and the server wants a body all the same (RFC 2920, section 3.1).
            self._awaited.append(_Step.EMPTY_DOT)
            self._write(b".\r\n")

    def _give_up_announced(self, step: _Step, code: int, text: bytes, backlog: Backlog) -> None:
        """MAIL, RCPT or DATA was refused. The commands said ahead are refused with it, which tells nothing new."""
        message, self._message = self._message, None
        self._unsaid.clear()
        if message is None:
            return
        self._reset_due = step is not _Step.MAIL
        words = one_line(text)
        kind = OutcomeKind.DEFERRED if code < 500 else OutcomeKind.FAILED
        is_too_many = _SAYS_TOO_MANY.match(text) is not None
        if step is not _Step.MAIL and self._said_ahead and self._habits.may_be_disorder(code, text):
            self._habits.doubt(message.id, f"{code} {words}")
            backlog.put_back(message)
            self.withdrawn = True
            raise ConnectionLost(f"it answered {step.name} with {code} {words}")
        # One that must not come back names no sender, and a server may take none such: that is no word about ours.
        if step is _Step.MAIL and code >= 500 and message.sender and not _is_about_size(code, text):
            backlog.ending = backlog.ending or SenderRefused(sender=message.sender, code=code, text=words)
        elif code < 500 and (self._transactions if step is _Step.MAIL else is_too_many and self._has_delivered):
            # This connection has had its share: the message is not to blame, and goes out on another.
            self._is_used_up = True
            self._habits.learn_limit(self._transactions - (step is not _Step.MAIL))
            backlog.put_back(message)
        elif step is _Step.MAIL and code < 500:
            self._turned_away = f"it takes no mail now: {code} {words}"
            self._habits.forget_limit()
            backlog.note(Outcome(message.id, kind, code, words, Stage.MAIL))
        else:
            if not self._said_ahead:
                self._habits.refused_alone(message.id, code, text)
            if is_too_many:
                self._habits.forget_limit()
            self._refused += 1
            self._is_used_up |= time.monotonic() - self._announced_at > _TARPIT_SECONDS
            self.proven = True
            backlog.note(Outcome(message.id, kind, code, words, _STAGES[step]))

    def _settle(self, code: int, text: bytes, backlog: Backlog) -> None:
        """Hear the answer to a body."""
        self._awaited.popleft()
        message, self._message = self._message, None
        assert message is not None  # noqa: S101 - a dot is awaited only for a message that is begun
        self._is_begun = False
        kind = _KINDS.get(code // 100, OutcomeKind.UNKNOWN)
        early = bool(self._unwritten)  # the dot has not left: a refusal counts, a consent cannot
        if early and kind is OutcomeKind.SENT:
            kind = OutcomeKind.UNKNOWN
        words = one_line(text)
        backlog.note(Outcome(message.id, kind, code, words))
        self.proven = True
        self._has_delivered |= kind is OutcomeKind.SENT
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
            step = self._awaited[0]
            seconds = self._seconds[step]
            if self._said_ahead and self._habits.is_unproven and step in (_Step.RCPT, _Step.DATA):
                seconds = min(seconds, _DOUBTFUL_SECONDS)
            self.deadline = time.monotonic() + seconds
        else:
            self.deadline = math.inf


def _is_about_size(code: int, text: bytes) -> bool:
    return code in _TOO_LARGE or _SAYS_TOO_LARGE.match(text) is not None


def _reason(problem: OSError) -> str:
    return " ".join(str(problem).split())[:300] or type(problem).__name__
