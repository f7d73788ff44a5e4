"""How much of what a campaign sent must come back to be too much."""

from collections.abc import Sequence
from typing import NamedTuple

from mailer.delivery.verdicts import IN_A_ROW, POLICY_SHARE, WINDOW
from mailer.mail.feedback.types import Category

#: Complaints in 1,000 mails that were sent, from which on providers treat a sender as one of spam: Google names both.
_WARNED_ABOVE = 1
_PAUSED_FROM = 3
#: Fewer complaints say nothing, however few were written to. Where people complain at a share of 1 in 1,000, 5 are 3 in
#: 1,000 by chance in one of 30 campaigns at most.
FEWEST_TO_WARN = 3
FEWEST_TO_PAUSE = 5
#: mails of a campaign by which it is told whether its addresses come of a bad import
FIRST = 1000
_GONE_IN_100 = 5
#: every list has a few old addresses, and of a small one they are soon a twentieth
FEWEST_GONE = 10
#: What anybody may have made up who has the mails that it is about: of fewer mails than this it pauses nothing, so that
#: it takes more than a few people who have some that were forwarded. It is as many as must be refused in a row.
FEWEST_UNSURE = IN_A_ROW
#: what a server has against us, not against an address
AGAINST_US = (Category.POLICY, Category.AUTH, Category.US)
#: the address itself is gone
PERMANENT = tuple(each for each in Category if each.permanent)


class Reported(NamedTuple):
    """Of how many mails something is reported."""

    all: int
    sure: int  # of these, where nobody can have made it up

    def since(self, before: "Reported") -> "Reported":
        """What came after that."""
        return Reported(self.all - before.all, self.sure - before.sure)


def level(complaints: int, sent: int) -> int:
    """From so many complaints in 1,000 mails on, organisers are told of them: 1 or 3; 0 where that is as usual."""
    if complaints >= FEWEST_TO_PAUSE and complaints * 1000 >= sent * _PAUSED_FROM:
        return _PAUSED_FROM
    return _WARNED_ABOVE if complaints >= FEWEST_TO_WARN and complaints * 1000 > sent * _WARNED_ABOVE else 0


def is_to_pause(complaints: Reported, sent: int) -> bool:
    """Whether complaints of so many mails are so many that nothing more should go out."""
    several = _that_may_pause(complaints, FEWEST_TO_PAUSE)
    return any(number * 1000 >= sent * _PAUSED_FROM for number in several)


def is_bad_import(gone: Reported, people: int) -> bool:
    """Whether so many of the first addresses do not exist that whoever made the list should look.

    :param people: that the campaign is for.
    """
    several = _that_may_pause(gone, FEWEST_GONE)
    return any(number * 100 > min(people, FIRST) * _GONE_IN_100 for number in several)


def _that_may_pause(reported: Reported, fewest: int) -> list[int]:
    """The numbers that are large enough to say something."""
    bounded = ((reported.sure, fewest), (reported.all, FEWEST_UNSURE))
    return [number for number, least in bounded if number >= least]


def is_against_us(answers: Sequence[bool]) -> bool:
    """Whether mail servers have begun to refuse us, by the rule that holds at send time: too many in a row, or too many
    of the last hundreds.

    :param answers: of each mail, in the order in which they went out, whether it was refused for what somebody has
        against us, then or later.
    """
    in_a_row = of_last = 0
    for place, is_refused in enumerate(answers):
        in_a_row = in_a_row + 1 if is_refused else 0
        of_last += is_refused - (answers[place - WINDOW] if place >= WINDOW else 0)
        if in_a_row >= IN_A_ROW or (place >= WINDOW - 1 and of_last > WINDOW * POLICY_SHARE):
            return True
    return False
