"""A campaign as a whole: ended, cancelled, sent again, and found by whoever looks for work."""

from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle, readiness
from mailer.delivery import control, ledger
from mailer.delivery.ledger import Settlement
from mailer.mail import render
from mailer.mail.merge import compile_edition
from mailer.mail.types import Rendering
from mailer.people import subscribers
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Campaign, CampaignStatus, Delivery, DeliveryState, Edition, Reason, Subscriber
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber
from tests.support.ledger import claim, planned, sent, states

S = DeliveryState


def test_a_campaign_is_sent_when_nothing_is_open_and_not_before(engine: Engine) -> None:
    campaign_id = planned(engine, 2)
    batch = claim(engine, campaign_id)
    ledger.settle(engine, batch, sent(batch)[:1])
    with session_scope(engine) as session:
        assert not control.finish(session, campaign_id)
    ledger.settle(engine, batch, sent(batch)[1:])
    with session_scope(engine) as session:
        assert control.finish(session, campaign_id)
        campaign = session.get_one(Campaign, campaign_id)
        assert campaign.status is CampaignStatus.SENT
        assert campaign.finished_at is not None
        assert not control.finish(session, campaign_id)


def test_what_was_made_ahead_is_not_made_again_at_the_start_unless_it_has_changed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_scope(engine) as session:
        urgent = make_list(session)
        make_subscriber(session, urgent)
        campaign_id = make_campaign(session, urgent).id
    with session_scope(engine, read_only=True) as session:
        ahead = control.look_ahead(session, session.get_one(Campaign, campaign_id), SENDER)
    made = list[str]()
    render_one = render.render

    def count_render(kind: str, **values: Any) -> Any:
        made.append("rendered")
        return render_one(kind, **values)

    def count_compile(rendering: Rendering, *others: Any, **more: Any) -> Any:
        made.append("compiled")
        return compile_edition(rendering, *others, **more)

    monkeypatch.setattr(render, "render", count_render)
    monkeypatch.setattr("mailer.delivery.composing.compile_edition", count_compile)
    with Session(engine) as session:
        ahead.give(session)
        assert control.start(session, session.get_one(Campaign, campaign_id), SENDER) == 1
        assert "write to the embassy" in str(session.scalars(select(Edition.rendering)).one())
        assert made == []
        session.rollback()
    with Session(engine) as session:
        ahead.give(session)
        campaign = session.get_one(Campaign, campaign_id)
        campaign.texts[0].body = "They are free.\n"
        control.start(session, campaign, SENDER)
        assert set(made) == {"rendered", "compiled"}
        assert "They are free." in str(session.scalars(select(Edition.rendering)).one())


def test_what_would_be_refused_at_the_start_is_refused_before(engine: Engine) -> None:
    campaign_id = planned(engine, 1)
    with session_scope(engine, read_only=True) as session:
        campaign = session.get_one(Campaign, campaign_id)
        assert control.look_ahead(session, campaign, SENDER).rendered == {}, "it has begun"
    with session_scope(engine) as session:
        empty = make_campaign(session, make_list(session, "nobody"), slug="nobody")
        with pytest.raises(readiness.Refused, match="nobody would get it"):
            control.look_ahead(session, empty, SENDER)


def test_cancelling_skips_what_waits_and_then_what_a_worker_lets_go(engine: Engine) -> None:
    campaign_id = planned(engine, 3)
    batch = claim(engine, campaign_id, limit=1)
    with session_scope(engine) as session:
        control.cancel(session, session.get_one(Campaign, campaign_id))
    assert states(engine) == {S.SKIPPED: 2, S.SENDING: 1}
    ledger.close(engine, batch)
    assert states(engine) == {S.SKIPPED: 3}
    with session_scope(engine, read_only=True) as session:
        assert set(session.scalars(select(Delivery.reason))) == {Reason.CANCELLED}


@pytest.mark.parametrize("state", [S.UNKNOWN, S.FAILED])
def test_resending_takes_that_state_only_and_opens_the_campaign_again(engine: Engine, state: DeliveryState) -> None:
    campaign_id = planned(engine, 3)
    batch = claim(engine, campaign_id)
    first, second, third = batch.deliveries
    ledger.settle(
        engine, batch, [Settlement(first.id, S.SENT), Settlement(second.id, S.FAILED), Settlement(third.id, S.UNKNOWN)]
    )
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        control.finish(session, campaign_id)
        session.refresh(campaign)
        assert control.resend(session, campaign, state) == 1
        assert campaign.status is CampaignStatus.SENDING
    again = claim(engine, campaign_id)
    assert [claimed.id for claimed in again.deliveries] == [second.id if state is S.FAILED else third.id]


def test_resending_nothing_leaves_the_campaign_sent(engine: Engine) -> None:
    campaign_id = planned(engine, 1)
    batch = claim(engine, campaign_id)
    ledger.settle(engine, batch, sent(batch))
    with session_scope(engine) as session:
        control.finish(session, campaign_id)
        campaign = session.get_one(Campaign, campaign_id)
        assert control.resend(session, campaign, S.FAILED) == 0
        session.refresh(campaign)
        assert campaign.status is CampaignStatus.SENT


def test_an_erased_person_leaves_a_row_that_names_nobody(engine: Engine) -> None:
    planned(engine, 2)
    with session_scope(engine) as session:
        person = session.scalars(select(Subscriber).limit(1)).one()
        subscribers.erase(session, person.email)
        row = session.scalars(select(Delivery).where(Delivery.subscriber_id.is_(None))).one()
        assert (row.state, row.reason) == (S.SKIPPED, Reason.ERASED)
        assert (row.country, row.language, row.union_id, row.address) == (None, None, None, None)
    assert states(engine) == {S.PENDING: 1, S.SKIPPED: 1}


def test_work_is_found_in_the_database_alone(session: Session) -> None:
    mailing_list = make_list(session)
    make_subscriber(session, mailing_list)
    busy = make_campaign(session, mailing_list, slug="busy", status=CampaignStatus.SENDING)
    paused = make_campaign(session, mailing_list, slug="paused", status=CampaignStatus.PAUSED)
    make_campaign(session, mailing_list, slug="idle", status=CampaignStatus.SENDING)
    for campaign in (busy, paused):
        ledger.plan(session, campaign)
    assert ledger.campaigns_with_work(session) == [busy.id]


@pytest.mark.parametrize("end", ["resume", "cancel"])
def test_a_pause_says_why_by_whom_and_since_when_until_it_is_over(engine: Engine, end: str) -> None:
    campaign_id = planned(engine, 1)
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        campaign.started_at = utcnow()
        control.pause(session, campaign, reason="paused by hand", words="Her lawyer asks us to wait.", account_id=7)
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        held = (campaign.hold_reason, campaign.hold_words, campaign.held_by)
        assert held == ("paused by hand", "Her lawyer asks us to wait.", 7)
        assert campaign.held_at is not None
        if end == "resume":
            control.resume(session, campaign, SENDER)
        else:
            control.cancel(session, campaign)
        assert {getattr(campaign, name) for name in lifecycle.NOT_HELD} == {None}
