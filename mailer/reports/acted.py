"""Who acted on a campaign: how many, by country and by language, with no number that points to anybody.

Small numbers are hidden from everybody, of the whole campaign too: that somebody acted is a political opinion.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.campaigns import acts
from mailer.locale import countries
from mailer.people.small_numbers import hide_one, hide_small
from mailer.reports.spreads import By
from mailer.store.models import Act, ActKind, Campaign

#: how many did what; None: hidden
Numbers = Mapping[ActKind, int | None]


@dataclass(frozen=True, slots=True)
class Row:
    """How many people did something who have something in common."""

    key: str  # a country's code, or a language; "" for people who did not say
    name: str
    people: int | None  # None: hidden


@dataclass(frozen=True, slots=True)
class Acted:
    """How many did something that a campaign asks for."""

    people: int | None  # None: hidden
    by: Mapping[By, Sequence[Row] | None]  # country, and language in which they did it; None where all is hidden

    def to_json(self) -> dict[str, Any]:
        """As `report --json` prints it."""
        rows = {by.value: None if rows is None else [asdict(row) for row in rows] for by, rows in self.by.items()}
        return {"people": self.people, "by": rows}


def numbers(session: Session, campaign: Campaign) -> Numbers:
    """How many did what of what a campaign asks for. Of those who did nothing else nothing is read: it takes a tenth
    of a second at a million."""
    found = acts.count(session, campaign.id)
    return {kind: hide_one(found.of(kind)) for kind in _kinds(campaign, {kind: found.of(kind) for kind in ActKind})}


def count(session: Session, campaign: Campaign) -> dict[ActKind, Acted]:
    """Likewise, by country and language, each with the largest first and what is hidden last."""
    grouped = select(Act.kind, Act.country, Act.language, func.count()).where(Act.campaign_id == campaign.id)
    by_country = {kind: Counter[str]() for kind in ActKind}
    by_language = {kind: Counter[str]() for kind in ActKind}
    for kind, country, language, people in session.execute(grouped.group_by(Act.kind, Act.country, Act.language)):
        by_country[kind][country or ""] += people
        by_language[kind][language] += people
    totals = {kind: by_country[kind].total() for kind in ActKind}
    return {
        kind: Acted(
            hide_one(totals[kind]),
            {By.COUNTRY: _rows(by_country[kind], By.COUNTRY), By.LANGUAGE: _rows(by_language[kind], By.LANGUAGE)},
        )
        for kind in _kinds(campaign, totals)
    }


def _kinds(campaign: Campaign, totals: Mapping[ActKind, int]) -> list[ActKind]:
    """What it asks for, and what somebody did before it did so no more."""
    asked = acts.asked_for(campaign)
    return [kind for kind in ActKind if kind in asked or totals[kind]]


def _rows(counts: Mapping[str, int], by: By) -> list[Row] | None:
    if hide_one(sum(counts.values())) is None:
        return None
    names = {key: countries.name(key, "en") if by is By.COUNTRY and key else key for key in counts}
    return [Row(key, names[key], people) for key, people in hide_small(counts).items()]
