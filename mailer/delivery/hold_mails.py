"""What organisers are written when a campaign cannot go on by itself."""

import hashlib
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from mailer.delivery import blame
from mailer.organisers import accounts
from mailer.people import notices, organisers
from mailer.people.notices import Notice, NoticeKind
from mailer.people.organisers import Organisers
from mailer.store import db
from mailer.store.models import Campaign, HoldMail

#: between two such mails about a campaign for the same reason
APART = timedelta(hours=1)


def owe(session: Session, campaign: Campaign, to: Organisers) -> None:
    """Owe organisers, and the publishers at the desk, the mail that says why a campaign is held, and what to do.

    Where another for the same reason went out less than an hour before, this one goes an hour after that, if the
    campaign is held then (see `recipients`). Where that one is still to come, it says all that this would.

    :param campaign: which this transaction has paused, so that nobody else does this for it.
    """
    publishers = accounts.publishers(session)
    if not to.addresses and not publishers:
        return
    now, reason = db.now(session), campaign.hold_reason or ""
    old = delete(HoldMail).where(HoldMail.campaign_id == campaign.id, HoldMail.goes_at <= now - APART)
    session.execute(old.execution_options(synchronize_session=False))
    digest = _digest(reason)
    latest = session.get(HoldMail, (campaign.id, digest), populate_existing=True)
    if latest is not None and latest.goes_at > now:
        return
    not_before = None if latest is None else latest.goes_at + APART
    session.merge(HoldMail(campaign_id=campaign.id, reason=digest, goes_at=not_before or now))
    words = {
        "campaign": campaign.slug,
        "reason": reason,
        "status_command": f"mailer campaigns status {campaign.slug}",
        "resume_command": f"mailer campaigns resume {campaign.slug}",
        "cancel_command": f"mailer campaigns cancel {campaign.slug}",
    }
    notice = Notice(NoticeKind.HELD, words=words, campaign_id=campaign.id)
    organisers.tell(session, to, notice, not_before=not_before)
    words = {"campaign": campaign.slug, "slug": campaign.slug, "reason": reason}
    at_desk = replace(notice, kind=NoticeKind.HELD_AT_DESK, words=words)
    for each in publishers:
        notices.owe(session, at_desk, language=each.language, address=each.email, not_before=not_before)


def _digest(reason: str) -> bytes:
    """What tells reasons apart: answers of a mail server without what differs from one mail to the next."""
    refused = blame.refused_with(reason)
    return hashlib.sha256((blame.alike(*refused) if refused else reason).encode()).digest()
