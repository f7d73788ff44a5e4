"""Reports: states that add up, and numbers that point to nobody."""

import json
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from mailer.people import subscribers
from mailer.reports import progress as campaign_progress
from mailer.store.db import utcnow
from mailer.store.models import Campaign, CampaignStatus, Claim, DeliveryState, Purpose
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber


def test_all_seven_states_are_there_and_add_up(session: Session) -> None:
    news = make_list(session)
    campaign = make_campaign(session, news)
    for state in (DeliveryState.SENT, DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.PENDING):
        deliver(session, campaign, make_subscriber(session, news), state)
    deliver(session, campaign, None, DeliveryState.SENT, purpose=Purpose.TEST, address="test@example.org")
    progress = campaign_progress.of_campaign(session, campaign)
    assert progress.to_json()["states"] == {
        "pending": 1,
        "sending": 0,
        "sent": 2,
        "deferred": 0,
        "failed": 0,
        "unknown": 1,
        "skipped": 0,
    }
    assert progress.audience == sum(progress.states.values()) == 4
    assert progress.settled == 3


def test_an_erased_person_stays_as_a_row_without_address(session: Session) -> None:
    news = make_list(session)
    campaign = make_campaign(session, news)
    campaign.mail_domain = "example.org"
    gone, there = make_subscriber(session, news, email="gone@example.org"), make_subscriber(session, news)
    for person in (gone, there):
        deliver(session, campaign, person, DeliveryState.SENT, smtp_code=250, smtp_text="ok")
    session.commit()
    subscribers.erase(session, "gone@example.org")
    session.commit()
    erased, kept = campaign_progress.recipients(session, campaign, DeliveryState.SENT)
    assert erased["email"] is None
    assert kept["email"] == there.email
    assert list(kept) == ["delivery", "email", "state", "reason", "smtp_code", "smtp_text", "message_id", "attempts"]
    assert kept["message_id"].startswith("<") and kept["message_id"].endswith("@example.org>")
    assert list(campaign_progress.recipients(session, campaign, DeliveryState.FAILED)) == []


# --- how a campaign does ----------------------------------------------------------------------------------------------


@pytest.fixture
def running(session: Session) -> Campaign:
    """A campaign that was started ten minutes ago."""
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENDING)
    campaign.started_at = utcnow() - timedelta(minutes=10)
    session.flush()
    return campaign


def settle(session: Session, campaign: Campaign, state: DeliveryState, *, ago: float, times: int) -> None:
    for _ in range(times):
        settled_at = utcnow() - timedelta(seconds=ago)
        deliver(session, campaign, make_subscriber(session), state, fence=1, settled_at=settled_at)


def test_the_rate_is_of_the_last_minute_and_tells_when_the_rest_will_have_gone(
    session: Session, running: Campaign
) -> None:
    settle(session, running, DeliveryState.SENT, ago=200, times=30)
    settle(session, running, DeliveryState.SENT, ago=20, times=50)
    settle(session, running, DeliveryState.FAILED, ago=10, times=10)
    settle(session, running, DeliveryState.SKIPPED, ago=10, times=7)
    for _ in range(120):
        deliver(session, running, make_subscriber(session), DeliveryState.PENDING)
    found = campaign_progress.overview(session, running)
    assert found.rate.last_minute == 1.0
    assert found.rate.overall == pytest.approx(0.15, abs=0.01)
    assert found.eta is not None
    assert abs((found.eta - utcnow()).total_seconds() - 120) < 5


def test_where_many_went_the_rate_is_of_the_latest(
    session: Session, running: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_progress, "_LATEST", 20)
    settle(session, running, DeliveryState.SENT, ago=50, times=30)
    settle(session, running, DeliveryState.SENT, ago=2, times=20)
    rate = campaign_progress.overview(session, running).rate.last_minute
    assert rate is not None
    assert 5 < rate <= 10


@pytest.mark.parametrize("status", [CampaignStatus.PAUSED, CampaignStatus.SENT])
def test_a_campaign_that_does_not_go_has_no_rate_now_and_no_end(
    session: Session, running: Campaign, status: CampaignStatus
) -> None:
    settle(session, running, DeliveryState.SENT, ago=10, times=60)
    deliver(session, running, make_subscriber(session), DeliveryState.PENDING)
    running.status = status
    found = campaign_progress.overview(session, running)
    assert (found.rate.last_minute, found.eta) == (None, None)
    assert found.rate.overall == pytest.approx(0.1, abs=0.01)


def test_a_draft_has_nothing_to_report(session: Session) -> None:
    found = campaign_progress.overview(session, make_campaign(session, make_list(session))).to_json()
    assert found["rate"] == {"last_minute": None, "overall": None}
    assert [found[key] for key in ("eta", "next_retry", "give_up_at")] == [None] * 3
    assert [found[key] for key in ("refusals", "tests", "workers")] == [[]] * 3


def test_retries_are_announced_with_their_end(session: Session, running: Campaign) -> None:
    due = utcnow().replace(microsecond=0) + timedelta(minutes=5)
    for minutes in (3, 0, 7):
        not_before = due + timedelta(minutes=minutes)
        deliver(session, running, make_subscriber(session), DeliveryState.DEFERRED, not_before=not_before)
    found = campaign_progress.overview(session, running)
    assert found.next_retry == due
    assert running.started_at is not None
    assert found.give_up_at == running.started_at + timedelta(days=2)
    running.deadline = utcnow() + timedelta(hours=1)
    assert campaign_progress.overview(session, running).give_up_at == running.deadline


def test_workers_are_sending_stalled_or_lost(session: Session, running: Campaign) -> None:
    past, future = utcnow() - timedelta(minutes=1), utcnow() + timedelta(minutes=1)
    for worker, expires_at, stalled_until in (
        ("a:1", future, None),
        ("b:2", past, future),
        ("c:3", past, None),
        ("a:1", past, past),
    ):
        about = {"worker": worker, "journal": worker, "expires_at": expires_at, "stalled_until": stalled_until}
        session.add(Claim(campaign_id=running.id, **about))
    session.flush()
    assert campaign_progress.overview(session, running).to_json()["workers"] == [
        {"worker": "a:1", "state": "lost"},
        {"worker": "b:2", "state": "stalled"},
        {"worker": "c:3", "state": "lost"},
    ]


def test_the_report_for_programs_is_plain_json(session: Session, running: Campaign) -> None:
    later = utcnow() + timedelta(minutes=1)
    person = make_subscriber(session)
    deliver(session, running, person, DeliveryState.DEFERRED, not_before=later, smtp_code=450, smtp_text="4.2.2 full")
    about = {"purpose": Purpose.TEST, "address": "me@example.org", "settled_at": later}
    deliver(session, running, None, DeliveryState.SENT, **about)
    report = json.loads(json.dumps(campaign_progress.overview(session, running).to_json()))
    assert report["refusals"][0] == {
        "state": "deferred",
        "smtp_code": 450,
        "enhanced_code": "4.2.2",
        "reason": None,
        "count": 1,
        "is_estimate": False,
        "example": "4.2.2 full",
    }
    assert report["tests"][0]["settled_at"].startswith(f"{later:%Y-%m-%dT%H:%M}")
    assert {"slug", "status", "audience", "states", "rate", "eta", "refusals", "tests", "workers"} <= set(report)
