"""What the views work with."""

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import cast

from flask import current_app
from redis import Redis
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.operations.queue import RedisUnavailable, ring
from mailer.people import notices
from mailer.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """One installation, as the web part sees it."""

    settings: Settings
    engine: Engine
    redis: Redis | None  # the doorbell; without it, workers find the work in the database by themselves

    def session(self, *, read_only: bool = False) -> AbstractContextManager[Session]:
        """As `db.session_scope`; and has the notices that are owed in it sent at once, after its commit. Without Redis
        the workers find them within half a minute."""
        return notices.ringing_session(self.engine, self.ring, read_only=read_only)

    def ring(self, campaign_id: int, *, first: bool = True) -> None:
        """Tell the workers that a campaign has mail to send, once that is committed; without Redis they find it within
        half a minute. Notices need no such call.

        :param first: before every other: somebody waits for it.
        """
        if self.redis is None:
            return
        try:
            ring(self.redis, campaign_id, first=first)
        except RedisUnavailable as problem:
            log.warning("%s", problem, extra={"campaign": campaign_id})


def site() -> Site:
    """The site that the current request is for."""
    return cast(Site, current_app.extensions["site"])
