"""What nobody sees fail is said in the log at once: the mails that one person waits for, and test mails."""

import logging
from collections.abc import Sequence

from sqlalchemy.orm import Session

from mailer.delivery.ledger import Claimed, Settlement
from mailer.delivery.recipients import Recipient
from mailer.mail import addresses
from mailer.mail.smtp_replies import enhanced_code
from mailer.people import failed_notices
from mailer.people.failed_notices import FailedNotice
from mailer.people.notices import FAILED, Notice
from mailer.store.models import SYSTEM_MAIL, Delivery, DeliveryState, Reason

log = logging.getLogger(__name__)


def tell(campaign_id: int, claimed: Claimed, fate: Settlement, recipient: Recipient | Reason) -> None:
    """Say so if a system mail or a test mail failed, or if it is not known what became of it."""
    if fate.state not in FAILED:
        return
    words = fate.smtp_text
    if words and isinstance(recipient, Recipient):
        words = addresses.without(words, addresses.names_in(recipient.email, recipient.name))
    kind = Notice.from_stored(claimed.notice).kind if claimed.notice else None
    failed = FailedNotice(fate.delivery_id, fate.state, kind, None, fate.reason, fate.smtp_code, words, None)
    if claimed.purpose in SYSTEM_MAIL:
        _tell_of_notice(failed)
    else:
        log.warning("a test mail %s; see `mailer campaigns status`", _what(failed), extra=_facts(failed, campaign_id))


def tell_of(session: Session, delivery_ids: Sequence[int]) -> None:
    """Say so of the system mails among deliveries whose fate stands in the ledger."""
    for failed in failed_notices.read(session, Delivery.id.in_(delivery_ids), Delivery.state.in_(FAILED)):
        _tell_of_notice(failed)


def _tell_of_notice(failed: FailedNotice) -> None:
    log.warning(
        "a system mail %s; whoever waits for it hears nothing: see `mailer notices status`",
        _what(failed),
        extra=_facts(failed),
    )


def _what(failed: FailedNotice) -> str:
    verb = "failed" if failed.state is DeliveryState.FAILED else "may be lost"
    answer = " ".join(str(part) for part in (failed.smtp_code, failed.words) if part)
    return f"{verb}: {', '.join(filter(None, (failed.reason, answer)))}"


def _facts(failed: FailedNotice, campaign_id: int | None = None) -> dict[str, object]:
    facts = {
        "delivery": failed.delivery_id,
        "campaign": campaign_id,
        "kind": failed.kind.value if failed.kind else None,
        "reason": failed.reason,
        "code": failed.smtp_code,
        "enhanced_code": enhanced_code(failed.words),
    }
    return {name: fact for name, fact in facts.items() if fact is not None}
