"""What came in and could not be read: numbers, and why, never a text."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.mail.feedback.types import Category, Kind
from mailer.people import returned, unread
from mailer.people.unread import Unread
from mailer.store.models import MailEvent, MailEventCount


@dataclass(frozen=True, slots=True)
class Month:
    """What could not be read in a month."""

    month: str  # "2026-11"
    numbers: dict[Unread, int]  # all of them, in their order


def count(session: Session, *, today: date) -> Sequence[Month]:
    """What could not be read this month and the last, the latest month first."""
    first = today.replace(day=1)
    last = (first - timedelta(days=1)).replace(day=1)
    next_one = (first + timedelta(days=31)).replace(day=1)  # where another machine may be already, by its clock
    numbers: dict[str, Counter[Unread]] = {f"{each:%Y-%m}": Counter() for each in (first, last)}
    kept = select(MailEventCount).where(MailEventCount.month.in_(numbers))
    for row in session.scalars(kept):
        category = Category(row.category) if row.kind is Kind.BOUNCE and row.category else None
        why = unread.why(row.kind, category, is_ours=row.campaign_id != 0)
        if why is not None:
            numbers[row.month][why] += row.number
    events = (
        select(MailEvent.day, MailEvent.kind, MailEvent.category, func.count())
        .where(MailEvent.day >= last, MailEvent.day < next_one, returned.COUNTS)
        .group_by(MailEvent.day, MailEvent.kind, MailEvent.category)
    )
    for day, kind, category, number in session.execute(events):
        why = unread.why(kind, category, is_ours=True)
        if why is not None:
            numbers[f"{day:%Y-%m}"][why] += number
    return [Month(month, {why: found[why] for why in Unread}) for month, found in numbers.items()]
