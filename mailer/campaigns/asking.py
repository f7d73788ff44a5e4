"""Asking: whether people are asked to act on a campaign, or to do nothing any more. Every page, mail and kit asks here.

A campaign that is stopped, closed or withdrawn stays so whatever its case does; one whose case is stopped or closed is
that, too, for as long as its case is. Only kinds that ask people to act follow their case: the mail that says "please
do not write any more" goes out while the case is stopped. In a session that may not see the case, a union's, nobody
knows whether that is open, and so its campaigns count as closed.
"""

from sqlalchemy import ColumnElement, and_, exists, or_

from mailer.campaigns import kinds
from mailer.store.models import Asking, Campaign, Case, CaseStatus

_OF_CASE = {CaseStatus.OPEN: Asking.OPEN, CaseStatus.CLOSED: Asking.CLOSED, CaseStatus.STOPPED: Asking.STOPPED}
#: the later one counts
_ORDER = (Asking.OPEN, Asking.CLOSED, Asking.STOPPED, Asking.WITHDRAWN)


def of(campaign: Campaign) -> Asking:
    """Whether people are asked to act on it now; `is_open` says to the database that they are."""
    case = campaign.case.status if campaign.case is not None else None
    return later(campaign.asking, of_case(campaign.kind, campaign.case_id, case))


def of_case(kind: str, case_id: int | None, status: CaseStatus | None) -> Asking:
    """What the case of a campaign says of asking people to act on that.

    :param status: of the case; None where there is none, or it may not be seen.
    """
    if case_id is None or kind not in kinds.asking():
        return Asking.OPEN
    return Asking.CLOSED if status is None else _OF_CASE[status]


def later(one: Asking, other: Asking) -> Asking:
    """Of what was decided about a campaign and about its case, what counts."""
    return max(one, other, key=_ORDER.index)


def way_back(campaign: Campaign) -> str:
    """What to do if people should be asked to act on a campaign after all that was stopped, closed or withdrawn, or
    whose case was."""
    if campaign.asking is Asking.WITHDRAWN:
        return "That is for good. Load it anew under another name."
    if campaign.asking is Asking.OPEN and campaign.case is not None:
        return f"If it should go on: mailer cases reopen {campaign.case.slug}"
    return f"If it should go on: mailer campaigns reopen {campaign.slug}"


def is_open() -> ColumnElement[bool]:
    """The condition that people may be asked to act on a campaign."""
    return and_(Campaign.asking == Asking.OPEN, Campaign.kind.in_(kinds.asking()), _IS_CASE_OPEN)


def has_ended() -> ColumnElement[bool]:
    """The condition that people were asked to act on a campaign and are no more, or that news or a stop was taken back:
    what `of` finds is not open."""
    return or_(Campaign.asking != Asking.OPEN, and_(Campaign.kind.in_(kinds.asking()), ~_IS_CASE_OPEN))


_IS_CASE_OPEN = or_(
    Campaign.case_id.is_(None), exists().where(Case.id == Campaign.case_id, Case.status == CaseStatus.OPEN)
)
