"""Tallies: what everybody is told of how many acted on a campaign."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.campaigns import acts
from mailer.store import db
from mailer.store.models import ActKind, Asking, Campaign


@dataclass(frozen=True, slots=True)
class Tally:
    """How many did one thing."""

    kind: ActKind
    number: int  # rounded down, as `acts.shown`
    goal: int | None  # how many are to do it; none once nobody is asked to any more

    @property
    def is_reached(self) -> bool:
        """Whether as many did it as were to."""
        return self.goal is not None and self.number >= self.goal


def of(session: Session, campaign: Campaign) -> tuple[Tally, ...]:
    """What everybody is told of a campaign's numbers, counted now: nothing of those that are small, nor after a stop.

    What was counted stands after a campaign's end, without a goal.
    """
    over = acts.why_over(campaign, db.now(session))
    asked = acts.asked_for(campaign)
    if not asked or over in (Asking.STOPPED, Asking.WITHDRAWN):
        return ()
    counted = acts.count(session, campaign.id)
    goal = None if over else campaign.goal
    counts_for_goal = ActKind.SIGNED if ActKind.SIGNED in asked else ActKind.WROTE
    numbers = {kind: acts.shown(counted, kind) for kind in ActKind if kind in asked}
    return tuple(
        Tally(kind, number, goal if kind is counts_for_goal else None)
        for kind, number in numbers.items()
        if number is not None
    )
