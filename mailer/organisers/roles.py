"""Roles: what somebody with each of them may do at the desk."""

import enum
from collections.abc import Iterable, Mapping

from mailer.store.models import Role


class Permission(enum.StrEnum):
    """What a page of the desk may need."""

    MANAGE_ACCOUNTS = "manage accounts"  # invite, give roles, disable, end others' sessions
    SEE_AUDIT = "see the audit log"
    SEE_TOTALS = "see totals"  # with small numbers hidden
    SEE_CAMPAIGNS = "see campaigns"  # their texts, states, and what mail servers answered
    WRITE = "write"  # drafts, targets, cases
    PREVIEW = "preview"
    TEST = "test"  # to one's own address
    ASK_APPROVAL = "ask for approval"
    APPROVE = "approve"
    SEND = "send"  # now or later, undo that; resume, resend, cancel
    PAUSE = "pause"  # also everything at once
    STOP = "stop"  # for good, with the letter and the pages, because it does harm
    SUPPORTERS = "look after supporters"  # find one by address, see all about them, change, erase; export


#: that of somebody who proves who they are by a password alone
WITHOUT_SECOND_FACTOR = frozenset({Permission.SEE_TOTALS})

_CHECKING = frozenset(
    {
        Permission.SEE_TOTALS,
        Permission.SEE_CAMPAIGNS,
        Permission.PREVIEW,
        Permission.TEST,
        Permission.ASK_APPROVAL,
        Permission.PAUSE,
    }
)
#: role → what it lets somebody do. An admin looks after accounts and not after campaigns: whoever lets people in should
#: not be able to send by themselves.
MAY: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(
        {Permission.MANAGE_ACCOUNTS, Permission.SEE_AUDIT, Permission.SEE_TOTALS, Permission.SEE_CAMPAIGNS}
    ),
    Role.WRITER: _CHECKING | {Permission.WRITE},
    Role.PUBLISHER: _CHECKING | {Permission.APPROVE, Permission.SEND, Permission.STOP, Permission.SUPPORTERS},
    Role.ANALYST: WITHOUT_SECOND_FACTOR,
}


def need_second_factor(roles: Iterable[Role]) -> bool:
    """Whether who has these roles has to have a second factor."""
    return any(not MAY[role] <= WITHOUT_SECOND_FACTOR for role in roles)
