"""How many addresses get no mail, and why."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.people import suppression
from mailer.people.small_numbers import Sum, hidden_in_sums
from mailer.store import scope
from mailer.store.models import SuppressionReason

#: the total's key, and that of a reason's sum over all months
_Key = tuple[SuppressionReason | None, str | None]


@dataclass(frozen=True, slots=True)
class SuppressionCount:
    """A number of addresses; None where it is hidden."""

    reason: SuppressionReason | None  # None for all of them
    month: str | None  # None for all of them
    addresses: int | None


def count(session: Session) -> list[SuppressionCount]:
    """The numbers by reason and month, a reason's sum before its months, and the total last. Small ones are hidden.

    :raises scope.ForOrganisers: the session is a union's.
    """
    scope.refuse(session)
    found = suppression.counts(session)
    numbers: Counter[_Key] = Counter()
    for (reason, month), number in found.items():
        for key in ((reason, month), (reason, None), (None, None)):
            numbers[key] += number
    hidden = hidden_in_sums(numbers, _sums(found))
    reasons = sorted({reason for reason, _ in found})
    keys: list[_Key] = []
    for reason in reasons:
        keys += [(reason, None), *((reason, month) for month in sorted(m for r, m in found if r is reason))]
    keys.append((None, None))
    return [SuppressionCount(*key, None if key in hidden else numbers[key]) for key in keys]


def _sums(found: Mapping[tuple[SuppressionReason, str], int]) -> list[Sum[_Key]]:
    reasons = {reason for reason, _ in found}
    total: Sum[_Key] = Sum((None, None), [(reason, None) for reason in reasons])
    of_months: list[Sum[_Key]] = [Sum((reason, None), [key for key in found if key[0] is reason]) for reason in reasons]
    return [total, *of_months]
