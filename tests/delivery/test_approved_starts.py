"""Nothing starts that was not approved, whoever starts it and whenever."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.campaigns.lifecycle import WrongStatus
from mailer.delivery import control
from mailer.delivery.control import AudienceChanged, NotDue, StaleForm
from mailer.delivery.sweeping import sweep
from mailer.delivery.worker import Worker
from mailer.organisers import accounts, approvals, content
from mailer.organisers.approvals import NotApproved
from mailer.people.notices import NoticeKind
from mailer.store import db
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Campaign, CampaignStatus, Role
from tests.support.accounts import make_account, make_publisher
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber, notices_owed, said

LATER = timedelta(hours=1)


def make(session: Session) -> Campaign:
    mailing_list = make_list(session)
    make_subscriber(session, mailing_list)
    make_account(session, "wanda@example.org", Role.WRITER)
    make_publisher(session, "petra")
    return make_campaign(session, mailing_list)


def approve(session: Session, campaign: Campaign) -> None:
    writer, publisher = make_publisher(session, f"w{utcnow():%H%M%S%f}"), make_publisher(session, f"p{utcnow():%f}")
    approvals.ask(session, campaign, writer, None, at=utcnow(), sender=SENDER)
    shown = content.of(session, campaign, SENDER).hash
    approvals.approve(session, campaign, publisher, shown, None, at=utcnow(), sender=SENDER)


@pytest.mark.parametrize(
    "begin",
    [
        lambda session, campaign: control.start(session, campaign, SENDER),
        lambda session, campaign: control.schedule(session, campaign, utcnow() + LATER, SENDER),
        lambda session, campaign: control.look_ahead(session, campaign, SENDER),
    ],
)
def test_a_campaign_starts_only_as_it_was_approved(
    engine: Engine, begin: Callable[[Session, Campaign], object]
) -> None:
    with session_scope(engine) as session:
        campaign_id = make(session).id
    with pytest.raises(NotApproved), session_scope(engine) as session:
        begin(session, session.get_one(Campaign, campaign_id))
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        assert campaign.status is CampaignStatus.DRAFT
        approve(session, campaign)
        begin(session, campaign)


def test_what_is_scheduled_can_be_undone_and_keeps_its_approval(session: Session) -> None:
    campaign = make(session)
    approve(session, campaign)
    control.schedule(session, campaign, utcnow() + LATER, SENDER)
    control.undo(session, campaign)
    assert (campaign.status, campaign.scheduled_at, campaign.undone) == (CampaignStatus.DRAFT, None, 1)
    control.start(session, campaign, SENDER)
    with pytest.raises(WrongStatus, match="Only a campaign that is scheduled can be"):
        control.undo(session, campaign)


def test_what_is_undone_or_put_off_as_its_time_comes_does_not_start(session: Session) -> None:
    campaign = make(session)
    approve(session, campaign)
    control.schedule(session, campaign, utcnow(), SENDER)
    control.undo(session, campaign)  # after a worker saw that it is due
    with pytest.raises(NotDue):
        control.start_scheduled(session, campaign, SENDER)
    control.send_soon(session, campaign, SENDER, expected=1, undone=1)
    with pytest.raises(NotDue):
        control.start_scheduled(session, campaign, SENDER)
    assert campaign.status is CampaignStatus.SCHEDULED
    control.schedule(session, campaign, utcnow(), SENDER)
    assert control.start_scheduled(session, campaign, SENDER) == 1


def test_a_form_sends_once_however_often_it_is_sent(session: Session) -> None:
    campaign = make(session)
    approve(session, campaign)
    before = db.now(session)
    starts = control.send_soon(session, campaign, SENDER, expected=1, undone=0)
    assert timedelta(0) <= starts - before - control.TO_UNDO < timedelta(seconds=20)
    assert (campaign.status, campaign.scheduled_at) == (CampaignStatus.SCHEDULED, starts)
    with pytest.raises(WrongStatus):
        control.send_soon(session, campaign, SENDER, expected=1, undone=0)
    control.undo(session, campaign)
    with pytest.raises(StaleForm, match="was undone"):
        control.send_soon(session, campaign, SENDER, expected=1, undone=0)
    at = control.send_soon(session, campaign, SENDER, at=before + LATER, expected=1, undone=1)
    assert at == before + LATER


def test_whoever_was_told_another_number_of_people_is_asked_again(session: Session) -> None:
    campaign = make(session)
    for _number in range(99):
        make_subscriber(session, campaign.mailing_list)
    approve(session, campaign)
    for expected in (98, 102, 0):
        with pytest.raises(AudienceChanged, match="reaches 100 people"):
            control.send_soon(session, campaign, SENDER, expected=expected, undone=0)
    control.send_soon(session, campaign, SENDER, expected=101, undone=0)


@pytest.mark.parametrize("wait", [timedelta(0), LATER])
def test_a_scheduled_campaign_whose_approval_lapsed_is_held_and_the_publishers_hear_of_it(
    engine: Engine, worker: Worker, wait: timedelta
) -> None:
    with session_scope(engine) as session:
        campaign = make(session)
        approve(session, campaign)
        control.schedule(session, campaign, utcnow() + wait, SENDER)
    if wait:
        sweep(engine, worker)
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign.id)
        assert campaign.status is CampaignStatus.SCHEDULED
        campaign.texts[0].body = "Other words.\n"
    sweep(engine, worker)
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign.id)
        assert campaign.status is CampaignStatus.PAUSED
        assert "has changed since it was approved (text en: body)" in (campaign.hold_reason or "")
        mails = {each.address: said(each) for each in notices_owed(session)}
        assert mails.keys() == {each.email for each in accounts.publishers(session)}
        assert {each.kind for each in mails.values()} == {NoticeKind.HELD_AT_DESK}
        assert "petra@example.org" in mails
        assert "wanda@example.org" not in mails


def test_what_is_held_before_it_began_asks_again_when_it_is_resumed(session: Session) -> None:
    campaign = make(session)
    approve(session, campaign)
    control.schedule(session, campaign, utcnow() - LATER, SENDER)
    control.pause(session, campaign, reason="paused")
    campaign.texts[0].body = "Other words.\n"
    session.commit()
    with pytest.raises(NotApproved):
        control.resume(session, campaign, SENDER)
    session.rollback()
    approve(session, campaign)
    control.resume(session, campaign, SENDER)
    assert campaign.status is CampaignStatus.SENDING
    control.pause(session, campaign, reason="paused")
    campaign.texts[0].body = "What has begun is frozen.\n"
    control.resume(session, campaign, SENDER)
