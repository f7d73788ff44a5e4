"""Where a campaign went: its mails by country, union and language, with no number that points to anybody."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.campaigns.editions import Texts
from mailer.delivery.ledger import audience_of
from mailer.locale import countries
from mailer.people.small_numbers import Sum, hidden_in_sums
from mailer.store import scope
from mailer.store.models import Campaign, Delivery, DeliveryState
from mailer.unions import directory


class By(StrEnum):
    """What the mails that were sent are counted by."""

    COUNTRY = "country"
    UNION = "union"
    LANGUAGE = "language"  # that the reader chose
    TEXT = "text"  # the language of the text that they got


_Cell = tuple[By, str] | None  # the mails of a row; None: of all rows together
#: What may be shown of one table: a country's code, the id of a union or a language → mails, None for a number that is
#: hidden. "" stands for people who did not say, or of whom it is not told. None for the whole: see `spreads`.
Shown = Mapping[str, int | None] | None


@dataclass(frozen=True, slots=True)
class Row:
    """How many mails were sent to people who have something in common."""

    key: str  # a country's code, a union's slug, a language; "" for people who did not say, or of whom it is not told
    name: str
    mails: int | None  # None: hidden
    is_named: bool = True  # whether it may be named; a union may have asked not to be


def spreads(session: Session, campaign: Campaign) -> dict[By, Sequence[Row] | None]:
    """How many mails were sent by country, union, language of the reader, and language of the text.

    :returns: the largest first and those that are hidden last, by name. None where the number of all mails would give
        some away, as it does where there are fewer than ten.
    """
    return named(session, count(session, campaign))


def count(session: Session, campaign: Campaign) -> dict[By, Shown]:
    """Likewise, before it is known what unions are called: what can be kept."""
    by_country, by_union, by_language = _count(session, campaign)
    told = _told(session) if by_union else set()
    by_told: Counter[str] = Counter()
    for union_id, number in by_union.items():
        by_told[str(union_id) if union_id in told else ""] += number
    return {
        By.COUNTRY: _alone(By.COUNTRY, {key or "": number for key, number in by_country.items()}),
        By.UNION: _alone(By.UNION, by_told),
        **_languages(by_language, Texts(campaign) if by_language else None),
    }


def _told(session: Session) -> set[int]:
    told = scope.told_unions(session)
    return {union.id for union in directory.all_unions(session) if told is None or union.id in told}


def named(session: Session, found: Mapping[By, Shown]) -> dict[By, Sequence[Row] | None]:
    """Rows of what was counted, as things are called now."""
    unions = {str(union.id): union for union in directory.all_unions(session)} if found[By.UNION] else {}
    alike = Counter(union.name for union in unions.values())

    def row(by: By, key: str, number: int | None) -> Row:
        if by is By.COUNTRY:
            return Row(key, countries.name(key, "en") if key else "", number)
        if by is not By.UNION or not key:
            return Row(key, key, number)
        union = unions[key]
        name = union.name if alike[union.name] == 1 else f"{union.name} ({union.slug})"
        return Row(union.slug, name, number, union.is_named)

    return {
        by: None if shown is None else _sorted([row(by, *each) for each in shown.items()])
        for by, shown in found.items()
    }


def _sorted(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.mails is None, -(row.mails or 0), row.name, row.key))


def _count(
    session: Session, campaign: Campaign
) -> tuple[Counter[str | None], Counter[int | None], Counter[str | None]]:
    """Mails by country, by union and by language: in one go, since to read a million rows takes seconds."""
    mails = session.execute(
        select(Delivery.country, Delivery.union_id, Delivery.language, func.count())
        .where(*audience_of(campaign.id), Delivery.state == DeliveryState.SENT)
        .group_by(Delivery.country, Delivery.union_id, Delivery.language)
    )
    by_country, by_union, by_language = Counter[str | None](), Counter[int | None](), Counter[str | None]()
    for country, union_id, language, number in mails:
        by_country[country] += number
        by_union[union_id] += number
        by_language[language] += number
    return by_country, by_union, by_language


def _alone(by: By, counts: Mapping[str, int]) -> Shown:
    """What to show of numbers that no other table shows a sum of, save that of all."""
    return _shown(by, {(by, key): number for key, number in counts.items()}, [])


def _languages(by_language: Mapping[str | None, int], texts: Texts | None) -> dict[By, Shown]:
    """Likewise, of the languages of readers and of texts together: those of a text's readers add up to it."""
    if texts is None:
        return {By.LANGUAGE: {}, By.TEXT: {}}
    text_of = {key or "": texts.for_language(key).language for key in by_language}
    counts: Counter[_Cell] = Counter()
    for key, number in by_language.items():
        counts[By.LANGUAGE, key or ""] += number
        counts[By.TEXT, text_of[key or ""]] += number
    readers: list[Sum[_Cell]] = [
        Sum((By.TEXT, text), [(By.LANGUAGE, key) for key in text_of if text_of[key] == text])
        for text in set(text_of.values())
    ]
    return {by: _shown(by, counts, readers) for by in (By.LANGUAGE, By.TEXT)}


def _shown(by: By, counts: Mapping[_Cell, int], sums: Sequence[Sum[_Cell]]) -> Shown:
    """What to show of one table, where all mails are the sum of the cells that are part of no other.

    What a hidden cell is the sum of is not even named: as many as are named, there are at least.

    :returns: None if the number of all mails would give numbers away that are hidden, or where nothing is left to show.
    """
    of_others = {part for each in sums for part in each.parts}
    sums = [Sum(None, [cell for cell in counts if cell not in of_others]), *sums]
    numbers = {**counts, None: sum(counts[cell] for cell in sums[0].parts)}
    hidden = hidden_in_sums(numbers, sums)
    total_of = {part: each.total for each in sums for part in each.parts}
    shown = [cell for cell in counts if cell and cell[0] is by and total_of[cell] not in hidden]
    if counts and not shown:
        return None
    return {cell[1]: None if cell in hidden else counts[cell] for cell in shown if cell}
