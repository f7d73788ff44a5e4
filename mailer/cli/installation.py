"""What every command needs: the settings, and sessions on the database. What it does is written into the audit log."""

from contextlib import AbstractContextManager
from functools import cached_property, partial

import click
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.cli.effects import Recorder
from mailer.errors import ConfigurationError
from mailer.operations import schema
from mailer.people import notices
from mailer.settings import Settings, load_settings
from mailer.store.db import open_engine


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
        context = click.get_current_context()
        context.call_on_close(engine.dispose)
        self._recorder.watch(engine)
        context.call_on_close(partial(self._recorder.chain, engine))  # before the other: the last comes first
        return engine

    @cached_property
    def _recorder(self) -> Recorder:
        return Recorder(click.get_current_context())

    def is_about(self, kind: str, *subjects: str | int) -> None:
        """As `Recorder.tell`."""
        self._recorder.tell(kind, subjects)

    def read_again(self) -> None:
        """Forget the settings, after a command has changed them, and what was opened with them."""
        for name in ("settings", "engine", "unchecked_engine"):
            self.__dict__.pop(name, None)

    def session(self, *, read_only: bool = False) -> AbstractContextManager[Session]:
        """As `db.session_scope`; and has the notices that are owed in it sent at once, after its commit."""
        return notices.ringing_session(self.engine, partial(self.ring, first=True), read_only=read_only)

    def ring(self, campaign_id: int, *, first: bool = False) -> None:
        """Tell the workers that a campaign has mail to send; without Redis they find it by themselves, only later.
        Notices need no such call.

        :param first: before every other: somebody waits for it.
        """
        from mailer.operations import queue  # here: RQ takes longer to load than most commands take to run

        try:
            with queue.connect(self.settings.redis_url) as connection:
                queue.ring(connection, campaign_id, first=first)
        except (queue.RedisUnavailable, ConfigurationError) as problem:
            click.echo(f"Warning: {problem} Workers will find it within half a minute.", err=True)


pass_installation = click.make_pass_decorator(Installation, ensure=True)
