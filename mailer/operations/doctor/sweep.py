"""Whether workers look after the ledger: what each sweep does within half a minute must not be long overdue."""

from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from mailer.operations.doctor.findings import Finding, Level
from mailer.operations.doctor.rounds import Seen
from mailer.store import db
from mailer.store.models import Campaign, CampaignStatus, Claim

_PATIENCE = timedelta(minutes=5)


def look(session: Session) -> Seen:
    """Find campaigns whose time has come, and claims that ran out, and that no sweep has taken care of since."""
    now = db.now(session)
    overdue = session.scalar(
        select(func.min(Campaign.scheduled_at)).where(
            Campaign.status == CampaignStatus.SCHEDULED, Campaign.scheduled_at < now - _PATIENCE
        )
    )
    left = session.scalar(
        select(func.min(Claim.expires_at)).where(
            Claim.expires_at < now - _PATIENCE, or_(Claim.stalled_until.is_(None), Claim.stalled_until <= now)
        )
    )
    since = min((moment for moment in (overdue, left) if moment), default=None)
    if since is None:
        return Seen("nothing is overdue")
    return Seen(findings=(_missing(since, overdue is not None),))


def _missing(since: datetime, is_campaign: bool) -> Finding:
    which = "a campaign whose time has come has not been started" if is_campaign else "mails of a lost worker are held"
    what = f"no worker has swept since {since:%Y-%m-%d %H:%M} UTC: {which}"
    remedy = "Start a worker (`systemctl start tocsin-worker@1`), or read why it stopped: `journalctl -u 'tocsin-*'`."
    return Finding(Level.ERROR, "sweep-missing", "workers", what, remedy)
