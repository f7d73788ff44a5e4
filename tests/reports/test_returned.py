"""What came back of a campaign is counted, while it is kept as events and after that. Small numbers are hidden."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import true
from sqlalchemy.orm import Session

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.people import bounces, returned
from mailer.reports import campaigns as campaign_reports
from mailer.reports import progress
from mailer.reports import returned as report
from mailer.reports.returned import Returned
from mailer.store.db import utcnow
from mailer.store.models import Campaign, DeliveryState, MailingList
from tests.support.factories import deliver, make_bounce, make_campaign, make_list, make_subscriber

NOTHING = Returned(0, 0, 0, 0, 0)


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, news: MailingList) -> Campaign:
    campaign = make_campaign(session, news)
    campaign.started_at = utcnow() - timedelta(hours=1)
    return campaign


def came_back(session: Session, campaign: Campaign, number: int, **event: Any) -> None:
    for _ in range(number):
        mail = deliver(session, campaign, make_subscriber(session), DeliveryState.SENT)
        make_bounce(session, mail, **event)


def fill(session: Session, campaign: Campaign) -> None:
    nothing: dict[str, Any] = {"category": None, "status": None, "effect": Effect.NONE}
    came_back(session, campaign, 10, category=Category.NO_MAILBOX)
    came_back(session, campaign, 2, category=Category.NO_DOMAIN)
    came_back(session, campaign, 11, category=Category.FULL)
    came_back(session, campaign, 3, category=Category.UNDETERMINED)
    came_back(session, campaign, 13, **nothing | {"kind": Kind.COMPLAINT, "effect": Effect.SUPPRESS})
    came_back(session, campaign, 14, **nothing | {"kind": Kind.UNSUBSCRIBE, "effect": Effect.LEAVE})
    came_back(session, campaign, 5, **nothing | {"kind": Kind.UNSUBSCRIBE})  # they had left before
    came_back(session, campaign, 20, **nothing | {"kind": Kind.AUTO_REPLY})


def test_what_came_back_is_counted_before_and_after_events_become_numbers(
    session: Session, campaign: Campaign, news: MailingList
) -> None:
    other = make_campaign(session, news, slug="another")
    came_back(session, other, 30)
    fill(session, campaign)
    expected = Returned(12, 11, None, 13, 14)
    assert report.count(session, campaign) == expected
    returned.become_numbers(session, true())
    assert report.count(session, campaign) == expected
    assert report.count(session, other) == Returned(0, 30, 0, 0, 0)


def test_what_was_refused_at_once_did_not_come_back(session: Session, campaign: Campaign) -> None:
    mail = deliver(session, campaign, make_subscriber(session), DeliveryState.FAILED)
    bounces.refuse(session, {mail.id: Category.FULL})
    assert report.count(session, campaign) == NOTHING
    assert report.count(session, campaign).is_nothing


def test_status_and_report_say_what_came_back_and_so_does_what_is_passed_on(
    session: Session, campaign: Campaign
) -> None:
    fill(session, campaign)
    expected = {"permanent": 12, "temporary": 11, "undetermined": None, "complaints": 13, "unsubscribed_by_mail": 14}
    assert progress.overview(session, campaign).to_json()["returned"] == expected
    found = campaign_reports.report(session, campaign)
    assert found.to_json()["returned"] == expected
    assert not found.returned.is_nothing
    lines = {line.key: line.number for line in campaign_reports.for_others(found) if line.what == "returned"}
    assert lines == expected
