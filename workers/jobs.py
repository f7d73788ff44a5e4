"""RQ jobs. They carry ids only, and may be lost or doubled without harm."""

import logging
from collections.abc import Callable
from functools import partial

from redis import Redis

from mailer.delivery import ledger, sending
from mailer.errors import ServiceUnavailable
from mailer.kits import making
from mailer.operations.queue import RedisUnavailable, ring, ring_kits
from mailer.operations.stopping import Stop
from mailer.people import notices
from mailer.store.db import session_scope
from workers.runtime import Runtime, open_runtime

log = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0
#: how long kits are made before mail that may wait has its turn
KITS_SECONDS = 5.0


def drain(campaign_id: int) -> None:
    """Send what a campaign owes, for a minute at most, then ring again for what is left."""
    stop = Stop().listen()
    with open_runtime(stop) as runtime:
        _call_help(runtime, campaign_id)
        try:
            more = sending.drain(runtime.engine, campaign_id, runtime.wire, runtime.worker)
        except ServiceUnavailable as problem:
            log.warning("%s", problem, extra={"campaign": campaign_id})
            stop.wait(_RETRY_SECONDS)  # a ring may wait already, and would only find the same
            return  # the sweeper rings again
        if more:
            _try(ring, runtime, campaign_id)


def make_kits(campaign_id: int) -> None:
    """Make a campaign's kits, for a few seconds at most, then ring again for what is left."""
    stop = Stop().listen()
    with open_runtime(stop) as runtime:
        _call_help(runtime, campaign_id)
        sessions = partial(notices.ringing_session, runtime.engine, partial(_try, ring, runtime))
        try:
            made = making.make(sessions, campaign_id, runtime.worker.sender, seconds=KITS_SECONDS, stopping=stop)
        except ServiceUnavailable as problem:
            log.warning("%s", problem, extra={"campaign": campaign_id})
            return  # the sweeper rings again
        if made.more:
            _try(ring_kits, runtime, campaign_id)


def _call_help(runtime: Runtime, campaign_id: int) -> None:
    """Let one more idle worker join in, if there is work: each that comes calls the next."""
    with session_scope(runtime.engine, read_only=True) as session:
        has_kits = campaign_id in making.campaigns_with_work(session)
        has_mail = campaign_id in ledger.campaigns_with_work(session)
    if has_kits:  # first: a few seconds for them, and then a minute of mail
        _try(ring_kits, runtime, campaign_id)
    if has_mail:
        _try(ring, runtime, campaign_id)


def _try(tell: Callable[[Redis, int], None], runtime: Runtime, campaign_id: int) -> None:
    try:
        tell(runtime.redis, campaign_id)
    except RedisUnavailable as problem:
        log.warning("%s", problem, extra={"campaign": campaign_id})
