"""Beside a mail provider's log, the ledger does not tell whose row is whose, while it is sent and afterwards."""

import time
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, update

from mailer.delivery import control, forgetting, ledger
from mailer.delivery.ledger import Settlement
from mailer.people import notices
from mailer.people.notices import Notice, NoticeKind
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Campaign, CampaignStatus, Delivery, DeliveryState, Purpose, Reason
from tests.support.ledger import claim, planned, sent

S = DeliveryState


def ranks_agree(order: list[int]) -> float:
    """How often one of two stands before the other as their numbers do: 1 in order, 0.5 by chance."""
    pairs = [(a, b) for place, a in enumerate(order) for b in order[place + 1 :]]
    return sum(a < b for a, b in pairs) / len(pairs)


def test_mails_go_out_in_an_order_of_their_own(engine: Engine) -> None:
    campaign_id = planned(engine, 300, by_lot=True)
    order: list[int] = []
    for _ in range(6):
        batch = claim(engine, campaign_id, limit=50)
        order += [delivery.id for delivery in batch.deliveries]
        assert ledger.close(engine, batch, sent(batch))
    assert sorted(order) == list(range(min(order), min(order) + 300))
    assert 0.4 < ranks_agree(order) < 0.6
    claims = [set(order[start : start + 50]) for start in range(0, 300, 50)]
    assert all(max(each) - min(each) > 100 for each in claims)


def test_within_a_claim_the_order_is_neither_that_of_the_lot_nor_of_the_ids(engine: Engine) -> None:
    campaign_id = planned(engine, 100, by_lot=True)
    with session_scope(engine, read_only=True) as session:
        by_lot = list(session.scalars(select(Delivery.id).order_by(Delivery.draw)))
    order = [delivery.id for delivery in claim(engine, campaign_id, limit=100).deliveries]
    assert 0.3 < ranks_agree([by_lot.index(each) for each in order]) < 0.7
    assert 0.3 < ranks_agree(order) < 0.7


@pytest.mark.parametrize("state", [S.SENT, S.FAILED, S.UNKNOWN, S.SKIPPED])
def test_a_lot_is_gone_once_it_is_settled(engine: Engine, state: DeliveryState) -> None:
    batch = claim(engine, planned(engine, 20))
    assert ledger.settle(engine, batch, [Settlement(each.id, state) for each in batch.deliveries])
    with session_scope(engine, read_only=True) as session:
        assert set(session.scalars(select(Delivery.draw))) == {None}


def test_what_waits_again_keeps_its_lot_and_what_is_sent_again_gets_another(engine: Engine) -> None:
    campaign_id = planned(engine, 3)
    batch = claim(engine, campaign_id)
    later = utcnow() + timedelta(hours=1)
    first, second, _ = (delivery.id for delivery in batch.deliveries)
    settled = [Settlement(first, S.DEFERRED, not_before=later), Settlement(second, S.UNKNOWN, Reason.WORKER_LOST)]
    ledger.close(engine, batch, settled)
    with session_scope(engine) as session:
        assert session.get_one(Delivery, first).draw is not None
        assert session.get_one(Delivery, second).draw is None
        control.resend(session, session.get_one(Campaign, campaign_id), S.UNKNOWN)
    with session_scope(engine, read_only=True) as session:
        assert None not in list(session.scalars(select(Delivery.draw)))


def test_a_cancelled_campaign_keeps_no_lot(engine: Engine) -> None:
    campaign_id = planned(engine, 3)
    with session_scope(engine) as session:
        control.cancel(session, session.get_one(Campaign, campaign_id))
    with session_scope(engine, read_only=True) as session:
        assert set(session.execute(select(Delivery.state, Delivery.draw))) == {(S.SKIPPED, None)}


def finished(engine: Engine, people: int = 5, **settled: DeliveryState) -> int:
    """A campaign that is over, one message of each given state and the rest sent; returns its id."""
    campaign_id = planned(engine, people)
    batch = claim(engine, campaign_id)
    states = [*settled.values()] + [S.SENT] * (people - len(settled))
    fates = [
        Settlement(each.id, state, Reason.WORKER_LOST if state is S.UNKNOWN else None)
        for each, state in zip(batch.deliveries, states, strict=True)
    ]
    ledger.close(engine, batch, fates)
    with session_scope(engine) as session:
        assert control.finish(session, campaign_id)
    return campaign_id


def remembered(engine: Engine) -> set[tuple[DeliveryState, bool, bool]]:
    """Of each delivery: its state, whether the hour is known, and whether its claim is."""
    with session_scope(engine, read_only=True) as session:
        return {
            (row.state, row.settled_at.time() != row.settled_at.min.time(), row.fence is not None)
            for row in session.scalars(select(Delivery))
            if row.settled_at is not None
        }


def test_when_a_campaign_is_over_only_the_day_is_known(engine: Engine) -> None:
    finished(engine, refused=S.FAILED, left=S.SKIPPED)
    assert remembered(engine) == {(state, True, True) for state in (S.SENT, S.FAILED, S.SKIPPED)}
    forgetting.forget_order(engine)
    assert remembered(engine) == {(state, False, False) for state in (S.SENT, S.FAILED, S.SKIPPED)}
    with session_scope(engine, read_only=True) as session:
        days = {row.settled_at.date() for row in session.scalars(select(Delivery)) if row.settled_at}
        assert days <= {utcnow().date(), (utcnow() - timedelta(days=1)).date()}


def test_how_often_a_mail_was_tried_and_put_back_is_forgotten_too(engine: Engine) -> None:
    finished(engine, refused=S.FAILED)
    with session_scope(engine) as session:
        session.execute(update(Delivery).values(attempts=3, put_back=2))
    forgetting.forget_order(engine)
    with session_scope(engine, read_only=True) as session:
        found = set(session.execute(select(Delivery.state, Delivery.attempts, Delivery.put_back)))
        assert found == {(S.SENT, 1, 0), (S.FAILED, 3, 0)}


def test_it_is_forgotten_in_parts_and_over_several_days(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign_id = finished(engine, people=9)
    with session_scope(engine) as session:
        for number, row in enumerate(session.scalars(select(Delivery))):
            row.settled_at = utcnow() - timedelta(days=number // 3)
    monkeypatch.setattr(forgetting, "_BATCH", 2)
    forgetting.forget_order(engine)
    assert remembered(engine) == {(S.SENT, False, False)}
    with session_scope(engine, read_only=True) as session:
        rows = session.scalars(select(Delivery.settled_at).where(Delivery.campaign_id == campaign_id)).all()
        assert len(set(rows)) == 3


def test_what_is_unknown_keeps_its_claim_by_which_a_late_journal_finds_it(engine: Engine) -> None:
    finished(engine, lost=S.UNKNOWN)
    forgetting.forget_order(engine)
    assert remembered(engine) == {(S.SENT, False, False), (S.UNKNOWN, True, True)}


@pytest.mark.parametrize("status", [CampaignStatus.SENDING, CampaignStatus.PAUSED])
def test_what_is_still_under_way_is_not_forgotten(engine: Engine, status: CampaignStatus) -> None:
    campaign_id = finished(engine)
    with session_scope(engine) as session:
        session.get_one(Campaign, campaign_id).status = status
    forgetting.forget_order(engine)
    assert remembered(engine) == {(S.SENT, True, True)}


def test_system_mail_is_forgotten_after_a_day(engine: Engine) -> None:
    with session_scope(engine) as session:
        for _ in range(3):
            notices.owe(session, Notice(NoticeKind.CONFIRM, "0" * 40), language="en", address="ana@example.org")
        campaign_id = notices.campaign(session).id
    batch = claim(engine, campaign_id)
    ledger.close(engine, batch, sent(batch))
    forgetting.forget_order(engine)
    assert remembered(engine) == {(S.SENT, True, True)}
    with session_scope(engine) as session:
        session.execute(
            update(Delivery).where(Delivery.purpose == Purpose.NOTICE).values(settled_at=utcnow() - timedelta(hours=25))
        )
    forgetting.forget_order(engine)
    assert remembered(engine) == {(S.SENT, False, False)}


def test_settled_system_mail_says_no_more_whom_it_went_to(engine: Engine) -> None:
    campaign_id = planned(engine, 1)
    with session_scope(engine) as session:
        person = session.scalars(select(Delivery.subscriber_id)).one()
        notices.owe(session, Notice(NoticeKind.WELCOME), language="fr", subscriber_id=person)
        standing = notices.campaign(session).id
    batch = claim(engine, standing)
    ledger.close(engine, batch, sent(batch))
    with session_scope(engine) as session:
        notices.forget_settled(session)
    with session_scope(engine, read_only=True) as session:
        (row,) = session.scalars(select(Delivery).where(Delivery.campaign_id == standing))
        assert (row.subscriber_id, row.language, row.notice) == (None, None, None)
        (other,) = session.scalars(select(Delivery).where(Delivery.campaign_id == campaign_id))
        assert other.subscriber_id == person


def test_what_ends_without_a_mail_server_is_known_by_its_day_at_once(engine: Engine) -> None:
    campaign_id = planned(engine, 3)
    with session_scope(engine) as session:
        notices.owe(session, Notice(NoticeKind.CONFIRM), language=None, withheld=Reason.REPEATED)
        control.cancel(session, session.get_one(Campaign, campaign_id))
    assert remembered(engine) == {(S.SKIPPED, False, False)}


def test_who_asked_first_is_written_to_first(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    owed: list[list[int]] = []
    for moment in (1_800_000_000, 1_800_000_010):
        monkeypatch.setattr(time, "time", lambda moment=moment: float(moment))
        with session_scope(engine) as session:
            before = set(session.scalars(select(Delivery.id)))
            for _ in range(10):
                notices.owe(session, Notice(NoticeKind.CONFIRM, "0" * 40), language="en", address="ana@example.org")
            standing = notices.campaign(session).id
            owed.append(sorted(set(session.scalars(select(Delivery.id))) - before))
    first = claim(engine, standing, limit=10)
    assert sorted(each.id for each in first.deliveries) == owed[0]
    assert sorted(each.id for each in claim(engine, standing, limit=10).deliveries) == owed[1]
