"""Making forwarding kits: planned when their campaign starts, then made by workers, edition by edition, under short
leases, so that a worker that is lost costs a minute and nothing else. An edition's files are one archive in its row.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ScalarSelect, Select, exists, func, insert, literal, or_, select, true, update
from sqlalchemy.orm import QueryableAttribute, Session, undefer

from mailer.campaigns import asking, deadlines, segments
from mailer.campaigns.correspondence import Correspondence
from mailer.errors import MailerError, ServiceUnavailable
from mailer.formats import archives
from mailer.kits import announcements
from mailer.kits.editions import KitEditions
from mailer.kits.wording import Forwarder
from mailer.mail.sender import Sender
from mailer.people import suppression
from mailer.store import db
from mailer.store.db import Sessions
from mailer.store.models import (
    Asking,
    Campaign,
    CampaignText,
    HomeRule,
    Kit,
    KitEdition,
    MailingList,
    Union,
    UnionStatus,
)

log = logging.getLogger(__name__)


class NotForForwarding(MailerError):
    """Campaign "{slug}" is not to be forwarded. To change that, set forwardable = true in its campaign.toml before it
    is sent."""


class NoTimeToForward(MailerError):
    """Campaign "{slug}" is {status}. Kits are made for a campaign that is being sent or has been sent, until its
    deadline, or for 30 days if it has none."""


class NobodyIsAsked(MailerError):
    """Campaign "{slug}" is {asking}, so nobody is to forward it any more, and no kit of it is made."""


#: how long a worker may take for what it took, and how many editions that is
_LEASE = timedelta(seconds=60)
_HANDFUL = 8


# --- planning -------------------------------------------------------------------------------------------------------


def plan(session: Session, campaign: Campaign) -> int:
    """Plan a campaign's kits in each language that it has a text in: the one for everybody, and one for every union
    that is affiliated now. What goes to a union's own list is for that union alone. What was made of a union, of
    letters or of targets that have changed since is planned again.

    :returns: how many editions were planned, which excludes what was planned before.
    """
    # Who plans the same campaign at the same moment waits, and then finds it done.
    session.execute(select(Campaign.id).where(Campaign.id == campaign.id).with_for_update(key_share=True))
    owner_id = campaign.mailing_list.owner_id
    everybody = select(literal(campaign.id), literal(None, Kit.union_id.type)).where(~_has_kit(campaign, None))
    affiliated = (
        select(literal(campaign.id), Union.id)
        .where(Union.status == UnionStatus.AFFILIATED, ~_has_kit(campaign, Union.id), _may_forward(campaign))
        .order_by(Union.id)
    )
    for forwarders in (everybody, affiliated) if owner_id is None else (affiliated.where(Union.id == owner_id),):
        session.execute(insert(Kit).from_select(["campaign_id", "union_id"], forwarders))
    is_planned = exists().where(KitEdition.kit_id == Kit.id, KitEdition.language == CampaignText.language)
    missing = (
        select(Kit.id, CampaignText.language)
        .join(CampaignText, CampaignText.campaign_id == Kit.campaign_id)
        .where(Kit.campaign_id == campaign.id, ~is_planned)
        .order_by(Kit.id, CampaignText.language)
    )
    planned = session.execute(insert(KitEdition).from_select(["kit_id", "language"], missing).returning(KitEdition.id))
    return len(planned.all()) + _plan_outdated(session, campaign) + _plan_corrected(session, campaign)


def _may_forward(campaign: Campaign) -> ColumnElement[bool]:
    """The condition that a union's members do not live where acting on a campaign may be dangerous for them, unless
    there are words for these."""
    if campaign.home is HomeRule.INCLUDE:
        return true()
    return or_(Union.country.is_(None), Union.country.not_in(sorted(segments.home_of(campaign))))


def forwarder(session: Session, campaign: Campaign, union_id: int | None) -> Forwarder | None:
    """In whose name the kit would be that members of a union are passed, or people of none; None where there would be
    no kit for them. It is as it would be planned now.
    """
    owner_id = campaign.mailing_list.owner_id
    wanted = select(Union).where(Union.id == (owner_id or union_id), Union.status == UnionStatus.AFFILIATED)
    union = session.scalar(wanted.where(_may_forward(campaign)).options(undefer(Union.logo)))
    return None if union is None and owner_id is not None else Forwarder.of(union)


def _has_kit(campaign: Campaign, union_id: QueryableAttribute[int] | None) -> ColumnElement[bool]:
    of_union = Kit.union_id.is_(None) if union_id is None else Kit.union_id == union_id
    return exists().where(Kit.campaign_id == campaign.id, of_union)


def plan_missing(session: Session) -> None:
    """Plan kits of campaigns that may be forwarded, for unions that affiliated or changed since, and those of which
    letters or targets were corrected."""
    suppression.lock_shared(session)  # before kits, as whoever tells of one
    has_kit = exists().where(Kit.campaign_id == Campaign.id, Kit.union_id == Union.id)
    is_for = or_(MailingList.owner_id.is_(None), MailingList.owner_id == Union.id)
    # As `_may_forward`, but for its territories: whoever is asked in vain for a union there plans nothing.
    may_forward = or_(Union.country.is_distinct_from(Campaign.about), Campaign.home == HomeRule.INCLUDE)
    lacks_kit = exists().where(Union.status == UnionStatus.AFFILIATED, is_for, ~has_kit, may_forward)
    lacks_any = ~exists().where(Kit.campaign_id == Campaign.id) & MailingList.owner_id.is_(None)
    is_changed = exists().where(KitEdition.kit_id == Kit.id, Kit.campaign_id == Campaign.id, _is_outdated())
    wanted = select(Campaign).join(MailingList, MailingList.id == Campaign.list_id)
    wanted = wanted.where(deadlines.may_be_forwarded(session), or_(lacks_kit, lacks_any, is_changed))
    for campaign in session.scalars(wanted).all():
        plan(session, campaign)
    with_letters = select(Campaign).where(deadlines.may_be_forwarded(session), func.json_array_length(Campaign.ask) > 0)
    for campaign in session.scalars(with_letters).all():
        _plan_corrected(session, campaign)


def require_forwarding(session: Session, campaign: Campaign) -> None:
    """Refuse to make kits that nobody should get.

    :raises NotForForwarding: it was not written to be forwarded.
    :raises NoTimeToForward: it has not begun, is paused or cancelled, or is over.
    :raises NobodyIsAsked: it was stopped, closed or withdrawn, or its case was.
    """
    if not campaign.forwardable:
        raise NotForForwarding(slug=campaign.slug)
    may_be = select(Campaign.id).where(Campaign.id == campaign.id, deadlines.may_be_forwarded(session))
    if session.scalar(may_be) is None:
        now = asking.of(campaign)
        if now is Asking.OPEN:
            raise NoTimeToForward(
                slug=campaign.slug, status="over" if campaign.status in deadlines.OUT else campaign.status
            )
        raise NobodyIsAsked(slug=campaign.slug, asking=now)


def try_again(session: Session, campaign: Campaign) -> None:
    """Let what could not be made of a campaign's kits be tried once more, because a person asks for it."""
    of_campaign = KitEdition.kit_id.in_(select(Kit.id).where(Kit.campaign_id == campaign.id))
    tried = (
        update(KitEdition).where(of_campaign, KitEdition.problem.is_not(None)).values(problem=None, taken_until=None)
    )
    kit_ids = set(session.scalars(tried.returning(KitEdition.kit_id)))
    session.execute(update(Kit).where(Kit.id.in_(kit_ids)).values(ready_at=None))


def _plan_outdated(session: Session, campaign: Campaign) -> int:
    """Plan again what was made of a union that has changed since: its name, logo or words. Nobody is told again."""
    of_campaign = select(Kit.id).where(Kit.campaign_id == campaign.id)
    return _unmake(session, KitEdition.kit_id.in_(of_campaign), _is_outdated())


def _plan_corrected(session: Session, campaign: Campaign) -> int:
    """Likewise what has letters, or addresses to which these go, that have been corrected since."""
    if not campaign.ask:
        return 0
    correspondence = Correspondence(session, campaign, "")  # whose links say the same as ever
    made = (
        select(Union.country, KitEdition.letters)
        .select_from(KitEdition)
        .join(Kit, Kit.id == KitEdition.kit_id)
        .outerjoin(Union, Union.id == Kit.union_id)
        .where(Kit.campaign_id == campaign.id, _IS_DONE)
        .distinct()
    )
    again = 0
    for country, letters in session.execute(made).all():
        if letters != correspondence.state(country):
            there = select(Kit.id).outerjoin(Union, Union.id == Kit.union_id).where(Kit.campaign_id == campaign.id)
            there = there.where(Union.country.is_not_distinct_from(country))
            are_old = KitEdition.letters.is_not_distinct_from(letters)
            again += _unmake(session, KitEdition.kit_id.in_(there), _IS_DONE, are_old)
    return again


def _unmake(session: Session, *which: ColumnElement[bool]) -> int:
    """Have editions made again, and say how many."""
    unmade = {"archive": None, "made_at": None, "problem": None, "taken_until": None}
    again = update(KitEdition).where(*which).values(unmade).returning(KitEdition.kit_id)
    kit_ids = session.scalars(again).all()
    session.execute(update(Kit).where(Kit.id.in_(set(kit_ids))).values(ready_at=None))
    return len(kit_ids)


def drop_names(session: Session) -> None:
    """Drop what names a union that has asked not to be named, also of campaigns that are over. `pages` shows none of it
    from the moment that the union asked."""
    unnamed = select(Kit.id).join(Union, Union.id == Kit.union_id).where(~Union.is_named)
    names = update(KitEdition).where(KitEdition.archive.is_not(None), KitEdition.kit_id.in_(unnamed), _is_outdated())
    session.execute(names.values(archive=None))


def _is_outdated() -> ColumnElement[bool]:
    """The condition that an edition was made, or could not be, of an earlier revision of its union."""
    return _IS_DONE & KitEdition.union_revision.is_distinct_from(_revision_of(KitEdition.kit_id))


def _revision_of(kit_id: QueryableAttribute[int] | int) -> ScalarSelect[int]:
    """What a kit's union is at; none for the kit for everybody."""
    return select(Union.revision).join(Kit, Kit.union_id == Union.id).where(Kit.id == kit_id).scalar_subquery()


# --- making ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Made:
    """What a turn of making kits came to."""

    editions: int  # made or given up
    more: bool  # whether some wait still that nobody is at


@dataclass(frozen=True, slots=True)
class _Task:
    """An edition that this worker took."""

    edition_id: int
    taken_until: datetime
    kit_id: int
    forwarder: Forwarder
    revision: int | None  # of the union, which the forwarder was read from
    language: str


@dataclass(frozen=True, slots=True)
class _Result:
    """What became of it: its archive, or why it cannot be made."""

    task: _Task
    archive: bytes | None
    problem: str | None


def campaigns_with_work(session: Session) -> list[int]:
    """Ids of campaigns of whose kits something could be made now."""
    return list(session.scalars(_waiting(session).with_only_columns(Kit.campaign_id).distinct()))


def make(sessions: Sessions, campaign_id: int, sender: Sender, *, seconds: float, stopping: Callable[[], bool]) -> Made:
    """Make what waits of a campaign's kits, for a while. Others may do so at the same time.

    A text that cannot be made in one language keeps no other from being made: its edition says why. A union whose kit
    is ready by this is told.

    :param sessions: opens each of the transactions that this takes.
    :param seconds: after which nothing more is begun.
    :param stopping: asked before each edition.
    :raises ServiceUnavailable: the database cannot be used; what was not made waits.
    """
    end = time.monotonic() + seconds
    editions = 0
    with sessions(read_only=True) as session:
        renderer = KitEditions(session, session.get_one(Campaign, campaign_id), sender)
    while not (is_over := stopping() or time.monotonic() >= end) and (tasks := _take(sessions, campaign_id)):
        results = [_print(renderer, task) for task in tasks if not stopping()]
        editions += len(results)
        _keep(sessions, renderer, tasks, results, sender)
    return Made(editions, more=is_over and _is_waiting(sessions, campaign_id))


def _waiting(session: Session) -> Select[int]:
    """Editions that somebody could make now, and that anybody is waiting for."""
    return (
        select(KitEdition.id)
        .join(Kit, Kit.id == KitEdition.kit_id)
        .join(Campaign, Campaign.id == Kit.campaign_id)
        .outerjoin(Union, Union.id == Kit.union_id)
        .where(*_UNMADE, or_(KitEdition.taken_until.is_(None), KitEdition.taken_until <= db.now(session)))
        .where(deadlines.may_be_forwarded(session))
        .where(or_(Kit.union_id.is_(None), Union.status == UnionStatus.AFFILIATED))
    )


def _is_waiting(sessions: Sessions, campaign_id: int) -> bool:
    with sessions(read_only=True) as session:
        return campaign_id in campaigns_with_work(session)


def _take(sessions: Sessions, campaign_id: int) -> list[_Task]:
    """Take a handful of editions, kit after kit, so that the first are ready soon."""
    with sessions() as session:
        first = (
            _waiting(session)
            .where(Kit.campaign_id == campaign_id)
            .order_by(KitEdition.kit_id, KitEdition.id)
            .limit(_HANDFUL)
            .with_for_update(skip_locked=True, of=KitEdition)
        )
        taken = session.scalars(first).all()
        until = db.now(session) + _LEASE
        session.execute(update(KitEdition).where(KitEdition.id.in_(taken)).values(taken_until=until))
        rows = session.execute(
            select(KitEdition.id, KitEdition.kit_id, KitEdition.language, Union)
            .join(Kit, Kit.id == KitEdition.kit_id)
            .outerjoin(Union, Union.id == Kit.union_id)
            .where(KitEdition.id.in_(taken))
            .order_by(KitEdition.kit_id, KitEdition.id)
            .options(undefer(Union.logo))
        )
        return [
            _Task(edition_id, until, kit_id, Forwarder.of(union), union.revision if union else None, language)
            for edition_id, kit_id, language, union in rows
        ]


def _print(renderer: KitEditions, task: _Task) -> _Result:
    try:
        return _Result(task, archives.pack(renderer.files(task.forwarder, task.language)), None)
    except ServiceUnavailable:
        raise
    except MailerError as problem:
        log.warning(
            "kit edition cannot be made: %s; once that is fixed, run: mailer kits make",
            str(problem).rstrip("."),
            extra={"kit": task.kit_id, "language": task.language},
        )
        return _Result(task, None, str(problem)[:300])


def _keep(
    sessions: Sessions, renderer: KitEditions, tasks: Sequence[_Task], results: Sequence[_Result], sender: Sender
) -> None:
    """Write down what was made, let go of the rest, and call kits ready of which nothing waits any more."""
    with sessions() as session:
        suppression.lock_shared(session)  # for those who are told
        kit_ids = {task.kit_id for task in tasks}
        # Two workers that make a kit's last editions would each see the other's as waiting still: one at a time.
        session.execute(select(Kit.id).where(Kit.id.in_(kit_ids)).order_by(Kit.id).with_for_update(key_share=True))
        now = db.now(session)
        for result in results:
            made_at = now if result.archive is not None else None
            task = result.task
            values = {"archive": result.archive, "made_at": made_at, "problem": result.problem}
            values["letters"] = renderer.letters_for(task.forwarder)
            of_now = _revision_of(task.kit_id).is_not_distinct_from(task.revision)
            made = update(KitEdition).where(*_held(task), of_now).values(**values, union_revision=task.revision)
            session.execute(made)
        for task in tasks:  # what was not begun, or its union has changed meanwhile
            session.execute(update(KitEdition).where(*_held(task)).values(taken_until=None))
        waits = exists().where(KitEdition.kit_id == Kit.id, *_UNMADE)
        ready = update(Kit).where(Kit.id.in_(kit_ids), Kit.ready_at.is_(None), ~waits).values(ready_at=now)
        if session.scalars(ready.returning(Kit.id)).all():
            announcements.tell(session, sender.base_url)


def _held(task: _Task) -> tuple[ColumnElement[bool], ...]:
    """The conditions that an edition is still this worker's: who was slow and lost it to another changes nothing."""
    return KitEdition.id == task.edition_id, KitEdition.taken_until == task.taken_until, *_UNMADE


_UNMADE = (KitEdition.made_at.is_(None), KitEdition.problem.is_(None))
_IS_DONE = or_(KitEdition.made_at.is_not(None), KitEdition.problem.is_not(None))
