"""Alone: what a publisher may send without a second person, because nobody answers.

All other publishers are written first. A quarter of an hour after the mail server took the last of these mails, whoever
asked may send, unless somebody has objected: then it takes a second person. Where there is no other publisher, nobody
is written, and nothing waits.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, exists, or_, select, update
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.mail.sender import Sender
from mailer.organisers import accounts, approvals, content
from mailer.organisers.content import Content
from mailer.people import notices
from mailer.people.notices import Notice, NoticeKind
from mailer.store.models import (
    Account,
    Approval,
    AuditEntry,
    Campaign,
    CampaignContent,
    Delivery,
    DeliveryState,
    Invitation,
    InvitationKind,
    LoneNotice,
    LoneRequest,
)

#: how long others have to object
WAIT = timedelta(minutes=15)
_OPEN = (LoneRequest.objected_at.is_(None), LoneRequest.taken_back_at.is_(None))


class WhyMissing(MailerError):
    """Say why you want to send campaign "{slug}" alone: the others are told."""


class NotAsked(MailerError):
    """You have not said that you want to send campaign "{slug}" alone as it is now. The others have to hear of it
    first."""


class OthersNotTold(MailerError):
    """The mail server has not yet taken the mails that tell the other publishers. Campaign "{slug}" can be sent
    {minutes} minutes after it did."""


class TooEarly(MailerError):
    """The other publishers have until {until} UTC to object to sending campaign "{slug}" alone."""


class Objected(MailerError):
    """Somebody objected to sending campaign "{slug}" alone. It takes a second person now: ask for approval."""


class SentBack(MailerError):
    """A second publisher has sent campaign "{slug}" back as it is now, so it is not sent alone like that. Change it, or
    have a second person approve it."""


class ShutOut(MailerError):
    """You have changed the account of another publisher less than a day ago, who can say nothing now. So campaign
    "{slug}" takes a second person: ask for approval."""


class State(enum.StrEnum):
    """How a publisher stands who wants to send alone."""

    TELLING = "telling"  # the mail server has not taken all mails to the others
    WAITING = "waiting"  # the others have until `may_send_at`
    READY = "ready"
    SAID = "said"  # they have said yes to it
    CHANGED = "changed"  # the campaign is not what it was
    OBJECTED = "objected"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a publisher stands who wants to send alone."""

    state: State
    request: LoneRequest
    may_send_at: datetime | None  # none while a mail is not taken
    untold: Sequence[Account]  # the others whose mail the server has not taken


def ask(session: Session, campaign: Campaign, by: Account, why: str, *, at: datetime, sender: Sender) -> LoneRequest:
    """Say that one wants to send a campaign alone, as it is now, and owe the other publishers a mail. It asks for their
    approval, too. Who says so a second time tells only those who were not told yet.

    :param why: in the words that the others read.
    :raises approvals.NotPublisher: they are none.
    :raises approvals.TooLate: it has begun.
    :raises approvals.AskedTooOften: they have taken it back again and again.
    :raises WhyMissing: there are no words.
    :raises Objected: somebody has said no.
    :raises SentBack: a second publisher has answered, and wanted it changed.
    :raises ShutOut: they have seen to it that somebody cannot.
    """
    if not why.strip():
        raise WhyMissing(slug=campaign.slug)
    approvals.require_publisher(session, by, at)
    content.hold(session, campaign)
    approvals.require_open(session, campaign)
    if approvals.was_objected(session, campaign):
        raise Objected(slug=campaign.slug)
    _require_nobody_shut_out(session, campaign, by, at)
    current = content.of(session, campaign, sender)
    _require_not_sent_back(session, campaign, current)
    approvals.ask(session, campaign, by, why, at=at, sender=sender)
    kept = approvals.keep(session, campaign, current)
    request = _request_of(session, kept, by)
    if request is None:
        request = LoneRequest(content_id=kept.id, by_id=by.id, at=at, why=why)
        session.add(request)
        session.flush()
    told = {notice.account_id for notice in request.notices}
    words = {"campaign": campaign.slug, "slug": campaign.slug, "who": by.name or by.email, "why": why}
    for other in _others(session, by, at):
        if other.id not in told:
            notice = Notice(NoticeKind.ALONE, words=words)
            delivery_id = notices.owe(session, notice, language=other.language, address=other.email)
            request.notices.append(LoneNotice(account_id=other.id, delivery_id=delivery_id))
    session.flush()
    return request


def standing(session: Session, campaign: Campaign, *, at: datetime, sender: Sender) -> Standing | None:
    """How the latest publisher stands who wanted to send a campaign alone; None where nobody did."""
    request = session.scalar(
        select(LoneRequest)
        .join(LoneRequest.content)
        .where(CampaignContent.campaign_id == campaign.id, LoneRequest.taken_back_at.is_(None))
        .order_by(LoneRequest.id.desc())
        .limit(1)
    )
    if request is None:
        return None
    untold = _untold(session, request, at)
    may_send_at = None if untold else _may_send_at(request)
    state = State.TELLING if may_send_at is None else State.WAITING if at < may_send_at else State.READY
    if _is_used(session, request):
        state = State.SAID
    current = content.of(session, campaign, sender)
    if not approvals.is_of(session, request.content, current):
        state = State.CHANGED
    is_refused = approvals.was_objected(session, campaign) or approvals.was_sent_back(session, campaign, current)
    if request.objected_at or is_refused:
        state = State.OBJECTED
    return Standing(state, request, may_send_at, untold)


def approve(session: Session, campaign: Campaign, by: Account, shown: str, *, at: datetime, sender: Sender) -> Approval:
    """Say yes alone to a campaign as one was shown it. Whoever calls this has proof of who they are, given just now.

    :param shown: as for `approvals.approve`.
    :raises approvals.NotPublisher: they are none.
    :raises approvals.TooLate: it has begun.
    :raises approvals.Changed: it is not what they were shown any more.
    :raises NotAsked: the others have not been told of this.
    :raises OthersNotTold: the mail server has not taken every mail.
    :raises TooEarly: the others may still object.
    :raises Objected: somebody has.
    :raises SentBack: a second publisher has sent it back as it is.
    :raises ShutOut: they have seen to it that somebody cannot.
    """
    approvals.require_publisher(session, by, at)
    content.hold(session, campaign)
    approvals.require_open(session, campaign)
    current = approvals.require_shown(session, campaign, shown, sender)
    if approvals.was_objected(session, campaign):
        raise Objected(slug=campaign.slug)
    _require_not_sent_back(session, campaign, current)
    _require_nobody_shut_out(session, campaign, by, at)
    kept = approvals.keep(session, campaign, current)
    request = _request_of(session, kept, by)
    if request is None:
        raise NotAsked(slug=campaign.slug)
    already = select(Approval).where(Approval.lone_request_id == request.id, Approval.taken_back_at.is_(None))
    if approval := session.scalar(already.limit(1)):
        return approval
    if _untold(session, request, at):
        raise OthersNotTold(slug=campaign.slug, minutes=WAIT // timedelta(minutes=1))
    if at < (until := _may_send_at(request)):
        raise TooEarly(slug=campaign.slug, until=f"{until:%H:%M}")
    return approvals.give(session, campaign, current, by=by, words=request.why, at=at, lone_request=request)


def object_to(session: Session, campaign: Campaign, by: Account, *, at: datetime) -> bool:
    """Say no to what somebody else wants to send alone, or has sent. What they said yes to counts no more. That it is
    paused is up to `delivery.control`.

    :returns: whether there was anything to object to.
    """
    content.hold(session, campaign)
    of_campaign = select(CampaignContent.id).where(CampaignContent.campaign_id == campaign.id)
    of_others = (LoneRequest.content_id.in_(of_campaign), LoneRequest.by_id != by.id)
    requests = session.scalars(select(LoneRequest).where(*of_others, *_OPEN)).all()
    for request in requests:
        request.objected_by_id, request.objected_at = by.id, at
    session.flush()
    given = (Approval.lone_request_id.in_([each.id for each in requests]), Approval.taken_back_at.is_(None))
    session.execute(update(Approval).where(*given).values(taken_back_at=at))
    return bool(requests)


def take_back(session: Session, kept: CampaignContent, by: Account, *, at: datetime) -> None:
    """Want to send a content alone no more, where one has not said yes to it yet: what was used stays to be seen. Who
    wants to again tells the others again.
    """
    request = _request_of(session, kept, by)
    if request is not None and not _is_used(session, request):
        request.taken_back_at = at


def is_for(session: Session, campaign: Campaign, by: Account, current: Content) -> bool:
    """Whether sending alone may help somebody: not where another asks for approval that they may give, nor where a
    second person has answered, and sent it back, also if it was asked for again since.
    """
    is_answered = approvals.was_sent_back(session, campaign, current)
    return not is_answered and not approvals.is_second(session, campaign, by, current)


def is_any_untold(session: Session) -> bool:
    """Whether a mail to another publisher was taken, and nobody has kept when."""
    return session.scalars(_taken().limit(1)).first() is not None


def keep_taken(session: Session, at: datetime) -> None:
    """Keep when the mail server took the mails to other publishers: of what it settled, the ledger knows the day.

    :param at: the time now, which is the latest that it can have been.
    """
    newly = session.scalars(_taken()).all()
    which = (LoneNotice.id.in_(newly), LoneNotice.taken_at.is_(None))
    session.execute(update(LoneNotice).where(*which).values(taken_at=at))


def _taken() -> Select[int]:
    taken = (LoneNotice.taken_at.is_(None), Delivery.state == DeliveryState.SENT)
    return select(LoneNotice.id).join(Delivery, Delivery.id == LoneNotice.delivery_id).where(*taken)


def _is_used(session: Session, request: LoneRequest) -> bool:
    """Whether somebody has said yes alone by it, be that taken back or not."""
    return session.scalar(select(Approval.id).where(Approval.lone_request_id == request.id).limit(1)) is not None


def _require_not_sent_back(session: Session, campaign: Campaign, current: Content) -> None:
    """:raises SentBack: a second publisher has sent it back as it is, and none has approved it since."""
    if approvals.was_sent_back(session, campaign, current):
        raise SentBack(slug=campaign.slug)


def _require_nobody_shut_out(session: Session, campaign: Campaign, by: Account, at: datetime) -> None:
    """Insist that whoever sends alone, and looks after accounts too, has not made sure that nobody objects.

    :raises ShutOut: one of the others cannot since they changed that account.
    """
    others, since = _others(session, by, at), at - accounts.PUBLISHERS_CHANGE_AFTER
    mute = [str(each.id) for each in others if not accounts.is_publisher_at(session, each, at)]
    changed = (AuditEntry.account_id == by.id, AuditEntry.kind == "account", AuditEntry.subject.in_(mute))
    # Whoever made the link may have used it, too: then its owner does not know the password any more.
    linked = (Invitation.by_id == by.id, Invitation.account_id.in_([each.id for each in others]))
    renewed = (Invitation.kind != InvitationKind.JOIN, Invitation.used_at > since)
    if session.scalar(
        select(or_(exists().where(*changed, AuditEntry.created_at > since), exists().where(*linked, *renewed)))
    ):
        raise ShutOut(slug=campaign.slug)


def _others(session: Session, by: Account, at: datetime) -> list[Account]:
    return [each for each in accounts.publishers_at(session, at) if each.id != by.id]


def _request_of(session: Session, kept: CampaignContent, by: Account) -> LoneRequest | None:
    of_them = (LoneRequest.content_id == kept.id, LoneRequest.by_id == by.id)
    return session.scalar(select(LoneRequest).where(*of_them, *_OPEN).order_by(LoneRequest.id).limit(1))


def _untold(session: Session, request: LoneRequest, at: datetime) -> list[Account]:
    """Those who count as publishers, also since it was asked, and whose mail was not taken."""
    taken = {notice.account_id for notice in request.notices if notice.taken_at is not None}
    return [each for each in _others(session, request.by, at) if each.id not in taken]


def _may_send_at(request: LoneRequest) -> datetime:
    taken = [notice.taken_at for notice in request.notices if notice.taken_at is not None]
    return max(taken) + WAIT if taken else request.at
