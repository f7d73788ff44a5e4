"""`mailer db`: the database's schema."""

import click

from mailer.cli.installation import Installation, pass_installation
from mailer.operations import schema


@click.group()
def db() -> None:
    """Prepare the database."""


@db.command()
@pass_installation
def upgrade(installation: Installation) -> None:
    """Upgrade the database to this version, or create it if there is none."""
    installation.settings.make_data_dir()
    schema.upgrade(installation.unchecked_engine)
    click.echo(f"The database is up to date (migration {schema.head()}).")
