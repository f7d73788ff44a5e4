"""Whether too many of those who were sent a campaign called it spam, said so that no small number can be told from it.

How many did is hidden from 1 to 9, and how many were sent it is shown. So nothing that is said while the number is
hidden may depend on it: then an alarm says that it may be too many, wherever 9 would be.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.delivery import alarms, thresholds
from mailer.delivery.ledger import audience_of
from mailer.people.small_numbers import SMALLEST_SHOWN
from mailer.store.models import Campaign, Delivery, DeliveryState

_MOST_HIDDEN = SMALLEST_SHOWN - 1
#: of so many mails, no hidden number is more than 1 in 1,000
_ENOUGH_SENT = _MOST_HIDDEN * 1000


@dataclass(frozen=True, slots=True)
class CalledSpam:
    """What organisers are told."""

    in_1000: int | None  # at least so many of those who were sent it: 1 (more than) or 3; 0 if no more than usual
    is_alarm: bool  # whether somebody should look: they are too many, or may be

    def to_json(self) -> dict[str, int | bool | None]:
        """As `status --json` prints it."""
        return {"complaints_in_1000": self.in_1000, "complaints_alarm": self.is_alarm}


def tell(complaints: int | None, *, in_1000: int, sent: int) -> CalledSpam:
    """What may be told.

    :param complaints: as they are shown; None where they are hidden.
    :param in_1000: as `alarms.level`.
    :param sent: how many were sent it; of 9,000 or more it does not matter how many.
    """
    if complaints is None:
        return CalledSpam(None, thresholds.level(_MOST_HIDDEN, sent) > 0)
    return CalledSpam(in_1000, in_1000 > 0)


def of(session: Session, campaign: Campaign, complaints: int | None) -> CalledSpam:
    """What may be told of a campaign. Reads no more than 9,000 rows of an index.

    :param complaints: as for `tell`.
    """
    some = select(Delivery.id).where(*audience_of(campaign.id), Delivery.state == DeliveryState.SENT)
    counted = select(func.count()).select_from(some.limit(_ENOUGH_SENT).subquery())
    sent = session.scalar(counted) or 0 if complaints is None else 0
    return tell(complaints, in_1000=alarms.level(session, campaign), sent=sent)
