"""Clearing up after workers: exactly what their journals prove, and nothing beyond that."""

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text

from mailer.delivery import control, journal, ledger, recovery
from mailer.delivery.journal import Journal
from mailer.delivery.ledger import Batch
from mailer.mail.feedback.types import Category
from mailer.mail.types import Outcome, OutcomeKind
from mailer.people import notices
from mailer.people.notices import Notice, NoticeKind
from mailer.people.organisers import NOBODY
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Campaign,
    CampaignStatus,
    Claim,
    Delivery,
    DeliveryState,
    MailEvent,
    Reason,
    Subscription,
)
from tests.support.factories import make_campaign, make_list, make_subscriber
from tests.support.ledger import in_order

pytestmark = pytest.mark.usefixtures("unshuffled")

S = DeliveryState
LEASE = timedelta(seconds=30)
RAN_OUT = timedelta(seconds=-1)


@pytest.fixture
def campaign_id(engine: Engine) -> int:
    """A sending campaign to five people."""
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        for _ in range(5):
            make_subscriber(session, mailing_list)
        campaign = make_campaign(session, mailing_list, status=CampaignStatus.SENDING)
        ledger.plan(session, campaign)
        in_order(session)
        return campaign.id


@pytest.fixture
def living(tmp_path: Path) -> Journal:
    """A journal whose worker lives."""
    return Journal(tmp_path)


def claim(engine: Engine, campaign_id: int, kept: Journal, *, lease: timedelta = LEASE) -> Batch:
    batch = ledger.claim(engine, campaign_id, worker="test", journal=kept.name, lease=lease)
    assert batch is not None
    return batch


def rows(engine: Engine) -> list[tuple[DeliveryState, str | None]]:
    """State and reason of each delivery, in the order of their ids."""
    with session_scope(engine, read_only=True) as session:
        found = session.execute(select(Delivery.state, Delivery.reason).order_by(Delivery.id))
        return [(state, reason) for state, reason in found]


def claims(engine: Engine) -> int:
    with session_scope(engine, read_only=True) as session:
        return session.scalar(select(func.count()).select_from(Claim)) or 0


def begin(kept: Journal, batch: Batch, *outcomes: OutcomeKind | None) -> None:
    """Begin the first deliveries of a claim, and note an answer for each but those of None."""
    for claimed, kind in zip(batch.deliveries, outcomes, strict=False):
        kept.begin(batch.fence, claimed.id)
        if kind is not None:
            kept.answer(batch.fence, Outcome(claimed.id, kind, {"sent": 250, "deferred": 451}.get(kind, 550)))


BEGUN = (OutcomeKind.SENT, OutcomeKind.FAILED, OutcomeKind.DEFERRED, None)


# --- replaying ------------------------------------------------------------------------------------------------------


def test_what_a_dead_worker_left_is_settled_as_its_journal_has_it(
    engine: Engine, campaign_id: int, living: Journal, tmp_path: Path
) -> None:
    begin(living, claim(engine, campaign_id, living), *BEGUN)
    living.close()
    recovery.replay(engine, tmp_path)
    assert rows(engine) == [
        (S.SENT, None),
        (S.DEFERRED, None),  # refused for good, in words that are lost
        (S.DEFERRED, None),
        (S.UNKNOWN, Reason.WORKER_LOST),
        (S.PENDING, None),
    ]
    assert (claims(engine), journal.names(tmp_path)) == (0, [])
    with session_scope(engine, read_only=True) as session:
        assert list(session.scalars(select(Delivery.attempts).order_by(Delivery.id))) == [1, 1, 1, 1, 0]
        assert list(session.scalars(select(Delivery.smtp_code).order_by(Delivery.id))) == [250, 550, 451, None, None]


def test_an_address_that_a_dead_worker_was_told_does_not_exist_gets_nothing_more(
    engine: Engine, campaign_id: int, living: Journal, tmp_path: Path
) -> None:
    batch = claim(engine, campaign_id, living)
    first, second, *_ = batch.deliveries
    living.answer(batch.fence, Outcome(first.id, OutcomeKind.FAILED, 550), refused=Category.NO_MAILBOX)
    living.answer(batch.fence, Outcome(second.id, OutcomeKind.FAILED, 550))
    living.close()
    recovery.replay(engine, tmp_path)
    with session_scope(engine, read_only=True) as session:
        mailable = select(Subscription.mailable).order_by(Subscription.subscriber_id)
        assert list(session.scalars(mailable)) == [False, True, True, True, True]


@pytest.mark.parametrize(
    ("refused", "state", "counts"),
    [
        (Category.FULL, S.FAILED, 1),
        (Category.DISABLED, S.FAILED, 1),
        (Category.NO_DOMAIN, S.FAILED, 1),
        (Category.UNDETERMINED, S.DEFERRED, 0),  # the server is asked once more, and that counts
    ],
)
def test_what_a_dead_worker_was_told_against_an_address_counts(
    engine: Engine,
    campaign_id: int,
    living: Journal,
    tmp_path: Path,
    refused: Category,
    state: DeliveryState,
    counts: int,
) -> None:
    batch = claim(engine, campaign_id, living)
    first, *_ = batch.deliveries
    living.answer(batch.fence, Outcome(first.id, OutcomeKind.FAILED, 552), refused=refused)
    living.close()
    recovery.replay(engine, tmp_path)
    assert rows(engine)[0] == (state, None)
    with session_scope(engine, read_only=True) as session:
        kept = session.execute(select(MailEvent.delivery_id, MailEvent.category))
        assert [tuple(row) for row in kept] == [(first.id, refused)] * counts


def test_replaying_waits_for_no_lease_and_does_it_once(
    engine: Engine, campaign_id: int, living: Journal, tmp_path: Path
) -> None:
    claim(engine, campaign_id, living, lease=timedelta(days=1))
    living.close()
    for _ in range(2):
        recovery.replay(engine, tmp_path)
    assert rows(engine) == [(S.PENDING, None)] * 5


def test_a_living_workers_claim_is_left_alone(
    engine: Engine, campaign_id: int, living: Journal, tmp_path: Path
) -> None:
    begin(living, claim(engine, campaign_id, living, lease=RAN_OUT), *BEGUN)
    recovery.replay(engine, tmp_path)
    assert rows(engine) == [(S.SENDING, None)] * 5
    living.discard()


@pytest.mark.parametrize("left", ["another boot", "an empty file", "a header cut short", "what a power cut leaves"])
def test_where_the_journal_may_lack_something_the_rest_is_unknown(
    engine: Engine, campaign_id: int, living: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    begin(living, claim(engine, campaign_id, living), OutcomeKind.SENT)
    living.close()
    whole = living.path.read_bytes()
    if left == "another boot":
        monkeypatch.setattr(journal, "boot_id", lambda: "another boot")
    else:
        kept = {"an empty file": b"", "a header cut short": whole[:20], "what a power cut leaves": whole[:40]}[left]
        living.path.write_bytes(
            kept + (bytes(30) + b"\nb 1 \0\0\nb \0 1\na 1 2 \0 x\n" if "cut leaves" in left else b"")
        )
    recovery.replay(engine, tmp_path)
    first = (S.SENT, None) if left == "another boot" else (S.UNKNOWN, Reason.WORKER_LOST)
    assert rows(engine) == [first, *[(S.UNKNOWN, Reason.WORKER_LOST)] * 4]
    assert claims(engine) == 0


def test_of_a_cancelled_campaign_nothing_waits_again(
    engine: Engine, campaign_id: int, living: Journal, tmp_path: Path
) -> None:
    begin(living, claim(engine, campaign_id, living), *BEGUN)
    with session_scope(engine) as session:
        control.cancel(session, session.get_one(Campaign, campaign_id))
    living.close()
    recovery.replay(engine, tmp_path)
    assert [state for state, _ in rows(engine)] == [S.SENT, S.SKIPPED, S.SKIPPED, S.UNKNOWN, S.SKIPPED]


def test_of_a_cancelled_campaign_nothing_waits_again_after_a_reboot(
    engine: Engine, campaign_id: int, living: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(living, claim(engine, campaign_id, living), *BEGUN)
    with session_scope(engine) as session:
        control.cancel(session, session.get_one(Campaign, campaign_id))
    living.close()
    monkeypatch.setattr(journal, "boot_id", lambda: "another boot")
    recovery.replay(engine, tmp_path)
    assert [state for state, _ in rows(engine)] == [S.SENT, S.SKIPPED, S.SKIPPED, S.UNKNOWN, S.UNKNOWN]


# --- stalled and lost -----------------------------------------------------------------------------------------------


def test_a_claim_of_a_living_worker_is_not_given_up_while_its_host_vouches_for_it(
    engine: Engine, campaign_id: int, living: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    claim(engine, campaign_id, living, lease=RAN_OUT)
    with caplog.at_level(logging.ERROR):
        assert recovery.vouch(engine, tmp_path, interval=LEASE) == 1
    assert "stalled" in caplog.text
    recovery.give_up_lost(engine, grace=timedelta())
    assert rows(engine) == [(S.SENDING, None)] * 5
    living.discard()


def test_a_host_vouches_before_the_claim_runs_out_since_others_may_look_first(
    engine: Engine, campaign_id: int, living: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    batch = claim(engine, campaign_id, living)
    with caplog.at_level(logging.ERROR):
        assert recovery.vouch(engine, tmp_path, interval=LEASE) == 0
    assert caplog.text == ""
    expire(engine, batch, ago=timedelta(seconds=1))
    recovery.give_up_lost(engine, grace=timedelta())
    assert rows(engine) == [(S.SENDING, None)] * 5
    living.discard()


def expire(engine: Engine, batch: Batch, *, ago: timedelta) -> None:
    with session_scope(engine) as session:
        session.get_one(Claim, batch.fence).expires_at = utcnow() - ago


def test_a_vouching_that_is_not_repeated_ends(
    engine: Engine, campaign_id: int, living: Journal, tmp_path: Path
) -> None:
    claim(engine, campaign_id, living, lease=RAN_OUT)
    recovery.vouch(engine, tmp_path, interval=timedelta(seconds=-1))
    recovery.give_up_lost(engine, grace=timedelta())
    assert rows(engine) == [(S.UNKNOWN, Reason.WORKER_LOST)] * 5
    living.discard()


def test_a_host_has_its_grace_to_clear_up_itself(engine: Engine, campaign_id: int, living: Journal) -> None:
    batch = claim(engine, campaign_id, living)
    recovery.give_up_lost(engine, grace=LEASE)
    expire(engine, batch, ago=LEASE / 2)
    recovery.give_up_lost(engine, grace=LEASE)
    assert rows(engine) == [(S.SENDING, None)] * 5
    expire(engine, batch, ago=LEASE + timedelta(seconds=1))
    recovery.give_up_lost(engine, grace=LEASE)
    assert rows(engine) == [(S.UNKNOWN, Reason.WORKER_LOST)] * 5
    assert claims(engine) == 0
    living.discard()


# --- journals that turn up late -------------------------------------------------------------------------------------


@pytest.fixture
def late(engine: Engine, campaign_id: int, living: Journal) -> Batch:
    """A claim that was given up while its journal could not be reached."""
    batch = claim(engine, campaign_id, living, lease=RAN_OUT)
    begin(living, batch, *BEGUN)
    living.close()
    recovery.give_up_lost(engine, grace=timedelta())
    return batch


def test_a_journal_that_turns_up_late_tells_what_it_knows_and_sends_nothing_again(
    engine: Engine, late: Batch, tmp_path: Path
) -> None:
    assert rows(engine) == [(S.UNKNOWN, Reason.WORKER_LOST)] * 5
    recovery.replay(engine, tmp_path)
    assert rows(engine) == [(S.SENT, None), (S.FAILED, None), *[(S.UNKNOWN, Reason.WORKER_LOST)] * 3]
    assert journal.names(tmp_path) == []
    with session_scope(engine, read_only=True) as session:
        assert set(session.scalars(select(Delivery.attempts))) == {1}


@pytest.mark.parametrize(
    ("refused", "counts", "mailable"),
    [(Category.NO_MAILBOX, 0, 4), (Category.FULL, 1, 5), (Category.POLICY, 0, 5), (None, 0, 5)],
)
def test_what_a_late_journal_has_against_an_address_counts_once(
    engine: Engine, campaign_id: int, living: Journal, tmp_path: Path, refused: Category, counts: int, mailable: int
) -> None:
    batch = claim(engine, campaign_id, living, lease=RAN_OUT)
    first = batch.deliveries[0].id
    living.begin(batch.fence, first)
    living.answer(batch.fence, Outcome(first, OutcomeKind.FAILED, 550, "no"), refused=refused)
    living.close()
    left = living.path.read_bytes()
    recovery.give_up_lost(engine, grace=timedelta())
    for _ in range(2):
        living.path.write_bytes(left)
        recovery.replay(engine, tmp_path)
    with session_scope(engine, read_only=True) as session:
        assert session.get_one(Delivery, first).state is S.FAILED
        kept = session.execute(select(MailEvent.delivery_id, MailEvent.category)).all()
        assert [tuple(row) for row in kept] == [(first, refused)] * counts
        left_on = select(func.count()).select_from(Subscription).where(Subscription.mailable)
        assert session.scalar(left_on) == mailable


@pytest.mark.parametrize("when", ["owed again", "being sent again", "unknown again"])
def test_a_late_journal_says_nothing_of_what_a_person_had_sent_again(
    engine: Engine, campaign_id: int, late: Batch, tmp_path: Path, when: str
) -> None:
    with session_scope(engine) as session:
        control.resend(session, session.get_one(Campaign, campaign_id), S.UNKNOWN)
    other = Journal(tmp_path / "other-host")
    if when != "owed again":
        assert claim(engine, campaign_id, other, lease=RAN_OUT).fence > late.fence
    if when == "unknown again":
        recovery.give_up_lost(engine, grace=timedelta())
    before = rows(engine)
    recovery.replay(engine, tmp_path)
    assert rows(engine) == before
    other.discard()


# --- restored backups -----------------------------------------------------------------------------------------------


@pytest.fixture
def restore(engine: Engine) -> Callable[[int], None]:
    """Sets back what fencing numbers the database remembers, as restoring a backup does."""

    def to(fence: int) -> None:
        with session_scope(engine) as session:
            if engine.dialect.name == "sqlite":
                session.execute(text("UPDATE sqlite_sequence SET seq = :fence WHERE name = 'claims'"), {"fence": fence})
            else:
                session.execute(text("SELECT setval('claims_id_seq', :fence)"), {"fence": fence})

    return to


def status(engine: Engine, campaign_id: int) -> tuple[CampaignStatus, str | None]:
    with session_scope(engine, read_only=True) as session:
        campaign = session.get_one(Campaign, campaign_id)
        return campaign.status, campaign.hold_reason


def test_what_is_under_way_in_a_restored_database_is_held_until_a_person_decides(
    engine: Engine, campaign_id: int, tmp_path: Path, living: Journal, restore: Callable[[int], None]
) -> None:
    for _ in range(3):
        batch = claim(engine, campaign_id, living)
        journal.mark_claim(tmp_path, batch.fence)
        ledger.close(engine, batch)
    recovery.hold_if_restored(engine, tmp_path, NOBODY)
    assert status(engine, campaign_id) == (CampaignStatus.SENDING, None)
    restore(1)
    recovery.hold_if_restored(engine, tmp_path, NOBODY)
    held, reason = status(engine, campaign_id)
    assert held is CampaignStatus.PAUSED
    assert "restored from a backup" in (reason or "")

    with session_scope(engine) as session:
        session.get_one(Campaign, campaign_id).status = CampaignStatus.SENDING
    recovery.hold_if_restored(engine, tmp_path, NOBODY)  # a person has decided: it is not held again
    assert status(engine, campaign_id)[0] is CampaignStatus.SENDING
    living.discard()


def test_system_mails_that_a_restored_database_owes_are_in_doubt_and_not_sent_again(
    engine: Engine, campaign_id: int, tmp_path: Path, living: Journal, restore: Callable[[int], None]
) -> None:
    with session_scope(engine) as session:
        notice = Notice(NoticeKind.CONFIRM, "0" * 40)
        notices.owe(session, notice, language="en", address="ana@example.org")
        standing = notices.campaign(session).id
    for _ in range(3):
        batch = claim(engine, campaign_id, living)
        journal.mark_claim(tmp_path, batch.fence)
        ledger.close(engine, batch)
    restore(1)
    recovery.hold_if_restored(engine, tmp_path, NOBODY)
    with session_scope(engine, read_only=True) as session:
        (owed,) = session.scalars(select(Delivery).where(Delivery.campaign_id == standing))
        assert (owed.state, owed.reason) == (S.UNKNOWN, Reason.RESTORED)
    living.discard()


def test_a_host_that_never_claimed_anything_holds_nothing(engine: Engine, campaign_id: int, tmp_path: Path) -> None:
    recovery.hold_if_restored(engine, tmp_path / "fresh", NOBODY)
    assert status(engine, campaign_id)[0] is CampaignStatus.SENDING


def test_of_two_workers_on_a_host_the_slower_does_not_lower_the_mark(tmp_path: Path) -> None:
    journal.mark_claim(tmp_path, 12)
    journal.mark_claim(tmp_path, 9)
    assert journal.highest_claim(tmp_path) == 12
    (tmp_path / "highest-claim").write_bytes(b"")
    assert journal.highest_claim(tmp_path) == 0
