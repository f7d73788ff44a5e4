"""The sweeper: a process beside each queue process that finds in the database what no ring told of."""

import logging

from mailer import housekeeping, sending
from mailer.errors import ServiceUnavailable
from mailer.queue import RedisUnavailable, ring
from workers.runtime import Runtime

log = logging.getLogger(__name__)

_INTERVAL_SECONDS = 30


def interval(runtime: Runtime) -> float:
    """Seconds between rounds: about 30, or one lease where that is shorter."""
    return min(_INTERVAL_SECONDS, runtime.settings.lease_seconds)


def sweep(runtime: Runtime) -> None:
    """One round: put the ledger in order, then ring for what has work, or do it here if nobody can be told. What has
    run out is forgotten last: no mail waits for that."""
    for part in (_sweep_ledger, _tidy):
        try:
            part(runtime)
        except ServiceUnavailable as problem:
            log.warning("sweep put off: %s", problem)


def _sweep_ledger(runtime: Runtime) -> None:
    for campaign_id in sending.sweep(runtime.engine, runtime.worker):
        try:
            ring(runtime.redis, campaign_id)
        except RedisUnavailable as problem:
            log.warning("%s Sending from here.", problem, extra={"campaign": campaign_id})
            sending.drain(runtime.engine, campaign_id, runtime.wire, runtime.worker)


def _tidy(runtime: Runtime) -> None:
    housekeeping.tidy(runtime.engine)
