"""`mailer db`: the database's schema."""

import click

from mailer import schema
from mailer.cli.installation import Installation


@click.group()
def db() -> None:
    """Prepare the database."""


@db.command()
def upgrade() -> None:
    """Bring the database up to date with this version; creates it where there is none."""
    installation = Installation()
    installation.settings.data_dir.mkdir(parents=True, exist_ok=True)
    schema.upgrade(installation.engine)
    click.echo(f"The database is up to date (migration {schema.head()}).")
