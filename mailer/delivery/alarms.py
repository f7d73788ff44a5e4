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

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.campaigns.lifecycle import Move
from mailer.delivery import measures
from mailer.delivery.measures import Seen, Share
from mailer.delivery.thresholds import AGAINST_US, PERMANENT
from mailer.mail.feedback.types import Category, Kind
from mailer.store import audit
from mailer.store.models import Campaign, CampaignAlarm, CampaignStatus

log = logging.getLogger(__name__)


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
        if each.kind is Kind.COMPLAINT or each.category in (*PERMANENT, *AGAINST_US):
            of_campaign.setdefault(each.campaign_id, []).append(each)
    for campaign_id, events in sorted(of_campaign.items()):
        refused = [each.settled_at for each in events if each.category in AGAINST_US and each.settled_at]
        is_done = _look(
            session,
            campaign_id,
            complained=any(each.kind is Kind.COMPLAINT for each in events),
            gone=[each.settled_at for each in events if each.category in PERMANENT],
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
    last = measures.last_refused(session, campaign_id)
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
    seen = measures.seen(session, campaign_id)
    if seen.status is CampaignStatus.STANDING:
        return True
    is_full = False
    if gone and not (seen.is_under_way and measures.are_enough_gone(session, campaign_id)):
        gone = ()
    if gone and seen.first_until is None:
        seen = seen._replace(first_until=measures.first_until(session, campaign_id))
        is_full = seen.first_until is not None
    alarms: list[Alarm] = []
    found = measures.share_of_complaints(session, seen, anew=waits) if complained else None
    if found is not None and found.is_too_much and seen.is_under_way:
        alarms.append(Alarm.COMPLAINTS)
    if gone and measures.is_bad_import(session, seen, gone):
        alarms.append(Alarm.GONE)
    if seen.is_under_way and any(measures.is_against_us(session, seen, moment) for moment in refused):
        alarms.append(Alarm.REFUSED)
    if found is None and not alarms and not is_full:
        return True
    return _note(session, seen, found, alarms, waits=waits)


def _nothing(campaign_id: int) -> CampaignAlarm:
    return CampaignAlarm(
        campaign_id=campaign_id,
        complaints_before=0,
        sure_complaints_before=0,
        gone_before=0,
        sure_gone_before=0,
        sent_at_least=0,
        complaints_in_1000=0,
        is_to_tell=False,
    )


def _note(session: Session, seen: Seen, found: Share | None, alarms: Sequence[Alarm], *, waits: bool) -> bool:
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
    number, gone = measures.complaints(session, campaign.id), measures.gone(session, campaign.id)
    if noticed is None and (number.all or gone.all):
        noticed = _nothing(campaign.id)
        session.add(noticed)
    if noticed is not None:
        noticed.complaints_before, noticed.sure_complaints_before = number
        noticed.gone_before, noticed.sure_gone_before = gone
        noticed.is_to_tell = False
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
