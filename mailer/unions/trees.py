"""Unions in their places: a forest of federations, the unions beneath them, and their branches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.store.models import Union


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A union and what is right beneath it; or all unions, beneath none."""

    union_id: int | None  # none: all unions
    slug: str
    name: str
    is_named: bool
    depth: int  # 0: the top, or right beneath all unions
    children: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UnionTree:
    """Places by union: each before those beneath it, the top first."""

    places: Mapping[int | None, TreeNode]

    def beneath(self, union_id: int) -> "UnionTree":
        """The part with this union at its top."""
        top = self.places[union_id]
        wanted: set[int | None] = {union_id}
        part: dict[int | None, TreeNode] = {}
        for key, place in self.places.items():
            if key in wanted:
                wanted.update(place.children)
                part[key] = replace(place, depth=place.depth - top.depth)
        return UnionTree(part)

    def sum_up(self, number_of: Callable[[int | None], int]) -> dict[int | None, int]:
        """Each union's number with those of all beneath it."""
        totals: dict[int | None, int] = {}
        for key in reversed(list(self.places)):
            totals[key] = number_of(key) + sum(totals[child] for child in self.places[key].children)
        return totals


def read(session: Session) -> UnionTree:
    """All unions: by name, each followed by what is beneath it. Those not to be named come last, in no order that tells
    their names."""
    columns = select(Union.id, Union.slug, Union.name, Union.is_named, Union.parent_id)
    found = sorted(
        session.execute(columns),
        key=lambda union: (not union.is_named, union.name.casefold() if union.is_named else "", union.id),
    )
    beneath: dict[int | None, list[int]] = {}
    for union in found:
        beneath.setdefault(union.parent_id, []).append(union.id)
    depths: dict[int, int] = {}
    children: dict[int | None, list[int]] = {None: []}
    # The roots, and then whoever is left: where rows written by hand form a circle, it is cut.
    for root in (*beneath.get(None, []), *(union.id for union in found)):
        waiting: list[tuple[int, int, int | None]] = [(root, 0, None)]
        while waiting:
            union_id, depth, parent = waiting.pop()
            if union_id not in depths:
                depths[union_id], children[union_id] = depth, []
                children[parent].append(union_id)
                waiting.extend((child, depth + 1, union_id) for child in reversed(beneath.get(union_id, [])))
    known = {union.id: union for union in found}
    places: dict[int | None, TreeNode] = {None: TreeNode(None, "", "", True, 0, tuple(children[None]))}
    for union_id, depth in depths.items():
        union = known[union_id]
        places[union_id] = TreeNode(union_id, union.slug, union.name, union.is_named, depth, tuple(children[union_id]))
    return UnionTree(places)
