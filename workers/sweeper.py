"""The sweeper: a process beside each queue process that finds in the database what no ring told of."""

import logging
import multiprocessing
from functools import partial
from multiprocessing.connection import Connection

from mailer.delivery import sending, sweeping
from mailer.errors import ServiceUnavailable
from mailer.kits import announcements, making
from mailer.operations import daily_mail, housekeeping
from mailer.operations.queue import RedisUnavailable, ring, ring_kits
from mailer.operations.stopping import Stop
from mailer.people import notices, replies
from mailer.settings import Settings
from mailer.spreadsheets import uploads
from mailer.spreadsheets.uploads import Store
from mailer.store.db import open_engine, session_scope
from workers.runtime import Runtime

log = logging.getLogger(__name__)

_INTERVAL_SECONDS = 30
#: how long kits are made in a round while nobody can be rung for
_KITS_SECONDS = 10


def interval(runtime: Runtime) -> float:
    """Seconds between rounds: about 30, or one lease where that is shorter."""
    return min(_INTERVAL_SECONDS, runtime.settings.lease_seconds)


def sweep(runtime: Runtime) -> None:
    """One round: put the ledger in order, then ring for what has work, or do it here if nobody can be told. Mail first,
    then kits. What has run out is forgotten last: no mail waits for that."""
    for part in (_sweep_ledger, _sweep_kits, _tell_organisers, _tidy):
        try:
            part(runtime)
        except ServiceUnavailable as problem:
            log.warning("sweep put off: %s", problem)


def _sweep_ledger(runtime: Runtime) -> None:
    for campaign_id in sweeping.sweep(runtime.engine, runtime.worker):
        _ring_or_drain(runtime, campaign_id)


def _sweep_kits(runtime: Runtime) -> None:
    """Plan kits for unions that affiliated since, have them made, and write to those whom nobody has written to."""
    base_url = runtime.worker.sender.base_url
    with_mail: set[int] = set()
    with notices.ringing_session(runtime.engine, with_mail.add) as session:
        making.plan_missing(session)
        announcements.tell(session, base_url)
        announcements.remind(session, base_url)
        with_work = making.campaigns_with_work(session)
    for campaign_id in with_work:
        try:
            ring_kits(runtime.redis, campaign_id)
        except RedisUnavailable as problem:
            log.warning("%s This process makes the kits itself.", problem, extra={"campaign": campaign_id})
            with_mail |= _make_kits(runtime, campaign_id)
    for standing_id in with_mail:  # last: without Redis this process sends it, which takes its time
        _ring_or_drain(runtime, standing_id)


def _make_kits(runtime: Runtime, campaign_id: int) -> set[int]:
    """Make kits for a while; returns what came of it that has mail to send: the standing campaign, or nothing.

    In a process of its own, and a fresh one: what prints leaflets starts threads, and this process has to fork again.
    """
    processes = multiprocessing.get_context("spawn")
    answer, report = processes.Pipe(duplex=False)
    child = processes.Process(target=_make_kits_here, args=(runtime.settings, campaign_id, report), name="kits")
    child.start()
    report.close()
    try:
        with_mail: set[int] = answer.recv()
    except EOFError:
        with_mail = set()  # it ended before its time, and has said why
    child.join()
    return with_mail


def _make_kits_here(settings: Settings, campaign_id: int, report: Connection) -> None:
    stop = Stop().listen()
    engine = open_engine(settings.database_url, settings.keyring)
    with_mail: set[int] = set()
    sessions = partial(notices.ringing_session, engine, with_mail.add)  # this process has no mail server to send it by
    try:
        making.make(sessions, campaign_id, settings.mail_sender, seconds=_KITS_SECONDS, stopping=stop)
    except ServiceUnavailable as problem:
        log.warning("sweep put off: %s", problem)
        return
    finally:
        engine.dispose()
    report.send(with_mail)


def _tell_organisers(runtime: Runtime) -> None:
    """Write to organisers once each morning, and to who reads answers when there were too many on a day."""
    with_mail: set[int] = set()
    if runtime.settings.readers.addresses:
        with notices.ringing_session(runtime.engine, with_mail.add) as session:
            replies.tell_of_too_many(session, runtime.settings.readers)
    daily_mail.owe(partial(notices.ringing_session, runtime.engine, with_mail.add), runtime.worker.organisers)
    for standing_id in with_mail:
        _ring_or_drain(runtime, standing_id)


def _ring_or_drain(runtime: Runtime, campaign_id: int) -> None:
    try:
        ring(runtime.redis, campaign_id)
    except RedisUnavailable as problem:
        log.warning("%s This process sends the mail itself.", problem, extra={"campaign": campaign_id})
        sending.drain(runtime.engine, campaign_id, runtime.wire, runtime.worker)


def _tidy(runtime: Runtime) -> None:
    housekeeping.tidy(runtime.engine)
    settings = runtime.settings
    with session_scope(runtime.engine, read_only=True) as session:
        uploads.clear(session, Store.of(settings.data_dir, settings.keyring))
