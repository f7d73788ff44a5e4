"""Endings: until when what is known of cases may be used, so that somebody looks at it again in time."""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, load_only, selectinload

from mailer.cases import cases
from mailer.store.models import Case, CaseFact, CaseStatus

#: for how many days what has ended counts as news: a case of which nobody asks for longer lies still
_NEWS_DAYS = 30


class What(enum.StrEnum):
    """What ends."""

    FACTS = "facts"  # they have to be checked again
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class Ending:
    """From the day after, nobody may be asked to act on a case."""

    case: str  # its slug
    what: What
    on: date  # the last day on which it is good; of several facts, the first such day
    number: int  # of facts


def soon(session: Session, today: date, *, days: int = 7) -> Sequence[Ending]:
    """What ends for open cases within some days, or has ended lately; the first to end first."""
    open_cases = (
        select(Case)
        .where(Case.status == CaseStatus.OPEN)
        .options(
            load_only(Case.slug, Case.consent),
            selectinload(Case.facts).load_only(CaseFact.checked_on, CaseFact.good_for),
        )
    )
    first, last = today - timedelta(days=_NEWS_DAYS), today + timedelta(days=days)
    found = (each for case in session.scalars(open_cases) for each in _of_case(case, first, last))
    return sorted(found, key=lambda each: (each.on, each.case))


def _of_case(case: Case, first: date, last: date) -> Iterator[Ending]:
    consent = cases.consent_of(case)
    if consent is not None and consent.until and first <= consent.until <= last:
        yield Ending(case.slug, What.CONSENT, consent.until, 1)
    ends = [fact.checked_on + timedelta(days=fact.good_for) for fact in case.facts]
    near = [each for each in ends if first <= each <= last]
    if near:
        yield Ending(case.slug, What.FACTS, min(near), len(near))
