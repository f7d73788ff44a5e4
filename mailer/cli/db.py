"""`mailer db`: the database's schema."""

import click

from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.operations import schema
from mailer.store import crypto
from mailer.store.models import Base


@click.group()
def db() -> None:
    """Prepare the database."""


@db.command()
@pass_installation
def upgrade(installation: Installation) -> None:
    """Upgrade the database to this version, or create it if there is none."""
    installation.settings.make_data_dir()
    try:
        schema.upgrade(installation.unchecked_engine)
    except schema.NotWrittenAnew as problem:  # no reason not to start what waits for the upgrade
        click.echo(f"Warning: {problem}", err=True)
    click.echo(f"The database is up to date (migration {schema.head()}).")
    with installation.session(read_only=True) as session:
        if crypto.has_unpadded(session, Base.metadata):
            click.echo(
                "An earlier version stored addresses and names whose encrypted form shows how long they are. "
                + typed("To encrypt them again, run: mailer keys rotate")
            )
