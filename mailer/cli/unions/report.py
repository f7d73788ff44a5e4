"""`mailer unions report`: what the forwarding of unions brought."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import json_option
from mailer.cli.tables import print_table
from mailer.formats import charts
from mailer.formats.csv_output import CsvWriter
from mailer.people.small_numbers import HIDDEN, in_words
from mailer.reports import unions as union_reports
from mailer.reports.unions import Report, UnionRow
from mailer.unions import directory as trade_unions

_NUMBERS = ("kits", "acknowledged", "forwarded", "reached", "joined")
_EVERYBODY = "all unions"
_FOOTNOTE = (
    "A federation's numbers include those of all unions below it. Kits are those that went out. Members reached are as "
    'the unions report. From 1 to 9, numbers of people are shown as "under 10"; so are others that would give one away.'
)

file_type = click.Path(path_type=Path, dir_okay=False)


@click.command("report")
@click.option("--since", metavar="YYYY-MM", help="The first month to count. By default the first of all.")
@click.option("--until", metavar="YYYY-MM", help="The last month to count. By default this one.")
@click.option("--union", "slug", metavar="SLUG", help="Only this union or federation, with all unions below it.")
@click.option("--csv", "csv_file", metavar="FILE", type=file_type, help="Write a CSV file instead of showing a table.")
@click.option(
    "--svg", "svg_file", metavar="FILE", type=file_type, help="Write a chart of who joined as an SVG file instead."
)
@json_option
@pass_installation
def report(
    installation: Installation,
    since: str | None,
    until: str | None,
    slug: str | None,
    csv_file: Path | None,
    svg_file: Path | None,
    as_json: bool,
) -> None:
    """Show the results of forwarding: kits, what unions answered, members reached, and who joined through them."""
    with installation.session(read_only=True) as session:
        if slug is not None:
            trade_unions.get(session, slug)
        found = union_reports.report(session, since=since, until=until)
    rows = [*found.rows, replace(found.total, name=_EVERYBODY)] if slug is None else _beneath(found, slug)
    if csv_file is not None:
        _write(csv_file, _csv(rows))
    if svg_file is not None:
        _write(svg_file, _svg(rows, _title(found)))
    if as_json:
        click.echo(json.dumps(_to_json(found, rows), ensure_ascii=False))
    elif csv_file is None and svg_file is None:
        if all(row.is_empty for row in rows):
            click.echo(f"{_title(found)}: no kit was sent, and nobody joined.")
            return
        console = Console(highlight=False, emoji=False)
        print_table(console, _title(found), _table(rows))
        console.print(Text(_FOOTNOTE))


def _beneath(found: Report, slug: str) -> list[UnionRow]:
    """A union and all beneath it, with what is hidden of them where all unions are shown: two tables that hide
    different numbers would give both away."""
    place, top = next((place, row) for place, row in enumerate(found.rows) if row.slug == slug)
    rows = [top]
    for row in found.rows[place + 1 :]:
        if row.depth <= top.depth:
            break
        rows.append(row)
    return [replace(row, depth=row.depth - top.depth) for row in rows]


def _title(found: Report) -> str:
    return f"Results of forwarding, {found.since or 'from the beginning'} to {found.until or 'now'}"


def _table(rows: Sequence[UnionRow]) -> Table:
    table = Table()
    table.add_column("union")
    for heading in ("kits", "answered", "forwarded", "reached", "joined"):
        table.add_column(heading, justify="right")
    for row in rows:
        if row.union_id is None:
            table.add_section()
        numbers = (in_words(getattr(row, number)) for number in _NUMBERS)
        table.add_row(Padding(Text(row.name or ""), (0, 0, 0, 2 * row.depth)), *numbers)
    return table


def _csv(rows: Sequence[UnionRow]) -> str:
    text = io.StringIO(newline="")
    writer = CsvWriter(text, ["slug", "name", "level", "is_federation", *_NUMBERS])
    for row in rows:
        level = "" if row.union_id is None else str(row.depth)
        is_federation = "yes" if row.is_federation else "no"
        numbers = (in_words(getattr(row, number), separator="") for number in _NUMBERS)
        writer.write([row.slug, row.name, level, is_federation, *numbers])
    return text.getvalue()


def _svg(rows: Sequence[UnionRow], title: str) -> str:
    """Who joined, without those whose links brought nobody."""
    bars = [(f"{'– ' * row.depth}{row.name}", row.joined) for row in rows if row.joined != 0]
    return charts.bars(f"Joined. {title}", bars, hidden=HIDDEN, empty="Nobody joined.")


def _to_json(found: Report, rows: Sequence[UnionRow]) -> dict[str, Any]:
    """The total is that of what is shown: of all unions, or of the one that was asked for."""
    shown = [row for row in rows if row.union_id is not None]
    total = found.total if len(shown) < len(rows) else rows[0]
    return {
        "since": found.since,
        "until": found.until,
        "unions": [{key: value for key, value in asdict(row).items() if key != "union_id"} for row in shown],
        "total": {number: getattr(total, number) for number in _NUMBERS},
    }


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner can read: it may name unions that asked not to be named."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8", newline="")
    click.echo(f"Wrote {path}.", err=True)


COMMANDS = (report,)
