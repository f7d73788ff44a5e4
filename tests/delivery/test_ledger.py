"""The ledger: every recipient is in exactly one state, whatever happens and in whatever order."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, text
from sqlalchemy.exc import IntegrityError

from mailer.delivery import control, ledger, recipients, recovery
from mailer.delivery.ledger import Settlement
from mailer.delivery.recipients import Recipient
from mailer.mail.feedback.types import Category
from mailer.people import subscribers, suppression
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Campaign,
    CampaignStatus,
    Claim,
    Delivery,
    DeliveryState,
    Purpose,
    Reason,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    SuppressionReason,
)
from tests.support.concurrency import Beside
from tests.support.factories import make_campaign, make_list, make_subscriber
from tests.support.ledger import LEASE, claim, planned, sent, states

pytestmark = pytest.mark.usefixtures("unshuffled")

S = DeliveryState


# --- planning -------------------------------------------------------------------------------------------------------


def test_the_audience_is_frozen_at_the_start(engine: Engine) -> None:
    campaign_id = planned(engine, 3)
    with session_scope(engine) as session:
        make_subscriber(session, session.get_one(Campaign, campaign_id).mailing_list)
    assert states(engine) == {S.PENDING: 3}


def test_only_those_who_may_be_mailed_are_planned(engine: Engine) -> None:
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        wanted = make_subscriber(session, mailing_list)
        make_subscriber(session, mailing_list, status=SubscriptionStatus.PENDING)
        make_subscriber(session, mailing_list, status=SubscriptionStatus.UNSUBSCRIBED)
        make_subscriber(session, make_list(session, "news"))
        ledger.plan(session, make_campaign(session, mailing_list))
        assert session.scalars(select(Delivery.subscriber_id)).all() == [wanted.id]


def test_the_database_itself_refuses_a_second_delivery_to_one_person(engine: Engine) -> None:
    campaign_id = planned(engine, 1)
    with pytest.raises(IntegrityError), session_scope(engine) as session:
        ledger.plan(session, session.get_one(Campaign, campaign_id))
    assert states(engine) == {S.PENDING: 1}


def test_the_database_itself_refuses_a_delivery_that_is_sending_for_nobody(engine: Engine) -> None:
    planned(engine, 1)
    with pytest.raises(IntegrityError), session_scope(engine) as session:
        session.execute(text("UPDATE deliveries SET state = 'sending'"))


# --- claiming -------------------------------------------------------------------------------------------------------


def test_two_claims_never_hold_the_same_delivery(engine: Engine) -> None:
    campaign_id = planned(engine, 7)
    batches = [claim(engine, campaign_id, limit=3) for _ in range(3)]
    held = [claimed.id for batch in batches for claimed in batch.deliveries]
    assert len(held) == len(set(held)) == 7
    assert ledger.claim(engine, campaign_id, worker="late", journal="late.journal", lease=LEASE) is None
    assert [batch.fence for batch in batches] == sorted({batch.fence for batch in batches})


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_claim_passes_over_rows_that_another_transaction_is_claiming(engine: Engine) -> None:
    campaign_id = planned(engine, 4)
    with session_scope(engine) as other:
        first = other.scalars(select(Delivery.id).order_by(Delivery.id).limit(2).with_for_update()).all()
        batch = claim(engine, campaign_id)
    assert {claimed.id for claimed in batch.deliveries}.isdisjoint(first)
    assert len(batch.deliveries) == 2


@pytest.mark.parametrize(
    "status", [CampaignStatus.DRAFT, CampaignStatus.SCHEDULED, CampaignStatus.PAUSED, CampaignStatus.CANCELLED]
)
def test_nothing_is_claimed_of_a_campaign_that_is_not_sending(engine: Engine, status: CampaignStatus) -> None:
    campaign_id = planned(engine, 2)
    with session_scope(engine) as session:
        session.get_one(Campaign, campaign_id).status = status
    assert ledger.claim(engine, campaign_id, worker="test", journal="test.journal", lease=LEASE) is None


def test_a_test_mail_goes_first_and_whatever_the_status(engine: Engine) -> None:
    campaign_id = planned(engine, 2)
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        campaign.status = CampaignStatus.PAUSED
        ledger.add_test(session, campaign, address="organiser@example.org", language=None, country=None, union_id=None)
    batch = claim(engine, campaign_id)
    assert [claimed.purpose for claimed in batch.deliveries] == [Purpose.TEST]
    standing = recipients.look_up(engine, batch, batch.deliveries)
    assert standing.recipients[batch.deliveries[0].id] == Recipient("organiser@example.org", None, None)


def test_a_deferred_delivery_waits_for_its_time(engine: Engine) -> None:
    campaign_id = planned(engine, 1)
    batch = claim(engine, campaign_id)
    row = batch.deliveries[0].id
    later = utcnow() + timedelta(hours=1)
    ledger.settle(engine, batch, [Settlement(row, S.DEFERRED, smtp_code=451, smtp_text="later", not_before=later)])
    ledger.close(engine, batch)
    assert ledger.claim(engine, campaign_id, worker="test", journal="test.journal", lease=LEASE) is None
    with session_scope(engine) as session:
        session.get_one(Delivery, row).not_before = utcnow() - timedelta(seconds=1)
    again = claim(engine, campaign_id)
    assert [(claimed.id, claimed.attempts) for claimed in again.deliveries] == [(row, 1)]


# --- looking up -----------------------------------------------------------------------------------------------------


def test_who_left_after_planning_is_found_out_before_sending(engine: Engine) -> None:
    batch = claim(engine, planned(engine, 4))
    stays, left, suppressed, erased = batch.deliveries
    with session_scope(engine) as session:
        subscription = session.scalars(
            select(Subscription).where(Subscription.subscriber_id == left.subscriber_id)
        ).one()
        subscription.status = SubscriptionStatus.UNSUBSCRIBED
        subscribers.refresh(session, [left.subscriber_id or 0])
        person = session.get_one(Subscriber, suppressed.subscriber_id)
        suppression.add(session, person.email_index, SuppressionReason.BOUNCED)
        subscribers.refresh(session, [person.id])
        subscribers.erase(session, session.get_one(Subscriber, erased.subscriber_id).email)
    found = recipients.look_up(engine, batch, batch.deliveries).recipients
    assert isinstance(found[stays.id], Recipient)
    assert [found[one.id] for one in (left, suppressed, erased)] == [Reason.LEFT, Reason.SUPPRESSED, Reason.ERASED]


def test_a_pause_is_seen_before_the_next_message(engine: Engine) -> None:
    batch = claim(engine, planned(engine, 1))
    assert recipients.look_up(engine, batch, batch.deliveries).may_send_campaign
    with session_scope(engine) as session:
        control.pause(session, session.get_one(Campaign, batch.campaign_id), reason="wait")
    assert not recipients.look_up(engine, batch, batch.deliveries).may_send_campaign


# --- settling and letting go ----------------------------------------------------------------------------------------


def test_what_was_settled_stays_and_the_rest_waits_again(engine: Engine) -> None:
    batch = claim(engine, planned(engine, 3))
    ledger.settle(engine, batch, sent(batch)[:1])
    assert states(engine) == {S.SENT: 1, S.SENDING: 2}
    ledger.close(engine, batch)
    assert states(engine) == {S.SENT: 1, S.PENDING: 2}
    with session_scope(engine, read_only=True) as session:
        done = session.scalars(select(Delivery).where(Delivery.state == S.SENT)).one()
        assert (done.attempts, done.smtp_code, done.smtp_text) == (1, 250, "ok")
        assert done.settled_at is not None
        assert session.scalar(select(func.count()).select_from(Claim)) == 0


def test_each_of_a_claim_gets_its_own_fate(engine: Engine) -> None:
    later = utcnow() + timedelta(minutes=5)
    batch = claim(engine, planned(engine, 7))
    fates = (
        (S.SENT, None, 250, None, None, True),
        (S.SENT, None, 250, None, None, True),
        (S.SENT, None, 250, "2.0.0 ok", None, True),
        (S.DEFERRED, None, 451, None, later, True),
        (S.UNKNOWN, Reason.CONNECTION_LOST, None, None, None, True),
        (S.SKIPPED, Reason.LEFT, None, None, None, False),
        (S.FAILED, None, 550, "5.2.2 full", None, True),
    )
    given = {row.id: fate for row, fate in zip(batch.deliveries, fates, strict=True)}
    assert ledger.close(engine, batch, [Settlement(row, *fate) for row, fate in given.items()], complete=True)
    with session_scope(engine, read_only=True) as session:
        found = {
            row.id: (row.state, row.reason, row.smtp_code, row.smtp_text, row.not_before, bool(row.attempts))
            for row in session.scalars(select(Delivery))
        }
        waits = set(session.scalars(select(Delivery.state).where(Delivery.draw.is_not(None))))
    assert found == given
    assert waits == {S.DEFERRED}


def test_what_was_refused_but_must_not_pay_for_it_waits_again_in_a_new_order(engine: Engine) -> None:
    batch = claim(engine, planned(engine, 20))
    with session_scope(engine) as session:
        before = session.scalars(select(Delivery.draw)).all()
    ledger.close(engine, batch, [Settlement(claimed.id, S.PENDING) for claimed in batch.deliveries])
    with session_scope(engine) as session:
        found = session.scalars(select(Delivery)).all()
        assert {(row.state, row.attempts, row.settled_at) for row in found} == {(S.PENDING, 1, None)}
        after = {row.draw for row in found}
    assert None not in after
    assert len(after - set(before)) == 20


def test_the_servers_words_are_encrypted_because_servers_quote_addresses(engine: Engine) -> None:
    batch = claim(engine, planned(engine, 1))
    words = "5.1.1 <ana@example.org> unknown"
    ledger.settle(engine, batch, [Settlement(batch.deliveries[0].id, S.FAILED, smtp_code=550, smtp_text=words)])
    with session_scope(engine, read_only=True) as session:
        stored = session.scalar(text("SELECT smtp_text FROM deliveries"))
        assert b"ana@example.org" not in bytes(stored)
        assert session.scalar(select(Delivery.smtp_text)) == words


def test_a_worker_that_lost_its_lease_can_settle_and_release_nothing(engine: Engine) -> None:
    campaign_id = planned(engine, 2)
    stopped = claim(engine, campaign_id, lease=timedelta(seconds=-1))
    recovery.give_up_lost(engine, grace=timedelta())
    assert states(engine) == {S.UNKNOWN: 2}
    with session_scope(engine) as session:
        assert control.resend(session, session.get_one(Campaign, campaign_id), S.UNKNOWN) == 2
    other = claim(engine, campaign_id)
    ledger.settle(engine, stopped, sent(stopped))
    ledger.close(engine, stopped)
    assert states(engine) == {S.SENDING: 2}
    assert other.fence > stopped.fence


def test_an_expired_lease_cannot_be_renewed(engine: Engine) -> None:
    campaign_id = planned(engine, 2)
    late, alive = claim(engine, campaign_id, limit=1, lease=timedelta(seconds=-1)), claim(engine, campaign_id, limit=1)
    assert not ledger.renew(engine, late, lease=LEASE)
    assert ledger.renew(engine, alive, lease=LEASE)
    recovery.give_up_lost(engine, grace=timedelta())
    assert states(engine) == {S.UNKNOWN: 1, S.SENDING: 1}


def test_a_lost_workers_deliveries_are_unknown_and_never_sent_again_by_themselves(engine: Engine) -> None:
    campaign_id = planned(engine, 2)
    claim(engine, campaign_id, lease=timedelta(seconds=-1))
    recovery.give_up_lost(engine, grace=timedelta())
    assert ledger.claim(engine, campaign_id, worker="next", journal="next.journal", lease=LEASE) is None
    with session_scope(engine) as session:
        assert ledger.campaigns_with_work(session) == []
        assert control.finish(session, campaign_id)
        reasons = set(session.scalars(select(Delivery.reason)))
    assert reasons == {Reason.WORKER_LOST}


# --- how the database goes about it ---------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize("state", [S.PENDING, S.DEFERRED])
def test_a_claim_does_not_read_past_all_that_was_sent_before(engine: Engine, state: DeliveryState) -> None:
    """Also where the statistics were made when nothing had been sent, as they are in a campaign of minutes."""
    campaign_id = planned(engine, 1)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO deliveries (campaign_id, purpose, state, attempts, not_before) "
                "SELECT campaign_id, 'campaign', :state, 0, '2026-01-01Z' FROM deliveries, generate_series(1, 20000)"
            ),
            {"state": state.value},
        )
        connection.execute(text("ANALYZE deliveries"))
        connection.execute(text("UPDATE deliveries SET state = 'sent' WHERE id < 19000"))
    plans: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def explain(_connection: object, cursor: Any, statement: str, values: Any, *_: object) -> None:
        if "due" in statement:
            cursor.execute(f"EXPLAIN {statement}", values)
            plans.append("\n".join(line for (line,) in cursor.fetchall()))

    assert len(claim(engine, campaign_id, limit=20).deliveries) == 20
    taking = plans[[S.PENDING, S.DEFERRED].index(state) + 1]
    assert re.findall(r"using (\w+) on deliveries deliveries_1", taking) == ["ix_work"]


# --- whom refusals are about ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_who_settles_what_was_refused_locks_people_by_their_ids_and_before_their_mails(engine: Engine) -> None:
    campaign_id = planned(engine, 2)
    with session_scope(engine) as session:  # whose mail was planned first has the greater id
        first, last = session.scalars(select(Subscriber.id).order_by(Subscriber.id)).all()
        rows = session.scalars(select(Delivery).order_by(Delivery.id)).all()
        for people in ((None, None), (last, first)):
            for row, person in zip(rows, people, strict=True):
                row.subscriber_id = person
            session.flush()
    batch = claim(engine, campaign_id)
    refused = [Settlement(each.id, S.FAILED, smtp_code=550, refused=Category.NO_MAILBOX) for each in batch.deliveries]
    with session_scope(engine) as other:
        subscribers.lock_row(other, Subscriber.id == first)
        settling = Beside(lambda: ledger.close(engine, batch, refused))
        settling.must_wait()
        for held in (select(Subscriber.id).where(Subscriber.id == last), select(Delivery.id)):
            assert other.execute(held.with_for_update(key_share=True, nowait=True)).all()
    settling.result()
    assert states(engine) == {S.FAILED: 2}


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_who_settles_what_was_refused_waits_for_whoever_removes_somebody(engine: Engine) -> None:
    batch = claim(engine, planned(engine, 1))
    refused = [Settlement(batch.deliveries[0].id, S.FAILED, smtp_code=550, refused=Category.NO_MAILBOX)]
    with session_scope(engine) as other:
        suppression.lock_alone(other)
        settling = Beside(lambda: ledger.close(engine, batch, refused))
        settling.must_wait()
        assert other.execute(select(Delivery.id).with_for_update(nowait=True)).all()
    settling.result()
    assert states(engine) == {S.FAILED: 1}
