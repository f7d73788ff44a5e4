"""Sending: start a campaign, drain its ledger through a mail server, and sweep up after lost workers."""

import logging
import time
from datetime import datetime
from typing import Protocol

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer import campaigns, db, delivery, editions, kit_making, recovery, segments, steering
from mailer.composing import CampaignComposer, Composer
from mailer.db import session_scope
from mailer.errors import MailerError, ServiceUnavailable
from mailer.identity import Sender
from mailer.mail.smtp import SenderRefused, SmtpUnavailable
from mailer.models import Campaign, CampaignStatus, Delivery, Subscriber, Subscription
from mailer.notice_mails import NoticeComposer
from mailer.outbox import Outbox
from mailer.worker import Worker

log = logging.getLogger(__name__)

#: how long a campaign sends on while others have work, and how often it asks whether they have
_SHORT_TURN_SECONDS = 2.0
_ASK_SECONDS = 0.5


class NobodyToSendTo(MailerError):
    """The audience of campaign "{slug}" is empty, so there is nobody to send it to. See who it selects with:
    mailer campaigns check {slug}"""


class Wire(Protocol):
    """What puts messages on the wire; `mail.pipeline.Pipeline` is one."""

    def send(self, supply: Outbox) -> None:
        """Send what the supply gives until it is exhausted, and report to it."""


# --- starting -------------------------------------------------------------------------------------------------------


def start(session: Session, campaign: Campaign, sender: Sender) -> int:
    """Freeze a campaign's editions and audience and set it sending.

    :returns: the number of recipients.
    :raises campaigns.WrongStatus: it has been started before.
    :raises campaigns.TooLate: its latest start has passed.
    :raises NobodyToSendTo: its audience is empty.
    """
    now = db.now(session)
    campaigns.require_in_time(campaign, now)
    campaigns.move(session, campaign, "start", started_at=now, hold_reason=None)
    return _plan(session, campaign, sender)


def _plan(session: Session, campaign: Campaign, sender: Sender) -> int:
    editions.freeze(session, campaign, sender)
    CampaignComposer(session, campaign, sender).compile_all()
    recipients = delivery.plan(session, campaign)
    if not recipients:
        raise NobodyToSendTo(slug=campaign.slug)
    if campaign.forwardable:
        kit_making.plan(session, campaign)
    db.analyze(session, Subscriber, Subscription, Delivery)
    log.info("campaign started", extra={"campaign": campaign.id, "recipients": recipients})
    return recipients


def schedule(session: Session, campaign: Campaign, at: datetime) -> None:
    """Let a campaign start by itself at a time. Its texts were tried when it was loaded.

    :raises campaigns.WrongStatus: it has been started before.
    :raises campaigns.TooLate: the time is after its latest start.
    :raises NobodyToSendTo: its audience is empty as of now.
    """
    campaigns.require_in_time(campaign, at)
    if not segments.count(session, campaign.list_id, campaigns.segment_of(campaign)):
        raise NobodyToSendTo(slug=campaign.slug)
    campaigns.move(session, campaign, "schedule", scheduled_at=at)


def resume(session: Session, campaign: Campaign, sender: Sender) -> None:
    """Go on with a paused campaign; one that had not begun starts now, unless its time is still to come.

    A latest start does not stop it here: a person has decided.

    :raises campaigns.WrongStatus: it is not paused.
    """
    if campaign.started_at is None and campaign.scheduled_at and campaign.scheduled_at > db.now(session):
        campaigns.move(session, campaign, "reschedule", hold_reason=None)
        return
    campaigns.move(session, campaign, "resume", hold_reason=None, resumed_at=db.now(session))
    if campaign.started_at is None:
        campaign.started_at = db.now(session)
        _plan(session, campaign, sender)


# --- draining -------------------------------------------------------------------------------------------------------


def drain(engine: Engine, campaign_id: int, wire: Wire, worker: Worker, *, seconds: float = 60) -> bool:
    """Send what is due of a campaign for a while.

    :param seconds: after which no new claim is made; sooner when other campaigns wait for their turn.
    :returns: whether something may be left to do.
    :raises ServiceUnavailable: the mail server, the database or the journal cannot be used; what was not begun waits.
    """
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        composer = _composer_for(session, campaign, worker.sender)
    try:
        with Outbox(engine, campaign, composer, worker, turn=_Turn(engine, campaign_id, seconds)) as outbox:
            wire.send(outbox)
    except SmtpUnavailable as problem:
        _remember(engine, campaign_id, str(problem))
        raise
    except SenderRefused as refusal:
        _hold(engine, campaign_id, str(refusal))
        return False
    if outbox.paused_because is not None:
        _hold(engine, campaign_id, outbox.paused_because)
        return False
    if campaign.hold_reason is not None:
        _remember(engine, campaign_id, None)
    if not outbox.is_drained:
        return True
    with session_scope(engine) as session:
        if steering.finish(session, campaign_id):
            log.info("campaign sent", extra={"campaign": campaign_id})
    return False


def _composer_for(session: Session, campaign: Campaign, sender: Sender) -> Composer:
    if campaign.status is CampaignStatus.STANDING:
        return NoticeComposer(session, sender)
    return CampaignComposer(session, campaign, sender)


class _Turn:
    """How long a campaign may go on claiming: a minute, but a few seconds only while others wait."""

    def __init__(self, engine: Engine, campaign_id: int, seconds: float) -> None:
        self._engine = engine
        self._campaign_id = campaign_id
        self._began = self._asked = time.monotonic()
        self._ends = self._began + seconds

    def __call__(self) -> bool:
        now = time.monotonic()
        if now >= self._ends:
            return False
        if now - self._began < _SHORT_TURN_SECONDS or now - self._asked < _ASK_SECONDS:
            return True
        self._asked = now
        with session_scope(self._engine, read_only=True) as session:
            return not set(steering.campaigns_with_work(session)) - {self._campaign_id}


def _hold(engine: Engine, campaign_id: int, reason: str) -> None:
    """Pause a campaign that cannot go on until someone has looked, and give up the test mails it owes.

    System notices wait instead, and are tried again each time that somebody rings: nobody could resume them.
    """
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        if campaign.status is CampaignStatus.STANDING:
            log.error("system mails wait: %s; they go out once it is mended", reason.rstrip("."))
            return
        if campaign.status is CampaignStatus.SENDING:
            campaigns.move(session, campaign, "pause", hold_reason=reason[:300])
        steering.fail_tests(session, campaign_id, reason)
    log.error(
        "campaign held: %s; see `mailer campaigns status`, and once it is mended, `resume`",
        reason.rstrip("."),
        extra={"campaign": campaign_id},
    )


def _remember(engine: Engine, campaign_id: int, problem: str | None) -> None:
    """Show an organiser what keeps a campaign from going on, while it is tried again."""
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        if campaign.status is CampaignStatus.SENDING:
            campaign.hold_reason = problem[:300] if problem else None


# --- sweeping -------------------------------------------------------------------------------------------------------


def sweep(engine: Engine, worker: Worker) -> list[int]:
    """Do what no worker may ever have been told of: clear up after lost ones, start what is due, finish what is done.

    :returns: ids of campaigns with work, for whoever can ring for them; that of system notices first.
    """
    recovery.hold_if_restored(engine, worker.journals)
    recovery.replay(engine, worker.journals)
    recovery.vouch(engine, worker.journals, interval=worker.lease)
    recovery.give_up_lost(engine, grace=worker.lease)
    with session_scope(engine, read_only=True) as session:
        now = db.now(session)
        is_due = (Campaign.status == CampaignStatus.SCHEDULED) & (Campaign.scheduled_at <= now)
        due = list(session.scalars(select(Campaign.id).where(is_due)))
        under_way = list(session.scalars(select(Campaign.id).where(Campaign.status == CampaignStatus.SENDING)))
    for campaign_id in due:
        _start_scheduled(engine, campaign_id, worker.sender)
    for campaign_id in under_way:
        with session_scope(engine) as session:
            steering.finish(session, campaign_id)
    with session_scope(engine, read_only=True) as session:
        is_standing = Campaign.status == CampaignStatus.STANDING
        standing = set(session.scalars(select(Campaign.id).where(is_standing)))
        return sorted(steering.campaigns_with_work(session), key=lambda campaign_id: campaign_id not in standing)


def _start_scheduled(engine: Engine, campaign_id: int, sender: Sender) -> None:
    """Start a campaign whose time has come, or hold it and say why it could not start."""
    try:
        with session_scope(engine) as session:
            start(session, session.get_one(Campaign, campaign_id), sender)
    except campaigns.WrongStatus:
        log.info("another worker started the campaign", extra={"campaign": campaign_id})
    except ServiceUnavailable:
        raise
    except MailerError as problem:
        with session_scope(engine) as session:
            campaign = session.get_one(Campaign, campaign_id)
            campaigns.move(session, campaign, "pause", hold_reason=str(problem)[:300])
        log.error(  # without a trace: it is no mistake of ours
            "scheduled campaign held back: %s; it waits for `mailer campaigns resume`",
            str(problem).rstrip("."),
            extra={"campaign": campaign_id},
        )
