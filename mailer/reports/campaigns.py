"""What came of a campaign: where it went, who left after it and why, what was refused, and what unions did with it.

What is counted of a whole campaign is exact: it is for those who mail these people, and know how many they are. What is
counted of some of them, by country, union or language, hides small numbers, also where it stands beside the whole. In
`for_others` the whole hides them too: that is what a file has which gets passed on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from mailer.kits import progress as kit_progress
from mailer.people.small_numbers import hide_one, hide_small
from mailer.reports import acted, departures, figures, refusals, returned, spreads
from mailer.reports import progress as campaign_progress
from mailer.reports.acted import Acted
from mailer.reports.progress import Progress
from mailer.reports.refusals import Refusal
from mailer.reports.returned import Returned
from mailer.reports.spreads import By, Row
from mailer.store.models import ActKind, Campaign, DeliveryState


@dataclass(frozen=True, slots=True)
class Kits:
    """What unions did with a campaign, all together."""

    sent: int  # kits that went out to a union, or that it answered
    answered: int
    forwarded: int
    reached: int  # members, as the unions say


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """What came of a campaign."""

    progress: Progress
    spreads: Mapping[By, Sequence[Row] | None]  # as `spreads.named` names them
    left: int  # who were mailed it, and left its list before they were mailed another from it
    reasons: Sequence[str] | None  # in their words, by the alphabet; None while fewer than ten have given one
    refusals: Sequence[Refusal]
    returned: Returned
    acted: Mapping[ActKind, Acted]  # what it asks for
    kits: Kits

    def to_json(self) -> dict[str, Any]:
        """As `report --json` prints it."""
        spreads = {
            by.value: None if rows is None else [asdict(each) for each in rows] for by, rows in self.spreads.items()
        }
        return self.progress.to_json() | {
            "sent_by": spreads,
            "left": self.left,
            "reasons": self.reasons,
            "refusals": [asdict(each) for each in self.refusals],
            "returned": self.returned.to_json(),
            "acted": {kind.value: each.to_json() for kind, each in self.acted.items()},
            "kits": asdict(self.kits),
        }


def report(session: Session, campaign: Campaign) -> CampaignReport:
    """What came of a campaign so far."""
    progress = campaign_progress.of_campaign(session, campaign)
    kept = figures.kept(session, campaign)
    shown = kept.sending.spreads if kept and kept.is_final else spreads.count(session, campaign)
    closed = kept if kept and kept.is_closed else None
    reasons = departures.reasons(session, campaign, until=closed.departures_until if closed else None)
    return CampaignReport(
        progress=progress,
        spreads=spreads.named(session, shown),
        left=closed.departures.after if closed else len(reasons),
        reasons=departures.tellable(reasons),
        refusals=refusals.refusals(session, campaign, progress.states),
        returned=returned.count(session, campaign),
        acted=acted.count(session, campaign),
        kits=_kits(session, campaign),
    )


# --- kits -----------------------------------------------------------------------------------------------------------


def _kits(session: Session, campaign: Campaign) -> Kits:
    kits = [each for each in kit_progress.of_campaign(session, campaign) if each.union is not None]
    answered = [each for each in kits if each.seen_at or each.promised_at or each.forwarded_at]
    return Kits(
        sent=sum(1 for each in kits if each.sent_at or each in answered),
        answered=len(answered),
        forwarded=sum(1 for each in kits if each.forwarded_at),
        reached=sum(each.reached or 0 for each in kits),
    )


# --- for others -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One number that may be passed on."""

    what: str  # "sent", "country", …
    key: str
    name: str
    number: int | None  # None: hidden


def for_others(found: CampaignReport) -> Iterator[Line]:
    """What may be passed on of a report: nothing in anybody's words, no union that asked not to be named, and no small
    number of people, whatever it is a sum of. What is no number of people, such as that of kits, stays as it is.
    """
    yield Line("sent", "", "", hide_one(found.progress.states[DeliveryState.SENT]))
    for by, rows in found.spreads.items():
        for row in rows or ():
            key, name = (row.key, row.name) if row.is_named else ("", "(asked not to be named)")
            yield Line(by.value, key, name, row.mails)
    yield Line("left", "", "", hide_one(found.left))
    yield from _refusals_for_others(found.refusals)
    for what, number in found.returned.to_json().items():
        yield Line("returned", what, "", number)
    for kind, each in found.acted.items():
        yield Line(kind.value, "", "", each.people)
        for by, people in each.by.items():
            for one in people or ():
                yield Line(f"{kind.value} by {by.value}", one.key, one.name, one.people)
    for what in ("sent", "answered", "forwarded"):
        yield Line("kits", what, "", getattr(found.kits, what))
    yield Line("kits", "reached", "", hide_one(found.kits.reached))


def _refusals_for_others(found: Sequence[Refusal]) -> Iterator[Line]:
    kinds = {f"{each.answer} {each.state}": each for each in found}
    for kind, number in hide_small({kind: each.count for kind, each in kinds.items()}).items():
        yield Line(kinds[kind].state.value, "", kinds[kind].answer, number)
