"""What needs an organiser now: what is under way, what waits for somebody, and what will before long. It names nobody.

Reads what is on an index, or of tables that are small; of a campaign's deliveries, never all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from mailer.campaigns import asking
from mailer.cases import endings, target_book
from mailer.cases.endings import Ending
from mailer.delivery.alarms import REASONS, Alarm
from mailer.mail.feedback.types import Kind
from mailer.reports import called_spam, returned
from mailer.store import db
from mailer.store.models import (
    Application,
    Campaign,
    CampaignAlarm,
    CampaignStatus,
    Delivery,
    DeliveryState,
    MailEvent,
    MailEventCount,
    Purpose,
)

#: how many unknown deliveries of a campaign are counted: more are "so many, or more"
MOST_COUNTED = 1_000
#: for how long what stayed unknown of a campaign that is over still waits for a decision, and complaints about it warn
_DECIDED_AFTER = timedelta(days=14)
_S = CampaignStatus
_IS_UNKNOWN = (Delivery.purpose == Purpose.CAMPAIGN, Delivery.state == DeliveryState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Moving:
    """A campaign that is not at rest."""

    id: int
    slug: str
    status: CampaignStatus
    since: datetime | None  # when it was started, or paused; of one that is scheduled, when it will start
    reason: str | None  # why it is paused, or does not get on
    words: str | None  # of whoever paused it
    account_id: int | None  # whose these are


@dataclass(frozen=True, slots=True)
class Unsure:
    """A campaign of which nobody knows whether some of its mails arrived."""

    slug: str
    number: int  # of its mails; `MOST_COUNTED` at most


@dataclass(frozen=True, slots=True)
class Complained:
    """A campaign of which more mails were called spam than is usual."""

    slug: str
    in_1000: int | None  # of the mails that were sent, from so many on: 1 or 3; None where they may be too many


@dataclass(frozen=True, slots=True)
class Attention:
    """What needs an organiser, each kind in the order in which to look at it."""

    going_out: Sequence[Moving]
    scheduled: Sequence[Moving]
    paused: Sequence[Moving]
    complained: Sequence[Complained]
    unsure: Sequence[Unsure]
    doubtful_targets: Sequence[str]  # slugs
    endings: Sequence[Ending]
    applications: int  # of unions that ask to affiliate

    @property
    def is_quiet(self) -> bool:
        """Whether nothing does."""
        return not any(
            (
                self.going_out,
                self.scheduled,
                self.paused,
                self.complained,
                self.unsure,
                self.doubtful_targets,
                self.endings,
                self.applications,
            )
        )


def look(session: Session) -> Attention:
    """See what needs an organiser."""
    moving = moving_campaigns(session)
    return Attention(
        going_out=[each for each in moving if each.status is _S.SENDING],
        scheduled=[each for each in moving if each.status is _S.SCHEDULED],
        paused=[each for each in moving if each.status is _S.PAUSED],
        complained=_complained(session),
        unsure=_unsure(session),
        doubtful_targets=target_book.doubtful(session),
        endings=endings.soon(session, db.now(session).date()),
        applications=session.scalar(select(func.count(Application.id))) or 0,
    )


def moving_campaigns(session: Session) -> Sequence[Moving]:
    """The campaigns that go out, are scheduled or paused: what is next, or began first, first."""
    rows = session.execute(
        select(
            Campaign.id,
            Campaign.slug,
            Campaign.status,
            Campaign.scheduled_at,
            Campaign.started_at,
            Campaign.held_at,
            Campaign.hold_reason,
            Campaign.hold_words,
            Campaign.held_by,
        )
        .where(Campaign.status.in_([_S.SENDING, _S.SCHEDULED, _S.PAUSED]))
        .order_by(Campaign.id)
    )
    moving = []
    for row_id, slug, status, scheduled_at, started_at, held_at, reason, words, account_id in rows:
        since = {_S.SENDING: started_at, _S.SCHEDULED: scheduled_at}.get(status, held_at)
        moving.append(Moving(row_id, slug, status, since, reason, words, account_id))
    return sorted(moving, key=lambda each: (each.since is None, each.since))


def under_way(session: Session) -> int:
    """How many campaigns are under way or scheduled: what would be paused if all were."""
    which = Campaign.status.in_([_S.SENDING, _S.SCHEDULED])
    return session.scalar(select(func.count(Campaign.id)).where(which)) or 0


def _complained(session: Session) -> list[Complained]:
    """The campaigns under way, or over of late, of which too many mails were called spam, or may have been, the latest
    first; without those that are paused for it."""
    since = db.now(session) - _DECIDED_AFTER
    for_it = (Campaign.status == _S.PAUSED) & (Campaign.hold_reason == REASONS[Alarm.COMPLAINTS])
    some = (
        CampaignAlarm.complaints_in_1000 > 0,
        exists().where(MailEvent.campaign_id == Campaign.id, MailEvent.kind == Kind.COMPLAINT),
        exists().where(MailEventCount.campaign_id == Campaign.id, MailEventCount.kind == Kind.COMPLAINT),
    )
    campaigns = session.scalars(
        select(Campaign)
        .outerjoin(CampaignAlarm, CampaignAlarm.campaign_id == Campaign.id)
        .where(
            or_(*some),
            Campaign.status.in_([_S.SENDING, _S.PAUSED, _S.SENT]),
            or_(Campaign.finished_at.is_(None), Campaign.finished_at > since),
            ~for_it,
        )
        .order_by(Campaign.id.desc())
    )
    told = [
        (campaign.slug, called_spam.of(session, campaign, returned.count(session, campaign).complaints))
        for campaign in campaigns
    ]
    return [Complained(slug, each.in_1000) for slug, each in told if each.is_alarm]


def _unsure(session: Session) -> list[Unsure]:
    """The campaigns that could have what is unknown of them sent again, and of which nobody has said no to that by
    letting time go by; the latest first."""
    some = (
        select(Delivery.id)
        .where(Delivery.campaign_id == Campaign.id, *_IS_UNKNOWN)
        .limit(MOST_COUNTED)
        .correlate(Campaign)
        .subquery()
    )
    number = select(func.count()).select_from(some).scalar_subquery()
    since = db.now(session) - _DECIDED_AFTER
    rows = session.execute(
        select(Campaign.slug, number)
        .where(
            Campaign.status.in_([_S.SENDING, _S.PAUSED, _S.SENT]),
            Campaign.started_at.is_not(None),
            or_(Campaign.finished_at.is_(None), Campaign.finished_at > since),
            ~asking.has_ended(),
        )
        .order_by(Campaign.id.desc())
    )
    return [Unsure(slug, count) for slug, count in rows if count]
