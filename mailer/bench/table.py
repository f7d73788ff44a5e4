"""What was measured as Markdown, and where the documentation keeps it."""

import os
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mailer.bench.acting import Acting
from mailer.bench.audience import Choosing
from mailer.bench.desk import Desk
from mailer.bench.inbound import Inbound
from mailer.bench.sinks import smtp_sink
from mailer.bench.site import Letters, Load
from mailer.bench.suite import DISTANT_LIMIT, Case, SuiteResults
from mailer.bench.visitors import Visits
from mailer.errors import MailerError

_BEGIN, _END = "<!-- written by: make bench -->", "<!-- until here -->"
_CPU_INFO = Path("/proc/cpuinfo")


class NoPlaceForTable(MailerError):
    """{file} lacks the lines "{begin}" and "{end}". Put them where the table should be."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure that tells more than a rate: it compares what ran side by side."""

    name: str
    where: str  # database and audience
    value: float
    reach: str  # what it should be

    @property
    def shown(self) -> str:
        """As the table has it."""
        return f"{self.value:.2f}"


def ratios(results: Sequence[SuiteResults]) -> list[Ratio]:
    """All that the measurements allow."""
    found = [ratio for each in results for ratio in _ratios_of(each)]
    for database in dict.fromkeys(each.database for each in results):
        of_database = [each for each in results if each.database == database]
        found += _growth(min(of_database, key=_size), max(of_database, key=_size))
    return found


def _size(results: SuiteResults) -> int:
    return results.recipients


def _ratios_of(results: SuiteResults) -> Iterator[Ratio]:
    where = f"{results.database}, {results.recipients:,}"
    compared = (
        ("(b) to the limit (a)", Case.ENGINE, Case.LIMIT, "0.60"),
        ("(b) to smtplib (e)", Case.ENGINE, Case.SMTPLIB, "2"),
        ("(c) two workers to one", Case.SLOW_TWO_WORKERS, Case.SLOW_ONE_WORKER, "1.6"),
        ("(d) to bare RSA-2048", Case.SIGNED, Case.SIGNATURES, "0.75"),
    )
    for name, one, other, reach in compared:
        if (value := results.ratio(one, other)) is not None:
            yield Ratio(name, where, value, f"≥ {reach}")
    if (distant := results.of(Case.DISTANT)) is not None:
        yield Ratio(f"(f) to the {DISTANT_LIMIT:,.0f}/s possible", where, distant.rate / DISTANT_LIMIT, "≥ 0.80")


def _growth(small: SuiteResults, large: SuiteResults) -> Iterator[Ratio]:
    of_small, of_large = small.of(Case.ENGINE), large.of(Case.ENGINE)
    if small is large or of_small is None or of_large is None:
        return
    where = f"{small.database}, {large.recipients:,} to {small.recipients:,}"
    yield Ratio("CPU for each message of (b)", where, of_large.cpu_seconds_each / of_small.cpu_seconds_each, "≤ 1.25")


def markdown(
    results: Sequence[SuiteResults],
    loads: Sequence[Load] = (),
    letters: Sequence[Letters] = (),
    desks: Sequence[Desk] = (),
    taken: Sequence[Inbound] = (),
    acted: Sequence[Acting] = (),
    chosen: Sequence[Choosing] = (),
    *,
    today: date,
) -> str:
    """The tables, and on what they were measured."""
    lines = [*_sending(results, today), *_site(loads), *_letters(letters), *_desks(desks), *_inbound(taken)]
    lines += [*_acting(acted), *_choosing(chosen)]
    return "\n".join(lines) + "\n"


def _sending(results: Sequence[SuiteResults], today: date) -> list[str]:
    if not results:
        return [f"Measured on {today.isoformat()} on {_machine()}, Python {platform.python_version()}."]
    lines = [
        f"Measured on {today.isoformat()} on {_machine()}, Python {platform.python_version()}, with messages of "
        f"{results[0].message_bytes / 1000:.1f} KB to {_sink()}. A worker has 4 connections unless it says otherwise.",
        "",
        "| database | recipients | case | messages/s | CPU for each, µs | peak memory, MB |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for each in results:
        lines += [
            f"| {each.database} | {each.recipients:,} | {found.case} | {found.rate:,.0f} "
            f"| {found.cpu_seconds_each * 1e6:,.0f} | {found.peak_bytes / 1e6:,.0f} |"
            for found in each.measurements
        ]
    lines += ["", "| compared | where | is | should be |", "|---|---|---:|---:|"]
    lines += [f"| {ratio.name} | {ratio.where} | {ratio.shown} | {ratio.reach} |" for ratio in ratios(results)]
    lines += ["", "| planning a campaign | recipients | seconds |", "|---|---:|---:|"]
    lines += [f"| {each.database} | {each.recipients:,} | {each.planning_seconds:.2f} |" for each in results]
    return lines


def _site(loads: Sequence[Load]) -> list[str]:
    if not loads:
        return []
    lines = _head("sign-up form")
    for load in loads:
        lines += [_visits(load.database, visits) for visits in load.stretches]
    lines += ["", "| sign-ups | accepted | kept |", "|---|---:|---:|"]
    return lines + [f"| {load.database} | {load.accepted:,} | {load.kept:,} |" for load in loads]


def _letters(letters: Sequence[Letters]) -> list[str]:
    return [*_head("page of a letter"), *(_visits(each.database, each.visits) for each in letters)] if letters else []


def _acting(acted: Sequence[Acting]) -> list[str]:
    if not acted:
        return []
    lines = _head("acting and signing")
    for each in acted:
        lines += [_visits(each.database, visits) for visits in each.stretches]
    lines += ["", "| acts and signatures | accepted | kept | acts counted | in ms |", "|---|---:|---:|---:|---:|"]
    return lines + [
        f"| {each.database} | {each.accepted:,} | {each.kept:,} | {each.counted:,} | {each.count_seconds * 1000:,.0f} |"
        for each in acted
    ]


def _choosing(chosen: Sequence[Choosing]) -> list[str]:
    if not chosen:
        return []
    columns = "| size of an audience | database | median, ms | 95th percentile, ms | answers |"
    lines = ["", columns, "|---|---|---:|---:|---|"]
    for database in chosen:
        for each in database.kinds:
            median, slow = (f"{each.visits.percentile(percent) * 1000:,.0f}" for percent in (50, 95))
            lines.append(f"| {each.what} | {database.database} | {median} | {slow} | {_answers(each.visits)} |")
    return lines


def _desks(desks: Sequence[Desk]) -> list[str]:
    if not desks:
        return []
    columns = "| page of the desk | database | median, ms | 95th percentile, ms | answers |"
    lines = ["", columns, "|---|---|---:|---:|---|"]
    for desk in desks:
        for page in desk.pages:
            median, slow = (f"{page.visits.percentile(percent) * 1000:,.0f}" for percent in (50, 95))
            lines.append(f"| {_called(page.path)} | {desk.database} | {median} | {slow} | {_answers(page.visits)} |")
    lines += ["", "| 50 pages that look on | database | of one core | answers |", "|---|---|---:|---|"]
    lines += [f"| every 2 s | {desk.database} | {desk.core:.0%} | {_answers(desk.looking_on)} |" for desk in desks]
    return lines


def _inbound(taken: Sequence[Inbound]) -> list[str]:
    if not taken:
        return []
    lines = ["", "| mail that comes back | database | median, ms | 95th percentile, ms |", "|---|---|---:|---:|"]
    for each in taken:
        for kind in (*each.kinds, each.together):
            median, slow = (f"{kind.percentile(percent) * 1000:.1f}" for percent in (50, 95))
            lines.append(f"| {kind.called} | {each.database} | {median} | {slow} |")
    lines += ["", "| slowest message of 1 MiB | s |", "|---|---:|"]
    slowest = max(taken, key=lambda each: each.slowest)
    return [*lines, f"| {slowest.slowest_of} | {slowest.slowest:.2f} |"]


def _called(path: str) -> str:
    return re.sub(r"bench-[0-9a-f]+", "SLUG", f"`{path}`")


def _head(page: str) -> list[str]:
    columns = f"| {page} | visits a second | median, ms | 99th percentile, ms | answers |"
    return ["", columns, "|---|---:|---:|---:|---|"]


def _visits(database: str, visits: Visits) -> str:
    median, slow = (f"{visits.percentile(percent) * 1000:,.0f}" for percent in (50, 99))
    return f"| {database} | {visits.rate:,.0f} | {median} | {slow} | {_answers(visits)} |"


def _answers(visits: Visits) -> str:
    return ", ".join(f"{status}: {count:,}" for status, count in sorted(visits.answers.items()))


def _machine() -> str:
    found = re.search(r"^model name\s*: (.+)$", _CPU_INFO.read_text(), re.MULTILINE) if _CPU_INFO.exists() else None
    return f"{os.cpu_count()} cores of {found[1] if found else platform.machine()}"


def _sink() -> str:
    return "Postfix's smtp-sink on the same machine" if smtp_sink() else "our own sink on the same machine"


def write(file: Path, table: str) -> None:
    """Put a table where the last one stood.

    :raises NoPlaceForTable: the file does not say where that is.
    """
    text = file.read_text(encoding="utf-8")
    if text.count(_BEGIN) != 1 or _END not in text.partition(_BEGIN)[2]:
        raise NoPlaceForTable(file=file, begin=_BEGIN, end=_END)
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    file.write_text(f"{before}{_BEGIN}\n\n{table}\n{_END}{after}", encoding="utf-8")
