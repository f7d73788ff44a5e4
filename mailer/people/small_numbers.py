"""Small numbers of people, which could point to somebody: which of a table are not shown."""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

#: below it a number could point to somebody, and is not shown
SMALLEST_SHOWN = 10
#: what is shown instead, in English
HIDDEN = f"under {SMALLEST_SHOWN}"


def hide_small(counts: Mapping[str, int]) -> dict[str, int | None]:
    """Hide the numbers from 1 to 9, and the next smallest too where the total would give them away.

    A total gives them away when all are equal, a single one above all. Two that differ could be the other way round.
    Of several next smallest all are hidden: which one was chosen would tell. What stands alone is its own total.

    :returns: the largest first and the hidden (None) last, by name: their order must not tell what they are.
    """
    shown = sorted(counts, key=lambda name: (-counts[name], name))
    hidden = {name for name in shown if is_small(counts[name])}
    hidden |= _next_smallest(counts, shown, hidden)
    return {name: counts[name] for name in shown if name not in hidden} | dict.fromkeys(sorted(hidden))


def hide_one(count: int) -> int | None:
    """A number that stands alone, if it can be shown."""
    return None if is_small(count) else count


def round_down(count: int) -> int:
    """A number in whole tens, for whom somebody may ask for by and by with one more or less of them: one person seldom
    moves it. What is small stays, to be hidden."""
    return count if is_small(count) else count - count % SMALLEST_SHOWN


def in_words(count: int | None, *, separator: str = ",") -> str:
    """A number in English; None is one that is hidden.

    :param separator: of thousands.
    """
    return HIDDEN if count is None else f"{count:{separator}}"


@dataclass(frozen=True, slots=True)
class Sum(Generic[K]):
    """A number that is others' sum, and is shown beside them."""

    total: K
    parts: Collection[K]


def hidden_in_sums(counts: Mapping[K, int], sums: Sequence[Sum[K]]) -> set[K]:
    """Which numbers to hide where totals are shown, and totals of totals, as of federations within federations.

    Below a number that is hidden all is, noughts too. So each sum whose total is shown stands for itself, and
    `hide_small` says what to hide of it; what it cannot help is hidden with the total: where every single part is 1,
    the total would say so.

    :param counts: every number, also those that nobody is shown but that can be told from others, such as what a
        federation has of its own.
    :param sums: a sum before those of its parts. No number is part of two; one may be the total of several.
    """
    small = {name for name, count in counts.items() if is_small(count)}
    telling: set[K] = set()  # totals that would tell their parts
    while True:
        hidden = small | telling
        before = len(telling)
        for each in sums:
            if each.total in hidden:
                hidden.update(each.parts)
                continue
            hidden |= _next_smallest(counts, each.parts, hidden)
            concealed = [counts[part] for part in each.parts if part in hidden]
            if len(concealed) == 1 or set(concealed) == {1}:
                telling.add(each.total)
        if len(telling) == before:
            return hidden


def is_small(count: int) -> bool:
    """Whether a number could point to somebody."""
    return 0 < count < SMALLEST_SHOWN


def _next_smallest(counts: Mapping[K, int], parts: Iterable[K], hidden: Collection[K]) -> set[K]:
    """The next smallest of the parts that are not hidden, if those that are could be told from the total."""
    parts = list(parts)
    if len({counts[part] for part in parts if part in hidden}) != 1:
        return set()
    others = [part for part in parts if counts[part] and part not in hidden]
    smallest = min((counts[part] for part in others), default=None)
    return {part for part in others if counts[part] == smallest}
