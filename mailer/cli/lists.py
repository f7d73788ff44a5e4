"""`mailer lists`: what people subscribe to."""

import json

import click

from mailer.cli.installation import Installation
from mailer.people import lists as mailing_lists
from mailer.unions import directory


@click.group()
def lists() -> None:
    """Make, change and show the lists that people subscribe to."""


@lists.command()
@click.argument("slug")
@click.option("--name", required=True, help="What people see it called.")
@click.option("--description", help="What comes and how often, for people who may join.")
@click.option("--closed", is_flag=True, help="The sign-up page does not offer it.")
@click.option("--owner", metavar="UNION", help="The union whose own list it is: only its sign-up page offers it.")
def create(slug: str, name: str, description: str | None, closed: bool, owner: str | None) -> None:
    """Make a list. SLUG is what files and commands call it, such as urgent-actions."""
    with Installation().session() as session:
        owner_id = directory.get(session, owner).id if owner else None
        mailing_list = mailing_lists.create(
            session, slug, name, description=description, is_open=not closed, owner_id=owner_id
        )
    click.echo(f'Made the list {mailing_list.slug}, "{mailing_list.name}".')


@lists.command()
@click.argument("slug")
@click.option("--name", help="What people see it called.")
@click.option("--description", help='What comes and how often; "" for none.')
@click.option("--open", "is_open", flag_value=True, default=None, help="The sign-up page offers it.")
@click.option("--closed", "is_open", flag_value=False, default=None, help="The sign-up page does not offer it.")
@click.option("--owner", metavar="UNION", help="The union whose own list it is from now on; refused once it is in use.")
@click.option("--no-owner", is_flag=True, help="It is no union's own list any more.")
def change(
    slug: str, name: str | None, description: str | None, is_open: bool | None, owner: str | None, no_owner: bool
) -> None:
    """Change what people see of a list, whether the sign-up page offers it, or whose it is. Who is on it stays on
    it."""
    if owner and no_owner:
        raise click.UsageError("Choose one of --owner and --no-owner.")
    with Installation().session() as session:
        mailing_lists.change(session, slug, name=name, description=description, is_open=is_open)
        if owner or no_owner:
            mailing_lists.hand_over(session, slug, directory.get(session, owner).id if owner else None)
    click.echo(f"Changed the list {slug}.")


@lists.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show_all(as_json: bool) -> None:
    """Show every list, whether the sign-up page offers it, and whose it is."""
    with Installation().session(read_only=True) as session:
        slugs = {union.id: union.slug for union in directory.all_unions(session)}
        for mailing_list in mailing_lists.all_lists(session):
            owner = slugs[mailing_list.owner_id] if mailing_list.owner_id else None
            if as_json:
                facts = {
                    "slug": mailing_list.slug,
                    "name": mailing_list.name,
                    "description": mailing_list.description,
                    "open": mailing_list.is_open,
                    "owner": owner,
                }
                click.echo(json.dumps(facts, ensure_ascii=False))
            else:
                state = "open" if mailing_list.is_open else "closed"
                click.echo("  ".join([mailing_list.slug, mailing_list.name, state, *([owner] if owner else [])]))
