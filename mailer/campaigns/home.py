"""Home: the readers who live under the authorities that a campaign addresses.

To write to them from abroad is safe; for somebody who lives there it may be a crime. So nobody at home gets the words
for others: they are left out until an organiser has decided, and get words of their own where they are not.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailer.campaigns import segments
from mailer.campaigns.editions import EditionKey, EditionRenderer, Reader
from mailer.mail.types import Pieces
from mailer.store.models import Campaign

#: a place in which nobody lives: how a text reads to somebody whose country no condition names
_ELSEWHERE = "ZZ"


@dataclass(frozen=True, slots=True)
class Audience:
    """Who a campaign would reach if nobody at home were left out: kinds of reader."""

    at_home: frozenset[Reader]
    unknown: frozenset[Reader]  # who did not say their country
    elsewhere: frozenset[Reader]

    @classmethod
    def of(cls, campaign: Campaign, readers: Iterable[Reader]) -> "Audience":
        """Part an audience.

        :param readers: of the segment as it is written.
        """
        own = segments.home_of(campaign)
        parts: dict[bool | None, set[Reader]] = defaultdict(set)
        for reader in readers:
            parts[None if reader.country is None else reader.country in own].add(reader)
        return cls(frozenset(parts[True]), frozenset(parts[None]), frozenset(parts[False]))


def same_words(renderer: EditionRenderer, audience: Audience) -> Iterator[tuple[str, str]]:
    """Where readers at home would get a wording that others get, too.

    :returns: files, and countries at home, each pair once.
    """
    for_others = {renderer.choose(reader) for reader in audience.unknown | audience.elsewhere}
    for reader in audience.at_home:  # also what nobody in this audience gets, but its like would
        for_others |= {renderer.choose(reader._replace(country=country)) for country in (None, _ELSEWHERE)}
    words_for_others = {_words(renderer, key) for key in for_others}
    same = {
        (renderer.file(key), str(reader.country))
        for reader in audience.at_home
        if _words(renderer, key := renderer.choose(reader)) in words_for_others
    }
    yield from sorted(same)


def _words(renderer: EditionRenderer, key: EditionKey) -> tuple[str, tuple[object, ...]]:
    """What an edition's body says in its language, as it would be read: other spaces make no other words."""
    _subject, _preheader, body = renderer.wording(key)
    return key[0], tuple(_joined(body))


def _joined(pieces: Pieces) -> Iterator[object]:
    said = ""
    for piece in pieces:
        if isinstance(piece, str):
            said += piece
            continue
        yield from said.split()
        yield piece
        said = ""
    yield from said.split()
