"""Sending: what a job does with one campaign: drain its ledger through a mail server for a while."""

import logging
import time
from typing import Protocol

from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from mailer.delivery import blame, control, ledger
from mailer.delivery.composing import CampaignComposer, Composer
from mailer.delivery.message_ids import MessageKeyMissing
from mailer.delivery.notice_mails import NoticeComposer
from mailer.delivery.outbox import Outbox
from mailer.delivery.worker import Worker
from mailer.errors import ServiceUnavailable
from mailer.mail.addresses import redact
from mailer.mail.sender import Sender
from mailer.mail.smtp import SenderRefused, SmtpUnavailable
from mailer.people.organisers import Organisers
from mailer.store.db import session_scope
from mailer.store.models import Campaign, CampaignStatus

log = logging.getLogger(__name__)

#: how long a campaign sends on while others have work, and how often it asks whether they have
_SHORT_TURN_SECONDS = 2.0
_ASK_SECONDS = 0.5


class Wire(Protocol):
    """What puts messages on the wire; `mail.pipeline.Pipeline` is one."""

    def send(self, supply: Outbox) -> None:
        """Send what the supply gives until it is exhausted, and report to it."""


def drain(engine: Engine, campaign_id: int, wire: Wire, worker: Worker, *, seconds: float = 60) -> bool:
    """Send what is due of a campaign for a while.

    :param seconds: after which no new claim is made; sooner when other campaigns wait for their turn.
    :returns: whether something may be left to do.
    :raises ServiceUnavailable: the mail server, the database or the journal cannot be used; what was not begun waits.
    """
    try:
        with session_scope(engine) as session:
            campaign = session.get_one(Campaign, campaign_id)
            composer = _composer_for(session, campaign, worker.sender)
    except MessageKeyMissing as problem:
        _hold(engine, campaign_id, str(problem), worker.organisers)
        return False
    outbox = Outbox(engine, campaign, composer, worker, turn=_Turn(engine, campaign_id, seconds))
    try:
        with outbox:
            wire.send(outbox)
    except SenderRefused as refusal:
        _hold(engine, campaign_id, outbox.paused_because or redact(str(refusal)), worker.organisers)
        return False
    except ServiceUnavailable as problem:
        if outbox.paused_because is not None:  # a server that refuses us may hang up on us next
            _hold(engine, campaign_id, outbox.paused_because, worker.organisers)
        elif isinstance(problem, SmtpUnavailable):
            _remember(engine, campaign_id, str(problem))
        raise
    if outbox.paused_because is not None:
        _hold(engine, campaign_id, outbox.paused_because, worker.organisers)
        return False
    if outbox.has_refusals:
        with session_scope(engine) as session:  # another worker may have paused it for the same words
            control.take_back_refusals(session, session.get_one(Campaign, campaign_id))
    if campaign.hold_reason is not None:
        _remember(engine, campaign_id, None)
    if not outbox.is_drained:
        return True
    with session_scope(engine) as session:
        if control.finish(session, campaign_id):
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
            return not set(ledger.campaigns_with_work(session)) - {self._campaign_id}


def _hold(engine: Engine, campaign_id: int, reason: str, organisers: Organisers) -> None:
    """Hold a campaign that cannot go on until someone has looked, and give up the test mails it owes.

    System notices wait instead, and are tried again each time that somebody rings: nobody could resume them.
    """
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        if campaign.status is CampaignStatus.STANDING:
            log.error("system mails wait: %s; they go out once that is fixed", reason.rstrip("."))
            return
        if blame.refused_with(reason) is not None:
            control.hold_refused(session, campaign, reason=reason, organisers=organisers)
        elif campaign.status is CampaignStatus.SENDING:
            control.hold(session, campaign, reason=reason, organisers=organisers)
        control.fail_tests(session, campaign_id, reason)
    log.error(
        "campaign held: %s; see `mailer campaigns status`, and once that is fixed, `resume`",
        reason.rstrip("."),
        extra={"campaign": campaign_id},
    )


def _remember(engine: Engine, campaign_id: int, problem: str | None) -> None:
    """Show an organiser what keeps a campaign from going on, while it is tried again."""
    is_under_way = Campaign.status == CampaignStatus.SENDING  # else it says why the campaign was paused
    with session_scope(engine) as session:
        session.execute(
            update(Campaign)
            .where(Campaign.id == campaign_id, is_under_way)
            .values(hold_reason=redact(problem)[:300] if problem else None)
        )
