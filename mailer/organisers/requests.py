"""Requests: somebody asks for approval, and those who may give it hear of it by mail.

What nobody has said yes to ends when one of them sends it back, or when whoever asked takes it back.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session, aliased

from mailer.errors import MailerError
from mailer.links import Pages
from mailer.mail.sender import Sender
from mailer.organisers import accounts, alone, approvals, content
from mailer.people import notices
from mailer.people.notices import Notice, NoticeKind
from mailer.store import audit
from mailer.store.audit import Who
from mailer.store.models import Account, Approval, ApprovalRequest, Campaign, CampaignContent


class WordsMissing(MailerError):
    """Say what should be changed before campaign "{slug}" goes out: whoever asked reads it."""


class NotTheirs(MailerError):
    """Somebody else asked for approval of campaign "{slug}", and only they can take that back."""


def make(
    session: Session, campaign: Campaign, by: Account, words: str | None, *, at: datetime, sender: Sender, who: Who
) -> ApprovalRequest:
    """Ask for approval of a campaign as it is now, and owe a mail to each publisher who may give it. Who asks for the
    same a second time asks for nothing more, and nobody is written again.

    :param words: to whoever approves; no mail says them.
    :param who: for the audit log.
    :raises approvals.TooLate: it has begun.
    :raises approvals.AskedTooOften: they have taken it back again and again.
    """
    asked = approvals.ask(session, campaign, by, words, at=at, sender=sender)
    if asked.at == at:
        audit.append(session, "campaigns.ask", who, kind="campaign", subject=campaign.slug)
        for each in accounts.publishers_at(session, at):
            if each.id != by.id and accounts.is_publisher_at(session, each, at):
                _tell(session, each, NoticeKind.WAITING, campaign, sender)
    return asked


def approve(
    session: Session,
    campaign: Campaign,
    by: Account,
    shown: str,
    words: str | None,
    *,
    request_id: int | None,
    at: datetime,
    sender: Sender,
    who: Who,
) -> Approval:
    """Say yes to a campaign, as `approvals.approve` does, and owe a mail to whoever asked. A second press of the same
    changes nothing, and nobody is written again.

    :param who: for the audit log.
    :raises MailerError: for all that `approvals.approve` raises.
    """
    given = approvals.approve(session, campaign, by, shown, words, at=at, sender=sender, request_id=request_id)
    if given.at == at:
        audit.append(session, "campaigns.approve", who, kind="campaign", subject=campaign.slug)
        asker = given.request.by if given.request is not None else None
        if asker is not None and asker.disabled_at is None:
            _tell(session, asker, NoticeKind.APPROVED, campaign, sender)
    return given


def send_back(
    session: Session,
    campaign: Campaign,
    by: Account,
    words: str,
    *,
    request_id: int,
    shown: str,
    at: datetime,
    sender: Sender,
    who: Who,
) -> ApprovalRequest:
    """Say that a campaign has to be changed before it goes out, and owe a mail to whoever asked. What somebody else
    wanted to send alone is objected to. A second press of the same changes nothing.

    :param words: what should be changed; no mail says them.
    :param request_id: of what they were shown, so that an old press says nothing about a later request.
    :param shown: the hash of what they were shown.
    :param who: for the audit log.
    :raises WordsMissing: there are none.
    :raises approvals.AlreadyApproved: somebody has said yes to it.
    :raises approvals.SentBack: somebody else has sent it back.
    :raises MailerError: for all that `approvals.approve` raises.
    """
    approvals.require_publisher(session, by, at)
    content.hold(session, campaign)
    request = _of_campaign(session, campaign, request_id)
    if request.sent_back_at is not None and request.sent_back_by_id == by.id:
        return request
    if not words.strip():
        raise WordsMissing(slug=campaign.slug)
    approvals.require_open(session, campaign)
    _require_unanswered(session, campaign, request)
    current = approvals.require_shown(session, campaign, shown, sender)
    if approvals.require_other(session, campaign, by, current).id != request.id:
        raise approvals.NobodyAsked(slug=campaign.slug)
    request.sent_back_at, request.sent_back_by_id, request.sent_back_words = at, by.id, words
    alone.object_to(session, campaign, by, at=at)
    audit.append(session, "campaigns.send_back", who, kind="campaign", subject=campaign.slug)
    if request.by.disabled_at is None:
        _tell(session, request.by, NoticeKind.SENT_BACK, campaign, sender)
    session.flush()
    return request


def take_back(
    session: Session, campaign: Campaign, by: Account, *, request_id: int, at: datetime, who: Who
) -> ApprovalRequest:
    """Ask for approval no more, and want to send it alone no more. A second press changes nothing.

    :param request_id: which of the requests, so that an old press takes no later one back.
    :param who: for the audit log.
    :raises NotTheirs: somebody else asked.
    :raises approvals.NobodyAsked: there is no such request.
    :raises approvals.TooLate: it has begun.
    :raises approvals.AlreadyApproved: somebody has said yes to it.
    :raises approvals.SentBack: somebody has sent it back.
    """
    content.hold(session, campaign)
    request = _of_campaign(session, campaign, request_id)
    if request.by_id != by.id:
        raise NotTheirs(slug=campaign.slug)
    if request.taken_back_at is not None:
        return request
    approvals.require_open(session, campaign)
    _require_unanswered(session, campaign, request)
    request.taken_back_at = at
    alone.take_back(session, request.content, by, at=at)
    audit.append(session, "campaigns.take_back", who, kind="campaign", subject=campaign.slug)
    session.flush()
    return request


class Returned(NamedTuple):
    """A campaign that was sent back."""

    slug: str
    by: str  # what they are called
    at: datetime
    words: str  # what should be changed


def sent_back_to(session: Session, account_id: int) -> list[Returned]:
    """What somebody asked for and was sent back, and nobody has asked for or approved since; the oldest first."""
    newer, of_newer = aliased(ApprovalRequest), aliased(CampaignContent)
    is_same = of_newer.campaign_id == CampaignContent.campaign_id
    counts = or_(newer.sent_back_at.is_not(None), newer.taken_back_at.is_(None))
    asked = exists().where(newer.content_id == of_newer.id, is_same, newer.id > ApprovalRequest.id, counts)
    later = (Approval.at >= ApprovalRequest.sent_back_at, Approval.taken_back_at.is_(None))
    approved = exists().where(Approval.content_id == of_newer.id, is_same, *later)
    found = select(ApprovalRequest, Campaign.slug).join(ApprovalRequest.content)
    found = found.join(Campaign, Campaign.id == CampaignContent.campaign_id)
    theirs = (ApprovalRequest.by_id == account_id, ApprovalRequest.sent_back_at.is_not(None))
    found = found.where(*theirs, Campaign.status.in_(approvals.OPEN), ~asked, ~approved).order_by(ApprovalRequest.id)
    return [
        Returned(slug, each.sent_back_by.name or each.sent_back_by.email, each.sent_back_at, each.sent_back_words or "")
        for each, slug in session.execute(found)
        if each.sent_back_by is not None and each.sent_back_at is not None
    ]


def _of_campaign(session: Session, campaign: Campaign, request_id: int) -> ApprovalRequest:
    """One of the requests for a campaign, as it is now.

    :raises approvals.NobodyAsked: there is no such request.
    """
    request = session.get(ApprovalRequest, request_id, populate_existing=True)
    if request is None or request.content.campaign_id != campaign.id:
        raise approvals.NobodyAsked(slug=campaign.slug)
    return request


def _require_unanswered(session: Session, campaign: Campaign, request: ApprovalRequest) -> None:
    """:raises MailerError: it is answered, or has ended."""
    if request.sent_back_at is not None or request.taken_back_at is not None:
        raise approvals.why_ended(campaign, request)
    if approvals.is_answered(session, campaign, request):
        raise approvals.AlreadyApproved(slug=campaign.slug)


def _tell(session: Session, account: Account, kind: NoticeKind, campaign: Campaign, sender: Sender) -> None:
    words = {"campaign": campaign.slug, "desk_url": Pages(sender.base_url).approval(campaign.slug)}
    notices.owe(session, Notice(kind, words=words), language=account.language, address=account.email)
