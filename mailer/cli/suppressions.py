"""`mailer suppressions`: addresses that get no mail."""

import dataclasses
import json
from pathlib import Path

import click

from mailer.cli import imports
from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import dry_run_option, json_lines_option, json_option, take_options
from mailer.cli.progress import import_bar
from mailer.inbound.explaining import CATEGORIES
from mailer.mail import addresses
from mailer.people import subscribers, suppression
from mailer.people.small_numbers import in_words
from mailer.reports import suppressions as report
from mailer.spreadsheets import suppressing
from mailer.store.crypto import keyring_of
from mailer.store.models import SuppressionReason

_WHY = {
    SuppressionReason.LEFT: "Its owner left all lists. Only they can lift that, by signing up.",
    SuppressionReason.ERASED: "Its owner was erased. Only they can lift that, by signing up.",
    SuppressionReason.BOUNCED: "Mail to it came back. Its owner lifts that by signing up; you can lift it if you know "
    "that the mailbox works: mailer suppressions lift EMAIL --reason TEXT",
    SuppressionReason.REPORTED: "Mail was reported as spam there, in a way that whoever got an answer to that mail "
    "could have made up. Its owner lifts that by signing up; you can, if its owner asks you to: "
    "mailer suppressions lift EMAIL --reason TEXT",
    SuppressionReason.COMPLAINED: "Mail was reported as spam there. Not even signing up lifts that; you can, if its "
    "owner asks you to: mailer suppressions lift EMAIL --reason TEXT",
}


@click.group()
def suppressions() -> None:
    """Addresses that get no mail: bring a list of them in, count them, and lift a mistake."""


@suppressions.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--reason",
    type=click.Choice([each.value for each in suppressing.REASONS]),
    required=True,
    help="Why they get no mail, where the file itself does not say.",
)
@take_options
@dry_run_option
@click.option(
    "--rejects",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the lines without a valid address to FILE, so that you can correct and import them.",
)
@json_option
@pass_installation
def import_(
    installation: Installation,
    file: Path,
    reason: str,
    ignored: tuple[str, ...],
    only: tuple[tuple[str, str], ...],
    dry_run: bool,
    rejects: Path | None,
    as_json: bool,
) -> None:
    """Import addresses that must not be mailed, from a CSV file with a column email.

    Nobody in it gets mail from any list any more, and no import brings them back. Of an export that says of each person
    whether they want mail, only those who do not are taken, for the reason that it gives.
    """
    with import_bar(hidden=as_json) as progress:
        done = suppressing.import_file(
            installation.engine,
            file,
            reason=SuppressionReason(reason),
            ignored=ignored,
            only=only,
            dry_run=dry_run,
            rejects=rejects,
            progress=progress,
        )
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done), ensure_ascii=False))
        return
    counts = {
        "rows read": done.read,
        "new on the suppression list": done.added,
        "there before, now for another reason too": done.changed,
        "there before": done.unchanged,
        "not taken, because the file does not say that they left": done.wanted,
        "not chosen by --only": done.not_chosen,
        "rejected": done.rejected,
        "of these people got mail from a list here until now": done.taken_off,
    }
    imports.print_counts(counts, dry_run=dry_run)
    for line in (*(f"Warning: {warning}." for warning in done.warnings), *done.examples):
        click.echo(line, err=True)


@suppressions.command("list")
@json_lines_option
@pass_installation
def count(installation: Installation, as_json: bool) -> None:
    """Show how many addresses get no mail, by reason, by why mail bounced, and by month. It names nobody, and hides
    small numbers."""
    with installation.session(read_only=True) as session:
        rows = report.count(session)
    for row in rows:
        if as_json:
            click.echo(json.dumps(dataclasses.asdict(row)))
        else:
            number = in_words(row.addresses)
            click.echo(f"{row.reason or 'all':<12}{row.category or '':<14}{row.month or '':<10}{number:>10}")


@suppressions.command()
@click.argument("email")
@json_option
@pass_installation
def show(installation: Installation, email: str, as_json: bool) -> None:
    """Show whether an address gets no mail, since which month, and why."""
    with installation.session(read_only=True) as session:
        email_index = keyring_of(session).blind_index(addresses.parse(email).folded)
        found = suppression.find(session, email_index)
        lifted = [(each.reason, each.month, each.words) for each in suppression.lifts(session, email_index)]
    if as_json:
        facts = {
            "reason": found and found.reason,
            "month": found and found.month,
            "category": found and found.category,
            "underneath": found and found.underneath,
            "lifted": [{"reason": reason, "month": month, "why": words} for reason, month, words in lifted],
        }
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    if found is None:
        click.echo("Not on the suppression list.")
    else:
        why = f" ({CATEGORIES[found.category]})" if found.category else ""
        click.echo(f"On the suppression list since {found.month}: {found.reason}{why}. {typed(_WHY[found.reason])}")
        if found.underneath is not None:
            click.echo(f"Underneath: {found.underneath}. {typed(_WHY[found.underneath])}")
    for reason, month, words in lifted:
        click.echo(f"Lifted in {month}: {reason}. {words}")


@suppressions.command()
@click.argument("email")
@click.option("--reason", "words", metavar="TEXT", required=True, help="Why you lift it. It is kept, encrypted.")
@pass_installation
def lift(installation: Installation, email: str, words: str) -> None:
    """Have an address be mailed again that bounced, or whose owner reported mail as spam.

    Never for who left or was erased: only they themselves can come back, by signing up.
    """
    with installation.session() as session:
        person = subscribers.find(session, email)
        email_index = keyring_of(session).blind_index(addresses.parse(email).folded)
        lifted = suppression.lift_by_hand(session, email_index, words)
        if person is not None:
            subscribers.refresh(session, [person.id])
        stays = suppression.reason(session, email_index)
    if stays is None:
        click.echo(f"Lifted: {lifted}. Mail goes to this address again if its owner is on a list.")
    else:
        click.echo(f"Lifted: {lifted}. The address stays on the list. {typed(_WHY[stays])}")
