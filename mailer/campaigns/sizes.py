"""Sizes: how many people an audience has, and of which countries, unions and languages they are."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Integer, String, cast, func, literal, null, select, union_all
from sqlalchemy.orm import Session

from mailer.campaigns import segments
from mailer.campaigns.segments import Segment


@dataclass(frozen=True, slots=True)
class Size:
    """How many people there are, in all and of each kind. None is what is not known of somebody."""

    people: int
    by_country: Mapping[str | None, int]
    by_union: Mapping[int | None, int]  # the id of each; None for members of none, too
    by_language: Mapping[str | None, int]


def of(session: Session, list_id: int, segment: Segment) -> Size:
    """Count an audience, once for all three: of a million people, within 300 ms unless lists or campaigns are named.

    :raises directory.UnknownUnion: as `segments.tally`; so the others that it raises.
    """
    # Which languages are forms of those that are named is asked of what was counted: to look for all that people on the
    # list read would take as long as to count them.
    of_any = replace(segment, languages=None, exclude_languages=None)
    tally = select(segments.tally(session, list_id, of_any)).cte("tallied").prefix_with("MATERIALIZED")
    found, people = tally.c, func.sum(tally.c.people)
    no_word, no_number = cast(null(), String), cast(null(), Integer)
    countries = select(literal(True), found.country, no_number, found.language, people)
    unions = select(literal(False), no_word, found.union_id, found.language, people)
    rows = session.execute(
        union_all(countries.group_by(found.country, found.language), unions.group_by(found.union_id, found.language))
    ).all()
    meant = segments.are_read(segment, {row[3] for row in rows})
    by_country, by_union, by_language = Counter[str | None](), Counter[int | None](), Counter[str | None]()
    for is_of_country, country, union_id, language, number in rows:
        if language not in meant:
            continue
        if is_of_country:
            by_country[country] += int(number)
            by_language[language] += int(number)
        else:
            by_union[union_id] += int(number)
    return Size(by_language.total(), by_country, by_union, by_language)
