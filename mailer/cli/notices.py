"""`mailer notices`: how the mails do that one person waits for."""

import json

import click
from rich.console import Console
from rich.table import Table

from mailer.cli.campaign_status import plain
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import json_option
from mailer.cli.tables import print_table
from mailer.reports import system_mails
from mailer.reports.system_mails import Failures, SystemMails
from mailer.store.models import DeliveryState


@click.group()
def notices() -> None:
    """Look after the system mails: confirmations, links, goodbyes, and what unions' contacts get."""


@notices.command()
@json_option
@pass_installation
def status(installation: Installation, as_json: bool) -> None:
    """Show how many system mails failed in the last days, and why. It names nobody."""
    with installation.session(read_only=True) as session:
        found = system_mails.look(session)
    organisers = len(installation.settings.organiser_addresses)
    if as_json:
        click.echo(json.dumps(found.to_json() | {"organisers": organisers}, ensure_ascii=False))
        return
    _show(found)
    if organisers:
        click.echo(f"Organisers who hear by mail what happens: {organisers}")
    else:
        click.echo("No organiser hears by mail what happens. Set MAILER_ORGANISERS to their addresses.")


def _show(found: SystemMails) -> None:
    failed, unknown = found.states[DeliveryState.FAILED], found.states[DeliveryState.UNKNOWN]
    click.echo(f"Failed in the last {found.days} days: {failed:,}")
    if unknown:
        click.echo(f"May be lost, in the same days: {unknown:,}")
    deferred = found.states[DeliveryState.DEFERRED]
    click.echo(f"Waiting: {found.waiting:,}{f' ({deferred:,} refused for now)' if deferred else ''}")
    if found.failures:
        print_table(Console(highlight=False, emoji=False), "System mails that failed", _table(found))
    if failed or unknown:
        click.echo(
            "None of these is sent again by itself, and nobody who waits for one hears of it. "
            "Remedy what the answers say; then people can ask for another mail on the site."
        )


def _table(found: SystemMails) -> Table:
    table = Table()
    for heading in ("state", "mail", "answer", "mails", "last on", "example"):
        table.add_column(heading, justify="right" if heading == "mails" else "left", overflow="fold")
    for each in found.failures:
        about = "about " if each.is_estimate else ""
        table.add_row(
            each.state,
            _mail(each),
            " ".join(str(part) for part in (each.smtp_code, each.enhanced_code, each.reason) if part),
            f"{about}{each.count:,}",
            f"{each.last_on}" if each.last_on else "",
            plain(each.example or ""),
        )
    return table


def _mail(each: Failures) -> str:
    kind = (each.kind or "not known").replace("_", " ")
    return f"{kind}, to {each.union}" if each.union else kind
