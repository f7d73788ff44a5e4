"""`mailer db`: the database's schema."""

import click

from mailer.cli.installation import Installation
from mailer.operations import schema


@click.group()
def db() -> None:
    """Prepare the database."""


@db.command()
def upgrade() -> None:
    """Bring the database up to date with this version; creates it where there is none."""
    installation = Installation()
    installation.settings.make_data_dir()
    schema.upgrade(installation.unchecked_engine)
    click.echo(f"The database is up to date (migration {schema.head()}).")
