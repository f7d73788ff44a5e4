"""What somebody can tell of hidden numbers from those that are shown."""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from mailer.people.small_numbers import Sum

K = TypeVar("K", bound=Hashable)
Range = tuple[float, float]


def narrowed(known: Mapping[K, Range], sums: Iterable[Sum[K]]) -> dict[K, Range]:
    """What each number can be at least and at most. Sums that form a tree need no more than this to be exact."""
    known = dict(known)
    sums = list(sums)
    before: dict[K, Range] | None = None
    while known != before:
        before = dict(known)
        for each in sums:
            low, high = (sum(known[part][end] for part in each.parts) for end in (0, 1))
            known[each.total] = _both(known[each.total], (low, high))
            for part in each.parts:
                others = [known[other] for other in each.parts if other != part]
                least = known[each.total][0] - sum(high for _, high in others)
                most = known[each.total][1] - sum(low for low, _ in others)
                known[part] = _both(known[part], (least, most))
    return known


def _both(one: Range, other: Range) -> Range:
    return max(one[0], other[0]), min(one[1], other[1])
