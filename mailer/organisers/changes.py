"""Changes: who of the desk has changed what a campaign sends, as the audit log says."""

from collections.abc import Iterable

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from mailer.store.models import AuditEntry, Campaign

#: The actions on a campaign, a case, a target or a list that change nothing of what is sent to whom. All others count
#: as changes, so that what is added to the desk one day counts, too, until somebody has thought about it.
WITHOUT_CHANGE = frozenset(
    {
        *("campaigns.approve", "campaigns.ask", "campaigns.alone", "campaigns.object", "campaigns.preview"),
        *("campaigns.send_back", "campaigns.take_back"),
        *("campaigns.send", "campaigns.schedule", "campaigns.undo", "campaigns.start", "campaigns.test"),
        *("campaigns.hold", "campaigns.pause", "campaigns.resume", "campaigns.cancel", "campaigns.resend"),
        *("campaigns.stop", "campaigns.close", "campaigns.reopen", "campaigns.withdraw"),
        *("cases.stop", "cases.close", "cases.reopen"),
        *("kits.make", "targets.verify"),
    }
)
_OF_TARGET = "target "  # what the names of such parts begin with, see `content`


def are_by(session: Session, campaign: Campaign, account_id: int, *, parts: Iterable[str], since: int | None) -> bool:
    """Whether somebody has changed a campaign, its case, its list or one of its targets. What was loaded by the command
    line is nobody's change.

    :param parts: the names of all parts of its contents, as it is and as it was approved.
    :param since: the number of an entry of the audit log, after which it counts; None for ever.
    """
    slugs = [part.removeprefix(_OF_TARGET) for part in parts if part.startswith(_OF_TARGET)]
    about = [
        and_(AuditEntry.kind == "campaign", AuditEntry.subject == campaign.slug),
        and_(AuditEntry.kind == "list", AuditEntry.subject == campaign.mailing_list.slug),
        and_(AuditEntry.kind == "target", or_(AuditEntry.subject.in_(slugs), AuditEntry.subject.is_(None))),
        # A whole file of targets names none of them.
        and_(AuditEntry.kind.is_(None), AuditEntry.action == "targets.import"),
    ]
    if campaign.case is not None:
        about.append(and_(AuditEntry.kind == "case", AuditEntry.subject == campaign.case.slug))
    by_them = (AuditEntry.account_id == account_id, AuditEntry.id > (since or 0))
    is_change = AuditEntry.action.not_in(sorted(WITHOUT_CHANGE))
    return bool(session.scalar(select(exists().where(*by_them, is_change, or_(*about)))))
