"""The process that takes rings from Redis and runs our two jobs; whatever else stands there, it runs nothing else."""

import logging
import os
import signal
import time

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from mailer.operations.queue import Ring, Rings, open_queue

log = logging.getLogger(__name__)

_WAIT_SECONDS = 60
_RETRY_SECONDS = 1.0
#: nobody should wait longer for the bell once Redis is back
_LONGEST_RETRY_SECONDS = 5.0


class QueueWorker(Worker):
    """An RQ worker that believes nothing in Redis but a ring.

    RQ keeps books there of workers, jobs and what became of them, reads them again, and takes commands over a channel.
    Whoever reaches Redis could have it import code, stop, or wait for ever. A ring may be lost, so it needs no books.
    """

    def __init__(self, connection: Redis) -> None:
        """Nothing is taken yet."""
        queue = open_queue(connection)
        super().__init__(
            [queue], connection=connection, job_class=Ring, serializer=JSONSerializer, prepare_for_work=False
        )
        self._queue = queue
        self._rings = Rings(connection)

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """Wait for the next ring, through every loss of Redis."""
        retry = _RETRY_SECONDS
        while True:
            try:
                ring = self._rings.wait(_WAIT_SECONDS)
            except RedisError as problem:
                log.warning(
                    "Redis cannot be reached, trying again: check that it runs, and MAILER_REDIS_URL (%s)", problem
                )
                time.sleep(retry)
                retry = min(retry * 2, _LONGEST_RETRY_SECONDS)
                continue
            retry = _RETRY_SECONDS
            if ring is not None:
                return ring, self._queue

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job in a process of its own, and wait for that."""
        self._state = WorkerStatus.BUSY
        self.fork_work_horse(job, queue)
        _, status, _ = self.wait_for_horse()
        self._horse_pid = 0
        self._state = WorkerStatus.IDLE
        if status:
            log.warning("a job ended with code %s; what it left is found again", os.waitstatus_to_exitcode(status))

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """What the new process does."""
        self.setup_work_horse_signals()  # type: ignore[no-untyped-call]  # RQ leaves it untyped
        self._is_horse = True
        code = 1
        try:
            job.perform()
            code = 0
        except Exception:
            log.exception("a job failed")
        finally:
            os._exit(code)  # at once: what the parent had open is the parent's to close

    def handle_warm_shutdown_request(self) -> None:
        """Called on SIGTERM and SIGINT: pass a polite stop on to the job at work, which then ends within seconds."""
        super().handle_warm_shutdown_request()  # type: ignore[no-untyped-call]  # likewise
        if self.horse_pid:
            os.kill(self.horse_pid, signal.SIGTERM)

    # --- RQ's books, which are not kept ------------------------------------------------------------------------------

    def set_state(self, state: str, pipeline: Pipeline | None = None) -> None:
        """For this process only."""
        self._state = state

    def register_birth(self) -> None:
        """Nobody is told."""

    def register_death(self) -> None:
        """Nobody is told."""

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Nobody listens for it: the ledger knows by its leases who lives."""

    def set_shutdown_requested_date(self) -> None:
        """Nobody is told."""

    def subscribe(self) -> None:
        """No commands are taken: over Redis anybody could give them. A worker is stopped by a signal."""

    def check_for_suspension(self, burst: bool) -> None:
        """Nobody suspends workers over Redis: `mailer campaigns pause --all` does, in the database."""

    def run_maintenance_tasks(self) -> None:
        """There are no books to put in order."""
