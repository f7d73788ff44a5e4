"""Which mail providers refused a campaign.

Addresses are encrypted, so those of refused deliveries are decrypted when a report is made, 20 µs each, and only of the
latest so many. A domain that few people use names them: a domain is told where at least ten deliveries to it were
refused. So it has at least ten recipients, and nobody has to decrypt the whole audience to know that.
"""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.delivery.ledger import audience_of
from mailer.people.small_numbers import SMALLEST_SHOWN, hide_small
from mailer.store.models import Campaign, Delivery, DeliveryState, Subscriber

_REFUSED = (DeliveryState.FAILED, DeliveryState.DEFERRED)
#: refusals that are looked at
_SAMPLE = 20_000


@dataclass(frozen=True, slots=True)
class Domains:
    """Refusals by the domain of whom they are about."""

    rows: tuple[tuple[str, int | None], ...]  # domain → refusals, None: hidden; "" for all other domains together
    looked_at: int  # refusals, the latest ones
    refused: int  # in all

    @property
    def is_sample(self) -> bool:
        """Whether there are more than were looked at."""
        return self.looked_at < self.refused


def count(session: Session, campaign: Campaign) -> Domains:
    """Count the refusals of a campaign by domain. Whoever was erased since counts among the others."""
    refused = (*audience_of(campaign.id), Delivery.state.in_(_REFUSED))
    total = session.scalar(select(func.count()).where(*refused)) or 0
    latest = (
        select(Subscriber.email)
        .select_from(Delivery)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(*refused)
        .order_by(Delivery.id.desc())
        .limit(_SAMPLE)
    )
    counts = Counter((address or "").rpartition("@")[2] for address in session.scalars(latest))
    looked_at = counts.total()
    told = Counter({domain: number for domain, number in counts.items() if domain and number >= SMALLEST_SHOWN})
    if others := looked_at - told.total():
        told[""] = others
    rows = tuple(hide_small(told).items()) if len(told) > 1 or "" not in told else ()
    return Domains(rows, looked_at, total)
