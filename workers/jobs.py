"""RQ jobs. They carry ids only, and may be lost or doubled without harm."""

import logging

from mailer import delivery, sending
from mailer.db import session_scope
from mailer.errors import ServiceUnavailable
from mailer.queue import RedisUnavailable, ring
from workers.runtime import Runtime, Stop, open_runtime

log = logging.getLogger(__name__)


def drain(campaign_id: int) -> None:
    """Send what a campaign owes, for a minute at most, then ring again for what is left."""
    with open_runtime(Stop().listen()) as runtime:
        _call_help(runtime, campaign_id)
        try:
            more = sending.drain(runtime.engine, campaign_id, runtime.wire, runtime.worker)
        except ServiceUnavailable as problem:
            log.warning("%s", problem, extra={"campaign": campaign_id})
            return  # the sweeper rings again
        if more:
            _try_ring(runtime, campaign_id)


def _call_help(runtime: Runtime, campaign_id: int) -> None:
    """Let one more idle worker join in, if there is work: each that comes calls the next."""
    with session_scope(runtime.engine, read_only=True) as session:
        has_work = campaign_id in delivery.campaigns_with_work(session)
    if has_work:
        _try_ring(runtime, campaign_id)


def _try_ring(runtime: Runtime, campaign_id: int) -> None:
    try:
        ring(runtime.redis, campaign_id)
    except RedisUnavailable as problem:
        log.warning("%s", problem, extra={"campaign": campaign_id})
