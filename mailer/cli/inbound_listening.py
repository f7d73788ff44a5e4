"""`mailer inbound listen`: mail servers hand messages over, over LMTP or SMTP."""

import sys

import click

from mailer.cli.installation import Installation, pass_installation
from mailer.errors import ConfigurationError
from mailer.inbound.listener import Letterbox
from mailer.mail import smtp, smtp_listening
from mailer.mail.smtp import Place
from mailer.mail.smtp_taking import Dialect
from mailer.operations import logs
from mailer.settings import values


class _PlaceType(click.ParamType[Place]):
    name = "place"

    def convert(self, value: str | Place, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        if isinstance(value, Place):
            return value
        try:
            return values.listening_place(value)
        except ValueError as problem:
            self.fail(f"{value!r} {problem}", param, ctx)


@click.command()
@click.option(
    "--lmtp",
    type=_PlaceType(),
    metavar="PLACE",
    help="Take mail over LMTP: at a PORT of 127.0.0.1, HOST:PORT, or unix:/PATH. By default MAILER_INBOUND_LMTP.",
)
@click.option(
    "--smtp", "over_smtp", type=_PlaceType(), metavar="PLACE", help="Likewise over SMTP; MAILER_INBOUND_SMTP."
)
@pass_installation
def listen(installation: Installation, lmtp: Place | None, over_smtp: Place | None) -> None:
    """Take messages that a mail server hands over by LMTP or SMTP, until told to stop.

    It takes only what is addressed to the unsubscribe address and the bounce address, passes no mail on, and answers
    none. If the database is away, the mail server keeps the message and tries again. On SIGTERM or Ctrl-C, it
    finishes the messages that are coming in, and ends.
    """
    logs.configure(json=not sys.stderr.isatty())
    settings = installation.settings
    given = {Dialect.LMTP: lmtp, Dialect.SMTP: over_smtp}
    if not any(given.values()):
        given = {Dialect.LMTP: settings.inbound_lmtp, Dialect.SMTP: settings.inbound_smtp}
    places = {dialect: place for dialect, place in given.items() if place is not None}
    if not places:
        raise click.UsageError("Say where to listen: --lmtp or --smtp, or set MAILER_INBOUND_LMTP.")
    addresses = settings.own_addresses
    if not addresses.any:
        problem = "is not set, nor MAILER_UNSUBSCRIBE_ADDRESS: every message would be refused or dropped"
        raise ConfigurationError("MAILER_BOUNCE_ADDRESS", problem, "bounce+{token}@example.org")
    _ = installation.engine  # refuses a database of another version; and threads must not make it
    name = settings.smtp_helo or smtp.own_name() or "localhost"
    smtp_listening.serve(Letterbox(installation.session, addresses), places, name=name)
