"""What a job needs to run: settings, database, queue and mail server, opened in the process that uses them."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from redis import Redis
from sqlalchemy import Engine

from mailer.delivery import ledger
from mailer.delivery.worker import Worker
from mailer.mail.pipeline import Pipeline
from mailer.operations.queue import connect
from mailer.operations.stopping import Stop
from mailer.settings import Settings, load_settings
from mailer.store.db import open_engine, session_scope
from workers.pace import Pace

_JOURNALS = "journals"  # in the data directory


@dataclass(frozen=True, slots=True)
class Runtime:
    """The open parts of one background process."""

    settings: Settings
    engine: Engine
    redis: Redis
    wire: Pipeline
    worker: Worker


@contextmanager
def open_runtime(stop: Stop) -> Iterator[Runtime]:
    """Open what a background process needs, and close it afterwards.

    :raises ConfigurationError: a setting is missing or wrong.
    """
    settings = load_settings()
    engine = open_engine(settings.database_url, settings.keyring)
    redis = connect(settings.redis_url)
    wire = Pipeline(settings.smtp, connections=settings.smtp_connections)
    pace = Pace(settings.redis_url, settings.smtp_rate, partial(_sending, engine)) if settings.smtp_rate else None
    worker = Worker(
        name=f"{socket.gethostname()}:{os.getpid()}",
        lease=timedelta(seconds=settings.lease_seconds),
        journals=settings.data_dir / _JOURNALS,
        sender=settings.mail_sender,
        organisers=settings.organisers,
        stopping=stop,
        **({"pace": pace} if pace else {}),
    )
    try:
        yield Runtime(settings, engine, redis, wire, worker)
    finally:
        wire.close()
        if pace:
            pace.close()
        redis.close()
        engine.dispose()


def _sending(engine: Engine) -> int:
    """How many workers hold a claim."""
    with session_scope(engine, read_only=True) as session:
        return ledger.workers_sending(session)
