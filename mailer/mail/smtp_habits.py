"""What was learned of a mail server on the way: what it does, whatever it offers. Shared by all connections to it."""

import logging
import re
from enum import Enum, auto

from mailer.mail.smtp_envelope import Capabilities

log = logging.getLogger(__name__)

#: replies to a command that came too early or was not understood (RFC 5321, section 4.2.3)
_OUT_OF_ORDER = range(500, 505)
_SAYS_SO = re.compile(rb"pipelin|synchroni", re.IGNORECASE)

#: How many connections end before a limit that was learned until one tries whether it is still there: an answer that
#: came by chance after the first message would else cost a connection a message for ever.
_LEFT_BEFORE_TRYING = 20


class _Pipelining(Enum):
    """Whether a server takes the commands that are said ahead, where it offers to (RFC 2920)."""

    OFFERED = auto()
    KEPT = auto()  # it has answered all of a group
    DOUBTED = auto()  # it has not; whether it takes the same commands one at a time is being tried
    BROKEN = auto()  # it does: one at a time from now on
    CLEARED = auto()  # it does not, so that was not the reason


class Habits:
    """What one server has shown."""

    def __init__(self) -> None:
        self._pipelining = _Pipelining.OFFERED
        self._why = ""
        self._most_transactions: int | None = None  # that it takes on one connection, if that is known
        self._left_in_time = 0  # connections that ended because of it

    # --- commands said ahead ----------------------------------------------------------------------------------------

    def may_say_ahead(self, offered: Capabilities) -> bool:
        """Whether commands may be said before the answers to those in front of them."""
        return offered.pipelining and self._pipelining not in (_Pipelining.DOUBTED, _Pipelining.BROKEN)

    @property
    def is_unproven(self) -> bool:
        """Whether it has offered PIPELINING and not shown yet what it makes of it."""
        return self._pipelining is _Pipelining.OFFERED

    def took(self, *, ahead: bool) -> None:
        """It has answered a whole envelope.

        :param ahead: whether that was said ahead.
        """
        if ahead:
            if self._pipelining in (_Pipelining.OFFERED, _Pipelining.DOUBTED):
                self._pipelining = _Pipelining.KEPT
        elif self._pipelining is _Pipelining.DOUBTED:
            self._pipelining = _Pipelining.BROKEN
            log.warning(
                "the mail server offers PIPELINING and breaks it (%s): from now on it gets one command at a time. "
                "Nothing was lost, and there is nothing to do",
                self._why,
            )

    def doubt(self, why: str) -> None:
        """It did not take what was said ahead: try one command at a time."""
        self._pipelining = _Pipelining.DOUBTED
        self._why = why

    def clear(self) -> None:
        """If it was doubted: it did the same to a command that stood alone."""
        if self._pipelining is _Pipelining.DOUBTED:
            self._pipelining = _Pipelining.CLEARED

    def clear_if_out_of_order(self, code: int) -> None:
        """Likewise, where it refused that command with this code."""
        if code in _OUT_OF_ORDER:
            self.clear()

    def may_be_disorder(self, code: int, text: bytes) -> bool:
        """Whether a refusal of a command that was said ahead may be for that alone."""
        if self._pipelining not in (_Pipelining.OFFERED, _Pipelining.KEPT):
            return False
        return code in _OUT_OF_ORDER or _SAYS_SO.search(text) is not None

    # --- used-up connections ----------------------------------------------------------------------------------------

    def is_full(self, transactions: int) -> bool:
        """Whether a connection that had so many transactions had better end, since the server would take no more."""
        if self._most_transactions is None or transactions < self._most_transactions:
            return False
        self._left_in_time += 1
        return self._left_in_time % _LEFT_BEFORE_TRYING != 0

    def had(self, transactions: int) -> None:
        """It took this many transactions on a connection."""
        if self._most_transactions is not None and transactions > self._most_transactions:
            self.forget_limit()

    def learn_limit(self, transactions: int) -> None:
        """It took so many transactions on a connection, and no more."""
        self._most_transactions = min(transactions, self._most_transactions or transactions)

    def forget_limit(self) -> None:
        """What looked like a limit was something else: it refuses a fresh connection too, or takes more on this one."""
        self._most_transactions = None
