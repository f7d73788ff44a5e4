"""What every command needs: the settings, and sessions on the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import click
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.operations import schema
from mailer.settings import Settings, load_settings
from mailer.store.db import open_engine, session_scope


class Installation:
    """Settings read once per command, connections opened when first used."""

    @cached_property
    def settings(self) -> Settings:
        """:raises ConfigurationError: see `load_settings`."""
        return load_settings()

    @cached_property
    def engine(self) -> Engine:
        """The engine of the configured database, whose schema is this version's.

        :raises schema.SchemaOutdated: the database is older.
        :raises schema.SchemaTooNew: the database is newer.
        :raises DatabaseUnavailable: it cannot be reached.
        """
        schema.require_current(self.unchecked_engine)
        return self.unchecked_engine

    @cached_property
    def unchecked_engine(self) -> Engine:
        """The engine of the configured database, its keys attached. Its connections end with the command."""
        engine = open_engine(self.settings.database_url, self.settings.keyring)
        click.get_current_context().call_on_close(engine.dispose)
        return engine

    @contextmanager
    def session(self, *, read_only: bool = False) -> Iterator[Session]:
        """As `db.session_scope`."""
        with session_scope(self.engine, read_only=read_only) as session:
            yield session


pass_installation = click.make_pass_decorator(Installation, ensure=True)
