"""`mailer bench`: how fast this machine sends."""

import json
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from mailer.bench import acting, audience, desk, inbound, installation, postgresql, site, table
from mailer.bench.installation import Installation
from mailer.bench.suite import OF_EVERY_SIZE, Case, Sinks, Suite, SuiteResults, running_sinks
from mailer.store.db import utcnow

_LARGE = 20_000  # recipients from which on one run is long enough to need no repetition
_MILLION = 1_000_000
_SITE = "g"  # the sign-up form under load
_LETTER_PAGE = "h"  # likewise
_DESK = "i"  # on a large installation
_INBOUND = "j"  # mail that comes back
_ACTING = "k"  # "I have written" and signing under load
_AUDIENCE = "l"  # how long the size of one takes
_LETTERS = "abcdef" + _SITE + _LETTER_PAGE + _DESK + _INBOUND + _ACTING + _AUDIENCE
_VISITED = 10_000  # people who are on a list while others sign up
#: as on a server that keeps what it committed, save that a short run is not disturbed by the vacuum
_POSTGRESQL = {"max_connections": "50", "autovacuum": "off"}


@click.command()
@click.option(
    "--recipients",
    multiple=True,
    type=click.IntRange(100, 200_000),
    default=(10_000, 100_000),
    help="Recipients of a campaign. May be repeated. By default 10,000 and 100,000.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 9),
    default=3,
    show_default=True,
    help="How often to measure each case; the median counts.",
)
@click.option(
    "--database", "databases", multiple=True, type=click.Choice(["sqlite", "postgresql"]),
    default=("sqlite", "postgresql"), help="Measure on this database only. By default on both.",
)  # fmt: skip
@click.option(
    "--case",
    "letters",
    multiple=True,
    type=click.Choice([*_LETTERS]),
    help="Measure this case only. May be repeated. By default all.",
)
@click.option("--million", is_flag=True, help="Also measure one million recipients, on SQLite.")
@click.option(
    "--write",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Update the tables in this page.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every run as JSON.")
def bench(
    recipients: tuple[int, ...],
    rounds: int,
    databases: tuple[str, ...],
    letters: tuple[str, ...],
    million: bool,
    file: Path | None,
    as_json: bool,
) -> None:
    """Measure how fast this machine sends mail (cases a to f), takes sign-ups (case g), shows
    the page of a letter (case h), shows organisers the desk of a large installation (case i), takes in mail that comes
    back (case j), has people act and sign (case k), and chooses audiences (case l).

    The mail goes to servers on this machine that throw it away. Everything happens in a temporary directory, with
    invented people; a real installation is not touched. Campaigns of up to 20,000 recipients are measured several
    times, with every case. Larger ones are measured once, with the cases in which size matters.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the servers started here end with it
    audiences = [(database, people) for database in databases for people in sorted(set(recipients))]
    if million:
        audiences.append(("sqlite", _MILLION))
    wanted = letters or tuple(_LETTERS)
    cases = [case for case in Case if case.letter in wanted]
    results, loads, shown, desks, taken, acted, chosen = [], [], [], [], [], [], []
    with running_sinks() as sinks:
        for database, people in audiences if cases else ():
            click.echo(f"{database}, {people:,} recipients", err=True)
            if people <= _LARGE:
                results.append(_measure(sinks, database, people, cases, rounds=rounds))
            else:
                results.append(_measure(sinks, database, people, [c for c in cases if c in OF_EVERY_SIZE], rounds=1))
    for database in databases if _SITE in wanted else ():
        click.echo(f"{database}, sign-up form", err=True)
        with _installation(database, people=_VISITED) as measured:
            loads.append(site.measure(measured, database))
    for database in databases if _LETTER_PAGE in wanted else ():
        click.echo(f"{database}, page of a letter", err=True)
        with _installation(database, people=_VISITED) as measured:
            shown.append(site.measure_letters(measured, database))
    for database in databases if _DESK in wanted else ():
        click.echo(f"{database}, desk", err=True)
        with _installation(database, people=desk.PEOPLE) as measured:
            desks.append(desk.measure(measured, database))
    for database in databases if _INBOUND in wanted else ():
        click.echo(f"{database}, mail that comes back", err=True)
        with _installation(database, people=inbound.people()) as measured:
            taken.append(inbound.measure(measured, database))
    for database in databases if _ACTING in wanted else ():
        click.echo(f"{database}, acting and signing", err=True)
        with _installation(database, people=_VISITED) as measured:
            acted.append(acting.measure(measured, database))
    for database in databases if _AUDIENCE in wanted else ():
        click.echo(f"{database}, size of an audience", err=True)
        with _installation(database, people=audience.PEOPLE) as measured:
            chosen.append(audience.measure(measured, database))
    tables = table.markdown(results, loads, shown, desks, taken, acted, chosen, today=utcnow().date())
    if file is not None:
        table.write(file, tables)
    found = [asdict(each) for some in (results, loads, shown, desks, taken, acted, chosen) for each in some]
    click.echo(json.dumps(found) if as_json else tables)


def _measure(sinks: Sinks, database: str, people: int, cases: Sequence[Case], *, rounds: int) -> SuiteResults:
    with _installation(database, people=people) as measured:
        return Suite(measured, sinks).measure(cases, database=database, rounds=rounds, tell=_tell)


@contextmanager
def _installation(database: str, *, people: int) -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as directory, ExitStack() as stack:
        url = stack.enter_context(_postgresql()) if database == "postgresql" else None
        yield installation.make(Path(directory), people=people, database_url=url)


@contextmanager
def _postgresql() -> Iterator[str]:
    """An empty database on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="tocsin-pg-") as directory:
        folder = Path(directory)
        folder.chmod(0o711)  # so that the user it runs as may look into it
        with postgresql.running_postgresql(folder, _POSTGRESQL) as home:
            yield postgresql.url(home)


def _tell(line: str) -> None:
    click.echo(line, err=True)
