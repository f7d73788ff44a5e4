"""What came of a campaign: where it went, who left after it and why, what was refused, and what unions did with it.

What is counted of a whole campaign is exact: it is for those who mail these people, and know how many they are. What is
counted of some of them, by country, union or language, hides small numbers, also where it stands beside the whole. In
`for_others` the whole hides them too: that is what a file has which gets passed on.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, exists, func, select
from sqlalchemy.orm import Session, aliased

from mailer.campaigns.editions import Texts
from mailer.delivery.ledger import audience_of
from mailer.kits import progress as kit_progress
from mailer.locale import countries
from mailer.people.small_numbers import SMALLEST_SHOWN, Sum, hidden_in_sums, hide_one, hide_small
from mailer.reports import progress as campaign_progress
from mailer.reports import refusals
from mailer.reports.progress import Progress
from mailer.reports.refusals import Refusal
from mailer.store import scope
from mailer.store.models import Campaign, Delivery, DeliveryState, Purpose, Subscription, SubscriptionStatus
from mailer.unions import directory


class By(StrEnum):
    """What the mails that were sent are counted by."""

    COUNTRY = "country"
    UNION = "union"
    LANGUAGE = "language"  # that the reader chose
    TEXT = "text"  # the language of the text that they got


_COLUMNS = {By.COUNTRY: Delivery.country, By.UNION: Delivery.union_id, By.LANGUAGE: Delivery.language}
_Cell = tuple[By, str] | None  # the mails of a row; None: of all rows together
#: whom a campaign may have moved to leave: it went out to them, or may have
_MAILED = (DeliveryState.SENT, DeliveryState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Row:
    """How many mails were sent to people who have something in common."""

    key: str  # a country's code, a union's slug, a language; "" for people who did not say, or of whom it is not told
    name: str
    mails: int | None  # None: hidden
    is_named: bool = True  # whether it may be named; a union may have asked not to be


@dataclass(frozen=True, slots=True)
class Kits:
    """What unions did with a campaign, all together."""

    sent: int  # kits that went out to a union, or that it answered
    answered: int
    forwarded: int
    reached: int  # members, as the unions say


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """What came of a campaign."""

    progress: Progress
    spreads: Mapping[By, Sequence[Row] | None]  # as `spreads` counts them
    left: int  # who were mailed it, and left its list before they were mailed another from it
    reasons: Sequence[str] | None  # in their words, by the alphabet; None while fewer than ten have given one
    refusals: Sequence[Refusal]
    kits: Kits

    def to_json(self) -> dict[str, Any]:
        """As `report --json` prints it."""
        spreads = {
            by.value: None if rows is None else [asdict(each) for each in rows] for by, rows in self.spreads.items()
        }
        return self.progress.to_json() | {
            "sent_by": spreads,
            "left": self.left,
            "reasons": self.reasons,
            "refusals": [asdict(each) for each in self.refusals],
            "kits": asdict(self.kits),
        }


def report(session: Session, campaign: Campaign) -> CampaignReport:
    """What came of a campaign so far."""
    progress = campaign_progress.of_campaign(session, campaign)
    left, reasons = _leaves(session, campaign)
    return CampaignReport(
        progress=progress,
        spreads=spreads(session, campaign),
        left=left,
        reasons=reasons,
        refusals=refusals.refusals(session, campaign, progress.states),
        kits=_kits(session, campaign),
    )


# --- where it went --------------------------------------------------------------------------------------------------


def spreads(session: Session, campaign: Campaign) -> dict[By, Sequence[Row] | None]:
    """How many mails were sent by country, union, language of the reader, and language of the text.

    :returns: the largest first and those that are hidden last, by name. None where the number of all mails would give
        some away, as it does where there are fewer than ten.
    """
    by_country, by_union, by_language = (_count(session, campaign, by) for by in (By.COUNTRY, By.UNION, By.LANGUAGE))
    unions = _Unions(session)
    found = {
        By.COUNTRY: _alone(By.COUNTRY, {key or "": number for key, number in by_country.items()}),
        By.UNION: _alone(By.UNION, unions.by_slug(by_union)),
        **_languages(by_language, Texts(campaign) if by_language else None),
    }
    return {by: None if shown is None else _rows(by, shown, unions) for by, shown in found.items()}


def _count(session: Session, campaign: Campaign, by: By) -> dict[Any, int]:
    counted = session.execute(
        select(_COLUMNS[by], func.count())
        .where(*audience_of(campaign.id), Delivery.state == DeliveryState.SENT)
        .group_by(_COLUMNS[by])
    )
    return {key: number for key, number in counted}  # noqa: C416 - mypy knows no pairs in rows


def _alone(by: By, counts: Mapping[str, int]) -> dict[str, int | None] | None:
    """What to show of numbers that no other table shows a sum of, save that of all."""
    return _shown(by, {(by, key): number for key, number in counts.items()}, [])


def _languages(by_language: Mapping[str | None, int], texts: Texts | None) -> dict[By, dict[str, int | None] | None]:
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


def _shown(by: By, counts: Mapping[_Cell, int], sums: Sequence[Sum[_Cell]]) -> dict[str, int | None] | None:
    """What to show of one table, where all mails are the sum of the cells that are part of no other.

    What a hidden cell is the sum of is not even named: as many as are named, there are at least.

    :returns: None if the number of all mails would give numbers away that are hidden, or where nothing is left to show.
    """
    of_others = {part for each in sums for part in each.parts}
    sums = [Sum(None, [cell for cell in counts if cell not in of_others]), *sums]
    numbers = {**counts, None: sum(counts[cell] for cell in sums[0].parts)}
    hidden = hidden_in_sums(numbers, sums)
    total_of = {part: each.total for each in sums for part in each.parts}
    named = [cell for cell in counts if cell and cell[0] is by and total_of[cell] not in hidden]
    if counts and not named:
        return None
    return {cell[1]: None if cell in hidden else counts[cell] for cell in named if cell}


class _Unions:
    """What rows by union are called."""

    def __init__(self, session: Session) -> None:
        told = scope.told_unions(session)
        self._known = {each.id: each for each in directory.all_unions(session) if told is None or each.id in told}
        alike = Counter(union.name for union in self._known.values())
        self._names = {
            union.slug: (union.name if alike[union.name] == 1 else f"{union.name} ({union.slug})", union.is_named)
            for union in self._known.values()
        }

    def by_slug(self, counts: Mapping[int | None, int]) -> Counter[str]:
        """Numbers by slug; "" for no union, and for those that must not be told."""
        by_slug: Counter[str] = Counter()
        for union_id, number in counts.items():
            by_slug[self._known[union_id].slug if union_id in self._known else ""] += number
        return by_slug

    def name(self, slug: str) -> tuple[str, bool]:
        """What a union is called, and whether it may be named."""
        return self._names[slug] if slug else ("", True)


def _rows(by: By, shown: Mapping[str, int | None], unions: _Unions) -> list[Row]:
    rows = []
    for key, number in shown.items():
        name, is_named = unions.name(key) if by is By.UNION else (key, True)
        rows.append(Row(key, countries.name(key, "en") if key and by is By.COUNTRY else name, number, is_named))
    return sorted(rows, key=lambda row: (row.mails is None, -(row.mails or 0), row.name, row.key))


# --- who left after it ----------------------------------------------------------------------------------------------


def _leaves(session: Session, campaign: Campaign) -> tuple[int, list[str] | None]:
    """How many left the list after this campaign and before another one went to them, and why, in their words: all of
    these, with nothing of who wrote which, but none of fewer than ten."""
    if campaign.started_at is None:
        return 0, None
    later, of_later = aliased(Delivery), aliased(Campaign)
    had_another = (
        exists()
        .where(later.subscriber_id == Subscription.subscriber_id, later.purpose == Purpose.CAMPAIGN)
        .where(later.state.in_(_MAILED))
        .where(of_later.id == later.campaign_id, of_later.list_id == campaign.list_id)
        .where(of_later.started_at > campaign.started_at)
    )
    reasons = session.scalars(
        select(Subscription.reason)
        .join(Delivery, and_(Delivery.subscriber_id == Subscription.subscriber_id, *audience_of(campaign.id)))
        .where(Delivery.state.in_(_MAILED))
        # Who left is not mailable: an index that this says is what keeps it from reading the whole list.
        .where(Subscription.list_id == campaign.list_id, Subscription.mailable.is_(False))
        .where(Subscription.status == SubscriptionStatus.UNSUBSCRIBED, ~had_another)
    ).all()
    given = sorted((reason for reason in reasons if reason), key=lambda reason: (reason.casefold(), reason))
    return len(reasons), given if len(given) >= SMALLEST_SHOWN else None


# --- kits -----------------------------------------------------------------------------------------------------------


def _kits(session: Session, campaign: Campaign) -> Kits:
    kits = [each for each in kit_progress.of_campaign(session, campaign) if each.union is not None]
    answered = [each for each in kits if each.seen_at or each.promised_at or each.forwarded_at]
    return Kits(
        sent=sum(1 for each in kits if each.sent_at or each in answered),
        answered=len(answered),
        forwarded=sum(1 for each in kits if each.forwarded_at),
        reached=sum(each.reached or 0 for each in kits),
    )


# --- for others -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One number that may be passed on."""

    what: str  # "sent", "country", …
    key: str
    name: str
    number: int | None  # None: hidden


def for_others(found: CampaignReport) -> Iterator[Line]:
    """What may be passed on of a report: nothing in anybody's words, no union that asked not to be named, and no small
    number of people, whatever it is a sum of. What is no number of people, such as that of kits, stays as it is.
    """
    yield Line("sent", "", "", hide_one(found.progress.states[DeliveryState.SENT]))
    for by, rows in found.spreads.items():
        for row in rows or ():
            key, name = (row.key, row.name) if row.is_named else ("", "(asked not to be named)")
            yield Line(by.value, key, name, row.mails)
    yield Line("left", "", "", hide_one(found.left))
    yield from _refusals_for_others(found.refusals)
    for what in ("sent", "answered", "forwarded"):
        yield Line("kits", what, "", getattr(found.kits, what))
    yield Line("kits", "reached", "", hide_one(found.kits.reached))


def _refusals_for_others(found: Sequence[Refusal]) -> Iterator[Line]:
    kinds = {f"{each.answer} {each.state}": each for each in found}
    for kind, number in hide_small({kind: each.count for kind, each in kinds.items()}).items():
        yield Line(kinds[kind].state.value, "", kinds[kind].answer, number)
