"""Reports on targets: what people say became of their letters, counted by target, month and kind; nothing about who.

So that one person cannot make a target doubtful, reports are told apart by network: each network belongs to one of
sixteen shares, other ones for each target and for each day on which it was verified, and the numbers of the shares are
kept until it is verified again. Three numbers come from three networks; one of sixteen tells nobody from which.
"""

from collections.abc import Mapping
from datetime import date

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from mailer.cases import target_book
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.models import StoredTarget, TargetReport, TargetReportKind

#: for how many years counts are kept, and the month that has begun
KEPT_YEARS = 2

_SHARES = 16


def note(session: Session, slug: str, kind: TargetReportKind, network: str) -> None:
    """Count what somebody reports on a target.

    :param network: that it comes from, as anything that tells networks apart. It is not kept.
    :raises target_book.UnknownTarget: there is no such target.
    """
    target = target_book.hold(session, slug)
    month = _this_month(session)
    here = (TargetReport.target_id == target.id, TargetReport.month == month, TargetReport.kind == kind)
    if session.scalar(select(TargetReport.id).where(*here)) is None:  # nobody else counts while the target is held
        session.add(TargetReport(target_id=target.id, month=month, kind=kind, number=0))
        session.flush()
    session.execute(update(TargetReport).where(*here).values(number=TargetReport.number + 1))
    share = _share(session, target, network)
    if share not in target.doubts:
        target.doubts = sorted([*target.doubts, share])


def by_month(session: Session, slug: str) -> Mapping[date, Mapping[TargetReportKind, int]]:
    """How often something was reported of a target, by the first day of the month; the newest first."""
    rows = (
        select(TargetReport)
        .join(StoredTarget, StoredTarget.id == TargetReport.target_id)
        .where(StoredTarget.slug == slug)
        .order_by(TargetReport.month.desc(), TargetReport.kind)
    )
    found: dict[date, dict[TargetReportKind, int]] = {}
    for row in session.scalars(rows):
        found.setdefault(row.month, {})[row.kind] = row.number
    return found


def forget_old(session: Session) -> None:
    """Delete the counts of months that are too long ago to say anything of a target."""
    month = _this_month(session)
    session.execute(delete(TargetReport).where(TargetReport.month < month.replace(year=month.year - KEPT_YEARS)))


def _this_month(session: Session) -> date:
    return db.now(session).date().replace(day=1)


def _share(session: Session, target: StoredTarget, network: str) -> int:
    reference = f"{target.id} {target.verified_on} {network}"
    return keyring_of(session).share_of(reference.encode(), _SHARES)
