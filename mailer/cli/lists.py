"""`mailer lists`: what people subscribe to."""

import json

import click

from mailer import lists as mailing_lists
from mailer.cli.installation import Installation


@click.group()
def lists() -> None:
    """Make, change and show the lists that people subscribe to."""


@lists.command()
@click.argument("slug")
@click.option("--name", required=True, help="What people see it called.")
@click.option("--description", help="What comes and how often, for people who may join.")
@click.option("--closed", is_flag=True, help="The sign-up page does not offer it.")
def create(slug: str, name: str, description: str | None, closed: bool) -> None:
    """Make a list. SLUG is what files and commands call it, such as urgent-actions."""
    with Installation().session() as session:
        mailing_list = mailing_lists.create(session, slug, name, description=description, is_open=not closed)
    click.echo(f'Made the list {mailing_list.slug}, "{mailing_list.name}".')


@lists.command()
@click.argument("slug")
@click.option("--name", help="What people see it called.")
@click.option("--description", help='What comes and how often; "" for none.')
@click.option("--open", "is_open", flag_value=True, default=None, help="The sign-up page offers it.")
@click.option("--closed", "is_open", flag_value=False, default=None, help="The sign-up page does not offer it.")
def change(slug: str, name: str | None, description: str | None, is_open: bool | None) -> None:
    """Change what people see of a list, or whether the sign-up page offers it. Who is on it stays on it."""
    with Installation().session() as session:
        mailing_lists.change(session, slug, name=name, description=description, is_open=is_open)
    click.echo(f"Changed the list {slug}.")


@lists.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show_all(as_json: bool) -> None:
    """Show every list, and whether the sign-up page offers it."""
    with Installation().session(read_only=True) as session:
        for mailing_list in mailing_lists.all_lists(session):
            if as_json:
                facts = {
                    "slug": mailing_list.slug,
                    "name": mailing_list.name,
                    "description": mailing_list.description,
                    "open": mailing_list.is_open,
                }
                click.echo(json.dumps(facts, ensure_ascii=False))
            else:
                state = "open" if mailing_list.is_open else "closed"
                click.echo(f"{mailing_list.slug}  {mailing_list.name}  {state}")
