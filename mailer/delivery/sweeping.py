"""Sweeping: what nobody may have told a worker of, found again in the database."""

import logging

from sqlalchemy import Engine, select

from mailer.campaigns import lifecycle
from mailer.delivery import alarms, control, ledger, recovery
from mailer.delivery.worker import Worker
from mailer.errors import MailerError, ServiceUnavailable
from mailer.organisers import alone, approvals, content
from mailer.store import audit, db
from mailer.store.db import session_scope
from mailer.store.models import Campaign, CampaignStatus

log = logging.getLogger(__name__)


def sweep(engine: Engine, worker: Worker) -> list[int]:
    """Do what perhaps no worker was told of: clear up after lost ones, start what is due, finish what is done.

    :returns: ids of campaigns with work, for whoever can ring for them; that of system notices first.
    """
    recovery.hold_if_restored(engine, worker.journals, worker.organisers)
    recovery.replay(engine, worker.journals)
    recovery.vouch(engine, worker.journals, interval=worker.lease)
    recovery.give_up_lost(engine, grace=worker.lease)
    with session_scope(engine, read_only=True) as session:
        now = db.now(session)
        is_due = (Campaign.status == CampaignStatus.SCHEDULED) & (Campaign.scheduled_at <= now)
        due = list(session.scalars(select(Campaign.id).where(is_due)))
        is_to_come = (Campaign.status == CampaignStatus.SCHEDULED) & (Campaign.scheduled_at > now)
        to_come = list(session.scalars(select(Campaign.id).where(is_to_come)))
        is_any_untold = alone.is_any_untold(session)
        under_way = list(session.scalars(select(Campaign.id).where(Campaign.status == CampaignStatus.SENDING)))
    for campaign_id in due:
        _start_scheduled(engine, campaign_id, worker)
    for campaign_id in to_come:
        _hold_if_lapsed(engine, campaign_id, worker)
    if is_any_untold:
        with session_scope(engine) as session:
            alone.keep_taken(session, db.now(session))
    for campaign_id in under_way:
        with session_scope(engine) as session:
            alarms.look(session, campaign_id)
        with session_scope(engine) as session:
            control.finish(session, campaign_id)
    _tell_of_alarms(engine, worker)
    with session_scope(engine, read_only=True) as session:
        is_standing = Campaign.status == CampaignStatus.STANDING
        standing = set(session.scalars(select(Campaign.id).where(is_standing)))
        return sorted(ledger.campaigns_with_work(session), key=lambda campaign_id: campaign_id not in standing)


def _tell_of_alarms(engine: Engine, worker: Worker) -> None:
    """Have organisers written which campaigns were paused for what came back: whoever takes that in does not know who
    they are."""
    with session_scope(engine, read_only=True) as session:
        paused = alarms.to_tell(session)
    for campaign_id in paused:
        with session_scope(engine) as session:
            control.tell_of_alarm(session, campaign_id, worker.organisers)


def _hold_if_lapsed(engine: Engine, campaign_id: int, worker: Worker) -> None:
    """Hold a campaign that was changed since it was approved, so that somebody hears of it before its time."""
    try:
        with session_scope(engine, read_only=True) as session:
            if not approvals.is_lapsed(session, session.get_one(Campaign, campaign_id), worker.sender):
                return
        with session_scope(engine) as session:
            campaign = session.get_one(Campaign, campaign_id)
            content.hold(session, campaign)
            if campaign.status is CampaignStatus.SCHEDULED:
                control.hold_if_lapsed(session, campaign, worker.sender, organisers=worker.organisers)
    except ServiceUnavailable:
        raise
    except MailerError as problem:  # which its start says, too
        log.info("it cannot be seen whether its approval lapsed: %s", problem, extra={"campaign": campaign_id})


def _start_scheduled(engine: Engine, campaign_id: int, worker: Worker) -> None:
    """Start a campaign whose time has come, or hold it and say why it could not start."""
    try:
        with session_scope(engine, read_only=True) as session:
            ahead = control.look_ahead(session, session.get_one(Campaign, campaign_id), worker.sender)
        with session_scope(engine) as session:
            ahead.give(session)
            campaign = session.get_one(Campaign, campaign_id)
            control.start_scheduled(session, campaign, worker.sender)
            audit.append(session, "campaigns.start", audit.ITSELF, kind="campaign", subject=campaign.slug)
    except (control.NotDue, lifecycle.WrongStatus):
        log.info("another worker started the campaign, or somebody undid that", extra={"campaign": campaign_id})
    except ServiceUnavailable:
        raise
    except MailerError as problem:
        _hold(engine, campaign_id, worker, problem)


def _hold(engine: Engine, campaign_id: int, worker: Worker, problem: MailerError) -> None:
    try:
        with session_scope(engine) as session:
            campaign = session.get_one(Campaign, campaign_id)
            control.require_due(session, campaign)
            control.hold(session, campaign, reason=str(problem), organisers=worker.organisers)
    except control.NotDue:
        log.info("the campaign was paused, cancelled or undone meanwhile", extra={"campaign": campaign_id})
        return
    log.error(  # without a trace: it is no mistake of ours
        "scheduled campaign held back: %s; it waits for `mailer campaigns resume`",
        str(problem).rstrip("."),
        extra={"campaign": campaign_id},
    )
