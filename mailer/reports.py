"""What can be read of a campaign: where it stands, who is in which state, how it spread."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer import countries, unions
from mailer.composing import message_id
from mailer.models import Campaign, CampaignStatus, Delivery, DeliveryState, Purpose, Subscriber

#: below it a number could point to somebody, and is not shown
SMALLEST_SHOWN = 10
#: columns that a spread may be counted by
_SPREADS = {"country": Delivery.country, "language": Delivery.language, "union": Delivery.union_id}


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a campaign stands. `states` has all seven, and they add up to `audience`."""

    slug: str
    status: CampaignStatus
    audience: int
    states: Mapping[DeliveryState, int]
    hold_reason: str | None
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """As `status --json` prints it."""
        report: dict[str, Any] = {
            "slug": self.slug,
            "status": self.status.value,
            "audience": self.audience,
            "states": {state.value: count for state, count in self.states.items()},
            "hold_reason": self.hold_reason,
        }
        for moment in ("scheduled_at", "started_at", "finished_at"):
            time = getattr(self, moment)
            report[moment] = time.isoformat() if time else None
        return report

    @property
    def settled(self) -> int:
        """How many deliveries have come to an end."""
        unsettled = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEFERRED)
        return self.audience - sum(self.states[state] for state in unsettled)


def progress(session: Session, campaign: Campaign) -> Progress:
    """Count a campaign's ledger."""
    counted = session.execute(
        select(Delivery.state, func.count())
        .where(Delivery.campaign_id == campaign.id, Delivery.purpose == Purpose.CAMPAIGN)
        .group_by(Delivery.state)
    )
    states = dict.fromkeys(DeliveryState, 0)
    states.update((state, count) for state, count in counted)
    return Progress(
        slug=campaign.slug,
        status=campaign.status,
        audience=sum(states.values()),
        states=states,
        hold_reason=campaign.hold_reason,
        scheduled_at=campaign.scheduled_at,
        started_at=campaign.started_at,
        finished_at=campaign.finished_at,
    )


def recipients(session: Session, campaign: Campaign, state: DeliveryState) -> Iterator[dict[str, Any]]:
    """The recipients of a campaign that are in a state, as `recipients --json` prints them, in ledger order."""
    rows = session.execute(
        select(Delivery, Subscriber.email)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Delivery.campaign_id == campaign.id, Delivery.purpose == Purpose.CAMPAIGN, Delivery.state == state)
        .order_by(Delivery.id)
        .execution_options(yield_per=500)
    )
    for delivery, email in rows:
        yield {
            "delivery": delivery.id,
            "email": email,
            "state": delivery.state.value,
            "reason": delivery.reason,
            "smtp_code": delivery.smtp_code,
            "smtp_text": delivery.smtp_text,
            "message_id": f"<{message_id(campaign, delivery.id)}>" if campaign.mail_domain else None,
            "attempts": delivery.attempts,
        }


def spread(session: Session, campaign: Campaign, by: str) -> dict[str, int | None]:
    """How many messages were sent by country, language or union, the largest first.

    :param by: "country", "language" or "union".
    :returns: name → number, None where it is too small to show; "" for people who did not say.
    """
    column = _SPREADS[by]
    counted = session.execute(
        select(column, func.count())
        .where(
            Delivery.campaign_id == campaign.id,
            Delivery.purpose == Purpose.CAMPAIGN,
            Delivery.state == DeliveryState.SENT,
        )
        .group_by(column)
    )
    names = _union_names(session) if by == "union" else {}
    named: Counter[str] = Counter()
    for key, count in counted:
        named[_name(by, key, names)] += count
    return hide_small(named)


def _union_names(session: Session) -> dict[int, str]:
    """Each union's id → its name, with its slug where another has the same name."""
    known = unions.all_unions(session)
    bearers = Counter(union.name for union in known)
    return {union.id: union.name if bearers[union.name] == 1 else f"{union.name} ({union.slug})" for union in known}


def _name(by: str, key: Any, union_names: Mapping[int, str]) -> str:
    if key is None:
        return ""
    if by == "country":
        return countries.name(key, "en")
    return union_names.get(key, "") if by == "union" else str(key)


def hide_small(counts: Mapping[str, int]) -> dict[str, int | None]:
    """Hide the numbers from 1 to 9, and the next smallest too where the total would give them away.

    A total gives them away when all are equal, a single one above all. Two that differ could be the other way round.
    Of several next smallest all are hidden: which one was chosen would tell. What stands alone is its own total.

    :returns: the largest first and the hidden (None) last, by name: their order must not tell what they are.
    """
    shown = sorted(counts, key=lambda name: (-counts[name], name))
    hidden = [name for name in shown if 0 < counts[name] < SMALLEST_SHOWN]
    shown = [name for name in shown if name not in hidden]
    if len({counts[name] for name in hidden}) == 1:
        next_smallest = min((counts[name] for name in shown if counts[name]), default=None)
        hidden += [name for name in shown if counts[name] == next_smallest]
    return {name: counts[name] for name in shown if name not in hidden} | dict.fromkeys(sorted(hidden))
