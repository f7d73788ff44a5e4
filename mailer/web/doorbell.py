"""Telling the workers that somebody waits for a mail."""

import logging

from mailer.operations.queue import RedisUnavailable, ring
from mailer.web.site import site

log = logging.getLogger(__name__)


def ring_for(campaign_id: int) -> None:
    """Have a notice sent at once. Call it after the commit; without Redis the workers find it within half a minute.

    :param campaign_id: as `notices.owe` returned it.
    """
    redis = site().redis
    if redis is None:
        return
    try:
        ring(redis, campaign_id, first=True)
    except RedisUnavailable as problem:
        log.warning("%s", problem, extra={"campaign": campaign_id})
