"""What of `mailer unions` is between a union and us: affiliation, and the people who speak for it."""

import json
from typing import Any

import click
from sqlalchemy.orm import Session

from mailer import links
from mailer.cli.doorbell import ring
from mailer.cli.installation import Installation, pass_installation
from mailer.links import Link
from mailer.store.models import Application
from mailer.unions import affiliation, applications, contacts
from mailer.unions import directory as trade_unions

slug_argument = click.argument("slug")
json_lines_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.command("applications")
@json_lines_option
def applications_(as_json: bool) -> None:
    """Show which unions ask to affiliate: confirmed by who asks, and not decided yet."""
    with Installation().session(read_only=True) as session:
        waiting = [_asked(session, application) for application in applications.all_applications(session)]
    for facts in waiting:
        if as_json:
            click.echo(json.dumps(facts, ensure_ascii=False))
        else:
            _print(facts)
    if not waiting and not as_json:
        click.echo("No union asks to affiliate.")


def _asked(session: Session, application: Application) -> dict[str, Any]:
    person = applications.applicant(session, application)
    return {
        "id": application.id,
        "name": application.name,
        "country": application.country,
        "parent": application.parent,
        "languages": application.languages,
        "members": application.members,
        "is_named": application.is_named,
        "resolution": application.resolution,
        "email": person.email if person else None,
        "person": person.name if person else None,
        "role": application.role,
        "confirmed_at": application.confirmed_at.isoformat(),
    }


def _print(facts: dict[str, Any]) -> None:
    click.echo(f"{facts['id']}  {facts['name']}")
    details = {
        "country": facts["country"] or "international",
        "belongs to": facts["parent"],
        "languages": ", ".join(facts["languages"]),
        "members": facts["members"],
        "named": None if facts["is_named"] else "no, it asks not to be",
        "resolution": facts["resolution"],
        "asked by": ", ".join(filter(None, (facts["person"], facts["role"], facts["email"]))) or "(erased)",
        "confirmed": facts["confirmed_at"],
    }
    for label, detail in details.items():
        if detail:
            click.echo(f"    {label:<12}{f'{chr(10):<17}'.join(str(detail).splitlines())}")


@click.command()
@click.argument("application_id", metavar="ID", type=int)
@click.option("--as", "slug", metavar="SLUG", help="What to call it; a union that is there is updated.")
@click.option("--parent", "parent_slug", metavar="SLUG", help="The federation that it belongs to.")
@pass_installation
def accept(installation: Installation, application_id: int, slug: str | None, parent_slug: str | None) -> None:
    """Affiliate the union of an application, and tell its contacts. ID is what `applications` shows."""
    base_url = installation.settings.base_url
    with installation.session() as session:
        union, notice = applications.accept(
            session, application_id, slug=slug, parent_slug=parent_slug, base_url=base_url
        )
        count = len(contacts.of_union(session, union.id))
    if notice is not None:
        ring(installation, notice, first=True)
    click.echo(f'The union {union.slug}, "{union.name}", is affiliated. {_told(union.slug, count)}')


@click.command()
@click.argument("application_id", metavar="ID", type=int)
def decline(application_id: int) -> None:
    """Delete an application. Nobody is told; who asked is forgotten, unless they get our mail otherwise."""
    with Installation().session() as session:
        applications.decline(session, application_id)
    click.echo("Declined. The application is deleted; nobody was told.")


@click.command()
@slug_argument
@click.option("--resolution", metavar="TEXT", help="What it passed: by whom, when, in which words.")
@pass_installation
def affiliate(installation: Installation, slug: str, resolution: str | None) -> None:
    """Affiliate a union, also one that had lapsed, and tell its contacts. From now on it gets kits."""
    base_url = installation.settings.base_url
    with installation.session() as session:
        union, notice = affiliation.affiliate(session, slug, resolution=resolution, base_url=base_url)
        count = len(contacts.of_union(session, union.id))
    if notice is not None:
        ring(installation, notice, first=True)
    click.echo(f"The union {slug} is affiliated. {_told(union.slug, count)}")


def _told(slug: str, count: int) -> str:
    if count == 0:
        return f"It has no contact yet: mailer unions invite {slug} ADDRESS"
    return f"It has {'1 contact' if count == 1 else f'{count} contacts'}."


@click.command()
@slug_argument
def interested(slug: str) -> None:
    """Note that a union said that it may affiliate."""
    with Installation().session() as session:
        trade_unions.note_interest(session, slug)
    click.echo(f"The union {slug} is interested.")


@click.command()
@slug_argument
def lapse(slug: str) -> None:
    """End a union's affiliation: it gets no more kits. `affiliate` brings it back."""
    with Installation().session() as session:
        affiliation.lapse(session, slug)
    click.echo(f"The affiliation of the union {slug} has lapsed.")


@click.command()
@slug_argument
@click.argument("address")
@click.option("--name", help="How they wish to be addressed.")
@click.option("--role", help='What they are there, such as "General secretary".')
@click.option("--language", metavar="TAG", help="To write to them in; by default the union's first.")
@pass_installation
def invite(
    installation: Installation, slug: str, address: str, name: str | None, role: str | None, language: str | None
) -> None:
    """Ask ADDRESS whether its owner wants to get the union's mail. They are its contact once they confirm."""
    with installation.session() as session:
        union = trade_unions.get(session, slug)
        notice = contacts.invite(session, union, address, name=name, role=role, language=language)
    ring(installation, notice, first=True)
    click.echo(f"Asked {address}. They have 7 days to confirm.")


@click.command("contacts")
@slug_argument
@json_lines_option
def contacts_(slug: str, as_json: bool) -> None:
    """Show who gets a union's mail."""
    with Installation().session(read_only=True) as session:
        for contact, person in contacts.of_union(session, trade_unions.get(session, slug).id):
            if as_json:
                facts = {
                    "email": person.email,
                    "name": person.name,
                    "role": contact.role,
                    "language": person.language,
                    "confirmed_at": contact.confirmed_at.isoformat(),
                }
                click.echo(json.dumps(facts, ensure_ascii=False))
            else:
                click.echo("  ".join([person.email, person.name or "-", contact.role or "-"]))


@click.command("remove-contact")
@slug_argument
@click.argument("address")
def remove_contact(slug: str, address: str) -> None:
    """Send ADDRESS no more of a union's mail. The lists that they are on stay."""
    with Installation().session() as session:
        contacts.remove(session, trade_unions.get(session, slug), address)
    click.echo(f"{address} is no contact of the union {slug} any more.")


@click.command()
@slug_argument
@pass_installation
def link(installation: Installation, slug: str) -> None:
    """Print the address of a union's results, for one that lost it or has no contact. Who has it can answer for
    the union."""
    with installation.session(read_only=True) as session:
        union = trade_unions.get(session, slug)
    token = links.sign(installation.settings.keyring, Link.UNION, union.id)
    click.echo(f"{installation.settings.base_url}/results/{token}")


#: in the order in which they come up
COMMANDS: tuple[click.Command, ...] = (
    applications_,
    accept,
    decline,
    interested,
    affiliate,
    lapse,
    invite,
    contacts_,
    remove_contact,
    link,
)
