"""How much of what a campaign sent must come back to be too much."""

from collections.abc import Sequence

from mailer.delivery.verdicts import IN_A_ROW, POLICY_SHARE, WINDOW
from mailer.mail.feedback.types import Category

#: Complaints in 1,000 mails that were sent, from which on providers treat a sender as one of spam: Google names both.
WARNED_ABOVE = 1
PAUSED_FROM = 3
#: Fewer complaints say nothing, however few were written to. Where people complain at a share of 1 in 1,000, 5 are 3 in
#: 1,000 by chance in one of 30 campaigns at most.
FEWEST_TO_WARN = 3
FEWEST_TO_PAUSE = 5
#: mails of a campaign by which it is told whether its addresses come of a bad import
FIRST = 1000
_GONE_IN_100 = 5
#: every list has a few old addresses, and of a small one they are soon a twentieth
FEWEST_GONE = 10
#: what a server has against us, not against an address
AGAINST_US = (Category.POLICY, Category.AUTH, Category.US)
#: the address itself is gone
PERMANENT = tuple(each for each in Category if each.permanent)


def is_to_warn(complaints: int, sent: int) -> bool:
    """Whether so many complaints of so many mails are more than usual."""
    return complaints >= FEWEST_TO_WARN and complaints * 1000 > sent * WARNED_ABOVE


def is_to_pause(complaints: int, sent: int) -> bool:
    """Whether they are so many that nothing more should go out."""
    return complaints >= FEWEST_TO_PAUSE and complaints * 1000 >= sent * PAUSED_FROM


def is_bad_import(gone: int, people: int) -> bool:
    """Whether so many of the first addresses do not exist that whoever made the list should look.

    :param people: that the campaign is for.
    """
    return gone >= FEWEST_GONE and gone * 100 > min(people, FIRST) * _GONE_IN_100


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
