"""Recognition: which union somebody means by what they wrote, in a file or on a form."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.locale.folding import fold
from mailer.store.models import Union

_ALIKE = 0.8  # 1.0 is the same


@dataclass(frozen=True, slots=True)
class Known:
    """What tells one union from another."""

    id: int
    slug: str
    name: str
    country: str | None
    is_named: bool


class KnownUnions:
    """All unions as they are now, to be asked for by name."""

    def __init__(self, session: Session) -> None:
        rows = session.execute(
            select(Union.id, Union.slug, Union.name, Union.country, Union.is_named).order_by(Union.slug)
        )
        known = [Known(*row) for row in rows]
        self._by_slug = {union.slug: union for union in known}
        self._by_spelling: dict[str, list[Known]] = {}
        for union in known:
            for spelling in {fold(union.name), fold(union.slug)} - {""}:
                self._by_spelling.setdefault(spelling, []).append(union)

    def alike(self, text: str, country: str | None = None) -> Sequence[Known]:
        """The unions whose name or slug is that text, as `fold` compares: several where they fold alike, by slug.

        :param country: where the person lives whose union it is, to tell such apart.
        """
        found = self._by_spelling.get(fold(text), [])
        near = [union for union in found if country is not None and union.country == country]
        return near or found

    def of_slug(self, text: str) -> Known | None:
        """The union that has exactly this slug. In a file it is meant, whatever else is called so."""
        return self._by_slug.get(text)

    def nearest(self, text: str) -> Known | None:
        """The union that is called nearly so; never one that asked not to be named."""
        spellings = {
            spelling: union for spelling, unions in self._by_spelling.items() for union in unions if union.is_named
        }
        near = get_close_matches(fold(text), spellings, n=1, cutoff=_ALIKE)
        return spellings[near[0]] if near else None

    def suggestion(self, text: str) -> str:
        """A question whether another union was meant, where one is nearly called so; never one that asked not to be
        named."""
        near = self.nearest(text)
        return f' Did you mean {near.slug}, "{near.name}"?' if near else ""
