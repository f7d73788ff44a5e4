"""Sending: start a campaign, drain its ledger through a mail server, and sweep up after lost workers."""

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer import campaigns, db, delivery, editions
from mailer.composing import Composer
from mailer.db import session_scope
from mailer.delivery import Batch, Claimed, Reason, Recipient, Settlement
from mailer.errors import MailerError, ServiceUnavailable
from mailer.identity import Sender
from mailer.mail.headers import UnusableAddress, UnusableHeader
from mailer.mail.smtp import SenderRefused
from mailer.mail.types import Outcome, Outgoing
from mailer.models import Campaign, CampaignStatus, DeliveryState, Purpose

log = logging.getLogger(__name__)

#: how long one look at who has left is good for; promise 5 allows 2 seconds
_LOOK_SECONDS = 1.0
#: waits after the first, second, … temporary refusal, in minutes; then the last one again until giving up
_RETRY_MINUTES = (1, 5, 15, 30, 60)
#: about two days of hourly tries
_MAX_ATTEMPTS = 50


class NobodyToSendTo(MailerError):
    """The audience of campaign "{slug}" is empty, so there is nobody to send it to. See who it selects with:
    mailer campaigns check {slug}"""


class Transport(Protocol):
    """What puts messages on the wire; `mail.smtp.SmtpTransport` is one."""

    def send(self, messages: Iterable[Outgoing]) -> Iterator[Outcome]:
        """Send messages as they are taken, and say what became of each.

        A message that was taken and has no Outcome when this raises had no byte of its body sent.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Who claims, and on what terms."""

    name: str  # host and process, for the operator
    lease: timedelta
    sender: Sender
    stopping: Callable[[], bool] = lambda: False  # asked before each message

    def renewal_due(self, since: float) -> bool:
        """Whether a lease taken or renewed at `since` (monotonic seconds) has a third of its time gone."""
        return time.monotonic() - since > self.lease.total_seconds() / 3


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
    campaigns.move(session, campaign, "sent", started_at=now, hold_reason=None)
    return _plan(session, campaign, sender)


def _plan(session: Session, campaign: Campaign, sender: Sender) -> int:
    editions.freeze(session, campaign, sender)
    recipients = delivery.plan(session, campaign)
    if not recipients:
        raise NobodyToSendTo(slug=campaign.slug)
    log.info("campaign started", extra={"campaign": campaign.id, "recipients": recipients})
    return recipients


def schedule(session: Session, campaign: Campaign, at: datetime) -> None:
    """Let a campaign start by itself at a time. Its texts were tried when it was loaded.

    :raises campaigns.WrongStatus: it has been started before.
    :raises campaigns.TooLate: the time is after its latest start.
    """
    campaigns.require_in_time(campaign, at)
    campaigns.move(session, campaign, "scheduled", scheduled_at=at)


def resume(session: Session, campaign: Campaign, sender: Sender) -> None:
    """Go on with a paused campaign; one that had not begun starts now, unless its time is still to come.

    A latest start does not stop it here: a person has decided.

    :raises campaigns.WrongStatus: it is not paused.
    """
    if campaign.started_at is None and campaign.scheduled_at and campaign.scheduled_at > db.now(session):
        campaigns.move(session, campaign, "rescheduled", hold_reason=None)
        return
    campaigns.move(session, campaign, "resumed", hold_reason=None)
    if campaign.started_at is None:
        campaign.started_at = db.now(session)
        _plan(session, campaign, sender)


# --- draining -------------------------------------------------------------------------------------------------------


def drain(engine: Engine, campaign_id: int, transport: Transport, worker: Worker, *, seconds: float = 60) -> bool:
    """Send what is due of a campaign, claim by claim, for a while.

    :param seconds: after which no new claim is made, so that other campaigns get their turn.
    :returns: whether something may be left to do.
    :raises mail.smtp.SmtpUnavailable: the server cannot be reached; what was not begun waits again.
    """
    end = time.monotonic() + seconds
    with session_scope(engine) as session:
        composer = Composer(session, session.get_one(Campaign, campaign_id), worker.sender)
    while time.monotonic() < end and not worker.stopping():
        batch = delivery.claim(engine, campaign_id, worker=worker.name, lease=worker.lease)
        if batch is None:
            with session_scope(engine) as session:
                if delivery.finish(session, campaign_id):
                    log.info("campaign sent", extra={"campaign": campaign_id})
            return False
        run = _Run(engine, batch, composer, worker)
        try:
            for outcome in transport.send(run.messages()):
                run.note(outcome)
        except SenderRefused as refusal:
            _hold(engine, campaign_id, str(refusal))
            return False
        finally:
            run.close()
    return True


class _Run:
    """One claim on its way out: hands messages to the transport, notes what came back, settles in groups."""

    def __init__(self, engine: Engine, batch: Batch, composer: Composer, worker: Worker) -> None:
        self._engine = engine
        self._batch = batch
        self._composer = composer
        self._worker = worker
        self._attempts = {claimed.id: claimed.attempts for claimed in batch.deliveries}
        self._unsettled: list[Settlement] = []
        self._renewed = self._settled = time.monotonic()

    def messages(self) -> Iterator[Outgoing]:
        """The messages of the claim, one at a time, for as long as they may be sent."""
        waiting = list(self._batch.deliveries)
        looked = float("-inf")
        while waiting and not self._worker.stopping() and self._hold_lease():
            if time.monotonic() - looked > _LOOK_SECONDS:
                standing = delivery.look_up(self._engine, self._batch, waiting)
                looked = time.monotonic()
                if not standing.may_send_campaign:
                    waiting = [claimed for claimed in waiting if claimed.purpose is not Purpose.CAMPAIGN]
                    continue
            claimed = waiting.pop(0)
            yield from self._message(claimed, standing.recipients[claimed.id])

    def _message(self, claimed: Claimed, recipient: Recipient | Reason) -> Iterator[Outgoing]:
        if isinstance(recipient, Reason):
            self._unsettled.append(Settlement(claimed.id, DeliveryState.SKIPPED, reason=recipient, transmitted=False))
            return
        try:
            yield self._composer.compose(claimed, recipient)
        except (UnusableAddress, UnusableHeader):
            # One address that no header can hold must not stop the campaign for everyone behind it.
            self._unsettled.append(
                Settlement(claimed.id, DeliveryState.FAILED, reason=Reason.UNUSABLE, transmitted=False)
            )

    def note(self, outcome: Outcome) -> None:
        """Keep what became of a message, and settle before long."""
        self._unsettled.append(_settlement(outcome, self._attempts[outcome.id], db.utcnow()))
        if time.monotonic() - self._settled > _LOOK_SECONDS:
            self._settle()

    def close(self) -> None:
        """Settle what is known and let go of the rest."""
        self._settle()
        delivery.close(self._engine, self._batch)

    def _settle(self) -> None:
        settlements, self._unsettled = self._unsettled, []
        delivery.settle(self._engine, self._batch, settlements)
        self._settled = time.monotonic()

    def _hold_lease(self) -> bool:
        if not self._worker.renewal_due(self._renewed):
            return True
        self._renewed = time.monotonic()
        held = delivery.renew(self._engine, self._batch, lease=self._worker.lease)
        if not held:
            log.warning(
                "lease lost, sending no more of this claim",
                extra={"campaign": self._batch.campaign_id, "claim": self._batch.fence},
            )
        return held


def _settlement(outcome: Outcome, attempts: int, now: datetime) -> Settlement:
    """What an answer means in the ledger.

    :param attempts: transmissions of this delivery begun before this one.
    """
    state = DeliveryState(outcome.kind.value)
    reason = Reason.CONNECTION_LOST if state is DeliveryState.UNKNOWN else None
    not_before = None
    if state is DeliveryState.DEFERRED:
        if attempts + 1 >= _MAX_ATTEMPTS:
            state, reason = DeliveryState.FAILED, Reason.GAVE_UP
        else:
            not_before = now + _back_off(attempts)
    return Settlement(
        outcome.id,
        state,
        reason=reason,
        smtp_code=outcome.code or None,
        smtp_text=outcome.text or None,
        not_before=not_before,
    )


def _back_off(attempts: int) -> timedelta:
    """How long to wait after a temporary refusal, spread by a fifth so that retries do not arrive together."""
    minutes = _RETRY_MINUTES[min(attempts, len(_RETRY_MINUTES) - 1)]
    return timedelta(minutes=minutes) * random.uniform(0.8, 1.2)  # noqa: S311  # spreading load is no secret


def _hold(engine: Engine, campaign_id: int, reason: str) -> None:
    """Pause a campaign that cannot go on until someone has looked."""
    with session_scope(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        if campaign.status is CampaignStatus.SENDING:
            campaigns.move(session, campaign, "paused", hold_reason=reason[:300])
    log.error("campaign paused: %s", reason, extra={"campaign": campaign_id})


# --- sweeping -------------------------------------------------------------------------------------------------------


def sweep(engine: Engine, sender: Sender) -> list[int]:
    """Do what no worker may ever have been told of: end lost claims, start what is due, finish what is done.

    :returns: ids of campaigns with work, for whoever can ring for them.
    """
    for fence in delivery.reclaim(engine):
        log.warning(
            "a worker was lost; what it held is unknown: see `mailer campaigns recipients --state unknown`",
            extra={"claim": fence},
        )
    with session_scope(engine, read_only=True) as session:
        now = db.now(session)
        due = list(
            session.scalars(
                select(Campaign.id).where(Campaign.status == CampaignStatus.SCHEDULED, Campaign.scheduled_at <= now)
            )
        )
        under_way = list(session.scalars(select(Campaign.id).where(Campaign.status == CampaignStatus.SENDING)))
    for campaign_id in due:
        _start_scheduled(engine, campaign_id, sender)
    for campaign_id in under_way:
        with session_scope(engine) as session:
            delivery.finish(session, campaign_id)
    with session_scope(engine, read_only=True) as session:
        return delivery.campaigns_with_work(session)


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
            campaigns.move(session, campaign, "paused", hold_reason=str(problem)[:300])
        log.error("scheduled campaign held back: %s", problem, extra={"campaign": campaign_id})  # no trace
