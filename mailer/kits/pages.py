"""The pages of kits: what a union gets of a campaign to put in front of its members."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from mailer.campaigns import asking, deadlines, kinds, publishing, telling
from mailer.cases.sayable import Words
from mailer.errors import MailerError
from mailer.formats import archives
from mailer.kits.messages import read_text
from mailer.kits.wording import Forwarder
from mailer.links import Pages
from mailer.locale import languages
from mailer.store import db
from mailer.store.models import Asking, Campaign, CampaignStatus, Kit, KitEdition, UnionStatus

#: how long the files of a campaign that is over are kept
_KEPT = timedelta(days=90)
#: for how long, and how often, whoever has a kit's link may correct how many it reached; its contacts are mailed each
#: time, and nobody can have them mailed more
_CORRIGIBLE, _MOST_CORRECTIONS = timedelta(days=1), 3
#: what fits into a message of a phone
_MESSENGER = ("messenger-short.txt", "messenger-medium.txt")


class NoKit(MailerError):
    """This kit is gone: its campaign is long over, or its union is not affiliated."""


class Withdrawn(NoKit):
    """This kit is gone: its campaign was taken down, or a word stands in it that must not appear."""


class NothingToForward(MailerError):
    """There is nothing to forward: nobody is asked to act on this campaign any more."""


# --- what its page shows --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class KitPage:
    """A kit as its page shows it."""

    campaign_title: str  # in the first of the languages
    campaign_slug: str
    union_id: int | None  # None: the kit for everybody, of which nobody says what came of it
    union_name: str | None  # None: it carries nobody's name
    languages: tuple[str, ...]  # the union's own first
    own_languages: int  # how many of these are its own
    asking: Asking  # whether people are asked to act on it
    deadline: datetime | None  # none where nobody is asked to act
    country: str | None  # the union's, in whose time the deadline is shown
    is_held: bool  # paused: somebody has to look at it, and nobody is to forward it meanwhile
    is_over: bool  # cancelled, or too late to act on it
    is_ready: bool  # every language is made or given up
    files: Mapping[str, tuple[str, ...]]  # language → names; one that is not made is missing
    texts: Mapping[str, tuple[str, str]]  # language → for messengers: short, medium
    problems: Mapping[str, str]  # language → why it cannot be made
    join_url: str
    public_url: str | None  # the campaign's own page
    seen_at: datetime | None
    promised_at: datetime | None
    forwarded_at: datetime | None
    reached: int | None
    may_be_corrected: bool  # on this page: how many it reached


def look(session: Session, kit_id: int, *, base_url: str) -> KitPage:
    """What a kit's page shows. Looking changes nothing.

    :raises NoKit: it is gone, or its union is not affiliated.
    """
    kit = find(session, kit_id)
    campaign, forwarder = kit.campaign, Forwarder.of(kit.union)
    is_open = asking.of(campaign) is Asking.OPEN
    is_over = campaign.status is CampaignStatus.CANCELLED or deadlines.is_over(campaign, db.now(session))
    kept = _archives(session, kit) if is_open else {}
    made = {} if is_over else kept
    own = _own_languages(kit)
    ordered = (*own, *(edition.language for edition in kit.editions if edition.language not in own))
    site = Pages(base_url, ordered[0])
    return KitPage(
        campaign_title=publishing.title(campaign, ordered[0]),
        campaign_slug=campaign.slug,
        union_id=kit.union_id,
        union_name=forwarder.name,
        languages=ordered,
        own_languages=len(own),
        asking=asking.of(campaign),
        deadline=campaign.deadline if is_open and kinds.of(campaign).asks else None,
        country=forwarder.country,
        is_held=campaign.status is CampaignStatus.PAUSED,
        is_over=is_over,
        is_ready=kit.ready_at is not None and not _is_outdated(kit),
        files={language: archives.names(archive) for language, archive in made.items()},
        texts={language: _messages(archive) for language, archive in made.items()},
        problems={edition.language: edition.problem for edition in kit.editions if edition.problem},
        join_url=site.join(forwarder.slug),
        public_url=site.campaign(campaign.slug) if campaign.public else None,
        seen_at=kit.seen_at,
        promised_at=kit.promised_at,
        forwarded_at=kit.forwarded_at,
        reached=kit.reached,
        may_be_corrected=may_be_corrected(session, kit),
    )


def words(session: Session, kit_id: int, language: str) -> Words | None:
    """Why a kit's campaign was stopped, or how it ended, for a reader of a language.

    :raises NoKit: as `look`.
    """
    return telling.of(session, find(session, kit_id).campaign, language).words


def may_be_corrected(session: Session, kit: Kit) -> bool:
    """Whether a kit's link is enough to change how many it reached: for a day after the union said that it forwarded
    it. That link gets forwarded."""
    if kit.forwarded_at is None:
        return True
    return kit.corrections < _MOST_CORRECTIONS and db.now(session) < kit.forwarded_at + _CORRIGIBLE


def file(session: Session, kit_id: int, language: str, name: str) -> bytes:
    """One file of a kit.

    :raises NoKit: the kit is gone, or has no such file.
    :raises NothingToForward: nobody is asked to act any more.
    """
    archive = _archives(session, _find_to_forward(session, kit_id), language).get(language)
    contents = archives.read(archive, name) if archive is not None else None
    if contents is None:
        raise NoKit
    return contents


def archive(session: Session, kit_id: int) -> bytes:
    """All files of a kit as a ZIP, a folder a language.

    :raises NoKit: it is gone, or nothing of it is made yet.
    :raises NothingToForward: nobody is asked to act any more.
    """
    found = files(session, kit_id)
    if not found:
        raise NoKit
    return archives.pack(
        {f"{language}/{name}": contents for language, within in found.items() for name, contents in within.items()}
    )


def files(session: Session, kit_id: int, language: str | None = None) -> dict[str, dict[str, bytes]]:
    """What is made of a kit: language → name → contents.

    :param language: the only one wanted.
    :raises NoKit: it is gone.
    :raises NothingToForward: nobody is asked to act any more.
    """
    found = _archives(session, _find_to_forward(session, kit_id), language)
    return {made_in: archives.unpack(archive) for made_in, archive in found.items()}


def find(session: Session, kit_id: int) -> Kit:
    """A kit that its union may still forward, or speak of.

    :raises NoKit: it is gone, or its union is not affiliated.
    :raises Withdrawn: its campaign was taken down, or holds a word that must not appear.
    """
    kit = session.get(Kit, kit_id)
    if kit is None or (kit.union is not None and kit.union.status is not UnionStatus.AFFILIATED):
        raise NoKit
    if asking.of(kit.campaign) is Asking.WITHDRAWN or not publishing.is_sayable(session, kit.campaign):
        raise Withdrawn
    return kit


def _find_to_forward(session: Session, kit_id: int) -> Kit:
    """Likewise, of whose files somebody may take one.

    :raises NothingToForward: nobody is asked to act any more.
    """
    kit = find(session, kit_id)
    require_time(session, kit)
    return kit


def require_time(session: Session, kit: Kit) -> None:
    """Refuse to have a kit forwarded after its campaign's end.

    :raises NothingToForward: nobody is asked to act any more, or it is too late.
    """
    if asking.of(kit.campaign) is not Asking.OPEN or deadlines.is_over(kit.campaign, db.now(session)):
        raise NothingToForward


def _archives(session: Session, kit: Kit, language: str | None = None) -> dict[str, bytes]:
    """The archives of a kit that are made, by language; none while its campaign is paused, or once it is cancelled:
    whatever is wrong with it, nobody is to forward it.

    :param language: the only one wanted.
    :raises NoKit: they were dropped, long after the campaign.
    """
    if kit.campaign.status in (CampaignStatus.PAUSED, CampaignStatus.CANCELLED):
        return {}
    made = select(KitEdition.language, KitEdition.archive, KitEdition.union_revision).where(
        KitEdition.kit_id == kit.id, KitEdition.made_at.is_not(None)
    )
    if language is not None:
        made = made.where(KitEdition.language == language)
    is_over = deadlines.is_over(kit.campaign, db.now(session))
    rows = session.execute(made.order_by(KitEdition.language)).all()
    shown = {
        row.language: row.archive
        for row in rows
        if row.archive is not None and _may_be_shown(kit, row.union_revision, is_over=is_over)
    }
    were_dropped = all(row.archive is None for row in rows)
    if rows and not shown and (is_over or were_dropped):
        raise NoKit
    return shown


def _is_outdated(kit: Kit) -> bool:
    """Whether its union has changed since, so that something of it is made again."""
    done = [edition for edition in kit.editions if edition.made_at is not None or edition.problem is not None]
    return kit.union is not None and any(edition.union_revision != kit.union.revision for edition in done)


def _may_be_shown(kit: Kit, revision: int | None, *, is_over: bool) -> bool:
    """Whether an edition may be shown. One that was made of what its union has changed since is not, except when the
    campaign is over, so that it is not made again; and never if the union asked not to be named.

    :param revision: of the union, that the edition was made of.
    """
    if kit.union is None or (kit.union.is_named and is_over):
        return True
    return revision == kit.union.revision


def _own_languages(kit: Kit) -> tuple[str, ...]:
    """Those of a union's own languages that there is a text in, or in what they are a form of."""
    there = {edition.language for edition in kit.editions}
    spoken = kit.union.languages if kit.union else []
    nearest = (languages.nearest(tag, there) for tag in spoken)
    return tuple(dict.fromkeys(tag for tag in nearest if tag is not None))


def _messages(archive: bytes) -> tuple[str, str]:
    short, medium = (read_text(archives.read(archive, name) or b"") for name in _MESSENGER)
    return short, medium


# --- the end --------------------------------------------------------------------------------------------------------


def forget_old(session: Session) -> None:
    """Drop the files of campaigns that have been over for 90 days. What unions said stays."""
    ended = func.coalesce(Campaign.deadline, Campaign.finished_at, Campaign.started_at)
    over = select(Kit.id).join(Campaign, Campaign.id == Kit.campaign_id).where(ended < db.now(session) - _KEPT)
    session.execute(
        update(KitEdition)
        .where(KitEdition.archive.is_not(None), KitEdition.kit_id.in_(over))
        .values(archive=None)
        .execution_options(synchronize_session=False)
    )
