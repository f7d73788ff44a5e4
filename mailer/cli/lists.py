"""`mailer lists`: what people subscribe to."""

import json

import click

from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import json_lines_option, slug_argument
from mailer.people import lists as mailing_lists
from mailer.unions import directory, own_lists

#: what to say of a list whose union asked not to be named
_BE_DISCREET = " Its union asked not to be named. Mails show the list's name: it must not tell which union it is."


@click.group()
def lists() -> None:
    """Make, change and show the lists that people subscribe to."""


@lists.command()
@slug_argument
@click.option("--name", required=True, help="The name that people see.")
@click.option("--description", help="What the list sends and how often, for people who may join.")
@click.option("--closed", is_flag=True, help="Do not offer it on the sign-up page.")
@click.option(
    "--owner", metavar="UNION", help="The union that owns the list: only that union's sign-up page offers it."
)
@pass_installation
def create(
    installation: Installation, slug: str, name: str, description: str | None, closed: bool, owner: str | None
) -> None:
    """Create a list. SLUG is its short name in files and commands, such as urgent-actions."""
    with installation.session() as session:
        owner_id = directory.get(session, owner).id if owner else None
        mailing_list = mailing_lists.create(
            session, slug, name, description=description, is_open=not closed, owner_id=owner_id
        )
        is_discreet = own_lists.is_of_unnamed(session, mailing_list, slug, name, description)
    click.echo(f'Created the list {mailing_list.slug}, "{mailing_list.name}".{_BE_DISCREET if is_discreet else ""}')


@lists.command()
@slug_argument
@click.option("--name", help="The name that people see.")
@click.option("--description", help='What the list sends and how often; "" for none.')
@click.option("--open", "is_open", flag_value=True, default=None, help="Offer it on the sign-up page.")
@click.option("--closed", "is_open", flag_value=False, default=None, help="Do not offer it on the sign-up page.")
@click.option(
    "--owner", metavar="UNION", help="The union that owns the list from now on; refused once the list is in use."
)
@click.option("--no-owner", is_flag=True, help="No union owns the list any more.")
@pass_installation
def change(
    installation: Installation,
    slug: str,
    name: str | None,
    description: str | None,
    is_open: bool | None,
    owner: str | None,
    no_owner: bool,
) -> None:
    """Change a list: what people see of it, whether the sign-up page offers it, or which union owns it.

    The people on it stay on it.
    """
    if owner and no_owner:
        raise click.UsageError("Use either --owner or --no-owner.")
    with installation.session() as session:
        mailing_list = mailing_lists.change(session, slug, name=name, description=description, is_open=is_open)
        chosen = [name, description]
        if owner or no_owner:
            mailing_lists.hand_over(session, slug, directory.get(session, owner).id if owner else None)
            chosen = [slug, mailing_list.name, mailing_list.description]
        is_discreet = own_lists.is_of_unnamed(session, mailing_list, *chosen)
    click.echo(f"Changed the list {slug}.{_BE_DISCREET if is_discreet else ''}")


@lists.command("list")
@json_lines_option
@pass_installation
def show_all(installation: Installation, as_json: bool) -> None:
    """Show all lists, whether the sign-up page offers them, and which union owns them."""
    with installation.session(read_only=True) as session:
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
