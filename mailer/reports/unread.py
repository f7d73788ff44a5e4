"""What came in and could not be read: numbers, and why, never a text."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.mail.feedback.types import Category, Kind
from mailer.people import returned
from mailer.store.models import MailEvent, MailEventCount


class Unread(StrEnum):
    """Why somebody may want to look."""

    NO_MESSAGE = "no message"  # cut off, or no mail at all
    NOT_OURS = "not ours"  # it came back or complains, and nothing proves of which mail of ours
    NO_REASON = "no reason"  # it came back, in words that no rule knows
    FORGED = "forged"  # it would have somebody leave, with a token that nobody signed
    OTHER = "other"  # nothing that is known


@dataclass(frozen=True, slots=True)
class Month:
    """What could not be read in a month."""

    month: str  # "2026-11"
    numbers: dict[Unread, int]  # all of them, in their order


_KINDS = {Kind.UNREADABLE: Unread.NO_MESSAGE, Kind.FORGED: Unread.FORGED, Kind.OTHER: Unread.OTHER}
_CAME_BACK = (Kind.BOUNCE, Kind.COMPLAINT)


def count(session: Session, *, today: date) -> Sequence[Month]:
    """What could not be read this month and the last, the latest month first."""
    first = today.replace(day=1)
    last = (first - timedelta(days=1)).replace(day=1)
    numbers: dict[str, Counter[Unread]] = {f"{each:%Y-%m}": Counter() for each in (first, last)}
    kept = select(MailEventCount).where(MailEventCount.month.in_(numbers))
    for row in session.scalars(kept):
        why = _why(row.kind, Category(row.category) if row.category else None, is_ours=row.campaign_id != 0)
        if why is not None:
            numbers[row.month][why] += row.number
    events = (
        select(MailEvent.day, MailEvent.kind, MailEvent.category, func.count())
        .where(MailEvent.day >= last, MailEvent.source != returned.SENDING)
        .group_by(MailEvent.day, MailEvent.kind, MailEvent.category)
    )
    for day, kind, category, number in session.execute(events):
        why = _why(kind, category, is_ours=True)
        if why is not None:
            numbers[f"{day:%Y-%m}"][why] += number
    return [Month(month, {why: found[why] for why in Unread}) for month, found in numbers.items()]


def _why(kind: Kind, category: Category | None, *, is_ours: bool) -> Unread | None:
    if kind in _CAME_BACK and not is_ours:
        return Unread.NOT_OURS
    if kind is Kind.BOUNCE and category in (None, Category.UNDETERMINED):
        return Unread.NO_REASON
    return _KINDS.get(kind)
