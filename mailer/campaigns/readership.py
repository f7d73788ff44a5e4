"""The readership of a campaign: which readers there are of it, to choose one whose mail somebody wants to look at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy.orm import Session

from mailer.campaigns import readiness, segments
from mailer.campaigns.editions import Reader
from mailer.campaigns.segments import Group
from mailer.store.models import Campaign

#: what is known of a reader, in the order in which it is chosen
Trait = Literal["language", "country", "union_id"]
TRAITS: tuple[Trait, ...] = get_args(Trait)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A reader that there is, and what else could have been chosen."""

    reader: Reader
    missed: frozenset[Trait]  # what was asked for, and no reader has together with what was chosen before it
    fitting: dict[Trait, Sequence[str | int | None]]  # what readers have together with what was chosen before
    others: dict[Trait, Sequence[str | int | None]]  # what only other readers have


class Readership:
    """The readers of a campaign, the most frequent first."""

    def __init__(self, groups: Iterable[Group]) -> None:
        """:param groups: at least one."""
        most_first = sorted(groups, key=lambda group: -group.people)
        self._readers = [Reader(*group[:-1]) for group in most_first]

    @classmethod
    def of(cls, session: Session, campaign: Campaign) -> "Readership":
        """Those whom a campaign would reach; of one that would reach nobody, one for each of its texts."""
        try:
            groups = segments.groups(session, campaign.list_id, segments.segment_of(campaign))
        except readiness.UNKNOWN_AUDIENCE:
            groups = []
        return cls(groups or [Group(text.language, None, None, 0) for text in campaign.texts])

    def choose(self, wanted: dict[Trait, str | int | None]) -> Chosen:
        """The most frequent reader who has what is wanted, as far as there is one: the language before the country, and
        that before the union.

        :param wanted: None in it for what is not known of somebody; whatever is left out may be anything.
        """
        left = self._readers
        missed: set[Trait] = set()
        fitting: dict[Trait, Sequence[str | int | None]] = {}
        others: dict[Trait, Sequence[str | int | None]] = {}
        for trait in TRAITS:
            place = Reader._fields.index(trait)
            # One after the other: of a million people there may be a hundred thousand kinds.
            fitting[trait] = list(dict.fromkeys(reader[place] for reader in left))
            there = set(fitting[trait])
            others[trait] = list(dict.fromkeys(r[place] for r in self._readers if r[place] not in there))
            if trait in wanted and wanted[trait] not in there:
                missed.add(trait)
            value = wanted[trait] if trait in wanted and trait not in missed else left[0][place]
            left = [reader for reader in left if reader[place] == value]
        return Chosen(left[0], frozenset(missed), fitting, others)
