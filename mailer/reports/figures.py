"""A campaign's figures: counted from the ledger, and kept once it is over.

To count a million deliveries takes seconds, so a page shows what housekeeping counted and kept. And figures that were
reported must not move: the ledger forgets where somebody lived when they have themselves erased, and to the hour when
what went out. What is kept of a campaign that is over stays, until somebody has it sent again or a journal that turned
up late makes known what was unknown. Only departures go on being counted, for two weeks: people leave after they got
it.

Kept are sums, encrypted, without the small numbers that a report hides.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, exists, func, or_, select
from sqlalchemy.orm import Session, defer

from mailer.delivery.ledger import audience_of
from mailer.reports import departures, domains, progress, refusals, spreads
from mailer.reports.departures import Departures
from mailer.reports.domains import Domains
from mailer.reports.spreads import By, Shown
from mailer.store import db
from mailer.store.db import session_scope
from mailer.store.models import Campaign, CampaignFigures, CampaignStatus, Delivery, DeliveryState

#: for how long departures are counted after the end
DEPARTURES_FOR = timedelta(days=14)
#: deliveries that are counted while somebody waits for a page
_FEW = 10_000
_OPEN = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEFERRED)
_OVER = (CampaignStatus.SENT, CampaignStatus.CANCELLED)
_UNDER_WAY = (CampaignStatus.SENDING, CampaignStatus.PAUSED)
#: how old figures that still move may become: so many times as long as it took to count them, and at least a while
_AGE_BY_COST = 100
_AGE = timedelta(minutes=1)
_AGE_OF_DEPARTURES = timedelta(hours=1)


class Unit(StrEnum):
    """How long a slot of the timeline is."""

    TEN_MINUTES = "ten minutes"
    HOUR = "hour"
    DAY = "day"  # of UTC

    @property
    def length(self) -> timedelta:
        """From the beginning of a slot to that of the next."""
        return _LENGTH[self]


_LENGTH = {Unit.TEN_MINUTES: timedelta(minutes=10), Unit.HOUR: timedelta(hours=1), Unit.DAY: timedelta(days=1)}
_MOST_SLOTS = 48  # which are drawn beside each other


@dataclass(frozen=True, slots=True)
class Timeline:
    """When mails went out."""

    unit: Unit
    slots: Sequence[tuple[datetime, int]]  # when each began → mails that were sent in it; from the first to the last


@dataclass(frozen=True, slots=True)
class Answer:
    """One kind of refusal."""

    state: DeliveryState
    smtp_code: int | None
    enhanced_code: str | None
    reason: str | None
    count: int
    is_estimate: bool


@dataclass(frozen=True, slots=True)
class Sending:
    """What became of the deliveries of a campaign."""

    states: Mapping[DeliveryState, int]
    spreads: Mapping[By, Shown]
    timeline: Timeline
    domains: Domains
    answers: Sequence[Answer]  # of servers that refused, the most frequent first

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "states": dict(self.states),
            "spreads": dict(self.spreads),
            "timeline": [self.timeline.unit, [[start.isoformat(), number] for start, number in self.timeline.slots]],
            "domains": asdict(self.domains),
            "answers": [asdict(each) for each in self.answers],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Sending":
        """What `to_json` made."""
        unit, slots = kept["timeline"]
        refused = kept["domains"]
        return cls(
            states={state: kept["states"].get(state, 0) for state in DeliveryState},
            spreads={by: kept["spreads"][by] for by in By},
            timeline=Timeline(Unit(unit), [(datetime.fromisoformat(start), number) for start, number in slots]),
            domains=Domains(
                tuple((domain, number) for domain, number in refused["rows"]), refused["looked_at"], refused["refused"]
            ),
            answers=[Answer(**{**each, "state": DeliveryState(each["state"])}) for each in kept["answers"]],
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What a campaign came to."""

    counted_at: datetime
    sending: Sending
    is_final: bool  # the campaign is over: nothing of it but departures moves any more
    departures: Departures
    departures_at: datetime  # when they were counted
    departures_until: datetime | None  # until when they are; None while it is under way
    is_closed: bool  # they do not move any more either


# --- reading --------------------------------------------------------------------------------------------------------


def of(session: Session, campaign: Campaign) -> Figures | None:
    """The figures to show of a campaign: those that are kept, or, where it has few deliveries, as they are now.

    :returns: None where there are many, and nobody has counted them yet.
    """
    found = kept(session, campaign)
    if found is not None and found.is_final:
        return found
    return count(session, campaign) if _has_few(session, campaign) else found


def kept(session: Session, campaign: Campaign) -> Figures | None:
    """What was counted last, if it still holds."""
    row = session.get(CampaignFigures, campaign.id)
    if row is None:
        return None
    is_final = row.ended_at is not None and row.ended_at == campaign.finished_at
    return Figures(
        counted_at=row.counted_at,
        sending=Sending.from_json(row.sending),
        is_final=is_final,
        departures=Departures(**row.departures),
        departures_at=row.departures_at,
        departures_until=row.ended_at + DEPARTURES_FOR if is_final and row.ended_at else None,
        is_closed=is_final and row.is_closed,
    )


def _has_few(session: Session, campaign: Campaign) -> bool:
    some = select(Delivery.id).where(*audience_of(campaign.id)).limit(_FEW + 1).subquery()
    return (session.scalar(select(func.count()).select_from(some)) or 0) <= _FEW


# --- counting -------------------------------------------------------------------------------------------------------


def count(session: Session, campaign: Campaign) -> Figures:
    """Count a campaign's deliveries, and who has left."""
    now = db.now(session)
    is_final = campaign.finished_at is not None and _is_over(session, campaign)
    until = campaign.finished_at + DEPARTURES_FOR if is_final and campaign.finished_at else None
    states = progress.of_campaign(session, campaign).states
    return Figures(
        counted_at=now,
        sending=Sending(
            states=states,
            spreads=spreads.count(session, campaign),
            timeline=_timeline(session, campaign),
            domains=domains.count(session, campaign),
            answers=[
                Answer(each.state, each.smtp_code, each.enhanced_code, each.reason, each.count, each.is_estimate)
                for each in refusals.refusals(session, campaign, states)
            ],
        ),
        is_final=is_final,
        departures=departures.count(session, campaign),
        departures_at=now,
        departures_until=until,
        is_closed=until is not None and until <= now,
    )


def _is_over(session: Session, campaign: Campaign) -> bool:
    """Whether nothing of it will go out. Of one that was cancelled a worker may still hold a few."""
    owed = exists().where(*audience_of(campaign.id), Delivery.state.in_(_OPEN))
    return campaign.status in _OVER and not session.scalar(select(owed))


def _timeline(session: Session, campaign: Campaign) -> Timeline:
    """When mails went out, as fine as it is known, and in no more slots than can be drawn, if days are not more.

    Of what has no claim any more only the day is known (`delivery.forgetting`).
    """
    slot = db.ten_minutes_of(session, Delivery.settled_at).label("slot")
    counted = session.execute(
        select(slot, func.count(), func.count(Delivery.fence))
        .where(*audience_of(campaign.id), Delivery.state == DeliveryState.SENT, Delivery.settled_at.is_not(None))
        .group_by(slot)
    ).all()
    if not counted:
        return Timeline(Unit.DAY, [])
    by_slot = {start: number for start, number, _ in counted}
    span = max(by_slot) - min(by_slot)
    has_hours = all(number == exact for _, number, exact in counted)
    units = [unit for unit in Unit if has_hours and span < _MOST_SLOTS * _LENGTH[unit]] or [Unit.DAY]
    return Timeline(units[0], _in_slots(by_slot, units[0]))


def _in_slots(by_slot: Mapping[datetime, int], unit: Unit) -> list[tuple[datetime, int]]:
    """The same numbers in slots of a unit, with those between in which nothing went out."""
    numbers: Counter[datetime] = Counter()
    for start, number in by_slot.items():
        numbers[_start(start, unit)] += number
    first, last, length = min(numbers), max(numbers), _LENGTH[unit]
    return [(moment, numbers[moment]) for moment in (first + i * length for i in range((last - first) // length + 1))]


def _start(moment: datetime, unit: Unit) -> datetime:
    if unit is Unit.TEN_MINUTES:
        return moment
    return moment.replace(minute=0) if unit is Unit.HOUR else moment.replace(hour=0, minute=0)


# --- keeping --------------------------------------------------------------------------------------------------------


def keep(engine: Engine) -> None:
    """Count what was not counted yet, or has moved since, and keep it. May be called as often as one likes: of what is
    under way it is done so rarely that it takes a hundredth of the time.

    :raises DatabaseUnavailable: what was done before stays done.
    """
    with session_scope(engine, read_only=True) as session:
        due = _due(session)
    for campaign_id in due:
        began = time.monotonic()
        with session_scope(engine, read_only=True) as session:  # nobody waits for it
            campaign = session.get(Campaign, campaign_id)
            if campaign is None:
                continue
            ended_at = campaign.finished_at
            found = _departures_alone(session, campaign) or count(session, campaign)
        with session_scope(engine) as session:
            # Locked, so that a resend which begins the campaign again comes before or after.
            campaign = session.get(Campaign, campaign_id, with_for_update={"read": True})
            if campaign is None or campaign.finished_at != ended_at:
                continue
            if isinstance(found, Departures):
                _keep_departures(session, campaign, found)
            else:
                _keep(session, campaign, found, seconds=time.monotonic() - began)


def _departures_alone(session: Session, campaign: Campaign) -> Departures | None:
    """Who has left, of a campaign of which all else stays as it was counted."""
    row = session.get(CampaignFigures, campaign.id)
    return departures.count(session, campaign) if row and _holds(session, campaign, row) else None


def _due(session: Session) -> list[int]:
    """Campaigns of which there is something to count. Of those that do not move any more it reads none: they become
    many."""
    now = db.now(session)
    moves = or_(
        Campaign.status.in_(_UNDER_WAY),
        CampaignFigures.campaign_id.is_(None),
        CampaignFigures.ended_at.is_distinct_from(Campaign.finished_at),
        CampaignFigures.is_closed.is_(False),
        CampaignFigures.unknown > 0,
    )
    rows = session.execute(
        select(Campaign, CampaignFigures)
        .outerjoin(CampaignFigures, CampaignFigures.campaign_id == Campaign.id)
        .where(Campaign.status.in_((*_OVER, *_UNDER_WAY)), Campaign.started_at.is_not(None), moves)
        .order_by(Campaign.id)
        .options(defer(CampaignFigures.sending), defer(CampaignFigures.departures))
    )
    return [campaign.id for campaign, row in rows if _is_due(session, campaign, row, now)]


def _is_due(session: Session, campaign: Campaign, row: CampaignFigures | None, now: datetime) -> bool:
    is_fresh = row and now - row.counted_at <= max(_AGE, timedelta(milliseconds=row.milliseconds) * _AGE_BY_COST)
    if campaign.status in _UNDER_WAY:
        return not is_fresh and not _has_few(session, campaign)
    if row is None or row.ended_at != campaign.finished_at:
        return _is_over(session, campaign)
    if not row.is_closed and now - row.departures_at > _AGE_OF_DEPARTURES:
        return True
    return not _holds(session, campaign, row)


def _holds(session: Session, campaign: Campaign, row: CampaignFigures) -> bool:
    """Whether what was counted at the end of a campaign is still so."""
    if row.ended_at is None or row.ended_at != campaign.finished_at:
        return False
    return not row.unknown or row.unknown == _unknown(session, campaign)


def _unknown(session: Session, campaign: Campaign) -> int:
    is_unknown = (*audience_of(campaign.id), Delivery.state == DeliveryState.UNKNOWN)
    return session.scalar(select(func.count()).where(*is_unknown)) or 0


def _keep(session: Session, campaign: Campaign, found: Figures, *, seconds: float) -> None:
    known = session.get(CampaignFigures, campaign.id, with_for_update=True)
    row = known or CampaignFigures(campaign_id=campaign.id)
    row.counted_at, row.milliseconds = found.counted_at, round(seconds * 1000)
    row.ended_at = campaign.finished_at if found.is_final else None
    row.unknown = found.sending.states[DeliveryState.UNKNOWN]
    row.sending = found.sending.to_json()
    row.departures, row.departures_at = asdict(found.departures), found.counted_at
    row.is_closed = found.is_closed
    if known is None:
        db.add_unique(session, row)  # another worker may just have counted the same


def _keep_departures(session: Session, campaign: Campaign, gone: Departures) -> None:
    row = session.get_one(CampaignFigures, campaign.id, with_for_update=True)
    now = db.now(session)
    if not row.is_closed and row.ended_at is not None:
        row.departures, row.departures_at = asdict(gone), now
        row.is_closed = row.ended_at + DEPARTURES_FOR <= now
