"""Approvals: a campaign goes out as a second person saw it, and said yes to it.

An approval is one of a content (see `content`). Nothing takes it back when something changes: what is sent then is
another content, which nobody has approved. Each start asks, in its transaction, about the very content that it freezes.
An installation without accounts asks nobody.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, exists, func, select
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.mail.sender import Sender
from mailer.organisers import accounts, changes, content
from mailer.organisers.content import Content, Difference
from mailer.store.crypto import keyring_of
from mailer.store.models import (
    Account,
    Approval,
    ApprovalRequest,
    AuditEntry,
    Campaign,
    CampaignContent,
    CampaignStatus,
    LoneRequest,
)

_COUNTS = (Approval.taken_back_at.is_(None),)
_BY_ANOTHER = Approval.lone_request_id.is_(None)  # by a second person, or by an operator
_ASKS = (ApprovalRequest.sent_back_at.is_(None), ApprovalRequest.taken_back_at.is_(None))
#: how often somebody may take back within an hour what they asked for, and ask again
_MOST_TAKEN_BACK, _PATIENCE = 3, timedelta(hours=1)
#: at which a campaign may still be approved
OPEN = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED, CampaignStatus.PAUSED)


class NotApproved(MailerError):
    """Campaign "{slug}" {why}. Ask for approval at the desk. On the command line an operator can start it without,
    with --alone WHY."""


class Changed(MailerError):
    """Campaign "{slug}" has changed since this page was made ({parts}). Look at it as it is now."""

    def __init__(self, *, slug: str, found: Sequence[Difference]) -> None:
        """:param found: what has changed; nothing where nobody knows what the page showed."""
        super().__init__(slug=slug, parts=content.in_words(found) or "nobody knows what it showed")
        self.differences = tuple(found)


class NotPublisher(MailerError):
    """Only a publisher approves and sends, and somebody who becomes one can a day later."""


class OwnChange(MailerError):
    """You have changed campaign "{slug}", its case or its targets since it was last approved, so somebody else has to
    approve it."""


class OwnRequest(MailerError):
    """You asked yourself for approval of campaign "{slug}", so somebody else has to give it."""


class NobodyAsked(MailerError):
    """Nobody has asked for approval of campaign "{slug}" as it is now. Two people say yes to it: one asks, and another
    approves."""


class SentBack(MailerError):
    """Campaign "{slug}" was sent back. It can be asked for again."""


class SentBackSince(MailerError):
    """Campaign "{slug}" was sent back since this page was made, and somebody has asked for approval again. Look at it,
    and at what they say."""


class TakenBack(MailerError):
    """Whoever asked for approval of campaign "{slug}" has taken that back."""


class AskedTooOften(MailerError):
    """You have asked for approval of campaign "{slug}" and taken it back three times within an hour. Everybody who may
    approve it was written each time. Ring one of them, or ask again in an hour."""


class AlreadyApproved(MailerError):
    """Campaign "{slug}" is approved as it is now."""


class TooLate(MailerError):
    """Campaign "{slug}" is {status}, so there is nothing to approve any more."""


# --- whether it may go out ------------------------------------------------------------------------------------------


class State(enum.StrEnum):
    """How a campaign stands with whoever approves."""

    NOT_NEEDED = "not needed"  # there is no account, or it has begun
    NONE = "none"  # nobody has asked
    WAITING = "waiting"  # for somebody to approve it as it is now
    SENT_BACK = "sent back"  # somebody wants it changed, and nobody has asked since
    APPROVED = "approved"
    LAPSED = "lapsed"  # it was approved, and has changed; nobody has asked again


@dataclass(frozen=True, slots=True)
class Standing:
    """How a campaign stands with whoever approves."""

    state: State
    content: Content  # as it is now
    request: ApprovalRequest | None  # what was approved, else the one that is open for what it is now
    approval: Approval | None  # of what it is now, else the latest of what it was
    differences: tuple[Difference, ...] = ()  # from what that approval was for
    sent_back: ApprovalRequest | None = None  # the latest one since that approval


class Asked(NamedTuple):
    """What the next start, or going on, of a campaign asks for. To be looked up before it moves."""

    is_needed: bool  # an approval of what it is now
    of_another: bool  # it may be no publisher's who sends alone


def asked(session: Session, campaign: Campaign) -> Asked:
    """What the next start, or going on, of a campaign asks for: nothing where nobody has an account, and once it has
    begun, unless somebody objected to its being sent alone."""
    if not _beyond(session).scalar(select(exists().where(Account.id.is_not(None)))):
        return Asked(is_needed=False, of_another=False)
    objected = was_objected(session, campaign)
    return Asked(is_needed=campaign.started_at is None or objected, of_another=objected)


def was_objected(session: Session, campaign: Campaign) -> bool:
    """Whether somebody objected to its being sent alone, and no second person has approved it since."""
    at = _objected_at(session, campaign)
    if at is None:
        return False
    of_campaign = CampaignContent.campaign_id == campaign.id
    since = select(Approval.id).join(Approval.content).where(of_campaign, *_COUNTS, _BY_ANOTHER, Approval.at >= at)
    return _beyond(session).execute(since.limit(1)).first() is None


def _objected_at(session: Session, campaign: Campaign) -> datetime | None:
    """When somebody last said no to its being sent alone, or paused it after it was."""
    lone = select(func.max(LoneRequest.objected_at)).join(LoneRequest.content)
    of_campaign = CampaignContent.campaign_id == campaign.id
    at: datetime | None = _beyond(session).scalar(lone.where(of_campaign))
    if campaign.status is CampaignStatus.PAUSED and campaign.held_by is not None and campaign.held_at is not None:
        latest = select(Approval.lone_request_id, Approval.by_id).join(Approval.content).where(of_campaign, *_COUNTS)
        approval = _beyond(session).execute(latest.order_by(Approval.id.desc()).limit(1)).first()
        if approval and approval.lone_request_id is not None and approval.by_id != campaign.held_by:
            return max(at, campaign.held_at) if at else campaign.held_at
    return at


def _beyond(session: Session) -> Connection:
    """What asks also for a session that is limited to a union, which neither sees accounts nor goes around them."""
    session.flush()
    return session.connection()


def require(session: Session, campaign: Campaign, sender: Sender) -> None:
    """Insist that a campaign is approved as it is now, where that is needed.

    :raises NotApproved: it is not.
    """
    insist(session, campaign, sender, asked(session, campaign))


def insist(session: Session, campaign: Campaign, sender: Sender, wanted: Asked) -> None:
    """Likewise, of one that has just moved. To be asked last in a transaction that has held its content from the
    beginning (`content.hold`): so what was frozen in between is what was approved.

    :param wanted: as it was before the move.
    :raises NotApproved: it is not.
    """
    if wanted.is_needed:
        current = content.of(session, campaign, sender)
        if not _counts(session, campaign, current, of_another=wanted.of_another):
            raise NotApproved(slug=campaign.slug, why=_why_not(session, campaign, current))


def is_lapsed(session: Session, campaign: Campaign, sender: Sender) -> bool:
    """Whether a campaign was approved, and is not any more."""
    wanted = asked(session, campaign)
    if not wanted.is_needed:
        return False
    return not _counts(session, campaign, content.of(session, campaign, sender), of_another=wanted.of_another)


def _counts(session: Session, campaign: Campaign, current: Content, *, of_another: bool) -> bool:
    """Whether a content is approved.

    :param of_another: than whoever sends alone.
    """
    of_content = (CampaignContent.campaign_id == campaign.id, CampaignContent.digest == _digest(session, current.hash))
    found = select(Approval.id).join(Approval.content).where(*of_content, *_COUNTS)
    found = found.where(_BY_ANOTHER) if of_another else found
    return _beyond(session).execute(found.limit(1)).first() is not None


def standing(session: Session, campaign: Campaign, sender: Sender) -> Standing:
    """How a campaign stands with whoever approves, and what has changed since it was last approved."""
    current = content.of(session, campaign, sender)
    wanted = asked(session, campaign)
    if not wanted.is_needed:
        latest = _latest_approval(session, campaign)
        return Standing(State.NOT_NEEDED, current, latest.request if latest else None, latest)
    request = _request_for(session, campaign, current)
    if approval := _approval_of(session, campaign, current, of_another=wanted.of_another):
        return Standing(State.APPROVED, current, approval.request or request, approval)
    latest = _latest_approval(session, campaign)
    sent_back = _latest_sent_back(session, campaign, latest)
    before = content.unpacked(latest.content.parts).parts if latest else {}
    found = tuple(content.differences(before, current.parts)) if latest else ()
    otherwise = State.SENT_BACK if sent_back else State.LAPSED if latest else State.NONE
    return Standing(State.WAITING if request else otherwise, current, request, latest, found, sent_back)


def _why_not(session: Session, campaign: Campaign, current: Content) -> str:
    latest = _latest_approval(session, campaign)
    if latest is None:
        return "is not approved"
    found = content.differences(content.unpacked(latest.content.parts).parts, current.parts)
    return f"has changed since it was approved ({content.in_words(found)})"


# --- asking for it --------------------------------------------------------------------------------------------------


def ask(
    session: Session, campaign: Campaign, by: Account, words: str | None, *, at: datetime, sender: Sender
) -> ApprovalRequest:
    """Ask for approval of a campaign as it is now. Who asks for the same a second time asks for nothing more.

    :param words: to whoever approves.
    :raises TooLate: it has begun.
    :raises AskedTooOften: they have taken it back again and again.
    """
    content.hold(session, campaign)
    require_open(session, campaign)
    current = content.of(session, campaign, sender)
    request = _request_for(session, campaign, current)
    if request is None:
        _require_patience(session, campaign, by, at)
        kept = keep(session, campaign, current)
        request = ApprovalRequest(content_id=kept.id, by_id=by.id, at=at, words=words or None)
        session.add(request)
        session.flush()
    return request


def _require_patience(session: Session, campaign: Campaign, by: Account, at: datetime) -> None:
    """Each request is a mail to everybody who may approve it: many would hide one that matters."""
    lately = (ApprovalRequest.by_id == by.id, ApprovalRequest.taken_back_at > at - _PATIENCE)
    taken_back = select(func.count()).select_from(ApprovalRequest).join(ApprovalRequest.content)
    if (session.scalar(taken_back.where(CampaignContent.campaign_id == campaign.id, *lately)) or 0) >= _MOST_TAKEN_BACK:
        raise AskedTooOften(slug=campaign.slug)


def waiting(session: Session, sender: Sender) -> list[ApprovalRequest]:
    """What waits for approval: requests for what campaigns are now, the oldest first, each campaign once."""
    answered = exists().where(Approval.content_id == CampaignContent.id, *_COUNTS, _BY_ANOTHER)
    rows = session.execute(
        select(ApprovalRequest, Campaign)
        .join(ApprovalRequest.content)
        .join(Campaign, Campaign.id == CampaignContent.campaign_id)
        .where(Campaign.status.in_(OPEN), *_ASKS, ~answered)
        .order_by(ApprovalRequest.id)
    ).all()
    current: dict[int, bytes] = {}
    found: dict[int, ApprovalRequest] = {}
    for request, campaign in rows:
        if campaign.id not in current:
            current[campaign.id] = _digest(session, content.of(session, campaign, sender).hash)
        is_current = request.content.digest == current[campaign.id]
        if is_current and asked(session, campaign).is_needed and not is_answered(session, campaign, request):
            found.setdefault(campaign.id, request)
    return list(found.values())


# --- giving it ------------------------------------------------------------------------------------------------------


def approve(
    session: Session,
    campaign: Campaign,
    by: Account,
    shown: str,
    words: str | None,
    *,
    at: datetime,
    sender: Sender,
    request_id: int | None = None,
) -> Approval:
    """Say yes to a campaign as somebody was shown it. A second press of the same changes nothing.

    :param shown: the hash of what they were shown.
    :param request_id: of the request that they were shown; by default the one that is open now.
    :raises NotPublisher: they are none.
    :raises TooLate: it has begun.
    :raises Changed: it is not what they were shown any more.
    :raises OwnChange: they have changed it.
    :raises OwnRequest: they asked for it themselves.
    :raises NobodyAsked: nobody asked for it.
    :raises SentBack: somebody has sent it back.
    :raises SentBackSince: somebody has, after they were shown it, and it was asked for again.
    :raises TakenBack: whoever asked for it does no more.
    """
    require_publisher(session, by, at)
    content.hold(session, campaign)
    require_open(session, campaign)
    current = require_shown(session, campaign, shown, sender)
    if (already := _approval_of(session, campaign, current, of_another=True)) and already.by_id == by.id:
        return already
    request = require_other(session, campaign, by, current)
    is_another = request_id is not None and request_id != request.id
    if is_another and _is_any_sent_back(session, campaign, from_id=request_id or 0):
        raise SentBackSince(slug=campaign.slug)
    return give(session, campaign, current, by=by, words=words, at=at, request=request)


def is_second(session: Session, campaign: Campaign, by: Account, current: Content) -> bool:
    """Whether somebody may be the second person for a campaign as it is now, who says yes to what another asks for."""
    try:
        require_other(session, campaign, by, current)
    except MailerError:
        return False
    return True


def require_other(session: Session, campaign: Campaign, by: Account, current: Content) -> ApprovalRequest:
    """Insist that somebody is a second person for a campaign as it is now.

    :returns: what they answer.
    :raises OwnChange: they have changed it.
    :raises OwnRequest: they asked for it themselves.
    :raises NobodyAsked: nobody asked for it.
    :raises SentBack: somebody has sent it back.
    :raises TakenBack: whoever asked for it does no more.
    """
    if _has_changed(session, campaign, by, current):
        raise OwnChange(slug=campaign.slug)
    request = _request_for(session, campaign, current)
    if request is None:
        raise _why_nobody_asks(session, campaign, current)
    if request.by_id == by.id:
        raise OwnRequest(slug=campaign.slug)
    return request


def approve_by_command(session: Session, campaign: Campaign, why: str, *, at: datetime, sender: Sender) -> None:
    """Have an operator say yes to a campaign as it is now, whoever changed it. Of one for which nobody needs to,
    nothing is kept.

    :param why: nobody else did. It stands in the audit log, too.
    """
    content.hold(session, campaign)
    if asked(session, campaign).is_needed:
        give(session, campaign, content.of(session, campaign, sender), by=None, words=why, at=at)


def require_publisher(session: Session, by: Account, at: datetime) -> None:
    """:raises NotPublisher: they are none, or not for a day yet."""
    if not accounts.is_publisher_at(session, by, at):
        raise NotPublisher


def require_shown(session: Session, campaign: Campaign, shown: str, sender: Sender) -> Content:
    """The content of a campaign, which is what somebody was shown.

    :param shown: its hash.
    :raises Changed: it is not.
    """
    current = content.of(session, campaign, sender)
    if current.hash != shown:
        before = _kept(session, campaign, shown)
        found = content.differences(content.unpacked(before.parts).parts, current.parts) if before else []
        raise Changed(slug=campaign.slug, found=found)
    return current


def give(
    session: Session,
    campaign: Campaign,
    current: Content,
    *,
    by: Account | None,
    words: str | None,
    at: datetime,
    request: ApprovalRequest | None = None,
    lone_request: LoneRequest | None = None,
) -> Approval:
    """Write an approval down. Whether it may be given is up to who calls this."""
    approval = Approval(
        content_id=keep(session, campaign, current).id,
        by_id=by.id if by else None,
        at=at,
        words=words or None,
        request_id=request.id if request else None,
        lone_request_id=lone_request.id if lone_request else None,
        audit_entry=session.scalar(select(func.max(AuditEntry.id))) or 0,
    )
    session.add(approval)
    session.flush()
    return approval


def keep(session: Session, campaign: Campaign, current: Content) -> CampaignContent:
    """Keep a content that is held, so that it can be told later what has changed."""
    kept = _kept(session, campaign, current.hash)
    if kept is None:
        digest = _digest(session, current.hash)
        kept = CampaignContent(campaign_id=campaign.id, digest=digest, parts=content.packed(current))
        session.add(kept)
        session.flush()
    return kept


def _has_changed(session: Session, campaign: Campaign, by: Account, current: Content) -> bool:
    """Whether somebody has changed a campaign since a second person, or an operator, last said yes to it."""
    last = _latest_approval(session, campaign, _BY_ANOTHER)
    parts = {*current.parts, *(content.unpacked(last.content.parts).parts if last else ())}
    return changes.are_by(session, campaign, by.id, parts=parts, since=last.audit_entry if last else None)


def require_open(session: Session, campaign: Campaign) -> None:
    """:raises TooLate: nothing that is to start is left to approve."""
    if not is_open(session, campaign):
        raise TooLate(slug=campaign.slug, status=campaign.status)


def is_open(session: Session, campaign: Campaign) -> bool:
    """Whether something of a campaign that is to start is left to approve."""
    return campaign.status in OPEN and (campaign.started_at is None or was_objected(session, campaign))


def was_sent_back(session: Session, campaign: Campaign, current: Content) -> bool:
    """Whether somebody has sent a campaign back as it is now, and no second person has said yes to that since, whoever
    has asked again."""
    kept = _kept(session, campaign, current.hash)
    if kept is None:
        return False
    latest = select(func.max(ApprovalRequest.sent_back_at)).where(ApprovalRequest.content_id == kept.id)
    at: datetime | None = session.scalar(latest)
    given = _approval_of(session, campaign, current, of_another=True)
    return at is not None and (given is None or given.at < at)


def _is_any_sent_back(session: Session, campaign: Campaign, *, from_id: int) -> bool:
    """Whether a request for a campaign, or one after it, was sent back.

    :param from_id: of that request.
    """
    sent_back = select(ApprovalRequest.id).join(ApprovalRequest.content)
    sent_back = sent_back.where(CampaignContent.campaign_id == campaign.id, ApprovalRequest.sent_back_at.is_not(None))
    return session.scalar(sent_back.where(ApprovalRequest.id >= from_id).limit(1)) is not None


def why_ended(campaign: Campaign, request: ApprovalRequest) -> MailerError:
    """Why a request is not open any more."""
    return SentBack(slug=campaign.slug) if request.sent_back_at else TakenBack(slug=campaign.slug)


def is_answered(session: Session, campaign: Campaign, request: ApprovalRequest) -> bool:
    """Whether somebody has said yes to what a request is for."""
    given = select(Approval.id).where(Approval.content_id == request.content_id, *_COUNTS)
    given = given.where(_BY_ANOTHER) if asked(session, campaign).of_another else given
    return session.scalar(given.limit(1)) is not None


# --- what is known --------------------------------------------------------------------------------------------------


def is_of(session: Session, kept: CampaignContent, current: Content) -> bool:
    """Whether a content that was kept is the same as another."""
    return kept.digest == _digest(session, current.hash)


def _digest(session: Session, hashed: str) -> bytes:
    return keyring_of(session).account_digest("content", hashed)


def _kept(session: Session, campaign: Campaign, hashed: str) -> CampaignContent | None:
    which = (CampaignContent.campaign_id == campaign.id, CampaignContent.digest == _digest(session, hashed))
    return session.scalar(select(CampaignContent).where(*which))


def _request_for(session: Session, campaign: Campaign, current: Content) -> ApprovalRequest | None:
    kept = _kept(session, campaign, current.hash)
    if kept is None:
        return None
    of_content = select(ApprovalRequest).where(ApprovalRequest.content_id == kept.id, *_ASKS)
    return session.scalar(of_content.order_by(ApprovalRequest.id).limit(1))


def _why_nobody_asks(session: Session, campaign: Campaign, current: Content) -> MailerError:
    kept = _kept(session, campaign, current.hash)
    of_content = ApprovalRequest.content_id == (kept.id if kept else None)
    ended = session.scalar(select(ApprovalRequest).where(of_content).order_by(ApprovalRequest.id.desc()).limit(1))
    return why_ended(campaign, ended) if ended else NobodyAsked(slug=campaign.slug)


def _latest_sent_back(session: Session, campaign: Campaign, latest: Approval | None) -> ApprovalRequest | None:
    sent_back = select(ApprovalRequest).join(ApprovalRequest.content)
    sent_back = sent_back.where(CampaignContent.campaign_id == campaign.id, ApprovalRequest.sent_back_at.is_not(None))
    if latest is not None:
        sent_back = sent_back.where(ApprovalRequest.sent_back_at > latest.at)
    return session.scalar(sent_back.order_by(ApprovalRequest.sent_back_at.desc()).limit(1))


def _approval_of(session: Session, campaign: Campaign, current: Content, *, of_another: bool) -> Approval | None:
    kept = _kept(session, campaign, current.hash)
    if kept is None:
        return None
    counting = select(Approval).where(Approval.content_id == kept.id, *_COUNTS)
    counting = counting.where(_BY_ANOTHER) if of_another else counting
    return session.scalar(counting.order_by(Approval.id.desc()).limit(1))


def _latest_approval(session: Session, campaign: Campaign, *which: ColumnElement[bool]) -> Approval | None:
    return session.scalar(
        select(Approval)
        .join(Approval.content)
        .where(CampaignContent.campaign_id == campaign.id, *_COUNTS, *which)
        .order_by(Approval.id.desc())
        .limit(1)
    )
