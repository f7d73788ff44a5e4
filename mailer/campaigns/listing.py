"""The list of all campaigns, a page at a time. A page begins behind a campaign, not after so many: so it shows the same
ones while others are made or deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from mailer.store.models import Campaign, CampaignStatus

PAGE = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """A campaign in the list."""

    id: int
    slug: str
    kind: str
    status: CampaignStatus
    created_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the campaigns, the latest first."""

    campaigns: Sequence[Listed]
    newer: int | None  # where the page before this one ends: `after` of `page`; None if this is the first
    older: int | None  # where the next one begins: `before`; None if this is the last


def page(
    session: Session,
    *,
    status: CampaignStatus | None = None,
    has_begun: bool = False,
    beginning: str = "",
    before: int | None = None,
    after: int | None = None,
    most: int = PAGE,
) -> Page:
    """A page of the list; without `before` and `after` the first one.

    :param status: only campaigns with it.
    :param has_begun: only those that went out, or began to.
    :param beginning: of their slugs.
    :param before: only those that were made before the campaign with this id: the latest of them.
    :param after: only those made after it: the first of them.
    """
    which: list[ColumnElement[bool]] = [Campaign.status != CampaignStatus.STANDING]
    if status is not None:
        which.append(Campaign.status == status)
    if has_begun:
        which.append(Campaign.started_at.is_not(None))
    if beginning:
        which.append(Campaign.slug.startswith(beginning, autoescape=True))
    wanted = select(*(getattr(Campaign, name) for name in Listed.__slots__)).where(*which).limit(most)
    if after is not None:
        rows = session.execute(wanted.where(Campaign.id > after).order_by(Campaign.id)).all()[::-1]
    else:
        earlier = wanted if before is None else wanted.where(Campaign.id < before)
        rows = session.execute(earlier.order_by(Campaign.id.desc())).all()
    listed = [Listed(*row) for row in rows]
    if not listed:
        return Page([], None, None)
    newer = _any(session, *which, Campaign.id > listed[0].id)
    older = _any(session, *which, Campaign.id < listed[-1].id)
    return Page(listed, listed[0].id if newer else None, listed[-1].id if older else None)


def _any(session: Session, *which: ColumnElement[bool]) -> bool:
    return session.scalar(select(Campaign.id).where(*which).limit(1)) is not None


def by_status(session: Session) -> Mapping[CampaignStatus, int]:
    """How many campaigns there are of each status that has one, as a campaign goes through them."""
    counted = session.execute(select(Campaign.status, func.count()).group_by(Campaign.status))
    numbers = {status: number for status, number in counted}  # noqa: C416 - mypy knows no pairs in rows
    return {each: numbers[each] for each in CampaignStatus if each in numbers and each is not CampaignStatus.STANDING}


def slugs(session: Session, ids: Sequence[int]) -> list[str]:
    """The slugs of some campaigns, in the order of their ids."""
    wanted = select(Campaign.slug).where(Campaign.id.in_(ids)).order_by(Campaign.id)
    return list(session.scalars(wanted)) if ids else []
