"""The suppression list: addresses that get nothing, known only by their keyed hash."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.db import utcnow
from mailer.models import Suppression, SuppressionReason

#: A reason further along takes the place of one before it: it is lifted by less.
_WEIGHT = {
    SuppressionReason.LEFT: 0,
    SuppressionReason.BOUNCED: 1,
    SuppressionReason.ERASED: 2,
    SuppressionReason.COMPLAINED: 3,
}


def add(session: Session, email_index: bytes, reason: SuppressionReason) -> None:
    """Put an address on the list, or give it a weightier reason. `subscribers.refresh` then carries it over to
    whether the person may be mailed.

    :param email_index: `Keyring.blind_index` of the folded address.
    """
    month = utcnow().strftime("%Y-%m")
    existing = session.get(Suppression, email_index)
    if existing is None:
        session.add(Suppression(email_index=email_index, reason=reason, month=month))
    elif _WEIGHT[reason] > _WEIGHT[existing.reason]:
        existing.reason = reason
        existing.month = month
    session.flush()


def suppressed(session: Session, email_indexes: Collection[bytes]) -> set[bytes]:
    """Which of some addresses are on the list, for whatever reason.

    :param email_indexes: a few thousand at most: they travel in one query.
    """
    return set(session.scalars(select(Suppression.email_index).where(Suppression.email_index.in_(email_indexes))))
