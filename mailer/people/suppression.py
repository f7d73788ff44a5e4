"""The suppression list: addresses that get nothing, known only by their keyed hash."""

from collections.abc import Collection, Mapping

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.mail.feedback.types import Category
from mailer.store import db
from mailer.store.models import Suppression, SuppressionLift, SuppressionReason

#: A reason further along takes the place of one before it: it is lifted by less.
_WEIGHT = {
    SuppressionReason.LEFT: 0,
    SuppressionReason.BOUNCED: 1,
    SuppressionReason.REPORTED: 2,
    SuppressionReason.ERASED: 3,
    SuppressionReason.COMPLAINED: 4,
}

#: What an organiser never lifts.
_BY_OWNER_ALONE = (SuppressionReason.LEFT, SuppressionReason.ERASED)
_WHY = {SuppressionReason.LEFT: "its owner left", SuppressionReason.ERASED: "its owner was erased"}

#: What the owner of an address lifts by asking for our mail with a link that only they got.
_LIFTED_BY_OWNER = tuple(each for each in SuppressionReason if each is not SuppressionReason.COMPLAINED)

_LOCK = 0x5EA1ED  # any number that nothing else in the database locks


# The order in which everybody takes locks, so that no two wait for each other for ever: one of the two locks below;
# then `mailed_links.one_at_a_time`; then rows, and of these a kit, union or application before the person, the person
# before their address on this list, and that before their subscriptions; of several people all of them first, by their
# ids. What is not needed is left out. Numbers of what came back are taken after all that (`returned.count_all`). Who
# holds people never waits for a campaign, since others come to people from there: it is taken last, and only if it is
# free (`delivery.alarms`).


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


class NotByHand(MailerError):
    """This address stays on the list: {why}. {what}"""


class NotSuppressed(MailerError):
    """This address is not on the suppression list: nothing to lift."""


class NoWhy(MailerError):
    """Say why, for whoever asks later: --reason "She rang: her mailbox works again." """


def add(session: Session, email_index: bytes, reason: SuppressionReason, category: Category | None = None) -> None:
    """Put an address on the list, or give it a weightier reason. `subscribers.refresh` then carries it over to
    whether the person may be mailed.

    :param email_index: `Keyring.blind_index` of the folded address.
    :param category: of one that bounced, why.
    """
    row = Suppression(email_index=email_index, reason=reason, month=_this_month(), category=category)
    if db.insert_unless_there(session, row):
        return
    weigh(session.get_one(Suppression, email_index), reason, category)
    session.flush()


def weigh(existing: Suppression, reason: SuppressionReason, category: Category | None = None) -> bool:
    """Give an address that is on the list one more reason; the weightiest counts.

    What its owner wanted is not forgotten for a weightier reason that an organiser may lift.

    :param category: as for `add`.
    :returns: whether anything changed.
    """
    before = existing.reason, existing.underneath
    wishes = [each for each in (existing.reason, existing.underneath, reason) if each in _BY_OWNER_ALONE]
    if _WEIGHT[reason] > _WEIGHT[existing.reason]:
        existing.reason, existing.category = reason, category
        existing.month = _this_month()
    wish = max(wishes, key=_WEIGHT.__getitem__, default=None)
    existing.underneath = None if wish is existing.reason else wish
    return before != (existing.reason, existing.underneath)


def add_many(session: Session, reasons: Mapping[bytes, Collection[SuppressionReason]]) -> list[bool | None]:
    """Likewise, for many addresses at a time, while `lock_alone` is held.

    :param reasons: the index of each address, a few thousand at most, and why it is put there.
    :returns: for each, whether it was put there (True), got another reason (None), or was there with these (False).
    :raises sqlalchemy.exc.IntegrityError: another program put one of them there at this moment; to be tried again.
    """
    listed = session.scalars(select(Suppression).where(Suppression.email_index.in_(reasons)))
    known = {bytes(row.email_index): row for row in listed.all()}
    outcomes: list[bool | None] = []
    for email_index, why in reasons.items():
        row = known.get(email_index)
        is_new = row is None
        if row is None:
            row = Suppression(email_index=email_index, reason=min(why, key=_WEIGHT.__getitem__), month=_this_month())
            session.add(row)
        changed = [weigh(row, each) for each in why]
        outcomes.append(True if is_new else None if any(changed) else False)
    session.flush()
    return outcomes


def _this_month() -> str:
    return db.utcnow().strftime("%Y-%m")


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
    if lifted is None:
        stays = (Suppression.email_index == email_index, Suppression.underneath.in_(reasons))
        session.execute(update(Suppression).where(*stays).values(underneath=None))
    return lifted


def lift_bounced(session: Session, email_index: bytes) -> None:
    """Take an address off the list that was put there because it does not exist. For any other reason it stays.
    `subscribers.refresh` then carries it over to whether the person may be mailed.
    """
    # Locked: an erasure or a complaint at this moment must not be undone.
    found = session.get(Suppression, email_index, with_for_update=True, populate_existing=True)
    if found is not None and found.reason is SuppressionReason.BOUNCED:
        _uncover(session, found)


def lift_by_hand(session: Session, email_index: bytes, words: str) -> SuppressionReason:
    """Take an address off the list that could not be reached, or whose owner reported our mail as spam, because an
    organiser knows better. `subscribers.refresh` then carries it over to whether the person may be mailed.

    Who left or was erased stays, also where another reason had taken the place of that: they alone can come back.

    :param words: why.
    :returns: the reason that was lifted.
    :raises NoWhy: nothing is said.
    :raises NotSuppressed: it is not on the list.
    :raises NotByHand: its owner left, or was erased.
    """
    if not words.strip():
        raise NoWhy
    lock_alone(session)
    found = session.get(Suppression, email_index, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotSuppressed
    lifted = found.reason
    if lifted in _BY_OWNER_ALONE:
        raise NotByHand(why=_WHY[lifted], what="Only they themselves can come back, by signing up.")
    session.add(
        SuppressionLift(email_index=email_index, reason=lifted, month=_this_month(), words=" ".join(words.split()))
    )
    _uncover(session, found)
    return lifted


def _uncover(session: Session, listed: Suppression) -> None:
    """Lift a reason. What is underneath stays."""
    if listed.underneath is None:
        session.delete(listed)
    else:
        listed.reason, listed.underneath, listed.month = listed.underneath, None, _this_month()
        listed.category = None
    session.flush()


def lifts(session: Session, email_index: bytes) -> list[SuppressionLift]:
    """What an organiser has lifted of an address, the latest first."""
    theirs = select(SuppressionLift).where(SuppressionLift.email_index == email_index)
    return list(session.scalars(theirs.order_by(SuppressionLift.id.desc())))


def forget_lifts(session: Session, email_index: bytes) -> None:
    """Delete what was written down of an address: its owner is erased."""
    session.execute(delete(SuppressionLift).where(SuppressionLift.email_index == email_index))


def find(session: Session, email_index: bytes) -> Suppression | None:
    """The entry of an address; None if it is not on the list."""
    return session.get(Suppression, email_index)


def counts(session: Session) -> dict[tuple[SuppressionReason, Category | None, str], int]:
    """How many addresses are on the list, by reason, category of what bounced, and month."""
    columns = (Suppression.reason, Suppression.category, Suppression.month)
    grouped = session.execute(select(*columns, func.count()).group_by(*columns))
    return {(reason, category, month): number for reason, category, month, number in grouped}


def reason(session: Session, email_index: bytes) -> SuppressionReason | None:
    """Why an address gets no mail; None if it is not on the list."""
    return session.scalar(select(Suppression.reason).where(Suppression.email_index == email_index))


def suppressed(session: Session, email_indexes: Collection[bytes]) -> set[bytes]:
    """Which of some addresses are on the list, for whatever reason.

    :param email_indexes: a few thousand at most: they travel in one query.
    """
    return set(session.scalars(select(Suppression.email_index).where(Suppression.email_index.in_(email_indexes))))
