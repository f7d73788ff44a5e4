"""The measurements, and what they are compared with."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailer.bench import installation, processes, senders
from mailer.bench.installation import Installation
from mailer.bench.meter import Run
from mailer.bench.processes import BenchFailed, task
from mailer.bench.sinks import running_sink
from mailer.mail.types import Outgoing

_CONNECTIONS = 4
_SLOW_SECONDS, _DISTANT_SECONDS = 0.005, 0.020
_DISTANT_CONNECTIONS = 32
#: messages a second that so many connections allow when each answer takes so long
DISTANT_LIMIT = _DISTANT_CONNECTIONS / _DISTANT_SECONDS

_READY_MESSAGES = 1000  # kept ready as bytes, and sent over and over
_LIMIT_MESSAGES = 20_000
_SMTPLIB_MESSAGES = 5_000
_SIGNATURES = 3_000


class Case(StrEnum):
    """What is measured; the value is what the table calls it."""

    LIMIT = "a: ready bytes, one pipelined connection, no ledger"
    ENGINE = "b: one worker"
    ENGINE_ONE_CONNECTION = "b: one worker, 1 connection"
    SLOW_ONE_WORKER = "c: one worker, 5 ms before each answer"
    SLOW_TWO_WORKERS = "c: two workers, 5 ms before each answer"
    SIGNED = "d: one worker, DKIM with RSA-2048"
    SIGNATURES = "d: bare RSA-2048 signatures, one core"
    SMTPLIB = "e: ready bytes, smtplib, one connection"
    DISTANT = "f: one worker, 32 connections, 20 ms before each answer"

    @property
    def letter(self) -> str:
        """What it is asked for by."""
        return self.value[0]


#: those that also tell something of large audiences; the others would only take longer there
OF_EVERY_SIZE = (Case.LIMIT, Case.ENGINE, Case.SMTPLIB)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One case on one database, as often as it was measured."""

    case: Case
    runs: tuple[Run, ...]

    @property
    def rate(self) -> float:
        """Messages a second: the median of the runs."""
        return statistics.median(run.rate for run in self.runs)

    @property
    def cpu_seconds_each(self) -> float:
        """Of the senders' processor time for a message: the median of the runs."""
        return statistics.median(run.cpu_seconds_each for run in self.runs)

    @property
    def peak_bytes(self) -> int:
        """Of the largest process in any run."""
        return max(run.peak_bytes for run in self.runs)


@dataclass(frozen=True, slots=True)
class SuiteResults:
    """What was measured on one database with one audience."""

    database: str
    recipients: int
    message_bytes: int  # mean
    planning_seconds: float  # median
    measurements: tuple[Measurement, ...]

    def of(self, case: Case) -> Measurement | None:
        """The measurement of a case, if it was made."""
        return next((each for each in self.measurements if each.case is case), None)

    def ratio(self, one: Case, other: Case) -> float | None:
        """How one case's rate compares with another's: the median of the rounds, in each of which they ran close to
        each other. None when one of them was not measured.
        """
        first, second = self.of(one), self.of(other)
        if first is None or second is None:
            return None
        return statistics.median(a.rate / b.rate for a, b in zip(first.runs, second.runs, strict=True))


@dataclass(frozen=True, slots=True)
class Sinks:
    """Ports of the servers that take the mail."""

    fast: int
    slow: int
    distant: int


@contextmanager
def running_sinks() -> Iterator[Sinks]:
    """All that a suite needs, until the end of the block.

    :raises sinks.SinkBroken: one does not start.
    """
    with ExitStack() as stack:
        yield Sinks(
            fast=stack.enter_context(running_sink()),
            slow=stack.enter_context(running_sink(answer_seconds=_SLOW_SECONDS)),
            distant=stack.enter_context(running_sink(answer_seconds=_DISTANT_SECONDS)),
        )


class Suite:
    """The cases on one installation."""

    def __init__(self, measured: Installation, sinks: Sinks) -> None:
        self._installation = measured
        self._sinks = sinks
        self._planning: list[float] = []
        self._recipients = 0
        self._messages = self._make_messages()
        self._signing = _signing(measured)

    def measure(
        self, cases: Sequence[Case], *, database: str, rounds: int, tell: Callable[[str], None]
    ) -> SuiteResults:
        """Measure the cases in turn, and all of them again: what else the machine does then disturbs all alike.

        :param tell: is told of every run.
        :raises BenchFailed: one of them came to no good end.
        """
        runs: dict[Case, list[Run]] = {case: [] for case in cases}
        for _ in range(rounds):
            for case in cases:
                run = self._run(case)
                runs[case].append(run)
                tell(f"{run.rate:9,.0f}/s  {run.cpu_seconds_each * 1e6:5,.0f} µs  {case}")
        return SuiteResults(
            database=database,
            recipients=self._recipients,
            message_bytes=round(statistics.mean(len(message.data) for message in self._messages)),
            planning_seconds=statistics.median(self._planning),
            measurements=tuple(Measurement(case, tuple(found)) for case, found in runs.items()),
        )

    def _make_messages(self) -> list[Outgoing]:
        campaign = installation.start_campaign(self._installation)
        self._planning.append(campaign.planning_seconds)
        self._recipients = campaign.recipients
        return installation.ready_messages(self._installation, campaign.id, _READY_MESSAGES)

    def _run(self, case: Case) -> Run:
        match case:
            case Case.LIMIT:
                ready = task(senders.send_raw, self._sinks.fast, self._messages, _LIMIT_MESSAGES)
                return Run(_LIMIT_MESSAGES, processes.run([ready]))
            case Case.SMTPLIB:
                ready = task(senders.send_by_smtplib, self._sinks.fast, self._messages, _SMTPLIB_MESSAGES)
                return Run(_SMTPLIB_MESSAGES, processes.run([ready]))
            case Case.SIGNATURES:
                return Run(_SIGNATURES, processes.run([task(senders.sign, _SIGNATURES)]))
            case Case.ENGINE:
                return self._drain(self._sinks.fast)
            case Case.ENGINE_ONE_CONNECTION:
                return self._drain(self._sinks.fast, connections=1)
            case Case.SIGNED:
                return self._drain(self._sinks.fast, settings=self._signing)
            case Case.SLOW_ONE_WORKER:
                return self._drain(self._sinks.slow)
            case Case.SLOW_TWO_WORKERS:
                return self._drain(self._sinks.slow, workers=2)
            case Case.DISTANT:
                return self._drain(self._sinks.distant, connections=_DISTANT_CONNECTIONS)

    def _drain(
        self,
        port: int,
        *,
        workers: int = 1,
        connections: int = _CONNECTIONS,
        settings: dict[str, str] | None = None,
    ) -> Run:
        measured = self._installation.with_settings(MAILER_SMTP_CONNECTIONS=str(connections), **(settings or {}))
        campaign = installation.start_campaign(measured)
        self._planning.append(campaign.planning_seconds)
        costs = processes.run([task(senders.drain, port, measured, campaign.id)] * workers)
        if installation.count_sent(measured, campaign.id) != campaign.recipients:
            raise BenchFailed
        return Run(campaign.recipients, costs)


def _signing(measured: Installation) -> dict[str, str]:
    """Settings with which every message is signed."""
    file = Path(measured.environ["MAILER_DATA_DIR"]) / "dkim.pem"
    key = generate_private_key(65537, 2048)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    file.chmod(0o600)
    return {
        "MAILER_DKIM_DOMAIN": "example.org",
        "MAILER_DKIM_SELECTOR": "s1",
        "MAILER_DKIM_KEY_FILE": str(file),
    }
