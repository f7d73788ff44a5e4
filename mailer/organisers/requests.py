"""Requests: somebody asks for approval, and those who may give it hear of it by mail."""

from datetime import datetime

from sqlalchemy.orm import Session

from mailer.links import Pages
from mailer.mail.sender import Sender
from mailer.organisers import accounts, approvals
from mailer.people import notices
from mailer.people.notices import Notice, NoticeKind
from mailer.store import audit
from mailer.store.audit import Who
from mailer.store.models import Account, ApprovalRequest, Campaign


def make(
    session: Session, campaign: Campaign, by: Account, words: str | None, *, at: datetime, sender: Sender, who: Who
) -> ApprovalRequest:
    """Ask for approval of a campaign as it is now, and owe a mail to each publisher who may give it. Who asks for the
    same a second time asks for nothing more, and nobody is written again.

    :param words: to whoever approves; no mail says them.
    :param who: for the audit log.
    :raises approvals.TooLate: it has begun.
    """
    asked = approvals.ask(session, campaign, by, words, at=at, sender=sender)
    if asked.at == at:
        audit.append(session, "campaigns.ask", who, kind="campaign", subject=campaign.slug)
        link = {"campaign": campaign.slug, "desk_url": Pages(sender.base_url).approval(campaign.slug)}
        for each in accounts.publishers_at(session, at):
            if each.id != by.id and accounts.is_publisher_at(session, each, at):
                notice = Notice(NoticeKind.WAITING, words=link)
                notices.owe(session, notice, language=each.language, address=each.email)
    return asked
