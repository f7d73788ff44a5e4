"""Organisers hear of a campaign that cannot go on by itself: each time once, and not too often."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.delivery import control, journal, recovery, sending, sweeping
from mailer.delivery.worker import Worker
from mailer.mail.pipeline import Pipeline
from mailer.people import notices, subscribers
from mailer.people.notices import Notice, NoticeKind
from mailer.people.organisers import NOBODY, Organisers
from mailer.store import db
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Campaign,
    CampaignStatus,
    Delivery,
    DeliveryState,
    HoldMail,
    Purpose,
    Reason,
)
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber
from tests.support.ledger import planned
from tests.support.mail_server import MailServer

S = DeliveryState
DESK = Organisers(("desk@example.org", "rosa@example.org"), "fr")
ONE = Organisers(("desk@example.org",))
REFUSED = "the mail server refuses our mail: 550 5.7.1 blocked, id 4F3A{}"


@pytest.fixture
def worker(worker: Worker) -> Worker:
    return replace(worker, organisers=DESK)


def told(session: Session) -> list[tuple[str | None, Notice]]:
    """To whom, and what, in the order in which it is owed."""
    rows = session.scalars(select(Delivery).where(Delivery.notice.is_not(None)).order_by(Delivery.id))
    return [(row.address, Notice.from_stored(row.notice or "")) for row in rows]


def hold(session: Session, campaign: Campaign, reason: str, organisers: Organisers = ONE) -> None:
    """Hold a campaign that somebody had resumed."""
    campaign.status = CampaignStatus.SENDING
    session.flush()
    control.hold(session, campaign, reason=reason, organisers=organisers)


@pytest.fixture
def campaign(session: Session) -> Campaign:
    return make_campaign(session, make_list(session), status=CampaignStatus.SENDING)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Has the database's clock be so many minutes ahead."""
    real = db.now

    def be(minutes: float) -> None:
        monkeypatch.setattr(db, "now", lambda session: real(session) + timedelta(minutes=minutes))

    return be


def waiting(session: Session) -> list[bool]:
    """Of the mails to organisers, whether each waits for its time."""
    rows = session.scalars(select(Delivery).where(Delivery.notice.is_not(None)).order_by(Delivery.id))
    return [row.not_before is not None for row in rows]


def test_organisers_hear_why_a_mail_server_ended_a_campaign_for_now_and_what_to_do(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    campaign_id = planned(engine, 3)
    server.behaviour.rcpt = lambda recipient: f"550 5.7.1 <{recipient}>: Sender address rejected: Access denied"
    server.behaviour.mail = lambda _: "550 5.7.1 we do not want your mail"
    assert not sending.drain(engine, campaign_id, wire, worker)
    with session_scope(engine, read_only=True) as session:
        campaign = session.get_one(Campaign, campaign_id)
        assert campaign.status is CampaignStatus.PAUSED
        mails = told(session)
        assert [address for address, _ in mails] == ["desk@example.org", "rosa@example.org"]
        notice = mails[0][1]
        assert (notice.kind, notice.language, notice.campaign_id) == (NoticeKind.HELD, "fr", campaign_id)
        assert notice.words == {
            "campaign": campaign.slug,
            "reason": campaign.hold_reason,
            "status_command": f"mailer campaigns status {campaign.slug}",
            "resume_command": f"mailer campaigns resume {campaign.slug}",
            "cancel_command": f"mailer campaigns cancel {campaign.slug}",
        }
        assert "we do not want your mail" in notice.words["reason"]
        assert "@" not in notice.words["reason"]


def test_the_mail_goes_out_while_the_campaign_is_held(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    with session_scope(engine) as session:
        campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENDING)
        control.hold(session, campaign, reason="it cannot go on", organisers=ONE)
    for campaign_id in sweeping.sweep(engine, worker):
        sending.drain(engine, campaign_id, wire, worker)
    (mail,) = server.received
    assert mail.recipient == "desk@example.org"
    assert b"it cannot go on" in mail.data and b"Auto-Submitted: auto-generated" in mail.data


def test_a_scheduled_campaign_that_cannot_start_is_told_of(engine: Engine, worker: Worker) -> None:
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        make_subscriber(session, mailing_list, email="last@example.net")
        control.schedule(session, make_campaign(session, mailing_list), utcnow(), SENDER)
    with session_scope(engine) as session:
        subscribers.erase(session, "last@example.net")
    for _ in range(2):
        sweeping.sweep(engine, worker)
    with session_scope(engine, read_only=True) as session:
        mails = told(session)
        assert [notice.kind for _, notice in mails] == [NoticeKind.HELD] * 2
        assert mails[0][1].words["reason"] == session.get_one(Campaign, 1).hold_reason


def test_what_a_restored_database_holds_is_told_of_and_not_doubted(
    engine: Engine, tmp_path: Path, worker: Worker
) -> None:
    planned(engine, 1)
    worker.journals.mkdir()
    journal.mark_claim(worker.journals, 3)
    for _ in range(2):
        recovery.hold_if_restored(engine, worker.journals, DESK)
    with session_scope(engine, read_only=True) as session:
        rows = session.scalars(select(Delivery).where(Delivery.purpose == Purpose.NOTICE)).all()
        assert [(row.state, row.address) for row in rows] == [(S.PENDING, address) for address in DESK.addresses]
        assert "restored from a backup" in told(session)[0][1].words["reason"]


def test_a_person_who_pauses_a_campaign_knows_it(session: Session, campaign: Campaign) -> None:
    control.pause(session, campaign, reason="paused by hand")
    assert told(session) == []


def test_without_the_setting_nobody_is_told(session: Session, campaign: Campaign) -> None:
    control.hold(session, campaign, reason="it cannot go on", organisers=NOBODY)
    assert told(session) == []
    assert session.scalars(select(HoldMail)).all() == []


def test_a_hold_and_the_mails_about_it_are_kept_together_or_not_at_all(engine: Engine) -> None:
    with session_scope(engine) as session:
        campaign_id = make_campaign(session, make_list(session), status=CampaignStatus.SENDING).id
    with pytest.raises(KeyboardInterrupt), session_scope(engine) as session:
        control.hold(session, session.get_one(Campaign, campaign_id), reason="it cannot go on", organisers=DESK)
        raise KeyboardInterrupt
    with session_scope(engine, read_only=True) as session:
        assert told(session) == []
        assert session.get_one(Campaign, campaign_id).status is CampaignStatus.SENDING
    with session_scope(engine) as session:
        control.hold(session, session.get_one(Campaign, campaign_id), reason="it cannot go on", organisers=DESK)
    with session_scope(engine, read_only=True) as session:
        assert len(told(session)) == 2


def test_a_campaign_that_is_held_again_and_again_for_one_reason_is_told_of_once_an_hour(
    session: Session, campaign: Campaign, later: Callable[[float], None]
) -> None:
    for minute in range(0, 60, 5):
        later(minute)
        hold(session, campaign, REFUSED.format(minute))  # the server's words differ in a number only
    assert waiting(session) == [False, True]  # one at once, and one at the end of the hour
    (latest,) = session.scalars(select(HoldMail.goes_at))
    later(0)
    assert timedelta(minutes=59) < latest - db.now(session) <= timedelta(hours=1)
    later(61)  # that one is out
    hold(session, campaign, REFUSED.format(0))
    assert waiting(session) == [False, True, True]
    later(300)
    hold(session, campaign, REFUSED.format(0))
    assert waiting(session) == [False, True, True, False]
    assert len(session.scalars(select(HoldMail)).all()) == 1


def test_another_reason_and_another_campaign_are_told_of_at_once(session: Session, campaign: Campaign) -> None:
    other = make_campaign(session, campaign.mailing_list, slug="other", status=CampaignStatus.SENDING)
    hold(session, campaign, "the first reason")
    hold(session, campaign, "the second reason")
    hold(session, other, "the first reason")
    assert waiting(session) == [False] * 3


@pytest.mark.parametrize("resumed", [False, True])
def test_a_mail_that_waited_goes_only_if_the_campaign_is_held_still(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker, resumed: bool
) -> None:
    with session_scope(engine) as session:
        campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENDING)
        for _ in range(2):
            hold(session, campaign, "it cannot go on")
        standing = notices.campaign(session).id
    sending.drain(engine, standing, wire, worker)
    assert len(server.received) == 1
    with session_scope(engine) as session:
        if resumed:
            session.execute(update(Campaign).where(Campaign.id == campaign.id).values(status=CampaignStatus.SENDING))
        session.execute(update(Delivery).where(Delivery.not_before.is_not(None)).values(not_before=utcnow()))
    sending.drain(engine, standing, wire, worker)
    assert len(server.received) == (1 if resumed else 2)
    with session_scope(engine, read_only=True) as session:
        fates = session.execute(select(Delivery.state, Delivery.reason).order_by(Delivery.id)).all()
        assert fates[1] == ((S.SKIPPED, Reason.CANCELLED) if resumed else (S.SENT, None))
