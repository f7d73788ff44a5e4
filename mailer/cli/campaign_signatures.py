"""`mailer campaigns signatures`: the names below a petition, and what is handed over with it."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from mailer.campaigns import handing_over, lifecycle, signatures
from mailer.cli.campaign_status import plain
from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import dress, dress_options, folder_option, json_lines_option, slug_argument
from mailer.cli.tables import print_table
from mailer.delivery.previews import UnwritableFolder
from mailer.links import Pages
from mailer.locale import languages
from mailer.store.db import utctoday


@click.group("signatures")
def names() -> None:
    """See, hide and hand over the names of those who signed a petition."""


@names.command("list")
@slug_argument
@json_lines_option
@pass_installation
def list_(installation: Installation, slug: str, as_json: bool) -> None:
    """Show the names that are shown or handed over, each with the code that `hide` takes."""
    with installation.session(read_only=True) as session:
        campaign = lifecycle.get(session, slug)
        signatures.petition_of(campaign)
        found = signatures.listed(session, campaign)
    if as_json:
        for each in found:
            click.echo(json.dumps(asdict(each), ensure_ascii=False))
        return
    if not found:
        click.echo("Nobody who signed wants their name shown or handed over.")
        return
    table = Table("code", "name", "town or role", "country", "shown", "handed over")
    for each in found:
        state = [
            "hidden" if each.is_hidden else "yes" if wanted else "" for wanted in (each.is_shown, each.is_handed_over)
        ]
        table.add_row(each.code, plain(each.name), plain(each.place or ""), each.country or "", *state)
    print_table(Console(highlight=False, emoji=False), "Names", table)
    click.echo(typed(f"To hide one: mailer campaigns signatures hide {slug} CODE"))


@names.command()
@slug_argument
@click.argument("codes", metavar="CODE…", nargs=-1, required=True)
@click.option("--undo", is_flag=True, help="Let them be shown and handed over again.")
@pass_installation
def hide(installation: Installation, slug: str, codes: tuple[str, ...], undo: bool) -> None:
    """Have names not be shown below the petition nor handed over with it. Who signed goes on counting."""
    with installation.session() as session:
        signatures.hide(session, lifecycle.get(session, slug), codes, is_hidden=not undo)
    what = "1 name is" if len(set(codes)) == 1 else f"{len(set(codes)):,} names are"
    click.echo(f"{what} {'shown and handed over again, as their owners wish' if undo else 'hidden'}.")


@names.command()
@slug_argument
@folder_option
@click.option("--language", metavar="TAG", help="What it is written in, by default the campaign's own language.")
@dress_options
@pass_installation
def export(
    installation: Installation, slug: str, folder: Path, language: str | None, excel: bool, separator: str
) -> None:
    """Write the hand-over to FOLDER: how many signed, where, and the names that go with it, as PDF and as CSV.

    What was handed over cannot be called back. The audit log says that it was written.
    """
    settings = installation.settings
    with installation.session() as session:
        campaign = lifecycle.get(session, slug)
        tag = languages.normalise(language) if language else campaign.language
        found = signatures.hand_over(session, campaign, language=tag)
        web_url = Pages(settings.base_url, tag).campaign(slug) if campaign.public else None
        organisation = settings.mail_sender.organisation
        pdf = handing_over.on_paper(found, organisation=organisation, web_url=web_url, day=utctoday())
    # The entry in the log is there by now: no file is written without one.
    files = [folder / f"{slug}-petition.pdf", folder / f"{slug}-petition.csv"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files[0].touch(mode=0o600)
        files[0].write_bytes(pdf)
    except OSError as problem:
        raise UnwritableFolder(folder=folder, problem=problem.strerror or problem) from None
    handing_over.write_table(found, files[1], dress(excel=excel, separator=separator))
    for file in files:
        click.echo(str(file))
    names_found = "1 name" if len(found.names) == 1 else f"{len(found.names):,} names"
    click.echo(f"{names_found} in them. Only those stand there whose owners wanted it.", err=True)
