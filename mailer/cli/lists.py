"""`mailer lists`: what people subscribe to."""

import dataclasses
import json
from typing import Any

import click

from mailer.cli.confirming import ask, is_to_ask, yes_option
from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import json_lines_option, json_option, slug_argument
from mailer.locale import languages
from mailer.people import lists as mailing_lists
from mailer.people.lists import Members
from mailer.store.models import MailingList
from mailer.unions import directory, own_lists

#: what to say of a list whose union asked not to be named
_BE_DISCREET = " Its union asked not to be named. Mails show the list's name: it must not tell which union it is."

_SAMPLE_CLOSED = (
    "The sample list has left the sign-up page. Whoever is on it stays. To offer it again: "
    f"mailer lists change {mailing_lists.SAMPLE_SLUG} --open"
)


@click.group()
def lists() -> None:
    """Make, change, show and delete the lists that people subscribe to."""


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
        has_sample_left = mailing_lists.close_sample(session)
    click.echo(f'Created the list {mailing_list.slug}, "{mailing_list.name}".{_BE_DISCREET if is_discreet else ""}')
    if has_sample_left:
        click.echo(typed(_SAMPLE_CLOSED))


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
            translations = (*mailing_list.names.values(), *mailing_list.descriptions.values())
            chosen = [slug, mailing_list.name, mailing_list.description, *translations]
        is_discreet = own_lists.is_of_unnamed(session, mailing_list, *chosen)
        stale = [] if name is None else list(mailing_list.names)
        stale += [] if description is None else list(mailing_list.descriptions)
        is_offered = is_open and slug != mailing_lists.SAMPLE_SLUG
        has_sample_left = is_offered and mailing_lists.close_sample(session)
    click.echo(f"Changed the list {slug}.{_BE_DISCREET if is_discreet else ''}")
    if stale:
        click.echo(f"Its words in other languages stay as they are: {', '.join(sorted(set(stale)))}. To change them:")
        click.echo(typed(f"mailer lists translate {slug} --language TAG --name NAME --description TEXT"))
    if has_sample_left:
        click.echo(typed(_SAMPLE_CLOSED))


@lists.command()
@slug_argument
@click.option("--language", metavar="TAG", required=True, help="The language of the name and the description.")
@click.option("--name", help='The name for readers of this language; "" for the list\'s own.')
@click.option("--description", help='What the list sends and how often, for these readers; "" for the list\'s own.')
@click.option("--remove", is_flag=True, help="Remove the name and the description in this language.")
@pass_installation
def translate(
    installation: Installation, slug: str, language: str, name: str | None, description: str | None, remove: bool
) -> None:
    """Set the name and description of a list in another language.

    Pages and mails show them to readers of this language, and the list's own to all others.
    """
    if remove == (name is not None or description is not None):
        raise click.UsageError("Use --name, --description or both, or else --remove.")
    with installation.session() as session:
        if remove:
            mailing_list = mailing_lists.drop_translation(session, slug, language)
        else:
            mailing_list = mailing_lists.translate(session, slug, language, name=name, description=description)
        is_discreet = own_lists.is_of_unnamed(session, mailing_list, name, description)
    tag = languages.normalise(language)
    is_left = tag in mailing_lists.translated_into(mailing_list)
    what = f"has words in {tag} now" if is_left else f"has no words in {tag} any more"
    click.echo(f"The list {slug} {what}.{_BE_DISCREET if is_discreet else ''}")
    if is_left and languages.of_site(tag) != tag:
        click.echo(f"Only mails show them: no page of the site is in {tag}.")


@lists.command("list")
@json_lines_option
@pass_installation
def show_all(installation: Installation, as_json: bool) -> None:
    """Show all lists: how many people are on them, wait to confirm, or left; whether the sign-up page offers them; and
    which union owns them."""
    with installation.session(read_only=True) as session:
        slugs = {union.id: union.slug for union in directory.all_unions(session)}
        people = mailing_lists.members(session)
        found = [(each, people.get(each.id, Members())) for each in mailing_lists.all_lists(session)]
    if not found and not as_json:
        click.echo(typed("There is no list yet. Create one with: mailer lists create SLUG --name NAME"))
    for mailing_list, members in found:
        owner = slugs[mailing_list.owner_id] if mailing_list.owner_id else None
        if as_json:
            click.echo(json.dumps(_facts(mailing_list, owner, members), ensure_ascii=False))
        else:
            state, counts = _state(mailing_list), _in_words(members)
            click.echo("  ".join([mailing_list.slug, mailing_list.name, state, *([owner] if owner else []), counts]))


def _facts(mailing_list: MailingList, owner: str | None, members: Members) -> dict[str, Any]:
    return {
        "slug": mailing_list.slug,
        "name": mailing_list.name,
        "description": mailing_list.description,
        "names": mailing_list.names,
        "descriptions": mailing_list.descriptions,
        "open": mailing_list.is_open,
        "owner": owner,
    } | dataclasses.asdict(members)


def _state(mailing_list: MailingList) -> str:
    return "open" if mailing_list.is_open else "closed"


def _in_words(members: Members) -> str:
    return f"{members.active:,} active, {members.waiting:,} waiting, {members.left:,} left"


@lists.command()
@slug_argument
@json_option
@pass_installation
def show(installation: Installation, slug: str, as_json: bool) -> None:
    """Show a list: its name and description in each language, and how many people it has."""
    with installation.session(read_only=True) as session:
        mailing_list = mailing_lists.get(session, slug)
        members = mailing_lists.members(session).get(mailing_list.id, Members())
        slugs = {union.id: union.slug for union in directory.all_unions(session)}
        owner = slugs[mailing_list.owner_id] if mailing_list.owner_id else None
    if as_json:
        click.echo(json.dumps(_facts(mailing_list, owner, members), ensure_ascii=False))
        return
    rows = [
        ("name", mailing_list.name),
        *((f"name, {tag}", name) for tag, name in sorted(mailing_list.names.items())),
        ("description", mailing_list.description),
        *((f"description, {tag}", words) for tag, words in sorted(mailing_list.descriptions.items())),
        ("sign-up page", _state(mailing_list)),
        ("owner", owner),
        ("people", _in_words(members)),
    ]
    width = max(len(label) for label, _fact in rows)
    for label, fact in rows:
        if fact:
            click.echo(f"{label:<{width}}  {fact}")


@lists.command()
@slug_argument
@yes_option
@pass_installation
def delete(installation: Installation, slug: str, yes: bool) -> None:
    """Delete a list that nobody is or was on, and that no campaign names. On a terminal you are asked first."""
    if is_to_ask(yes=yes):
        with installation.session(read_only=True) as session:
            name = mailing_lists.require_empty(session, slug).name
        ask(f'Nobody is on the list {slug}, "{name}". Delete it for good?')
    with installation.session() as session:
        mailing_lists.delete(session, slug)
    click.echo(f"Deleted the list {slug}.")
