"""`mailer subscribers`: people, in and out."""

import dataclasses
import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from mailer.cli import imports
from mailer.cli.confirming import ask, is_to_ask, yes_option
from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import (
    dress,
    dress_options,
    dry_run_option,
    json_option,
    output_option,
    take_options,
    update_option,
)
from mailer.cli.progress import import_bar
from mailer.people import subscribers as people
from mailer.selfservice import disclosure, on_behalf, preferences
from mailer.spreadsheets.exporting import export_list
from mailer.spreadsheets.importing import SupporterImportReport, import_file

_UNKNOWN = {"union": "Unions that are not known", "country": "Countries that are not known"}


@click.group()
def subscribers() -> None:
    """Import and export supporters; show, add, unsubscribe and erase one."""


@subscribers.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--list", "list_slug", metavar="SLUG", required=True, help="The list to put them on.")
@click.option(
    "--consent", metavar="TEXT", required=True, help="The exact words with which they agreed to get this mail."
)
@click.option(
    "--union-consent", metavar="TEXT", help="The exact words with which they agreed that we store their union."
)
@update_option
@take_options
@dry_run_option
@click.option(
    "--rejects",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the lines that were not fully imported to FILE, so that you can correct and import them.",
)
@json_option
@pass_installation
def import_(
    installation: Installation,
    file: Path,
    list_slug: str,
    consent: str,
    union_consent: str | None,
    update: bool,
    ignored: tuple[str, ...],
    only: tuple[tuple[str, str], ...],
    dry_run: bool,
    rejects: Path | None,
    as_json: bool,
) -> None:
    """Import supporters from a CSV, .xlsx or .ods file, and put them on a list.

    A CSV file is UTF-8, separated by comma, semicolon or tab. The first line names the columns: email, and any of
    name, country, union, language, consent_at, source. Nobody who left is subscribed again, here or by what the file
    says. You may interrupt the import, and run it again.
    """
    with import_bar(hidden=as_json) as progress:
        report = import_file(
            installation.engine,
            file,
            list_slug=list_slug,
            consent=consent,
            union_consent=union_consent,
            update=update,
            ignored=ignored,
            only=only,
            dry_run=dry_run,
            rejects=rejects,
            progress=progress,
        )
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report), ensure_ascii=False))
    else:
        _print(report, file, dry_run=dry_run, rejects=rejects)


def _print(report: SupporterImportReport, file: Path, *, dry_run: bool, rejects: Path | None) -> None:
    counts = {
        "rows read": report.read,
        "new people": report.created,
        "known people, new on this list": report.subscribed,
        "filled in or updated": report.updated,
        "unchanged": report.unchanged,
        "left or removed before, not imported": report.left,
        "not imported, because the file says that they do not want mail": report.left_elsewhere,
        "not chosen by --only, not imported": report.not_chosen,
        "rejected": report.rejected,
        "imported without their union, which is not known": report.unknown_unions,
        "imported without their country, which is not known": report.unknown_countries,
        "imported without something else that cannot be read": report.unread,
    }
    imports.print_counts(counts, dry_run=dry_run)
    if report.left_elsewhere:
        keep_out = typed("mailer suppressions import ") + f"{shlex.quote(str(file))} --reason left"
        click.echo(f"To keep those out from now on who do not want mail: {keep_out}", err=True)
    for warning in report.warnings:
        click.echo(f"Warning: {warning}.", err=True)
    for column, heading in _UNKNOWN.items():
        unknown = [each for each in report.unknown if each.column == column]
        if unknown:
            click.echo(f"{heading}, by how often:", err=True)
        for each in unknown:
            click.echo(f"{each.lines:>10,}  {each.text}{f'  {each.suggestion}' if each.suggestion else ''}", err=True)
    for example in report.examples:
        click.echo(example, err=True)
    if more := report.remarked - len(report.examples):
        click.echo(f"… and {more:,} more{'' if rejects else ' (see them all with --rejects FILE)'}", err=True)
    if report.examples and rejects is not None:
        click.echo(f"All such lines are in {rejects}: correct them there, and import that file.", err=True)
    elif report.examples:
        click.echo("Add --rejects FILE to get all such lines in a file that you can correct.", err=True)


@subscribers.command()
@click.option("--list", "list_slug", metavar="SLUG", required=True, help="The list to export.")
@output_option
@dress_options
@pass_installation
def export(installation: Installation, list_slug: str, output: Path, excel: bool, separator: str) -> None:
    """Write the people on a list to a CSV file.

    Only people who want the mail now are in it. Otherwise, people who left would be back wherever it is imported.
    """
    with installation.session(read_only=True) as session:
        exported = export_list(session, list_slug, output, dress=dress(excel=excel, separator=separator))
    click.echo(f"Wrote {'1 person' if exported == 1 else f'{exported:,} people'} to {output}.")


@subscribers.command()
@click.argument("email")
@json_option
@pass_installation
def show(installation: Installation, email: str, as_json: bool) -> None:
    """Show all that is stored about a person."""
    with installation.session(read_only=True) as session:
        held = disclosure.about(session, on_behalf.get(session, email).id)
    click.echo(disclosure.to_json(held) if as_json else _in_words(held), nl=False)


def _in_words(held: dict[str, Any]) -> str:
    """What is stored, a block for each thing, in it a fact a line; what is empty is left out."""
    blocks = []
    for section, things in held.items():
        for thing in things if isinstance(things, list) else [things or {}]:
            if facts := [f"  {_called(name):<18} {_written(value)}\n" for name, value in _told(thing)]:
                blocks.append(f"{section}\n{''.join(facts)}")
    return "\n".join(blocks)


def _told(thing: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in thing.items() if value not in (None, "", [], {})]


def _called(name: str) -> str:
    return name.replace("_", " ")


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_written, value))
    if isinstance(value, dict):
        return "; ".join(f"{_called(name)}: {_written(each)}" for name, each in _told(value))
    return _MOMENT.sub(r"\1 \2 UTC", _DAY.sub(r"\1", str(value)))


#: as `disclosure` writes a time of which only the day is kept, and any other: who is on the phone wants no microseconds
_DAY = re.compile(r"^(\d{4}-\d\d-\d\d)T00:00:00\+00:00$")
_MOMENT = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?\+00:00$")


@subscribers.command()
@click.argument("email")
@click.option("--list", "list_slugs", metavar="SLUG", multiple=True, required=True, help="A list they asked for.")
@click.option("--consent", metavar="TEXT", required=True, help="The words with which they asked for this mail.")
@click.option("--name", help="How they wish to be addressed.")
@click.option("--country", metavar="CC", help="Where they live: a code, or a name.")
@click.option(
    "--language", metavar="TAG", default="en", show_default=True, help="The language they read: a tag, or a name."
)
@pass_installation
def add(
    installation: Installation,
    email: str,
    list_slugs: tuple[str, ...],
    consent: str,
    name: str | None,
    country: str | None,
    language: str,
) -> None:
    """Mail somebody a link to confirm that they want to be on a list, as the sign-up page does.

    They are on no list before they use it.
    """
    with installation.session() as session:
        is_mailed = on_behalf.add(
            session, email, list_slugs, consent=consent, name=name, country=country, language=language
        )
    if is_mailed:
        click.echo("They get a mail with a link to confirm it.")
    else:
        click.echo(
            "No mail goes out: they wait to confirm already. One went to this mailbox in the last day. If it went to "
            "this address, its link leads to this too."
        )
    click.echo("They are on no list before they use the link. If they do not, it is forgotten after seven days.")


@subscribers.command()
@click.argument("email")
@click.option("--list", "list_slug", metavar="SLUG", help="Only this list.")
@pass_installation
def unsubscribe(installation: Installation, email: str, list_slug: str | None) -> None:
    """Take a person off all lists, or off one. They are mailed a goodbye, with a link to undo it.

    Nobody who was taken off all lists is imported again.
    """
    with installation.session() as session:
        fallbacks = installation.settings.language_fallbacks
        left = on_behalf.unsubscribe(session, email, list_slug, fallbacks=fallbacks)
    if left:
        click.echo(f"Taken off: {', '.join(left)}. A mail tells them, with a link to undo it.")
    else:
        click.echo("They were not on that list." if list_slug else "They were on no list.")


@subscribers.command()
@click.argument("email")
@yes_option
@pass_installation
def erase(installation: Installation, email: str, yes: bool) -> None:
    """Erase a person: everything that we know about them, everywhere.

    Only a keyed hash of the address stays, so that no import brings them back. On a terminal you are asked first, and
    told on how many lists they are. The answer is the same whether or not the address was known.
    """
    if is_to_ask(yes=yes):
        with installation.session(read_only=True) as session:
            known = _known(session, email)
        ask(f"{known} Erase {email} for good?")
    with installation.session() as session:
        preferences.erase_address(session, email)
    click.echo("Erased. No import will bring this address back.")


def _known(session: Session, email: str) -> str:
    person = people.find(session, email)
    if person is None:
        return "We know nobody by that address."
    on = sum(each.is_on for each in preferences.see(session, person.id).memberships)
    return f"This person is on {on} {'list' if on == 1 else 'lists'}."
