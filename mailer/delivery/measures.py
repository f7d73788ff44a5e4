"""What came back of a campaign, counted; what is read for that is bounded."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import LargeBinary, Select, bindparam, func, select, type_coerce
from sqlalchemy.orm import Session

from mailer.campaigns import kinds
from mailer.delivery import thresholds
from mailer.delivery.ledger import answered, audience_of
from mailer.delivery.thresholds import AGAINST_US, FEWEST_GONE, FIRST, PERMANENT, Reported
from mailer.delivery.verdicts import WINDOW
from mailer.mail.feedback import meanings
from mailer.mail.feedback.types import Kind
from mailer.people import returned
from mailer.store.crypto import UnreadableSecret, keyring_of
from mailer.store.models import (
    SERVERS_WORDS,
    Campaign,
    CampaignAlarm,
    CampaignStatus,
    Delivery,
    DeliveryState,
    MailEvent,
    MailEventCount,
    Purpose,
    Reason,
)


class Seen(NamedTuple):
    """A campaign, and what was noticed of it before."""

    id: int
    status: CampaignStatus
    kind: str
    resumed_at: datetime | None
    first_until: datetime | None
    complaints_before: int
    sure_complaints_before: int
    gone_before: int
    sure_gone_before: int
    sent_at_least: int
    complaints_in_1000: int

    @property
    def is_under_way(self) -> bool:
        """Whether it can be paused. A call to stop cannot: reports may be forged, and people would go on writing."""
        return self.status is CampaignStatus.SENDING and self.kind != kinds.STOP


# Made once, as in `inbound.acting`.
_NOTICED = (
    CampaignAlarm.complaints_before,
    CampaignAlarm.sure_complaints_before,
    CampaignAlarm.gone_before,
    CampaignAlarm.sure_gone_before,
    CampaignAlarm.sent_at_least,
    CampaignAlarm.complaints_in_1000,
)
_OF_CAMPAIGN = (Campaign.id, Campaign.status, Campaign.kind, Campaign.resumed_at, CampaignAlarm.first_until)
_SEEN = (
    select(*_OF_CAMPAIGN, *(func.coalesce(each, 0) for each in _NOTICED))
    .outerjoin(CampaignAlarm, CampaignAlarm.campaign_id == Campaign.id)
    .where(Campaign.id == bindparam("campaign"))
)
_IS_COMPLAINT = (
    MailEvent.campaign_id == bindparam("campaign"),
    MailEvent.kind == Kind.COMPLAINT,
    returned.IS_HEEDED,
    returned.IS_NO_HEARSAY,
)
_WAS_COMPLAINT = (
    MailEventCount.campaign_id == bindparam("campaign"),
    MailEventCount.kind == Kind.COMPLAINT,
    MailEventCount.category != returned.UNHEEDED,
)
_COMPLAINTS = select(
    select(func.count()).where(*_IS_COMPLAINT).scalar_subquery(),
    select(func.count()).where(*_IS_COMPLAINT, returned.IS_SURE).scalar_subquery(),
    select(func.sum(MailEventCount.number)).where(*_WAS_COMPLAINT).scalar_subquery(),
)
# Both are counted in an index: so of a campaign of which little comes back nothing else is read.
_CAME_BACK_GONE = select(func.count()).where(
    MailEvent.campaign_id == bindparam("campaign"), MailEvent.kind == Kind.BOUNCE, MailEvent.category.in_(PERMANENT)
)
_FAILED = select(func.count()).where(
    Delivery.campaign_id == bindparam("campaign"),
    Delivery.purpose == Purpose.CAMPAIGN,
    Delivery.state == DeliveryState.FAILED,
)
_LAST_REFUSED = (
    select(func.max(Delivery.settled_at))
    .join(MailEvent, MailEvent.delivery_id == Delivery.id)
    .where(
        MailEvent.campaign_id == bindparam("campaign"),
        MailEvent.kind == Kind.BOUNCE,
        MailEvent.category.in_(AGAINST_US),
        returned.IS_NO_HEARSAY,
    )
)


def last_refused(session: Session, campaign_id: int) -> datetime | None:
    """When the last mail went out that came back for what servers have against us."""
    last: datetime | None = session.scalar(_LAST_REFUSED, {"campaign": campaign_id})
    return last


def seen(session: Session, campaign_id: int) -> Seen:
    """What is known of a campaign before anything is counted."""
    return Seen._make(session.execute(_SEEN, {"campaign": campaign_id}).one())


# --- complaints -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Share:
    """How many of a campaign's mails were called spam."""

    sent: int
    in_1000: int  # the share from which organisers are told something: 0, 1 or 3
    is_too_much: bool  # of those that came since somebody last had it go on


def complaints(session: Session, campaign_id: int) -> Reported:
    """How often mails of a campaign were called spam. Of what is only a number by now, nobody knows how sure it was."""
    events, sure, numbers = session.execute(_COMPLAINTS, {"campaign": campaign_id}).one()
    return Reported(int(events) + int(numbers or 0), int(sure))


def share_of_complaints(session: Session, seen: Seen, *, anew: bool) -> Share | None:
    """The share of complaints; None where nothing can have changed. To count what was sent takes a while where it is
    much, so it is done when by the last count it would be too much: those who were sent it only become more.

    :param anew: find out as well whether a warning has passed.
    """
    number = complaints(session, seen.id)
    since = number.since(Reported(seen.complaints_before, seen.sure_complaints_before))
    is_known = thresholds.level(number.all, seen.sent_at_least) <= seen.complaints_in_1000
    may_pause = seen.is_under_way and thresholds.is_to_pause(since, seen.sent_at_least)
    if is_known and not may_pause and not (anew and seen.complaints_in_1000):
        return None
    mailed = (*audience_of(seen.id), Delivery.state == DeliveryState.SENT)
    sent = session.scalar(select(func.count()).where(*mailed)) or 0
    return Share(sent, thresholds.level(number.all, sent), thresholds.is_to_pause(since, sent))


# --- addresses that do not exist ------------------------------------------------------------------------------------


def is_bad_import(session: Session, seen: Seen, moments: Collection[datetime | None]) -> bool:
    """:param moments: when the mails went out that came back; None where it is to be found out."""
    if seen.first_until is not None and all(moment and moment > seen.first_until for moment in moments):
        return False
    people = FIRST if seen.first_until is not None else _people(session, seen.id)
    since = gone(session, seen.id).since(Reported(seen.gone_before, seen.sure_gone_before))
    return thresholds.is_bad_import(since, people)


def are_enough_gone(session: Session, campaign_id: int) -> bool:
    """Whether so many mails failed, for whatever reason, or came back for good, that the first may be a bad import."""
    gone = session.scalar(_CAME_BACK_GONE, {"campaign": campaign_id}) or 0
    return gone >= FEWEST_GONE or gone + (session.scalar(_FAILED, {"campaign": campaign_id}) or 0) >= FEWEST_GONE


def first_until(session: Session, campaign_id: int) -> datetime | None:
    """When the last of the first answers came; None while there are fewer."""
    last: datetime | None = session.scalar(_first(campaign_id, Delivery.settled_at).offset(FIRST - 1).limit(1))
    return last


def _first(campaign_id: int, *columns: Any) -> Select[Any]:
    """The first answers to a campaign."""
    return select(*columns).where(*answered(campaign_id)).order_by(Delivery.settled_at, Delivery.id).limit(FIRST)


def _people(session: Session, campaign_id: int) -> int:
    some = select(Delivery.id).where(*audience_of(campaign_id)).limit(FIRST).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def gone(session: Session, campaign_id: int) -> Reported:
    """How many of the first addresses do not exist, as servers said at once or later."""
    text = type_coerce(Delivery.smtp_text, LargeBinary).label("words")
    first = _first(campaign_id, Delivery.id, Delivery.state, Delivery.smtp_code, text).subquery()
    came_back = (MailEvent.delivery_id == first.c.id) & (MailEvent.kind == Kind.BOUNCE) & returned.IS_NO_HEARSAY
    rows = session.execute(
        select(first.c.smtp_code, first.c.words, MailEvent.category, returned.IS_SURE)
        .outerjoin(MailEvent, came_back & MailEvent.category.in_(PERMANENT))
        .where((first.c.state == DeliveryState.FAILED) | MailEvent.category.in_(PERMANENT))
    ).all()
    keyring = keyring_of(session)
    reported = sure = at_once = 0
    for code, text, category, is_sure in rows:
        if category is not None or code is None:
            reported += category is not None
            sure += bool(is_sure)
            continue
        try:
            words = keyring.decrypt(bytes(text), SERVERS_WORDS) if text else ""
        except UnreadableSecret:
            continue
        at_once += meanings.of_reply(code, words).category.permanent
    return Reported(reported + at_once, sure + at_once)


# --- what servers have against us -----------------------------------------------------------------------------------


def is_against_us(session: Session, seen: Seen, moment: datetime) -> bool:
    """Whether mails that went out around one that came back were refused as it was. One that went out before somebody
    last had the campaign go on tells nothing of what goes out now.

    :param moment: when it went out.
    """
    if seen.resumed_at is not None and moment <= seen.resumed_at:
        return False
    around = answered(seen.id)
    if seen.resumed_at is not None:
        around = (*around, Delivery.settled_at > seen.resumed_at)
    came_back = (MailEvent.delivery_id == Delivery.id) & (MailEvent.kind == Kind.BOUNCE) & returned.IS_NO_HEARSAY
    flags = select(func.coalesce((Delivery.reason == Reason.POLICY) | MailEvent.key.is_not(None), False))
    flags = flags.outerjoin(MailEvent, came_back & MailEvent.category.in_(AGAINST_US))
    before = flags.where(*around, Delivery.settled_at <= moment)
    before = before.order_by(Delivery.settled_at.desc(), Delivery.id.desc()).limit(WINDOW)
    after = flags.where(*around, Delivery.settled_at > moment)
    after = after.order_by(Delivery.settled_at, Delivery.id).limit(WINDOW - 1)
    return thresholds.is_against_us([*session.scalars(before).all()[::-1], *session.scalars(after)])
