"""How the mails do that one person waits for: nobody sees one fail, unless an operator looks. It names nobody."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from mailer.mail.smtp_replies import enhanced_code
from mailer.people import failed_notices, notices
from mailer.people.failed_notices import FailedNotice
from mailer.people.notices import NoticeKind
from mailer.store.models import SYSTEM_MAIL, Campaign, CampaignStatus, Delivery, DeliveryState, Union

#: failures of each state that are looked at: what is stored of each has to be decrypted
_SAMPLE = 5_000
#: kinds of failure that are shown
_MOST = 20
_OPEN = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEFERRED)


@dataclass(frozen=True, slots=True)
class Failures:
    """System mails that failed alike."""

    state: DeliveryState  # failed, unknown, or deferred: refused for now
    kind: str | None  # as `notices.NoticeKind`; None where that was damaged
    union: str | None  # slug of the union for whose contacts they were
    reason: str | None
    smtp_code: int | None
    enhanced_code: str | None  # RFC 3463: "5.1.1"
    count: int
    is_estimate: bool  # counted in the latest 5,000 of that state, and projected on all
    last_on: date | None
    example: str | None  # one server's words, without whom they are about


@dataclass(frozen=True, slots=True)
class SystemMails:
    """What an operator should know of them."""

    days: int  # how long failures are remembered
    waiting: int
    states: Mapping[DeliveryState, int]  # failed and unknown, in those days; deferred: refused for now
    failures: Sequence[Failures]  # the most frequent first

    def to_json(self) -> dict[str, Any]:
        """As `notices status --json` prints it."""
        return {
            "days": self.days,
            "waiting": self.waiting,
            **{state.value: count for state, count in self.states.items()},
            "failures": [
                {key: value.isoformat() if isinstance(value, date) else value for key, value in asdict(each).items()}
                for each in self.failures
            ],
        }


def look(session: Session) -> SystemMails:
    """See how system mails do. Reads what is on an index and a bounded number of rows."""
    unions: dict[int, str] = dict(session.execute(select(Union.id, Union.slug)).all())
    states = {}
    found: list[Failures] = []
    for state in (*notices.FAILED, DeliveryState.DEFERRED):
        which = _which(session, state)
        states[state] = _count(session, *which)
        if states[state]:
            found += _alike(failed_notices.read(session, *which, most=_SAMPLE), states[state], unions)
    open_ones = (Delivery.purpose.in_(SYSTEM_MAIL), Delivery.state.in_(_OPEN))
    return SystemMails(
        days=notices.FAILURES_KEPT.days,
        waiting=_count(session, Delivery.campaign_id.in_(_STANDING), *open_ones),
        states=states,
        failures=sorted(found, key=lambda each: -each.count)[:_MOST],
    )


def failed_lately(session: Session) -> int:
    """How many system mails failed in the days of which that is remembered, or may have."""
    return sum(_count(session, *_which(session, state)) for state in notices.FAILED)


def unions_whose_kit_mails_failed(session: Session, slugs: Collection[str]) -> Sequence[str]:
    """Those of some unions to whose contacts a mail about a kit failed in those days, by slug."""
    rows = [
        row for state in notices.FAILED for row in failed_notices.read(session, *_which(session, state), most=_SAMPLE)
    ]
    failed = {row.union_id for row in rows if row.kind in (NoticeKind.KIT, NoticeKind.REMINDER)}
    found = select(Union.slug).where(Union.slug.in_(slugs), Union.id.in_(failed)).order_by(Union.slug)
    return session.scalars(found).all()


_STANDING = select(Campaign.id).where(Campaign.status == CampaignStatus.STANDING)


def _which(session: Session, state: DeliveryState) -> tuple[ColumnElement[bool], ...]:
    """The conditions of what a report says of a state, on the index ix_notices."""
    what = (Delivery.notice.is_not(None), Delivery.state == state)
    if state is DeliveryState.DEFERRED:
        return *what, Delivery.smtp_code.is_not(None)  # else it is not yet its turn
    return *what, Delivery.settled_at >= notices.failures_since(session)


def _count(session: Session, *which: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count(Delivery.id)).where(*which)) or 0


def _alike(rows: Sequence[FailedNotice], total: int, unions: Mapping[int, str]) -> list[Failures]:
    """Failures of one state, put together.

    :param rows: the latest of them.
    :param total: how many there are.
    """
    kinds: dict[tuple[object, ...], list[FailedNotice]] = defaultdict(list)
    for row in rows:
        kinds[row.kind, row.union_id, row.reason, row.smtp_code, enhanced_code(row.words)].append(row)
    return [
        Failures(
            state=first.state,
            kind=first.kind.value if first.kind else None,
            union=unions.get(first.union_id) if first.union_id else None,
            reason=first.reason,
            smtp_code=first.smtp_code,
            enhanced_code=enhanced_code(first.words),
            count=round(total * len(alike) / len(rows)),
            is_estimate=total > len(rows),
            last_on=max((row.settled_at.date() for row in alike if row.settled_at), default=None),
            example=first.words,
        )
        for alike in kinds.values()
        for first in alike[:1]
    ]
