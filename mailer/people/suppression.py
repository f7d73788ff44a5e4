"""The suppression list: addresses that get nothing, known only by their keyed hash."""

from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.store import db
from mailer.store.models import Suppression, SuppressionReason

#: A reason further along takes the place of one before it: it is lifted by less.
_WEIGHT = {
    SuppressionReason.LEFT: 0,
    SuppressionReason.BOUNCED: 1,
    SuppressionReason.ERASED: 2,
    SuppressionReason.COMPLAINED: 3,
}

#: What the owner of an address lifts by asking for our mail with a link that only they got.
_LIFTED_BY_OWNER = (SuppressionReason.LEFT, SuppressionReason.BOUNCED, SuppressionReason.ERASED)

_LOCK = 0x5EA1ED  # any number that nothing else in the database locks


# The order in which everybody takes locks, so that no two wait for each other for ever: one of the two locks below;
# then `mailed_links.one_at_a_time`; then rows, and of these a kit, union or application before the person, the person
# before their address on this list, and that before their subscriptions. What is not needed is left out.


def lock_shared(session: Session) -> None:
    """Let nobody be removed for good until this transaction ends. Whoever writes about people and removes none of them
    calls it before asking who is on the list: it could bring back somebody who is being erased at that moment."""
    db.lock(session, _LOCK, shared=True)


def lock_alone(session: Session) -> None:
    """Wait for those who called `lock_shared`, and let no other begin until this transaction ends. Whoever removes a
    person for good, or brings one back, calls it before looking for them: an import may be writing about them."""
    db.lock(session, _LOCK)


class Complained(MailerError):
    """This address may not be written to: our mail was reported as spam there."""


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


def lift(
    session: Session, email_index: bytes, *, reasons: Collection[SuppressionReason] = _LIFTED_BY_OWNER
) -> SuppressionReason | None:
    """Take an address off the list, because its owner asks for our mail again. `subscribers.refresh` then carries it
    over to whether the person may be mailed.

    A complaint that takes the place of another reason at the same moment is not lifted.

    :param reasons: why it may have been put there; for any other reason it stays.
    :returns: why it was on the list; None if nothing was lifted.
    :raises Complained: its owner reported our mail as spam, which nothing lifts.
    """
    lifted = session.scalars(
        delete(Suppression)
        .where(
            Suppression.email_index == email_index,
            Suppression.reason.in_(reasons),
            Suppression.reason != SuppressionReason.COMPLAINED,
        )
        .returning(Suppression.reason)
    ).one_or_none()
    if lifted is None and reason(session, email_index) is SuppressionReason.COMPLAINED:
        raise Complained
    return lifted


def lift_bounced(session: Session, email_index: bytes) -> None:
    """Take an address off the list that was put there because it does not exist. For any other reason it stays.
    `subscribers.refresh` then carries it over to whether the person may be mailed.
    """
    session.execute(
        delete(Suppression).where(
            Suppression.email_index == email_index, Suppression.reason == SuppressionReason.BOUNCED
        )
    )


def reason(session: Session, email_index: bytes) -> SuppressionReason | None:
    """Why an address gets no mail; None if it is not on the list."""
    return session.scalar(select(Suppression.reason).where(Suppression.email_index == email_index))


def suppressed(session: Session, email_indexes: Collection[bytes]) -> set[bytes]:
    """Which of some addresses are on the list, for whatever reason.

    :param email_indexes: a few thousand at most: they travel in one query.
    """
    return set(session.scalars(select(Suppression.email_index).where(Suppression.email_index.in_(email_indexes))))
