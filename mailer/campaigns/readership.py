"""The readership of a campaign: which readers there are of it, to choose one whose mail somebody wants to look at."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from mailer.campaigns import editions, readiness, segments
from mailer.campaigns.editions import Reader
from mailer.campaigns.segments import Group, Segment
from mailer.store.models import Campaign

#: what is known of a reader: a field of `Reader`, in the order in which it is chosen
Trait = Literal["language", "country", "union_id"]
TRAITS: tuple[Trait, ...] = ("language", "country", "union_id")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A reader that there is, and what else could have been chosen."""

    reader: Reader
    missed: frozenset[Trait]  # what was asked for, and no reader has together with what was chosen before it
    fitting: Mapping[Trait, Sequence[str | int | None]]  # what readers have who are like them in what comes before it
    others: Mapping[Trait, Sequence[str | int | None]]  # what only other readers have


_Known = tuple[int, Segment, tuple[str, ...]]


class Readerships:
    """Those of campaigns that somebody looked at lately, for a process: of a million people, to look again takes a
    second. Several threads may ask."""

    def __init__(self, *, most: int = 4, seconds: float = 600, clock: Callable[[], float] = time.monotonic) -> None:
        """:param most: campaigns; the readers of one take up to 20 MB.
        :param seconds: after which a campaign is looked at anew.
        :param clock: tells seconds.
        """
        self._most, self._seconds, self._clock = most, seconds, clock
        self._kept: OrderedDict[_Known, tuple[float, Readership]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, session: Session, campaign: Campaign) -> "Readership":
        """As `Readership.of`."""
        texts = tuple(sorted(text.language for text in campaign.texts))
        content = campaign.list_id, segments.segment_of(campaign), texts
        now = self._clock()
        with self._lock:
            since, found = self._kept.get(content, (0.0, None))
        if found is not None and now - since < self._seconds:
            return found
        found = Readership.of(session, campaign)
        with self._lock:
            self._kept[content] = now, found
            self._kept.move_to_end(content)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return found


class Readership:
    """The readers of a campaign, the most frequent first."""

    def __init__(self, groups: Iterable[Group]) -> None:
        """:param groups: at least one."""
        most_first = sorted(groups, key=lambda group: -group.people)
        self._readers = [Reader(*group[:-1]) for group in most_first]

    @classmethod
    def of(cls, session: Session, campaign: Campaign) -> "Readership":
        """Those whom a campaign would reach, and for each of its texts whose language none of them reads, somebody who
        does and of whom nothing else is known."""
        try:
            groups = segments.groups(session, campaign.list_id, segments.segment_of(campaign))
        except readiness.UNKNOWN_AUDIENCE:
            groups = []
        spoken = {group.language for group in groups}
        written = [text.language for text in campaign.texts] or [campaign.language]
        unread = (language for language in written if language not in spoken)
        return cls([*groups, *(Group(language, None, None, 0) for language in unread)])

    def of_texts(self, campaign: Campaign) -> dict[str, str | None]:
        """Language of each text → the country of the most frequent reader who gets that one; None if it is not known,
        or if there is no such reader."""
        texts = editions.Texts(campaign)
        found: dict[str, str | None] = {}
        spoken: dict[str | None, str] = {}
        for reader in self._readers:
            if reader.language not in spoken:
                spoken[reader.language] = texts.for_language(reader.language).language
            found.setdefault(spoken[reader.language], reader.country)
        return dict.fromkeys(texts.sources) | found

    def choose(self, wanted: Mapping[Trait, str | int | None]) -> Chosen:
        """The most frequent reader who has what is wanted, as far as there is one: the language before the country, and
        that before the union.

        :param wanted: None in it for what is not known of somebody; whatever is left out may be anything.
        """
        left, missed = self._readers, set[Trait]()
        for place, trait in enumerate(TRAITS):
            if trait in wanted:
                if those := [reader for reader in left if reader[place] == wanted[trait]]:
                    left = those
                else:
                    missed.add(trait)
        reader = left[0]
        fitting: dict[Trait, Sequence[str | int | None]] = {}
        others: dict[Trait, Sequence[str | int | None]] = {}
        alike = self._readers
        for place, trait in enumerate(TRAITS):
            fitting[trait] = list(dict.fromkeys(each[place] for each in alike))
            there = set(fitting[trait])
            others[trait] = list(dict.fromkeys(each[place] for each in self._readers if each[place] not in there))
            alike = [each for each in alike if each[place] == reader[place]]
        return Chosen(reader, frozenset(missed), fitting, others)
