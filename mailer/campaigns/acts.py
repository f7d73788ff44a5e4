"""Acts: who has done what a campaign asks for, counted from rows, each person once, over all languages."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, delete, exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, load_only

from mailer.campaigns import asking, deadlines, kinds
from mailer.people import consents, suppression
from mailer.people.small_numbers import SMALLEST_SHOWN
from mailer.store import db
from mailer.store.models import (
    Act,
    ActKind,
    Asking,
    Campaign,
    CampaignStatus,
    CaseEvent,
    CaseEventKind,
    CaseStatus,
    ConsentEvent,
    ConsentPurpose,
    Delivery,
    DeliveryState,
    Reason,
    Signature,
    Subscriber,
    new_act_id,
)

#: with what a person agrees that an act of theirs is kept
PURPOSE = {ActKind.WROTE: ConsentPurpose.ACTED, ActKind.SIGNED: ConsentPurpose.SIGNED}
#: likewise that their name is shown, and handed over
_NAMING = (ConsentPurpose.SHOWN, ConsentPurpose.HANDED_OVER)
#: how long after a campaign's end it is known who acted, so that they can hear how it went
KNOWN_FOR = timedelta(days=90)
#: likewise after the start of one that names no deadline and is about no case
_KNOWN_WITHOUT_END = timedelta(days=180)
_TIMES = (Campaign.started_at, Campaign.finished_at)
#: after its start, where no end comes: some cases never close
KNOWN_AT_MOST = timedelta(days=730)
#: from here on a number for everybody is told in hundreds, below it in tens
_LARGE = 1_000


class Counted(NamedTuple):
    """How many did what."""

    wrote: int
    signed: int

    def of(self, kind: ActKind) -> int:
        """How many did one thing."""
        return self.wrote if kind is ActKind.WROTE else self.signed


def asked_for(campaign: Campaign) -> frozenset[ActKind]:
    """What people can tell us that they did for a campaign."""
    if not kinds.of(campaign).asks:
        return frozenset()
    asked = {ActKind.WROTE: campaign.ask or campaign.targets, ActKind.SIGNED: campaign.petition}
    return frozenset(kind for kind, is_asked in asked.items() if is_asked)


def why_over(campaign: Campaign, now: datetime) -> Asking | None:
    """Why nobody may act on a campaign any more: `OPEN` where only its time is over; None while they may.

    Once it is forgotten who acted, nobody may: they would count twice.
    """
    found = asking.of(campaign)
    if found is not Asking.OPEN:
        return found
    is_called_off = campaign.status is CampaignStatus.CANCELLED
    forgotten = _forgotten_from(campaign, None)
    is_forgotten = forgotten is not None and forgotten <= now
    return found if is_called_off or is_forgotten or deadlines.is_over(campaign, now) else None


# --- what somebody did ----------------------------------------------------------------------------------------------


def add(
    session: Session,
    campaign: Campaign,
    kind: ActKind,
    person: Subscriber,
    *,
    language: str,
    words: str,
    method: str,
    asked_at: date | None = None,
    country: str | None = None,
) -> Act | None:
    """Count that a person did something, and that they agreed that we keep it; once, however often it is said.

    :param person: whom nobody else changes until the transaction ends.
    :param language: in which they said it.
    :param words: that they agreed to, in that language.
    :param method: how it reached us, such as "page".
    :param asked_at: when they were shown the words, if that was before.
    :param country: in which they live, as they say with it; else as they said before.
    :returns: None if it was counted before.
    """
    act = Act(
        id=new_act_id(),
        campaign_id=campaign.id,
        kind=kind,
        subscriber_id=person.id,
        country=country or person.country,
        language=language,
        day=db.utctoday(),
    )
    if not db.insert_unless_there(session, act):
        return None
    consents.agree(
        session,
        person.id,
        PURPOSE[kind],
        words,
        language=language,
        method=method,
        asked_at=asked_at,
        campaign_id=campaign.id,
    )
    return act


def take_back(session: Session, campaign_id: int, kind: ActKind, subscriber_id: int, *, method: str) -> bool:
    """Have a person not have done something, nor be named for it.

    :param method: how it reached us.
    :returns: False if they had not.
    """
    theirs = (Act.campaign_id == campaign_id, Act.kind == kind, Act.subscriber_id == subscriber_id)
    act_id = session.scalar(select(Act.id).where(*theirs).with_for_update())
    if act_id is None:
        return False
    wanted = (Signature.is_shown, Signature.is_handed_over)
    named = session.execute(delete(Signature).where(Signature.act_id == act_id).returning(*wanted)).one_or_none()
    session.execute(delete(Act).where(Act.id == act_id))
    naming = [purpose for purpose, is_wanted in zip(_NAMING, named or (False, False), strict=True) if is_wanted]
    for purpose in (*naming, PURPOSE[kind]):
        consents.withdraw(session, subscriber_id, purpose, method=method, campaign_id=campaign_id)
    return True


def of_person(session: Session, subscriber_id: int) -> list[Act]:
    """What is known that somebody did, the latest first."""
    theirs = select(Act).where(Act.subscriber_id == subscriber_id)
    return list(session.scalars(theirs.order_by(Act.day.desc(), Act.campaign_id.desc(), Act.kind)))


# --- numbers --------------------------------------------------------------------------------------------------------


def count(session: Session, campaign_id: int) -> Counted:
    """How many acted on a campaign, erased people among them."""
    grouped = select(Act.kind, func.count()).where(Act.campaign_id == campaign_id).group_by(Act.kind)
    found: dict[ActKind, int] = dict(session.execute(grouped).all())
    return Counted(found.get(ActKind.WROTE, 0), found.get(ActKind.SIGNED, 0))


def shown(counted: Counted, kind: ActKind) -> int | None:
    """A number for everybody's eyes, rounded down, so that whoever says something in another person's name can seldom
    tell by it whether that was said before; None where it is too small to be shown.
    """
    number = counted.of(kind)
    return number - number % _step(number) or None


def _step(number: int) -> int:
    return SMALLEST_SHOWN if number < _LARGE else 10 * SMALLEST_SHOWN


# --- who did --------------------------------------------------------------------------------------------------------


def by_one_of(
    session: Session, campaign_ids: Collection[int], subscriber_id: InstrumentedAttribute[int] | ColumnElement[int]
) -> ColumnElement[bool]:
    """The condition that somebody acted on one of some campaigns, in whatever way.

    :param subscriber_id: the column that says who.
    """
    of_these = Act.campaign_id.in_(campaign_ids)
    if db.prefers_groups(session):
        # Read once, from an index that holds all of it: to look each of a million people up takes SQLite ten times as
        # long.
        return subscriber_id.in_(select(Act.subscriber_id).where(of_these, Act.subscriber_id.is_not(None)))
    # PostgreSQL joins this, either way. NOT IN it asks of each person anew, where so many acted that they do not fit
    # into its memory for a query: of a million, it does not end.
    return exists().where(of_these, Act.subscriber_id == subscriber_id)


def known_until(campaign: Campaign, told_at: datetime | None) -> datetime | None:
    """Until when it is known who acted on a campaign; they can take it back as long. None where nobody can say yet: it
    has not begun, or is about a case that is still to end.

    :param told_at: as `told_at` finds it.
    """
    if campaign.started_at is None:
        return None
    if campaign.case_id is not None:
        return told_at + KNOWN_FOR if told_at else None
    if campaign.deadline is not None:
        return min(campaign.deadline + KNOWN_FOR, campaign.started_at + KNOWN_AT_MOST)
    return campaign.started_at + _KNOWN_WITHOUT_END


def told_at(session: Session, campaign: Campaign) -> datetime | None:
    """When those who acted on a campaign were told how its case ended: when the last news to them had gone out, or,
    until any has, when the case was closed. None where it is about no case, or one that is still to end.
    """
    if campaign.case is None or campaign.case.status is not CaseStatus.CLOSED:
        return None
    told = [each.finished_at for each in news(session, campaign.case.id) if campaign.slug in each.audience["acted"]]
    return max(filter(None, told), default=None) or _closed_at(session, campaign.case.id)


def news(session: Session, case_id: int) -> list[Campaign]:
    """The news of how a case ended to those who acted for it, sent or still to be sent, the first one first."""
    closed_at = _closed_at(session, case_id)
    about_it = (Campaign.case_id == case_id, Campaign.kind == kinds.UPDATE)
    may_go_out = (Campaign.status != CampaignStatus.CANCELLED, Campaign.asking == Asking.OPEN)
    light = load_only(Campaign.slug, Campaign.list_id, Campaign.status, Campaign.audience, *_TIMES)
    found = session.scalars(select(Campaign).where(*about_it, *may_go_out).options(light).order_by(Campaign.id))
    return [
        each
        for each in found
        if each.audience.get("acted") and closed_at and (each.started_at is None or each.started_at >= closed_at)
    ]


def _closed_at(session: Session, case_id: int) -> datetime | None:
    """When a case was closed: for the first time since it was open."""
    reopened = select(func.max(CaseEvent.id)).where(*_of_whole_case(case_id, CaseEventKind.REOPENED))
    since = CaseEvent.id > func.coalesce(reopened.scalar_subquery(), 0)
    closed = select(func.min(CaseEvent.created_at)).where(*_of_whole_case(case_id, CaseEventKind.CLOSED), since)
    return session.scalar(closed)


def _of_whole_case(case_id: int, kind: CaseEventKind) -> tuple[ColumnElement[bool], ...]:
    return CaseEvent.case_id == case_id, CaseEvent.campaign_id.is_(None), CaseEvent.kind == kind


def _forgotten_from(campaign: Campaign, told_at: datetime | None) -> datetime | None:
    """When it is forgotten who acted on a campaign, whether its case ever ends or not; None before it began."""
    latest = campaign.started_at + KNOWN_AT_MOST if campaign.started_at else None
    return known_until(campaign, told_at) or latest


def is_forgotten(session: Session, campaign: Campaign) -> bool:
    """Whether it is, or is about to be, forgotten who acted on a campaign: from the day after the last one on which it
    is known."""
    until = _forgotten_from(campaign, told_at(session, campaign))
    return until is not None and until.date() < db.now(session).date()


def to_forget(session: Session) -> list[int]:
    """Campaigns of which it is known still who acted, or had and took it back, and should not be any more."""
    of_it = (Act.campaign_id == Campaign.id, Act.kind.in_(list(ActKind)), Act.subscriber_id > 0)
    is_known = exists().where(*of_it) | exists().where(ConsentEvent.campaign_id == Campaign.id)
    known = session.scalars(select(Campaign).where(is_known).order_by(Campaign.id))
    return [each.id for each in known if is_forgotten(session, each)]


def forget_who(session: Session, campaign_id: int, *, most: int = 5_000) -> int:
    """Take persons out of what was done for a campaign, and names with them; the numbers stay.

    :param most: how many at a time.
    :returns: how many it were; less than that when nobody is left.
    """
    # An erasure reaches acts and mails the other way round.
    suppression.lock_shared(session)
    # By kind and number, so that the index passes over those who are forgotten.
    known = (Act.campaign_id == campaign_id, Act.kind.in_(list(ActKind)), Act.subscriber_id > 0)
    # Locked before their names, as by whoever takes one back; who does at this moment is left for the next time.
    some = select(Act.id).where(*known).limit(most).with_for_update(skip_locked=True)
    ids = list(session.scalars(some))
    if ids:
        session.execute(delete(Signature).where(Signature.act_id.in_(ids)))
        session.execute(update(Act).where(Act.id.in_(ids)).values(subscriber_id=None))
    if len(ids) < most:
        _forget_whom_it_spared(session, campaign_id)
        purposes = [*PURPOSE.values(), *_NAMING]
        lines = and_(ConsentEvent.campaign_id == campaign_id, ConsentEvent.purpose.in_(purposes))
        session.execute(delete(ConsentEvent).where(lines))
    return len(ids)


def _forget_whom_it_spared(session: Session, campaign_id: int) -> None:
    """Take persons out of mails that did not go out because they had acted. None of them has a link in the world."""
    slug = session.execute(select(Campaign.slug).where(Campaign.id == campaign_id)).scalar_one()
    spared = session.execute(select(Campaign.id, Campaign.audience["not_acted"]))
    ids = [found_id for found_id, slugs in spared if slugs and (slug in slugs or found_id == campaign_id)]
    unsent = (Delivery.state == DeliveryState.SKIPPED, Delivery.reason == Reason.ACTED)
    if ids:
        session.execute(update(Delivery).where(Delivery.campaign_id.in_(ids), *unsent).values(subscriber_id=None))
