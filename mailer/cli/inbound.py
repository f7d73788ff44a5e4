"""`mailer inbound`: one message that a mail server hands over; its commands take messages in other ways."""

import json
import os
import sys

import click

from mailer.cli.installation import Installation, pass_installation
from mailer.errors import ConfigurationError, MailerError
from mailer.inbound import explaining, receiving
from mailer.inbound.acting import Source
from mailer.operations import logs

_CHUNK = 2**16
_EXAMPLE = "leave+{token}@example.org"


class _Ways(click.Group):
    """Imports what the pipe does not need only when it is asked for: a program is started anew for each message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["fetch", "listen", "status", "try", "unread"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "fetch":
            from mailer.cli.inbound_fetching import fetch

            return fetch
        if cmd_name == "listen":
            from mailer.cli.inbound_listening import listen

            return listen
        if cmd_name == "status":
            from mailer.cli.inbound_status import status

            return status
        if cmd_name == "try":
            from mailer.cli.inbound_trying import try_

            return try_
        if cmd_name == "unread":
            from mailer.cli.inbound_unread import unread

            return unread
        return None


@click.group(cls=_Ways, invoke_without_command=True)
@click.option(
    "--recipient",
    metavar="ADDRESS",
    envvar=["ORIGINAL_RECIPIENT", "RECIPIENT"],
    help="The envelope's recipient. By default the variable ORIGINAL_RECIPIENT or RECIPIENT, else the headers.",
)
@click.option(
    "--sender", metavar="ADDRESS", help="The envelope's sender; may be empty. By default the Return-Path header."
)
@click.option("--explain", is_flag=True, help="Only say what the message is and what would follow. Changes nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --explain: print JSON on one line.")
@pass_installation
@click.pass_context
def inbound(
    context: click.Context,
    installation: Installation,
    recipient: str | None,
    sender: str | None,
    explain: bool,
    as_json: bool,
) -> None:
    """Read one message from standard input, as a mail server's pipe delivers it.

    A message to the unsubscribe address takes its sender off that list, what comes back ends mail to addresses that
    are gone, and what a person wrote is forwarded if MAILER_FORWARD_REPLIES_TO is set. Nothing is ever answered. If the
    database or a setting is missing, the exit code is 75, and mail servers try again later.
    """
    if context.invoked_subcommand is not None:
        return
    if as_json and not explain:
        raise click.UsageError("--json goes with --explain")
    message = _read()
    if explain:
        _explain(installation, message, recipient, sender, as_json=as_json)
        return
    logs.configure(json=not sys.stderr.isatty())
    try:
        addresses = installation.settings.own_addresses
        if not addresses.has_address_to_leave:
            # Without it, every wish to leave would be dropped unnoticed.
            raise ConfigurationError("MAILER_UNSUBSCRIBE_ADDRESS", "must be set, with {token} in it", _EXAMPLE)
        receiving.receive(
            installation.session, message, addresses=addresses, source=Source.PIPE, recipient=recipient, sender=sender
        )
    except (MailerError, ConfigurationError) as problem:
        # None of these is the message's fault, and on any other code a mail server would send it back to its writer.
        click.echo(f"mailer: {problem}", err=True)
        sys.exit(os.EX_TEMPFAIL)


def _explain(
    installation: Installation, message: bytes, recipient: str | None, sender: str | None, *, as_json: bool
) -> None:
    """Say what a message is. It needs keys, and no database."""
    addresses = installation.settings.own_addresses
    feedback = receiving.recognise(message, addresses=addresses, recipient=recipient, sender=sender)
    if as_json:
        click.echo(json.dumps(explaining.as_json(feedback), ensure_ascii=False))
        return
    for sentence in explaining.sentences(feedback, goes_on=bool(addresses.answers_go_to.addresses)):
        click.echo(sentence)


def _read() -> bytes:
    """The beginning of the message, which has its headers."""
    message = sys.stdin.buffer.read(receiving.MAX_BYTES)
    while sys.stdin.buffer.read(_CHUNK):
        continue  # a mail server may take it for a failure when nobody reads the rest
    return message
