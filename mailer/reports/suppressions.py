"""How many addresses get no mail, and why."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy.orm import Session

from mailer.people import suppression
from mailer.people.small_numbers import Sum, hidden_in_sums
from mailer.store import scope
from mailer.store.models import SuppressionReason

#: a sum of what has these in common: of all for a reason, of one of its categories, and of a month of that
_Key = tuple[SuppressionReason | None, str | None, str | None]

_NOT_KNOWN = "unknown"  # why an address bounced: it was imported, or put there before that was kept


@dataclass(frozen=True, slots=True)
class SuppressionCount:
    """A number of addresses; None where it is hidden."""

    reason: SuppressionReason | None  # None for all of them
    category: str | None  # of those that bounced, why; None for all of them
    month: str | None  # None for all of them
    addresses: int | None


def count(session: Session) -> list[SuppressionCount]:
    """The numbers by reason, category and month, each sum before its parts, and the total last. Small ones are hidden.

    Categories are told apart where one is known.

    :raises scope.ForOrganisers: the session is a union's.
    """
    scope.refuse(session)
    numbers: Counter[_Key] = Counter()
    parts: dict[_Key, set[_Key]] = {}
    found = suppression.counts(session)
    has_categories = {reason for reason, category, _ in found if category is not None}
    for (reason, category, month), number in found.items():
        why = (category.value if category else _NOT_KNOWN) if reason in has_categories else None
        levels = dict.fromkeys([(None, None, None), (reason, None, None), (reason, why, None), (reason, why, month)])
        for key in levels:
            numbers[key] += number
        for whole, part in pairwise(levels):
            parts.setdefault(whole, set()).add(part)
    # A sum before those of its parts.
    sums = [Sum(whole, parts[whole]) for whole in sorted(parts, key=lambda key: sum(each is not None for each in key))]
    hidden = hidden_in_sums(numbers, sums)
    keys = sorted(numbers, key=lambda key: (key[0] is None, *(each or "" for each in key)))
    return [SuppressionCount(*key, None if key in hidden else numbers[key]) for key in keys]
