"""`mailer lists`: what people subscribe to."""

import json

import click

from mailer import lists as mailing_lists
from mailer.cli.installation import Installation


@click.group()
def lists() -> None:
    """Make and show the lists that people subscribe to."""


@lists.command()
@click.argument("slug")
@click.option("--name", required=True, help="What people see it called.")
def create(slug: str, name: str) -> None:
    """Make a list. SLUG is what files and commands call it, such as urgent-actions."""
    with Installation().session() as session:
        mailing_list = mailing_lists.create(session, slug, name)
    click.echo(f'Made the list {mailing_list.slug}, "{mailing_list.name}".')


@lists.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show_all(as_json: bool) -> None:
    """Show every list."""
    with Installation().session(read_only=True) as session:
        for mailing_list in mailing_lists.all_lists(session):
            if as_json:
                click.echo(json.dumps({"slug": mailing_list.slug, "name": mailing_list.name}, ensure_ascii=False))
            else:
                click.echo(f"{mailing_list.slug}  {mailing_list.name}")
