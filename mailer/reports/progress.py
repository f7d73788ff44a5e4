"""What can be read of a campaign: where it stands, and who is in which state."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.campaigns import asking
from mailer.cases import history
from mailer.delivery.ledger import answered, audience_of
from mailer.delivery.message_ids import MessageIds, MessageKeyMissing
from mailer.delivery.verdicts import give_up_at
from mailer.reports import acted, called_spam, returned
from mailer.reports.called_spam import CalledSpam
from mailer.reports.refusals import Refusal, TestMail, refusals, test_mails
from mailer.reports.returned import Returned
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.models import (
    Asking,
    Campaign,
    CampaignStatus,
    CaseEventKind,
    Claim,
    Delivery,
    DeliveryState,
    Subscriber,
)

#: what a rate counts: a server answered for it
_ANSWERED = (DeliveryState.SENT, DeliveryState.FAILED)
#: rows that are looked at where all of a state would be too many
_LATEST = 20_000
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a campaign stands. `states` has all seven, and they add up to `audience`."""

    slug: str
    status: CampaignStatus
    asking: Asking  # of its case, too
    audience: int
    states: Mapping[DeliveryState, int]
    hold_reason: str | None
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """As `status --json` prints it."""
        report: dict[str, Any] = {
            "slug": self.slug,
            "status": self.status.value,
            "asking": self.asking.value,
            "audience": self.audience,
            "states": {state.value: count for state, count in self.states.items()},
            "hold_reason": self.hold_reason,
        }
        for moment in ("scheduled_at", "started_at", "finished_at"):
            time = getattr(self, moment)
            report[moment] = time.isoformat() if time else None
        return report

    @property
    def settled(self) -> int:
        """How many deliveries have come to an end."""
        unsettled = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEFERRED)
        return self.audience - sum(self.states[state] for state in unsettled)


def of_campaign(session: Session, campaign: Campaign) -> Progress:
    """Count a campaign's ledger."""
    counted = session.execute(
        select(Delivery.state, func.count()).where(*audience_of(campaign.id)).group_by(Delivery.state)
    )
    states = dict.fromkeys(DeliveryState, 0)
    states.update((state, count) for state, count in counted)
    return Progress(
        slug=campaign.slug,
        status=campaign.status,
        asking=asking.of(campaign),
        audience=sum(states.values()),
        states=states,
        hold_reason=campaign.hold_reason,
        scheduled_at=campaign.scheduled_at,
        started_at=campaign.started_at,
        finished_at=campaign.finished_at,
    )


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a campaign goes, in messages a second that a server answered for; None where nothing can be said."""

    last_minute: float | None
    overall: float | None  # since it was started, pauses and all


class WorkerState(StrEnum):
    """How a worker that holds some of a campaign does."""

    SENDING = "sending"  # its lease stands
    STALLED = "stalled"  # it lives, says its host, but its lease ran out
    LOST = "lost"  # its lease ran out, and its host has not said why


_WORST = (WorkerState.LOST, WorkerState.STALLED, WorkerState.SENDING)


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker that holds some of a campaign."""

    worker: str  # host name and process number
    state: WorkerState


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody decided about a campaign."""

    on: date
    kind: CaseEventKind
    words: Mapping[str, str]  # language → what may be shown of what they said


@dataclass(frozen=True, slots=True)
class Overview:
    """All that an organiser wants to know of a campaign under way. It names no recipient."""

    progress: Progress
    rate: Rate
    eta: datetime | None  # when the last that is not deferred will have gone, at the last minute's rate
    next_retry: datetime | None  # of what was deferred
    give_up_at: datetime | None  # until when that is tried again
    refusals: Sequence[Refusal]  # the most frequent first
    tests: Sequence[TestMail]  # the latest first
    workers: Sequence[WorkerSeen]
    history: Sequence[Step]  # the first one first
    returned: Returned
    acted: acted.Numbers
    called_spam: CalledSpam
    way_back: str | None  # where nobody is asked to act: how they would be

    def to_json(self) -> dict[str, Any]:
        """As `status --json` prints it."""
        report = self.progress.to_json() | {
            "rate": asdict(self.rate),
            "returned": self.returned.to_json(),
            "acted": {kind.value: number for kind, number in self.acted.items()},
            **self.called_spam.to_json(),
        }
        for moment in ("eta", "next_retry", "give_up_at"):
            time = getattr(self, moment)
            report[moment] = time.isoformat() if time else None
        for several in ("refusals", "tests", "workers", "history"):
            report[several] = [_to_json(each) for each in getattr(self, several)]
        return report


@dataclass(frozen=True, slots=True)
class Pace:
    """How a campaign gets on."""

    progress: Progress
    rate: Rate
    eta: datetime | None  # as in `Overview`
    next_retry: datetime | None
    give_up_at: datetime | None


def pace(session: Session, campaign: Campaign) -> Pace:
    """See how a campaign gets on: what changes while it is under way."""
    now = db.now(session)
    counted = of_campaign(session, campaign)
    rate = _rate(session, campaign, counted, now)
    is_deferred = counted.states[DeliveryState.DEFERRED] > 0
    return Pace(
        progress=counted,
        rate=rate,
        eta=_eta(counted, rate, now),
        next_retry=_next_retry(session, campaign) if is_deferred else None,
        give_up_at=give_up_at(campaign) if is_deferred else None,
    )


def _to_json(value: Refusal | TestMail | WorkerSeen | Step) -> dict[str, Any]:
    return {key: each.isoformat() if isinstance(each, date) else each for key, each in asdict(value).items()}


def overview(session: Session, campaign: Campaign) -> Overview:
    """See how a campaign does. Reads what is on an index and a bounded number of rows: a second at a million rows."""
    seen = pace(session, campaign)
    counted = seen.progress
    came_back = returned.count(session, campaign)
    return Overview(
        progress=counted,
        rate=seen.rate,
        eta=seen.eta,
        next_retry=seen.next_retry,
        give_up_at=seen.give_up_at,
        refusals=refusals(session, campaign, counted.states),
        tests=test_mails(session, campaign),
        workers=workers(session, campaign),
        history=steps(session, campaign),
        returned=came_back,
        acted=acted.numbers(session, campaign),
        called_spam=called_spam.of(session, campaign, came_back.complaints),
        way_back=asking.way_back(campaign) if counted.asking is not Asking.OPEN else None,
    )


def steps(session: Session, campaign: Campaign) -> list[Step]:
    """What was decided about a campaign, the first one first."""
    return [
        Step(line.happened_on, line.kind, dict(history.sayable(session, campaign.case_id, line.words)))
        for line in history.of_campaign(session, campaign.id)
    ]


def _rate(session: Session, campaign: Campaign, counted: Progress, now: datetime) -> Rate:
    if campaign.started_at is None:
        return Rate(None, None)
    seconds = ((campaign.finished_at or now) - campaign.started_at).total_seconds()
    number = sum(counted.states[state] for state in _ANSWERED)
    recent = _recent_rate(session, campaign, now) if campaign.status is CampaignStatus.SENDING else None
    return Rate(last_minute=recent, overall=round(number / max(seconds, 1.0), 2))


def _recent_rate(session: Session, campaign: Campaign, now: datetime) -> float:
    """Messages a second over the last minute; where many went in it, over as long as the last of them took."""
    assert campaign.started_at is not None  # noqa: S101 - it is being sent
    minute = min(_MINUTE, max(now - campaign.started_at, timedelta(seconds=1)))
    latest = (
        select(Delivery.settled_at)
        .where(*answered(campaign.id), Delivery.settled_at > now - minute)
        .order_by(Delivery.settled_at.desc())
        .limit(_LATEST)
        .subquery()
    )
    number, first = session.execute(select(func.count(), func.min(latest.c.settled_at))).one()
    span = now - first if number == _LATEST else minute
    rate: float = round(number / max(span.total_seconds(), 1.0), 2)
    return rate


def _eta(counted: Progress, rate: Rate, now: datetime) -> datetime | None:
    waiting = counted.states[DeliveryState.PENDING] + counted.states[DeliveryState.SENDING]
    if not waiting or not rate.last_minute:
        return None
    return (now + timedelta(seconds=waiting / rate.last_minute)).replace(microsecond=0)


def _next_retry(session: Session, campaign: Campaign) -> datetime | None:
    """When something deferred is due again; of very many, of some of them."""
    first = (
        select(Delivery.not_before)
        .where(*audience_of(campaign.id), Delivery.state == DeliveryState.DEFERRED)
        .order_by(Delivery.draw)
        .limit(_LATEST)
        .subquery()
    )
    due: datetime | None = session.scalar(select(func.min(first.c.not_before)))
    return due


def workers(session: Session, campaign: Campaign) -> list[WorkerSeen]:
    """Who holds some of a campaign."""
    now = db.now(session)
    claims = session.scalars(select(Claim).where(Claim.campaign_id == campaign.id).order_by(Claim.id))
    seen: dict[str, WorkerState] = {}
    for claim in claims:
        seen[claim.worker] = min(_state_of(claim, now), seen.get(claim.worker, WorkerState.SENDING), key=_WORST.index)
    return [WorkerSeen(worker, state) for worker, state in seen.items()]


def _state_of(claim: Claim, now: datetime) -> WorkerState:
    if claim.expires_at > now:
        return WorkerState.SENDING
    if claim.stalled_until is not None and claim.stalled_until > now:
        return WorkerState.STALLED
    return WorkerState.LOST


def recipients(session: Session, campaign: Campaign, state: DeliveryState) -> Iterator[dict[str, Any]]:
    """The recipients of a campaign that are in a state, as `recipients --json` prints them, in ledger order."""
    rows = session.execute(
        select(Delivery, Subscriber.email)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(*audience_of(campaign.id), Delivery.state == state)
        .order_by(Delivery.id)
        .execution_options(yield_per=500)
    )
    try:
        ids = MessageIds(keyring_of(session), campaign) if campaign.mail_domain else None
    except MessageKeyMissing:  # of one that was over long ago: what became of each is still known
        ids = None
    for delivery, email in rows:
        yield {
            "delivery": delivery.id,
            "email": email,
            "state": delivery.state.value,
            "reason": delivery.reason,
            "smtp_code": delivery.smtp_code,
            "smtp_text": delivery.smtp_text,
            "message_id": f"<{ids.make(delivery.id)}>" if ids else None,
            "attempts": delivery.attempts,
        }
