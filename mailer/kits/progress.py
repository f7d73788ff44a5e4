"""How far the kits of a campaign have got, for organisers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from mailer.store.models import Campaign, Kit, KitEdition, Union, UnionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class KitProgress:
    """How far one kit of a campaign has got."""

    kit_id: int
    union: str | None  # its slug; None: the kit for everybody
    link_generation: int  # of the union's links
    made: int  # languages
    waiting: int
    problems: Mapping[str, str]  # language → why it cannot be made
    ready_at: datetime | None
    sent_at: datetime | None
    reminded_at: datetime | None
    seen_at: datetime | None
    promised_at: datetime | None
    forwarded_at: datetime | None
    reached: int | None


def of_campaign(session: Session, campaign: Campaign) -> list[KitProgress]:
    """How far the kits of a campaign have got: the one for everybody, then those of unions that are affiliated, by
    slug."""
    editions: dict[int, list[KitEdition]] = {}
    for edition in session.scalars(select(KitEdition).join(Kit).where(Kit.campaign_id == campaign.id)):
        editions.setdefault(edition.kit_id, []).append(edition)
    rows = session.execute(
        select(Kit, Union)
        .outerjoin(Union, Union.id == Kit.union_id)
        .where(Kit.campaign_id == campaign.id, or_(Kit.union_id.is_(None), Union.status == UnionStatus.AFFILIATED))
        .order_by(Kit.union_id.is_not(None), Union.slug)
    )
    return [_progress_of(kit, union, editions.get(kit.id, [])) for kit, union in rows]


def _progress_of(kit: Kit, union: Union | None, editions: Sequence[KitEdition]) -> KitProgress:
    return KitProgress(
        kit_id=kit.id,
        union=union.slug if union else None,
        link_generation=union.link_generation if union else 0,
        made=sum(edition.made_at is not None for edition in editions),
        waiting=sum(edition.made_at is None and edition.problem is None for edition in editions),
        problems={edition.language: edition.problem for edition in editions if edition.problem},
        ready_at=kit.ready_at,
        sent_at=kit.sent_at,
        reminded_at=kit.reminded_at,
        seen_at=kit.seen_at,
        promised_at=kit.promised_at,
        forwarded_at=kit.forwarded_at,
        reached=kit.reached,
    )
