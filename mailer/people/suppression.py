"""The suppression list: addresses that get nothing, known only by their keyed hash."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.store import db
from mailer.store.models import Suppression, SuppressionReason

#: A reason further along takes the place of one before it: it is lifted by less.
_WEIGHT = {
    SuppressionReason.LEFT: 0,
    SuppressionReason.BOUNCED: 1,
    SuppressionReason.ERASED: 2,
    SuppressionReason.COMPLAINED: 3,
}

_LOCK = 0x5EA1ED  # any number that nothing else in the database locks


def keep_removals_out(session: Session) -> None:
    """Let nobody be removed for good until this transaction ends. Whoever writes about many people calls it before
    asking who is on the list: it could bring back somebody who is being erased at that moment."""
    db.lock(session, _LOCK, shared=True)


def keep_imports_out(session: Session) -> None:
    """Wait for those who called `keep_removals_out`, and let no other begin until this transaction ends. Whoever
    removes a person for good calls it before looking for them: an import could just be writing about them."""
    db.lock(session, _LOCK)


def add(session: Session, email_index: bytes, reason: SuppressionReason) -> None:
    """Put an address on the list, or give it a weightier reason. `subscribers.refresh` then carries it over to
    whether the person may be mailed.

    :param email_index: `Keyring.blind_index` of the folded address.
    """
    month = db.utcnow().strftime("%Y-%m")
    existing = session.get(Suppression, email_index)
    if existing is None and db.add_unique(session, Suppression(email_index=email_index, reason=reason, month=month)):
        return
    existing = session.get_one(Suppression, email_index)
    if _WEIGHT[reason] > _WEIGHT[existing.reason]:
        existing.reason = reason
        existing.month = month
    session.flush()


def reason(session: Session, email_index: bytes) -> SuppressionReason | None:
    """Why an address gets no mail; None if it is not on the list."""
    return session.scalar(select(Suppression.reason).where(Suppression.email_index == email_index))


def suppressed(session: Session, email_indexes: Collection[bytes]) -> set[bytes]:
    """Which of some addresses are on the list, for whatever reason.

    :param email_indexes: a few thousand at most: they travel in one query.
    """
    return set(session.scalars(select(Suppression.email_index).where(Suppression.email_index.in_(email_indexes))))
