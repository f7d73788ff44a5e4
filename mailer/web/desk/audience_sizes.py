"""How many people are meant by what somebody chooses, of which kinds, and which of these are so few that they could be
singled out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import segments, sizes
from mailer.campaigns.segments import Segment
from mailer.campaigns.sizes import Size
from mailer.locale import countries, languages
from mailer.people import small_numbers
from mailer.store.models import Campaign, Union
from mailer.web.desk.recent import recent
from mailer.web.language import _, current

#: names of what is small that are told at once
_FIRST = 12
#: keys that ask what people did, got or read: with one country more or less, an exact number would tell it of somebody
_TELLING = (*segments.CAMPAIGN_KEYS, "lists", "exclude_lists")


@dataclass(frozen=True, slots=True)
class Row:
    """How many people there are of one kind."""

    words: str
    people: int | None  # none: too few to show, or it would tell how many these are
    is_few: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """All people, by one thing that is known of them."""

    caption: str
    heading: str
    rows: Sequence[Row]
    few: Sequence[str]  # of whom there are so few that they could be singled out; the first of them
    more: int  # how many others there are of these


@dataclass(frozen=True, slots=True)
class Shown:
    """How many people are meant."""

    people: int | None  # none: too few to show
    is_rounded: bool  # whether numbers are in whole tens, rounded down
    tables: Sequence[Table]
    home: str | None  # a country whose people are left out, since its authorities are addressed
    leaves_unknown_out: bool  # likewise those whose country is not known

    @property
    def has_few(self) -> bool:
        """Whether some could be singled out."""
        return self.people is None or any(table.few for table in self.tables)


def look(session: Session, campaign: Campaign, list_id: int, segment: Segment) -> Shown:
    """Count whom a campaign would reach if it was for a segment of a list, as it was some moments ago at most."""
    meant = segments.without_home(campaign, segment)
    size: Size = recent("sizes").get((list_id, meant), lambda: sizes.of(session, list_id, meant))
    is_rounded = any(getattr(segment, key) for key in _TELLING)
    if is_rounded:
        size = _rounded(size)
    unions: Mapping[int | None, str] = {row.id: row.name for row in session.execute(select(Union.id, Union.name))}

    def country(code: Any) -> str:
        return countries.name(code, current())

    return Shown(
        people=small_numbers.hide_one(size.people),
        is_rounded=is_rounded,
        tables=[
            _table(_("By country"), _("Country"), size.by_country, country, _("Not known")),
            _table(
                _("By union"), _("Union"), size.by_union, lambda id_: unions.get(id_, str(id_)), _("None, or not known")
            ),
            _table(_("By language"), _("Language"), size.by_language, languages.name, _("Not known")),
        ],
        home=_home(campaign, segment, meant),
        leaves_unknown_out=meant.only_known_country,
    )


def _rounded(size: Size) -> Size:
    def in_tens(counts: Mapping[Any, int]) -> dict[Any, int]:
        return {key: small_numbers.round_down(people) for key, people in counts.items()}

    return Size(
        people=small_numbers.round_down(size.people),
        by_country=in_tens(size.by_country),
        by_union=in_tens(size.by_union),
        by_language=in_tens(size.by_language),
    )


def _home(campaign: Campaign, segment: Segment, meant: Segment) -> str | None:
    """The country whose people a campaign leaves out of a segment."""
    if meant.exclude_countries == segment.exclude_countries:
        return None
    return countries.name(campaign.about or "", current())


def _table(caption: str, heading: str, counts: Mapping[Any, int], name: Callable[[Any], str], none: str) -> Table:
    """:param none: what it is called that nothing is known, or that there is nothing to know."""
    # By what tells them apart, not by their names, of which two may be the same.
    shown = small_numbers.hide_small({str(key): people for key, people in counts.items()})
    words = {str(key): name(key) if key is not None else none for key in counts}
    hidden = sorted((key for key, people in shown.items() if people is None), key=lambda key: words[key].casefold())
    rows = [Row(words[key], people) for key, people in shown.items() if people is not None]
    are_few = {str(key) for key, people in counts.items() if small_numbers.is_small(people)}
    few = [words[key] for key in hidden if key in are_few - {str(None)}]
    first = few if len(few) == _FIRST + 1 else few[:_FIRST]  # to leave a single one out would save nothing
    return Table(
        caption,
        heading,
        [*rows, *(Row(words[key], None, key in are_few) for key in hidden)],
        first,
        len(few) - len(first),
    )
