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


#: Doubts that may come to nothing before none is had any more: what stands alone fares no better with this server.
_MOST_DOUBTS = 3
#: Messages that were taken alone while the one in doubt did not come to its turn again: nobody may want it any more.
_TAKEN_MEANWHILE = 20


class _Pipelining(Enum):
    """Whether a server takes the commands that are said ahead, where it offers to (RFC 2920)."""

    OFFERED = auto()
    KEPT = auto()  # it has answered all of a group
    DOUBTED = auto()  # it has not; whether it takes the same message's commands one at a time is being tried
    BROKEN = auto()  # it does: one at a time from now on
    CLEARED = auto()  # it does not, again and again, so that is not the reason


class Habits:
    """What one server has shown."""

    def __init__(self) -> None:
        self._pipelining = _Pipelining.OFFERED
        self._before = _Pipelining.OFFERED  # the doubt
        self._suspect: int | None = None  # the message that decides; None: any
        self._why = ""
        self._doubts = 0  # that came to nothing
        self._taken_meanwhile = 0
        self._most_transactions: int | None = None  # that it takes on one connection, if that is known
        self._left_in_time = 0  # connections that ended because of it

    # --- commands said ahead ----------------------------------------------------------------------------------------

    def may_say_ahead(self, offered: Capabilities) -> bool:
        """Whether commands may be said before the answers to those in front of them."""
        return offered.pipelining and self._pipelining not in (_Pipelining.DOUBTED, _Pipelining.BROKEN)

    @property
    def is_unproven(self) -> bool:
        """Whether a group of commands was never answered whole, so that silence or an end may be for that alone."""
        known = self._before if self._pipelining is _Pipelining.DOUBTED else self._pipelining
        return known in (_Pipelining.OFFERED, _Pipelining.BROKEN)

    def took(self, message: int, *, ahead: bool) -> None:
        """It has answered a message's whole envelope.

        :param ahead: whether that was said ahead.
        """
        if ahead:
            if self.is_unproven and self._pipelining is not _Pipelining.BROKEN:
                self._pipelining = _Pipelining.KEPT
        elif self._pipelining is _Pipelining.DOUBTED:
            if self._suspect in (None, message):
                self._find_broken()
                return
            self._taken_meanwhile += 1
            if self._taken_meanwhile >= _TAKEN_MEANWHILE:
                self._drop_doubt()

    def doubt(self, message: int, why: str) -> None:
        """It did not take what was said ahead: try one command at a time. Other connections may have said some too."""
        if self._pipelining in (_Pipelining.OFFERED, _Pipelining.KEPT):
            self._before, self._pipelining = self._pipelining, _Pipelining.DOUBTED
            self._suspect, self._why, self._taken_meanwhile = message, why, 0

    def lost_alone(self, message: int) -> None:
        """The connection ended at a command that stood alone."""
        if self._pipelining is _Pipelining.DOUBTED and self._suspect == message:
            self._drop_doubt()

    def refused_alone(self, message: int, code: int, text: bytes) -> None:
        """It refused a command that stood alone."""
        if self._pipelining is not _Pipelining.DOUBTED or self._suspect != message:
            return
        if _is_disorder(code, text):
            self._drop_doubt()
        else:
            self._suspect = None  # another answer than before, and not its consent: the next message decides

    def may_be_disorder(self, code: int, text: bytes) -> bool:
        """Whether a refusal of a command that was said ahead may be for that alone."""
        return self._pipelining is not _Pipelining.CLEARED and _is_disorder(code, text)

    def _find_broken(self) -> None:
        self._pipelining = _Pipelining.BROKEN
        log.warning(
            "the mail server offers PIPELINING and breaks it (%s): from now on it gets one command at a time. "
            "Nothing was lost, and there is nothing to do",
            self._why,
        )

    def _drop_doubt(self) -> None:
        self._doubts += 1
        self._pipelining = _Pipelining.CLEARED if self._doubts >= _MOST_DOUBTS else self._before

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


def _is_disorder(code: int, text: bytes) -> bool:
    return code in _OUT_OF_ORDER or _SAYS_SO.search(text) is not None
