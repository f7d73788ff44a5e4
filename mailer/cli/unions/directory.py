"""`mailer unions`: trade unions and their federations. What is between them and us is in `affiliation`."""

import json
from pathlib import Path
from typing import Any, TextIO

import click
from sqlalchemy.orm import Session

from mailer.cli import imports
from mailer.cli.effects import UNION
from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import (
    dress,
    dress_options,
    dry_run_option,
    json_lines_option,
    json_option,
    output_option,
    slug_argument,
    update_option,
)
from mailer.formats import logos
from mailer.spreadsheets import unions as union_csv
from mailer.store.models import Union, UnionStatus
from mailer.unions import contacts, own_lists
from mailer.unions import directory as trade_unions

_STATUSES = [status.value for status in UnionStatus]


@click.command()
@slug_argument
@click.option("--name", required=True, help="Its full name.")
@click.option("--country", help="ISO 3166 code or name; leave it out for an international federation.")
@click.option("--parent", "parent_slug", metavar="SLUG", help="The federation that it belongs to.")
@click.option(
    "--status", type=click.Choice(_STATUSES), default=UnionStatus.LISTED.value, help="Where it stands with us."
)
@click.option(
    "--language",
    "languages",
    metavar="TAG",
    multiple=True,
    help="A language that its members read. May be repeated, the main one first.",
)
@click.option("--members", type=int, help="About how many members it has.")
@click.option("--unnamed", is_flag=True, help="It asked not to be named: the public never sees its name.")
@pass_installation
def add(
    installation: Installation,
    slug: str,
    name: str,
    country: str | None,
    parent_slug: str | None,
    status: str,
    languages: tuple[str, ...],
    members: int | None,
    unnamed: bool,
) -> None:
    """Add a union. SLUG is its short name in files and commands, such as dockers-gb."""
    with installation.session() as session:
        union = trade_unions.add(
            session,
            slug,
            name,
            country=country,
            parent_slug=parent_slug,
            status=UnionStatus(status),
            languages=languages,
            members=members,
            is_named=not unnamed,
        )
        installation.is_about(UNION, union.id)
    click.echo(f'Added the union {union.slug}, "{union.name}".{why_random(slug, union)}')


def why_random(slug: str, union: Union) -> str:
    """What to say where a union asked not to be named and has another slug than the one that was typed."""
    if union.slug == slug or union.is_named:
        return ""
    return f' It asked not to be named, so its short name is random: "{slug}" is kept nowhere.'


@click.command()
@slug_argument
@click.option("--as", "new_slug", metavar="SLUG", help="Its new short name. Links to its old join page stop working.")
@click.option("--name", help="Its full name.")
@click.option("--country", help='ISO 3166 code or name; "" for an international federation.')
@click.option("--parent", "parent_slug", metavar="SLUG", help='The federation that it belongs to; "" for none.')
@click.option(
    "--language",
    "languages",
    metavar="TAG",
    multiple=True,
    help='A language that its members read. Give them all; "" for none.',
)
@click.option("--members", type=int, help="About how many members it has; 0 if not known.")
@click.option("--resolution", metavar="TEXT", help='The resolution by which it affiliated; "" for none.')
@click.option("--named", "is_named", flag_value=True, default=None, help="It may be named.")
@click.option("--unnamed", "is_named", flag_value=False, default=None, help="It asked not to be named.")
@pass_installation
def change(
    installation: Installation,
    slug: str,
    new_slug: str | None,
    name: str | None,
    country: str | None,
    parent_slug: str | None,
    languages: tuple[str, ...],
    members: int | None,
    resolution: str | None,
    is_named: bool | None,
) -> None:
    """Change what we know about a union. What you leave out stays as it is."""
    with installation.session() as session:
        union = trade_unions.change(
            session,
            slug,
            new_slug=new_slug,
            name=name,
            country=country,
            parent_slug=parent_slug,
            languages=[tag for tag in languages if tag] if languages else None,
            members=members,
            is_named=is_named,
            resolution=resolution,
        )
        installation.is_about(UNION, union.id)
        lists_of_unnamed = [] if union.is_named else own_lists.of_union(session, union)
    click.echo(f"Changed the union {slug}.")
    if union.slug != slug:
        click.echo(f"Its short name is now {union.slug}.{why_random(slug, union)}")
        click.echo("Links to its old join page stop working.")
        click.echo(f"Campaigns in the database use the new name. In your campaign files, replace {slug} yourself.")
    for each in lists_of_unnamed:
        click.echo(
            f'Mails show the name of its list {each.slug}: "{each.name}". If it tells which union that is, change'
        )
        click.echo(typed(f"it: mailer lists change {each.slug} --name NAME"))
        for tag, words in each.names.items():
            click.echo(f'To readers of {tag} they show "{words}". Likewise:')
            click.echo(typed(f"mailer lists translate {each.slug} --language {tag} --name NAME"))


@click.command("list")
@click.option("--status", type=click.Choice(_STATUSES), help="Only unions with this status.")
@json_lines_option
@pass_installation
def show_all(installation: Installation, status: str | None, as_json: bool) -> None:
    """Show all unions, with country, federation and status."""
    with installation.session(read_only=True) as session:
        for union in trade_unions.all_unions(session):
            if status in (None, union.status):
                if as_json:
                    click.echo(json.dumps(_brief(union), ensure_ascii=False))
                else:
                    parent = union.parent.slug if union.parent else "-"
                    click.echo(f"{union.slug}  {union.name}  {union.country or '-'}  {parent}  {union.status}")


def _brief(union: Union) -> dict[str, Any]:
    return {
        "slug": union.slug,
        "name": union.name,
        "country": union.country,
        "parent": union.parent.slug if union.parent else None,
        "status": union.status.value,
        "languages": union.languages,
        "members": union.members,
        "is_named": union.is_named,
    }


@click.command()
@slug_argument
@json_option
@pass_installation
def show(installation: Installation, slug: str, as_json: bool) -> None:
    """Show everything that we know about a union."""
    with installation.session(read_only=True) as session:
        facts = _full(session, trade_unions.get(session, slug))
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    for label, fact in facts.items():
        if fact not in (None, [], {}):
            click.echo(f"{label.replace('_', ' '):<14}{_written(fact)}")


def _full(session: Session, union: Union) -> dict[str, Any]:
    dates = {name: getattr(union, name) for name in ("interested_at", "affiliated_at", "lapsed_at")}
    return _brief(union) | {
        **{name: day.isoformat() if day else None for name, day in dates.items()},
        "resolution": union.resolution,
        "introductions": union.introductions,
        "has_logo": union.logo is not None,
        "unions": [child.slug for child in trade_unions.children(session, union)],
        "contacts": len(contacts.of_union(session, union.id)),
        "lists": [each.slug for each in own_lists.of_union(session, union)],
    }


def _written(fact: Any) -> str:
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    if isinstance(fact, list):
        return ", ".join(fact)
    lines = [f"{language}: {words}" for language, words in fact.items()] if isinstance(fact, dict) else [str(fact)]
    return f"\n{'':<14}".join("\n".join(lines).splitlines())


@click.command()
@slug_argument
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@click.option("--remove", is_flag=True, help="Remove the logo.")
@pass_installation
def logo(installation: Installation, slug: str, file: Path | None, remove: bool) -> None:
    """Set the logo that a union's kits carry. FILE is a PNG or JPEG picture."""
    _require_one(file, remove)
    with installation.session() as session:
        trade_unions.set_logo(session, slug, _read(file) if file else None)
    click.echo(f"The union {slug} now has {'a logo' if file else 'no logo'}.")


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(logos.MAX_BYTES + 1)  # of what is longer, no more is needed to refuse it


@click.command()
@slug_argument
@click.option("--language", metavar="TAG", required=True, help="The language of the words.")
@click.argument("file", type=click.File(encoding="utf-8-sig"), required=False)
@click.option("--remove", is_flag=True, help="Remove its words in this language.")
@pass_installation
def introduce(installation: Installation, slug: str, language: str, file: TextIO | None, remove: bool) -> None:
    """Set the words that a union puts above the alerts in its kits.

    FILE is a text file, or "-" for standard input.
    """
    _require_one(file, remove)
    try:
        words = file.read() if file else None
    except UnicodeDecodeError:
        raise click.BadParameter("it is not UTF-8 text", param_hint="FILE") from None
    with installation.session() as session:
        trade_unions.introduce(session, slug, language, words)
    click.echo(f"The union {slug} {'now introduces' if file else 'no longer introduces'} alerts in {language}.")


def _require_one(file: Path | TextIO | None, remove: bool) -> None:
    if remove == (file is not None):
        raise click.UsageError("Name one file, or use --remove.")


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@update_option
@dry_run_option
@click.option("--invite", is_flag=True, help="Invite the contacts in the file.")
@json_option
@pass_installation
def import_(installation: Installation, file: Path, update: bool, dry_run: bool, invite: bool, as_json: bool) -> None:
    """Add the unions in a CSV file. If one line is wrong, none is added.

    The file is UTF-8, separated by comma, semicolon or tab, and its first line names the columns: slug, and any of
    name, country, parent, status, languages, members, interested_at, affiliated_at, lapsed_at, resolution, is_named,
    contact_email, contact_name, contact_role.
    """
    with installation.session() as session:
        report = union_csv.import_file(session, file, update=update, dry_run=dry_run, invite=invite)
    imports.print_whole(report, dry_run=dry_run, as_json=as_json)


@click.command()
@output_option
@dress_options
@pass_installation
def export(installation: Installation, output: Path, excel: bool, separator: str) -> None:
    """Write all unions to a CSV file that `import` can read. Contacts are not in it."""
    with installation.session(read_only=True) as session:
        exported = union_csv.export(session, output, dress=dress(excel=excel, separator=separator))
    click.echo(f"Wrote {'1 union' if exported == 1 else f'{exported:,} unions'} to {output}.")


COMMANDS = (add, change, show_all, show, logo, introduce, import_, export)
