"""Situations: how several campaigns stand with whoever approves, for pages that list them. To find it out takes some
10 ms for each of them, so it is kept for some seconds, while nobody does anything.

Nothing is decided by it: what somebody presses looks for itself.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy.orm import Session

from mailer.organisers import approvals, whereabouts
from mailer.organisers.roles import Permission
from mailer.organisers.whereabouts import Whereabouts
from mailer.web.desk.approving import sender
from mailer.web.desk.recent import recent
from mailer.web.desk.visit import visit

#: for as long as anything is kept at most
_AS_LONG = 10_000


def of(session: Session, ids: Collection[int]) -> Mapping[int, Whereabouts]:
    """What is true of some campaigns, by their ids: to those who may know it, also how they stand with whoever
    approves."""
    if not visit().may(Permission.PREVIEW):
        return whereabouts.of_several(session, ids, {})
    key = (whereabouts.last_done(session), frozenset(ids))
    kept = recent("approvals", as_long=_AS_LONG)
    return whereabouts.of_several(session, ids, kept.get(key, lambda: whereabouts.approvals_of(session, ids, sender())))


def waiting(session: Session) -> Sequence[int]:
    """The ids of the campaigns that wait for whoever looks to approve them."""

    def look() -> list[tuple[int, int | None]]:
        return [(each.content.campaign_id, each.by_id) for each in approvals.waiting(session, sender())]

    found = recent("waiting", as_long=_AS_LONG).get(whereabouts.last_done(session), look)
    return [campaign_id for campaign_id, by_id in found if by_id != visit().account_id]
