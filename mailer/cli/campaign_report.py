"""`mailer campaigns report`: what came of a campaign, as tables for a person and as a CSV file to pass on."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mailer.campaigns import lifecycle
from mailer.cli.campaign_status import acted_line, plain, print_progress, refusal_table, returned_line
from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import dress, dress_options, json_option, slug_argument
from mailer.cli.tables import print_table
from mailer.formats.csv_output import CsvWriter, whole_file
from mailer.formats.tables import Dress
from mailer.mail import isolation
from mailer.people.small_numbers import SMALLEST_SHOWN, in_words
from mailer.reports import campaigns as campaign_reports
from mailer.reports.acted import Acted
from mailer.reports.campaigns import CampaignReport, Kits
from mailer.reports.spreads import By, Row
from mailer.store.models import ActKind

_TITLES = {
    By.COUNTRY: "country",
    By.UNION: "union",
    By.LANGUAGE: "language of the reader",
    By.TEXT: "language of the text",
}
_FOR_WHOM = (
    "What is counted of the whole campaign is exact: it is for you, who mail these people. By country, union and "
    'language, numbers from 1 to 9 are "under 10", and so are others that would give one away. To pass the results on, '
    "use --csv: in that file small numbers of the whole campaign are hidden too, and nobody's words stand in it."
)


@click.command()
@slug_argument
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what may be passed on to a CSV file, instead of showing tables.",
)
@dress_options
@json_option
@pass_installation
def report(
    installation: Installation, slug: str, csv_file: Path | None, excel: bool, separator: str, as_json: bool
) -> None:
    """Show what came of a campaign: by country, union and language, who acted, who left and why, refusals, kits."""
    with installation.session(read_only=True) as session:
        found = campaign_reports.report(session, lifecycle.get(session, slug))
    if csv_file is not None:
        _write_csv(found, csv_file, dress(excel=excel, separator=separator))
    if as_json:
        click.echo(json.dumps(found.to_json(), ensure_ascii=False))
    elif csv_file is None:
        _show(found)


def _show(found: CampaignReport) -> None:
    slug, status = found.progress.slug, found.progress.status
    if not found.progress.audience:
        click.echo(f'Nothing of campaign "{slug}" has been sent ({status}).')
        click.echo(typed(f"See where it stands with: mailer campaigns status {slug}"))
        return
    console = Console(highlight=False, emoji=False)
    print_progress(console, found.progress)
    print_report(console, found)


def print_report(console: Console, report: CampaignReport) -> None:
    """Everything but the states."""
    for by, rows in report.spreads.items():
        _print_spread(console, _TITLES[by], rows)
    _print_leaves(console, report)
    if report.refusals:
        print_table(console, "Refusals", refusal_table(report.refusals))
    if not report.returned.is_nothing:
        console.print(returned_line(report.returned))
    _print_acted(console, report.acted)
    console.print(_of_kits(report.kits))
    console.print(Text(_FOR_WHOM))


def _print_spread(console: Console, by: str, rows: Sequence[Row] | None) -> None:
    title = f"Messages by {by}"
    if not rows:
        why = "none were sent" if rows is not None else "not shown. Of so few people, it would point to somebody"
        console.print(Text(f"{title}: {why}"))
        return
    table = Table()
    table.add_column(by, overflow="fold")
    table.add_column("messages", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(_name(row), in_words(row.mails))
    print_table(console, title, table)


def _name(row: Row) -> Text:
    name = isolation.in_text(plain(row.name).plain, "ltr")
    return Text((name or "not known") + ("" if row.is_named else " (asked not to be named)"))


def _print_leaves(console: Console, report: CampaignReport) -> None:
    people = {0: "nobody", 1: "1 person"}.get(report.left, f"{report.left:,} people")
    console.print(f"Left the list after this campaign, before another one went to them: {people}")
    if report.reasons is not None:
        console.print("Why, in their words, by the alphabet:")
        for reason in report.reasons:
            console.print(Padding(plain(reason), (0, 0, 0, 2)))
    elif report.left:
        console.print(f"Why is shown once {SMALLEST_SHOWN} of them have said why.")


def _print_acted(console: Console, acted: Mapping[ActKind, Acted]) -> None:
    if not acted:
        return
    console.print(acted_line({kind: each.people for kind, each in acted.items()}))
    for kind, each in acted.items():
        for by, rows in each.by.items():
            if rows:  # else the line above says that it is nobody, or so few that they are hidden
                table = Table()
                table.add_column(by, overflow="fold")
                table.add_column("people", justify="right", no_wrap=True)
                for row in rows:
                    table.add_row(isolation.in_text(row.name, "ltr") or "not known", in_words(row.people))
                print_table(console, f"Who {kind}, by {by}", table)


def _of_kits(kits: Kits) -> str:
    if not kits.sent:
        return "Kits: none went out to a union."
    if not kits.answered:
        return f"Kits: {kits.sent:,} went out to unions, and none has answered."
    return (
        f"Kits: {kits.sent:,} went out to unions; {kits.answered:,} of these unions answered, and {kits.forwarded:,} "
        f"forwarded it, to {kits.reached:,} members as they say."
    )


def _write_csv(found: CampaignReport, path: Path, written: Dress) -> None:
    """:raises UnwritableFile: no file was made or replaced."""
    with whole_file(path) as file:
        writer = CsvWriter(file, ["what", "key", "name", "number"], written)
        for line in campaign_reports.for_others(found):
            writer.write([line.what, line.key, line.name, in_words(line.number, separator="")])
    click.echo(f"Wrote {path}.", err=True)
