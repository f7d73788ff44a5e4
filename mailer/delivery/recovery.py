"""Clearing up after workers that are gone: their journals say what they began; where there is none, nobody knows."""

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, bindparam, delete, or_, select, update
from sqlalchemy.orm import Session

from mailer.delivery import control, failures, journal, ledger
from mailer.delivery.journal import JournalRecord, LeftBehind, ServerAnswer
from mailer.delivery.ledger import Settlement
from mailer.mail.feedback.types import Category
from mailer.people import bounces, notices
from mailer.people.organisers import Organisers
from mailer.store import db
from mailer.store.db import session_scope
from mailer.store.models import Base, Campaign, CampaignStatus, Claim, Delivery, DeliveryState, Reason, ended

log = logging.getLogger(__name__)

_LEDGER = Base.metadata.tables[Delivery.__tablename__]


def hold_if_restored(engine: Engine, folder: Path, organisers: Organisers) -> None:
    """Hold what is under way or scheduled when the database is older than what this host remembers of it.

    A backup that was restored owes again what has long been sent. Only a person can tell what should still go out.

    :param folder: of this host's journals.
    """
    known = journal.highest_claim(folder)
    with session_scope(engine) as session:
        given = db.last_id_given(session, Claim.__tablename__)
        if given >= known:
            return
        notices.doubt_waiting(session)  # first: organisers are owed a mail about what is held
        held = control.hold_all(session, reason=_RESTORED, organisers=organisers)
    journal.forget_claims_after(folder, given)
    log.error(
        "the database is older than this host remembers: campaigns held; see `mailer campaigns status`, then `resume`",
        extra={"campaigns": held, "claims_known": known, "claims_in_database": given},
    )


_RESTORED = "the database was restored from a backup; mail sent since then would be sent again"


def replay(engine: Engine, folder: Path) -> None:
    """Settle what this host's dead workers left, each exactly as its journal has it. Living ones are left alone.

    :param folder: of this host's journals.
    """
    for name in journal.names(folder):
        with journal.taken_over(folder, name) as left:
            if left is not None:
                _replay(engine, name, left)


def _replay(engine: Engine, name: str, left: LeftBehind) -> None:
    with session_scope(engine) as session:
        claims = session.scalars(select(Claim).where(Claim.journal == name).with_for_update()).all()
        for claim in claims:
            record = left.of(claim.id)
            held = _system_mails(session, claim)
            ledger.record(session, claim.id, [*_settlements(record)])
            if record.complete:
                ledger.let_go(session, claim.id, claim.campaign_id)
            else:
                _give_up(session, claim)
            failures.tell_of(session, held)
            unknown = sum(answer is None for answer in record.begun.values())
            log.warning(
                "cleared up after a worker; if some mails are unknown, see `campaigns recipients SLUG --state unknown`",
                extra={"claim": claim.id, "campaign": claim.campaign_id, "worker": claim.worker, "unknown": unknown},
            )
        known = {claim.id for claim in claims}
        for fence, record in left.records.items():
            if fence not in known:
                _correct(session, fence, record)


#: what a server has against an address, and nobody else
_CERTAIN = (Category.NO_MAILBOX, Category.NO_DOMAIN, Category.DISABLED, Category.FULL)


def _settlements(record: JournalRecord) -> Iterable[Settlement]:
    for delivery_id, answer in record.begun.items():
        yield _settlement(delivery_id, answer)


def _settlement(delivery_id: int, answer: ServerAnswer | None) -> Settlement:
    if answer is None:
        return Settlement(delivery_id, DeliveryState.UNKNOWN, reason=Reason.WORKER_LOST)
    state = DeliveryState(answer.kind.value)
    # The journal has no words, and where they did not say for certain that a refusal was about this address nobody can
    # tell any more whether it was about us. It was no mail, so the server may be asked once more.
    is_certain = answer.refused in _CERTAIN
    if state is DeliveryState.FAILED and not is_certain:
        state = DeliveryState.DEFERRED
    # The next retry is due at once: how long it should have waited was known to the dead worker only.
    not_before = db.utcnow() if state is DeliveryState.DEFERRED else None
    reason = Reason.CONNECTION_LOST if state is DeliveryState.UNKNOWN else None
    return Settlement(
        delivery_id,
        state,
        reason=reason,
        smtp_code=answer.code or None,
        not_before=not_before,
        refused=answer.refused if is_certain else None,
    )


def _correct(session: Session, fence: int, record: JournalRecord) -> None:
    """A journal that turns up after its claim was given up makes known what it can of that claim's unknown rows; what
    it has against an address counts as it would have then."""
    known = {
        delivery_id: answer
        for delivery_id, answer in record.begun.items()
        if answer is not None and answer.kind.value in (DeliveryState.SENT, DeliveryState.FAILED)
    }
    against = {
        row: each.refused for row, each in known.items() if each.refused in _CERTAIN and each.refused is not None
    }
    bounces.lock(session, against)
    unknown = session.scalars(
        select(Delivery.id)
        .where(Delivery.id.in_(known), Delivery.fence == fence)
        .where(Delivery.state == DeliveryState.UNKNOWN, Delivery.reason == Reason.WORKER_LOST)
        .order_by(Delivery.id)
        .with_for_update()
    ).all()
    answers = [(delivery_id, known[delivery_id]) for delivery_id in unknown]
    if not answers:
        return
    session.connection().execute(
        _CORRECT,
        [{"row": row, "new_state": DeliveryState(each.kind.value), "new_code": each.code} for row, each in answers],
    )
    refused = {row: against[row] for row, _ in answers if row in against}
    if refused:
        bounces.refuse(session, refused)


_CORRECT = (
    update(_LEDGER)
    .where(_LEDGER.c.id == bindparam("row"))
    .values(state=bindparam("new_state"), smtp_code=bindparam("new_code"), reason=None)
)


def vouch(engine: Engine, folder: Path, *, interval: timedelta) -> int:
    """Say of the claims of this host's living workers that they are not lost, also once they run out: then they are
    stalled. Said in good time, since other hosts may look before this one looks again.

    :param interval: until when at least the next such word comes.
    :returns: how many claims are stalled.
    """
    with session_scope(engine) as session:
        now = db.now(session)
        living = session.execute(
            update(Claim)
            .where(Claim.journal.in_(journal.names(folder)))
            .values(stalled_until=now + 2 * interval)
            .returning(Claim.id, Claim.expires_at)
        ).all()
    stalled = [fence for fence, expires_at in living if expires_at <= now]
    for fence in stalled:
        log.error(
            "a worker is stalled: it is alive, but its claim has expired; if this goes on, end its process",
            extra={"claim": fence},
        )
    return len(stalled)


def give_up_lost(engine: Engine, *, grace: timedelta) -> None:
    """End the claims of hosts that are lost: what they had begun nobody knows.

    :param grace: how long a claim's own host has, after the lease ran out, to clear up itself.
    """
    with session_scope(engine) as session:
        now = db.now(session)
        lost = session.scalars(
            select(Claim)
            .where(
                Claim.expires_at <= now - grace,
                or_(Claim.stalled_until.is_(None), Claim.stalled_until <= now),
            )
            .with_for_update(skip_locked=True)
        ).all()
        for claim in lost:
            held = _system_mails(session, claim)
            rows = _give_up(session, claim)
            failures.tell_of(session, held)
            log.error(
                "a worker's host is lost; see `mailer campaigns recipients SLUG --state unknown`, then `resend`",
                extra={"claim": claim.id, "campaign": claim.campaign_id, "worker": claim.worker, "unknown": rows},
            )


def _give_up(session: Session, claim: Claim) -> int:
    """Call unknown all that a claim still holds; returns how many rows."""
    rows = session.scalars(
        update(Delivery)
        .where(*ledger.held_by(claim.id, claim.campaign_id))
        .values(ended(DeliveryState.UNKNOWN, db.now(session), Reason.WORKER_LOST, keeps_hour=True))
        .values(attempts=Delivery.attempts + 1)
        .returning(Delivery.id)
    ).all()
    session.execute(delete(Claim).where(Claim.id == claim.id))
    campaign = session.get_one(Campaign, claim.campaign_id, with_for_update={"read": True}, populate_existing=True)
    if campaign.status is CampaignStatus.CANCELLED:
        ledger.skip_waiting(session, campaign.id)  # what was settled just now may be to wait
    return len(rows)


def _system_mails(session: Session, claim: Claim) -> Sequence[int]:
    """The system mails that a claim still holds."""
    held = ledger.held_by(claim.id, claim.campaign_id)
    return session.scalars(select(Delivery.id).where(*held, Delivery.notice.is_not(None))).all()
