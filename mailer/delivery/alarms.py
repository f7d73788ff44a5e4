"""Alarms: too much of what a campaign sent comes back, so organisers are warned, or nothing more of it goes out until a
person has looked.

It is looked at when something comes back, in the transaction that keeps it, and what is read for that is bounded: the
events of the campaign, on an index, and some hundreds of deliveries around the one that came back. Who changes the
campaign at that moment is not waited for: whoever has locked people must wait for nobody who has locked a campaign,
since others do it the other way round. So it is looked at once more afterwards. Two that come at the same moment do not
see each other: so the sweeper looks as well, at what is under way.
"""

import enum
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import LargeBinary, Select, bindparam, func, select, type_coerce
from sqlalchemy.orm import Session

from mailer.campaigns import kinds, lifecycle
from mailer.campaigns.lifecycle import Move
from mailer.delivery.ledger import answered, audience_of
from mailer.delivery.verdicts import IN_A_ROW, POLICY_SHARE, WINDOW
from mailer.mail.feedback import meanings
from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.store import audit
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

log = logging.getLogger(__name__)

#: Complaints in 1,000 mails that were sent, from which on providers treat a sender as one of spam: Google names both.
_WARNED_ABOVE = 1
_PAUSED_FROM = 3
#: Fewer complaints say nothing, however few were written to. Where people complain at a share of 1 in 1,000, 5 are 3 in
#: 1,000 by chance in one of 30 campaigns at most.
FEWEST_TO_WARN = 3
FEWEST_TO_PAUSE = 5
#: mails of a campaign by which it is told whether its addresses come of a bad import
FIRST = 1000
_GONE_IN_100 = 5
#: every list has a few old addresses, and of a small one they are soon a twentieth
FEWEST_GONE = 10
#: what a server has against us, not against an address
AGAINST_US = (Category.POLICY, Category.AUTH, Category.US)
_PERMANENT = tuple(each for each in Category if each.permanent)


class Alarm(enum.Enum):
    """Why a campaign is paused by itself."""

    COMPLAINTS = enum.auto()
    GONE = enum.auto()  # too many of the first addresses do not exist
    REFUSED = enum.auto()  # mail servers have something against us


#: what an organiser is shown, kept with the campaign in clear; no number, since a small one could point to somebody
REASONS: Mapping[Alarm, str] = {
    Alarm.COMPLAINTS: "at least 3 in 1,000 of those who were sent it called it spam",
    Alarm.GONE: "more than 5 in 100 of the first 1,000 addresses do not exist, as after a bad import",
    Alarm.REFUSED: "mail servers send our mail back for what they have against us, and not for its addresses",
}


def of_reason(reason: str | None) -> Alarm | None:
    """The alarm for which a campaign was paused; None where it was for something else."""
    return next((alarm for alarm, words in REASONS.items() if words == reason), None)


# --- how much is too much -------------------------------------------------------------------------------------------


def is_to_warn(complaints: int, sent: int) -> bool:
    """Whether so many complaints of so many mails are more than usual."""
    return complaints >= FEWEST_TO_WARN and complaints * 1000 > sent * _WARNED_ABOVE


def is_to_pause(complaints: int, sent: int) -> bool:
    """Whether they are so many that nothing more should go out."""
    return complaints >= FEWEST_TO_PAUSE and complaints * 1000 >= sent * _PAUSED_FROM


def is_bad_import(gone: int, people: int) -> bool:
    """Whether so many of the first addresses do not exist that whoever made the list should look.

    :param people: that the campaign is for.
    """
    return gone >= FEWEST_GONE and gone * 100 > min(people, FIRST) * _GONE_IN_100


def is_against_us(answers: Sequence[bool]) -> bool:
    """Whether mail servers have begun to refuse us, by the rule that holds at send time: too many in a row, or too many
    of the last hundreds.

    :param answers: of each mail, in the order in which they went out, whether it was refused for what somebody has
        against us, then or later.
    """
    in_a_row = of_last = 0
    for place, is_refused in enumerate(answers):
        in_a_row = in_a_row + 1 if is_refused else 0
        of_last += is_refused - (answers[place - WINDOW] if place >= WINDOW else 0)
        if in_a_row >= IN_A_ROW or (place >= WINDOW - 1 and of_last > WINDOW * POLICY_SHARE):
            return True
    return False


# --- looking --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CameBack:
    """What came back of a mail of a campaign, as far as an alarm asks."""

    campaign_id: int
    kind: Kind
    category: Category | None  # of a bounce
    settled_at: datetime | None  # when the mail had gone out


def heed(session: Session, came_back: Iterable[CameBack]) -> Mapping[int, Collection[datetime]]:
    """Look at the campaigns of what was kept as events in this transaction, and pause those of which it is too much.

    It waits for nobody. From then on the transaction holds campaigns, so it must wait for nobody who may wait for one,
    or for people; see `inbound.limits.note_taken` for whom it may.

    :returns: campaigns that somebody else was changing at that moment, and for each what `look` must be told, in
        another transaction.
    """
    held: dict[int, Collection[datetime]] = {}
    of_campaign: dict[int, list[CameBack]] = {}
    for each in came_back:
        if each.kind is Kind.COMPLAINT or each.category in (*_PERMANENT, *AGAINST_US):
            of_campaign.setdefault(each.campaign_id, []).append(each)
    for campaign_id, events in sorted(of_campaign.items()):
        refused = [each.settled_at for each in events if each.category in AGAINST_US and each.settled_at]
        is_done = _look(
            session,
            campaign_id,
            complained=any(each.kind is Kind.COMPLAINT for each in events),
            gone=[each.settled_at for each in events if each.category in _PERMANENT],
            refused=refused,
            waits=False,
        )
        if not is_done:
            held[campaign_id] = refused
    return held


def look(session: Session, campaign_id: int, *, refused: Collection[datetime] = ()) -> None:
    """Look at a campaign that is under way, of which something may have come back unnoticed, and pause it if it is too
    much; for whoever has locked nothing.

    :param refused: when mails went out that came back for what servers have against us. Around the last of all that
        did, it looks in any case.
    """
    last = session.scalar(_LAST_REFUSED, {"campaign": campaign_id})
    around = {*refused, *([last] if last else [])}
    _look(session, campaign_id, complained=True, gone=[None], refused=around, waits=True)


def _look(
    session: Session,
    campaign_id: int,
    *,
    complained: bool,
    gone: Collection[datetime | None],
    refused: Collection[datetime],
    waits: bool,
) -> bool:
    """:returns: False if somebody else holds the campaign, and this does not wait."""
    seen = _Seen._make(session.execute(_SEEN, {"campaign": campaign_id}).one())
    if seen.status is CampaignStatus.STANDING:
        return True
    is_full = False
    if gone and not (seen.is_under_way and _are_enough_gone(session, campaign_id)):
        gone = ()
    if gone and seen.first_until is None:
        seen = seen._replace(first_until=_first_until(session, campaign_id))
        is_full = seen.first_until is not None
    alarms: list[Alarm] = []
    found = _complaints(session, seen, anew=waits) if complained else None
    if found is not None and found.is_too_much and seen.is_under_way:
        alarms.append(Alarm.COMPLAINTS)
    if gone and _is_bad_import(session, seen, gone):
        alarms.append(Alarm.GONE)
    if seen.is_under_way and any(_is_against_us(session, seen, moment) for moment in refused):
        alarms.append(Alarm.REFUSED)
    if found is None and not alarms and not is_full:
        return True
    return _note(session, seen, found, alarms, waits=waits)


class _Seen(NamedTuple):
    """A campaign, and what was noticed of it before."""

    id: int
    status: CampaignStatus
    kind: str
    resumed_at: datetime | None
    first_until: datetime | None
    complaints_before: int
    gone_before: int
    sent_at_least: int
    complaints_in_1000: int

    @property
    def is_under_way(self) -> bool:
        """Whether it can be paused. A call to stop cannot: reports may be forged, and people would go on writing."""
        return self.status is CampaignStatus.SENDING and self.kind != kinds.STOP


# Made once, as in `inbound.acting`.
_NOTICED = (
    CampaignAlarm.complaints_before,
    CampaignAlarm.gone_before,
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
    MailEvent.effect == Effect.SUPPRESS,  # one that is too late, or of somebody who is gone, tells nothing of now
)
_WAS_COMPLAINT = (MailEventCount.campaign_id == bindparam("campaign"), MailEventCount.kind == Kind.COMPLAINT)
_COMPLAINTS = select(
    select(func.count()).where(*_IS_COMPLAINT).scalar_subquery(),
    select(func.sum(MailEventCount.number)).where(*_WAS_COMPLAINT).scalar_subquery(),
)
# Both are counted in an index: so of a campaign of which little comes back nothing else is read.
_CAME_BACK_GONE = select(func.count()).where(
    MailEvent.campaign_id == bindparam("campaign"), MailEvent.kind == Kind.BOUNCE, MailEvent.category.in_(_PERMANENT)
)
_FAILED = select(func.count()).where(
    Delivery.campaign_id == bindparam("campaign"),
    Delivery.purpose == Purpose.CAMPAIGN,
    Delivery.state == DeliveryState.FAILED,
)
#: when the last mail went out that came back for what servers have against us
_LAST_REFUSED = (
    select(func.max(Delivery.settled_at))
    .join(MailEvent, MailEvent.delivery_id == Delivery.id)
    .where(
        MailEvent.campaign_id == bindparam("campaign"),
        MailEvent.kind == Kind.BOUNCE,
        MailEvent.category.in_(AGAINST_US),
    )
)


def _nothing(campaign_id: int) -> CampaignAlarm:
    return CampaignAlarm(
        campaign_id=campaign_id,
        complaints_before=0,
        gone_before=0,
        sent_at_least=0,
        complaints_in_1000=0,
        is_to_tell=False,
    )


def _note(session: Session, seen: _Seen, found: "_Share | None", alarms: Sequence[Alarm], *, waits: bool) -> bool:
    """Write down what was noticed, and pause the campaign, unless somebody has just had it go on.

    :returns: False if somebody else is changing it, and this does not wait.
    """
    campaign_id = seen.id
    locked = select(Campaign).where(Campaign.id == campaign_id).with_for_update(key_share=True, skip_locked=not waits)
    campaign = session.scalar(locked.execution_options(populate_existing=True))
    if campaign is None:
        return False
    noticed = session.get(CampaignAlarm, campaign_id, populate_existing=True)
    if noticed is None:
        noticed = _nothing(campaign_id)
        session.add(noticed)
    noticed.first_until = seen.first_until
    if found is not None:
        if found.in_1000 > noticed.complaints_in_1000:
            log.warning("complaints: %s in 1,000 or more", found.in_1000, extra={"campaign": campaign_id})
        noticed.sent_at_least, noticed.complaints_in_1000 = found.sent, found.in_1000
    if alarms and campaign.status is CampaignStatus.SENDING and campaign.resumed_at == seen.resumed_at:
        reason = REASONS[alarms[0]]
        lifecycle.move(session, campaign, Move.PAUSE, **lifecycle.held(session, reason))
        audit.append(session, "campaigns.hold", audit.ITSELF, kind="campaign", subject=campaign.slug)
        noticed.is_to_tell = True
        log.error(
            "campaign held: %s; see `mailer campaigns status`, and `resume` it if that is right",
            reason,
            extra={"campaign": campaign_id},
        )
    session.flush()
    return True


# --- complaints -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Share:
    """How many of a campaign's mails were called spam."""

    sent: int
    in_1000: int  # the share from which organisers are told something: 0, 1 or 3
    is_too_much: bool  # of those that came since somebody last had it go on


def complaints(session: Session, campaign_id: int) -> int:
    """How often mails of a campaign were called spam."""
    events, numbers = session.execute(_COMPLAINTS, {"campaign": campaign_id}).one()
    return int(events) + int(numbers or 0)


def _complaints(session: Session, seen: _Seen, *, anew: bool) -> _Share | None:
    """The share of complaints; None where nothing can have changed. To count what was sent takes a while where it is
    much, so it is done when by the last count it would be too much: those who were sent it only become more.

    :param anew: find out as well whether a warning has passed.
    """
    number = complaints(session, seen.id)
    since = number - seen.complaints_before
    is_known = _level(number, seen.sent_at_least) <= seen.complaints_in_1000
    may_pause = seen.is_under_way and is_to_pause(since, seen.sent_at_least)
    if is_known and not may_pause and not (anew and seen.complaints_in_1000):
        return None
    mailed = (*audience_of(seen.id), Delivery.state == DeliveryState.SENT)
    sent = session.scalar(select(func.count()).where(*mailed)) or 0
    return _Share(sent, _level(number, sent), is_to_pause(since, sent))


def _level(number: int, sent: int) -> int:
    if is_to_pause(number, sent):
        return _PAUSED_FROM
    return _WARNED_ABOVE if is_to_warn(number, sent) else 0


# --- addresses that do not exist ------------------------------------------------------------------------------------


def _is_bad_import(session: Session, seen: _Seen, gone: Collection[datetime | None]) -> bool:
    """:param gone: when the mails went out that came back; None where it is to be found out."""
    if seen.first_until is not None and all(moment and moment > seen.first_until for moment in gone):
        return False
    people = FIRST if seen.first_until is not None else _people(session, seen.id)
    return is_bad_import(_gone(session, seen.id) - seen.gone_before, people)


def _are_enough_gone(session: Session, campaign_id: int) -> bool:
    """Whether so many mails failed, for whatever reason, or came back for good, that the first may be a bad import."""
    gone = session.scalar(_CAME_BACK_GONE, {"campaign": campaign_id}) or 0
    return gone >= FEWEST_GONE or gone + (session.scalar(_FAILED, {"campaign": campaign_id}) or 0) >= FEWEST_GONE


def _first_until(session: Session, campaign_id: int) -> datetime | None:
    """When the last of the first answers came; None while there are fewer."""
    last: datetime | None = session.scalar(_first(campaign_id, Delivery.settled_at).offset(FIRST - 1).limit(1))
    return last


def _first(campaign_id: int, *columns: Any) -> Select[Any]:
    """The first answers to a campaign."""
    return select(*columns).where(*answered(campaign_id)).order_by(Delivery.settled_at, Delivery.id).limit(FIRST)


def _people(session: Session, campaign_id: int) -> int:
    some = select(Delivery.id).where(*audience_of(campaign_id)).limit(FIRST).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def _gone(session: Session, campaign_id: int) -> int:
    """How many of the first addresses do not exist, as servers said at once or later."""
    text = type_coerce(Delivery.smtp_text, LargeBinary).label("words")
    first = _first(campaign_id, Delivery.id, Delivery.state, Delivery.smtp_code, text).subquery()
    came_back = (MailEvent.delivery_id == first.c.id) & (MailEvent.kind == Kind.BOUNCE)
    rows = session.execute(
        select(first.c.smtp_code, first.c.words, MailEvent.category)
        .outerjoin(MailEvent, came_back & MailEvent.category.in_(_PERMANENT))
        .where((first.c.state == DeliveryState.FAILED) | MailEvent.category.in_(_PERMANENT))
    ).all()
    keyring = keyring_of(session)
    number = 0
    for code, text, category in rows:
        if category is not None or code is None:
            number += category is not None
            continue
        try:
            words = keyring.decrypt(bytes(text), SERVERS_WORDS) if text else ""
        except UnreadableSecret:
            continue
        number += meanings.of_reply(code, words).category.permanent
    return number


# --- what servers have against us -----------------------------------------------------------------------------------


def _is_against_us(session: Session, seen: _Seen, moment: datetime) -> bool:
    """Whether mails that went out around one that came back were refused as it was. One that went out before somebody
    last had the campaign go on tells nothing of what goes out now.

    :param moment: when it went out.
    """
    if seen.resumed_at is not None and moment <= seen.resumed_at:
        return False
    around = answered(seen.id)
    if seen.resumed_at is not None:
        around = (*around, Delivery.settled_at > seen.resumed_at)
    came_back = (MailEvent.delivery_id == Delivery.id) & (MailEvent.kind == Kind.BOUNCE)
    flags = select(func.coalesce((Delivery.reason == Reason.POLICY) | MailEvent.key.is_not(None), False))
    flags = flags.outerjoin(MailEvent, came_back & MailEvent.category.in_(AGAINST_US))
    before = flags.where(*around, Delivery.settled_at <= moment)
    before = before.order_by(Delivery.settled_at.desc(), Delivery.id.desc()).limit(WINDOW)
    after = flags.where(*around, Delivery.settled_at > moment)
    after = after.order_by(Delivery.settled_at, Delivery.id).limit(WINDOW - 1)
    return is_against_us([*session.scalars(before).all()[::-1], *session.scalars(after)])


# --- going on -------------------------------------------------------------------------------------------------------


def level(session: Session, campaign: Campaign) -> int:
    """Whether organisers are to be warned of complaints: from so many in 1,000 of its mails on, 1 or 3; 0 if not."""
    noticed = session.get(CampaignAlarm, campaign.id)
    return noticed.complaints_in_1000 if noticed else 0


def begin_anew(session: Session, campaign: Campaign) -> None:
    """What has come back of a campaign until now does not pause it again: somebody has seen it, and has it go on.

    :param campaign: locked.
    """
    noticed = session.get(CampaignAlarm, campaign.id, populate_existing=True)
    number, gone = complaints(session, campaign.id), _gone(session, campaign.id)
    if noticed is None and (number or gone):
        noticed = _nothing(campaign.id)
        session.add(noticed)
    if noticed is not None:
        noticed.complaints_before, noticed.gone_before, noticed.is_to_tell = number, gone, False
        noticed.first_until = None  # what is sent again counts anew
        session.flush()


def to_tell(session: Session) -> Sequence[int]:
    """The campaigns that were paused by an alarm, of which organisers have not been written yet."""
    return session.scalars(select(CampaignAlarm.campaign_id).where(CampaignAlarm.is_to_tell)).all()


def have_told(session: Session, campaign: Campaign) -> bool:
    """Note that organisers are written about a pause.

    :param campaign: locked.
    :returns: whether they are still to be.
    """
    noticed = session.get(CampaignAlarm, campaign.id, populate_existing=True)
    if noticed is None or not noticed.is_to_tell:
        return False
    noticed.is_to_tell = False
    session.flush()
    return campaign.status is CampaignStatus.PAUSED
