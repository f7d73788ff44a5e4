"""The commands of `mailer unions` about a union and us: its affiliation, and the people who speak for it."""

import json
from typing import Any

import click
from sqlalchemy.orm import Session

from mailer.cli import confirming
from mailer.cli.effects import UNION
from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import json_lines_option, slug_argument
from mailer.cli.unions.directory import why_random
from mailer.errors import MailerError
from mailer.kits import renewal
from mailer.links import Pages
from mailer.store.models import Application
from mailer.unions import affiliation, applications, contacts
from mailer.unions import directory as trade_unions
from mailer.unions.applications import WrittenParent


class UnclearParent(MailerError):
    """Nothing was accepted, because --parent-as-written needs one federation. {about} Name it with --parent SLUG, or
    leave out --parent-as-written."""


@click.command("applications")
@json_lines_option
@pass_installation
def applications_(installation: Installation, as_json: bool) -> None:
    """Show the confirmed applications to affiliate that wait for your decision."""
    with installation.session(read_only=True) as session:
        waiting = [_asked(session, application) for application in applications.all_applications(session)]
    for facts in waiting:
        if as_json:
            click.echo(json.dumps(facts, ensure_ascii=False))
        else:
            _print(facts)
    if not waiting and not as_json:
        click.echo("No application is waiting.")


def _asked(session: Session, application: Application) -> dict[str, Any]:
    person = applications.applicant(session, application)
    parent = applications.written_parent(session, application.id)
    return {
        "id": application.id,
        "name": application.name,
        "country": application.country,
        "parent": application.parent,
        "known_parent": parent.known.slug if parent and parent.known else None,
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
        "belongs to": facts["parent"] and f"{facts['parent']} ({_known(facts)})",
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


def _known(facts: dict[str, Any]) -> str:
    return f"known as {facts['known_parent']}" if facts["known_parent"] else "not known by that name"


@click.command()
@click.argument("application_id", metavar="ID", type=int)
@click.option("--as", "slug", metavar="SLUG", help="The slug of the union. If there is such a union, it is updated.")
@click.option("--parent", "parent_slug", metavar="SLUG", help="The federation that it belongs to.")
@click.option(
    "--parent-as-written",
    is_flag=True,
    help="It belongs to the federation that the application names, if one union is known by that name.",
)
@pass_installation
def accept(
    installation: Installation,
    application_id: int,
    slug: str | None,
    parent_slug: str | None,
    parent_as_written: bool,
) -> None:
    """Accept an application: affiliate the union, and tell its contacts. `applications` shows the ID.

    On a terminal you are asked whether it belongs to the federation that it names.
    """
    if parent_as_written and parent_slug is not None:
        raise click.UsageError("Give --parent or --parent-as-written, not both.")
    base_url = installation.settings.base_url
    left_out = None
    if parent_slug is None:
        with installation.session(read_only=True) as session:
            parent = applications.written_parent(session, application_id, slug=slug)
        parent_slug = _parent(parent, as_written=parent_as_written)
        left_out = parent if parent_slug is None else None
    with installation.session() as session:
        union = applications.accept(session, application_id, slug=slug, parent_slug=parent_slug, base_url=base_url)
        installation.is_about(UNION, union.id)
        count = len(contacts.of_union(session, union.id))
    why = why_random(slug, union) if slug is not None else ""
    click.echo(f'The union {union.slug}, "{union.name}", is affiliated.{why} {_told(union.slug, count)}')
    if left_out is not None:
        click.echo(typed(f"{_about(left_out)} To set its federation: mailer unions change {union.slug} --parent SLUG"))


def _parent(parent: WrittenParent | None, *, as_written: bool) -> str | None:
    """The slug of the federation that is meant, as far as somebody has said so.

    :raises UnclearParent: it was to be the one that is written, and none or several are called so.
    """
    if as_written:
        if parent is None or parent.known is None:
            raise UnclearParent(about=_about(parent) if parent else "It names none, or the union has one.")
        return parent.known.slug
    proposed = (parent.known or parent.nearest) if parent else None
    if parent is None or proposed is None or not confirming.is_to_ask(yes=False):
        return None
    return proposed.slug if click.confirm(f"{_about(parent)} Is that its federation?", err=True) else None


def _about(parent: WrittenParent) -> str:
    said = f'The application says that it belongs to "{parent.written}".'
    if len(parent.alike) > 1:
        return f"{said} Several unions are called so: {', '.join(known.slug for known in parent.alike)}."
    if parent.known:
        return f'{said} That is the name of {parent.known.slug}, "{parent.known.name}".'
    if parent.nearest:
        return f'{said} No union is called so; the nearest is {parent.nearest.slug}, "{parent.nearest.name}".'
    return f"{said} No union that is known is called so, or nearly so."


@click.command()
@click.argument("application_id", metavar="ID", type=int)
@pass_installation
def decline(installation: Installation, application_id: int) -> None:
    """Decline an application and delete it. Nobody is told.

    The person who sent it is deleted too, unless they are or were on a list, or are a union's contact.
    """
    with installation.session() as session:
        applications.decline(session, application_id)
    click.echo("Declined. The application is deleted. Nobody was told.")


@click.command()
@slug_argument
@click.option("--resolution", metavar="TEXT", help="The resolution: who passed it, when, and what it says.")
@pass_installation
def affiliate(installation: Installation, slug: str, resolution: str | None) -> None:
    """Affiliate a union, or one that had lapsed, and tell its contacts. It gets kits from now on."""
    base_url = installation.settings.base_url
    with installation.session() as session:
        union = affiliation.affiliate(session, slug, resolution=resolution, base_url=base_url)
        count = len(contacts.of_union(session, union.id))
    click.echo(f"The union {slug} is affiliated. {_told(union.slug, count)}")


def _told(slug: str, count: int) -> str:
    if count == 0:
        return typed(f"It has no contact yet. Invite one with: mailer unions invite {slug} ADDRESS")
    return f"It has {'1 contact' if count == 1 else f'{count} contacts'}."


@click.command()
@slug_argument
@pass_installation
def interested(installation: Installation, slug: str) -> None:
    """Record that a union is interested in affiliating."""
    with installation.session() as session:
        trade_unions.note_interest(session, slug)
    click.echo(f"The union {slug} is interested.")


@click.command()
@slug_argument
@pass_installation
def lapse(installation: Installation, slug: str) -> None:
    """End a union's affiliation: it gets no more kits. To bring it back, use `affiliate`."""
    with installation.session() as session:
        affiliation.lapse(session, slug)
    click.echo(f"The affiliation of the union {slug} has lapsed.")


@click.command()
@slug_argument
@click.argument("address")
@click.option("--name", help="How they wish to be addressed.")
@click.option("--role", help='Their role in the union, such as "General secretary".')
@click.option(
    "--language", metavar="TAG", help="The language of mail to them. By default their own, or the union's first."
)
@pass_installation
def invite(
    installation: Installation, slug: str, address: str, name: str | None, role: str | None, language: str | None
) -> None:
    """Invite the person at ADDRESS to be a union's contact, who gets its mail. They become one when they confirm."""
    with installation.session() as session:
        union = trade_unions.get(session, slug)
        contacts.invite(session, union, address, name=name, role=role, language=language)
    click.echo(f"Asked {address}. They have 7 days to confirm.")


@click.command("contacts")
@slug_argument
@json_lines_option
@pass_installation
def contacts_(installation: Installation, slug: str, as_json: bool) -> None:
    """Show who gets a union's mail."""
    with installation.session(read_only=True) as session:
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
@pass_installation
def remove_contact(installation: Installation, slug: str, address: str) -> None:
    """Remove a contact of a union: they get no more of its mail, and their links to its kits and results end.

    The other contacts are mailed new links. Whoever is removed stays on their lists.
    """
    with installation.session() as session:
        told = renewal.remove_contact(session, slug, address, base_url=installation.settings.base_url)
    click.echo(f"{address} is no longer a contact of the union {slug}. {_renewed(told)}")


@click.command("renew-links")
@slug_argument
@pass_installation
def renew_links(installation: Installation, slug: str) -> None:
    """Replace the links to a union's kits and results, and mail the new ones to its contacts.

    Use it when a link may have reached the wrong people. The old links then show nothing.
    """
    with installation.session() as session:
        told = renewal.renew(session, slug, base_url=installation.settings.base_url)
    click.echo(_renewed(told))


def _renewed(told: int) -> str:
    whom = {0: "nobody is", 1: "1 contact is"}.get(told, f"{told} contacts are")
    return f"The links to its kits and results were replaced; {whom} mailed the new ones."


@click.command()
@slug_argument
@pass_installation
def link(installation: Installation, slug: str) -> None:
    """Print the link to a union's results, for a union that lost it or has no contact.

    Anyone who has the link can answer for the union.
    """
    with installation.session(read_only=True) as session:
        union = trade_unions.get(session, slug)
    settings = installation.settings
    click.echo(Pages(settings.base_url).results(settings.keyring, union.id, union.link_generation))


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
    renew_links,
    link,
)
