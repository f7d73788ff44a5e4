"""`mailer unions`: trade unions and their federations."""

import json

import click

from mailer import unions as trade_unions
from mailer.cli.installation import Installation


@click.group()
def unions() -> None:
    """Add and show trade unions and the federations above them."""


@unions.command()
@click.argument("slug")
@click.option("--name", required=True, help="Its full name.")
@click.option("--country", help="ISO 3166 code or English name; leave it out for an international federation.")
@click.option("--parent", "parent_slug", metavar="SLUG", help="The federation that it belongs to.")
def add(slug: str, name: str, country: str | None, parent_slug: str | None) -> None:
    """Add a union. SLUG is what files and commands call it, such as dockers-gb."""
    with Installation().session() as session:
        union = trade_unions.add(session, slug, name, country=country, parent_slug=parent_slug)
    click.echo(f'Added the union {union.slug}, "{union.name}".')


@unions.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show_all(as_json: bool) -> None:
    """Show every union, with its country and the federation that it belongs to."""
    with Installation().session(read_only=True) as session:
        for union in trade_unions.all_unions(session):
            parent = union.parent.slug if union.parent else None
            if as_json:
                facts = {"slug": union.slug, "name": union.name, "country": union.country, "parent": parent}
                click.echo(json.dumps(facts, ensure_ascii=False))
            else:
                click.echo(f"{union.slug}  {union.name}  {union.country or '-'}  {parent or '-'}")
