"""The `mailer` command: one module a group, one domain call a command."""

import sys
from importlib import import_module
from typing import Any

import click

from mailer.errors import ConfigurationError, MailerError

#: command name → where it is; a module is imported only when its command is asked for, so that each starts fast
_COMMANDS = {
    "campaigns": "mailer.cli.campaigns:campaigns",
    "catcher": "mailer.cli.catcher:catcher",
    "db": "mailer.cli.db:db",
    "demo": "mailer.cli.demo:demo",
    "keys": "mailer.cli.keys:keys",
    "lists": "mailer.cli.lists:lists",
    "run": "mailer.cli.run:run",
    "subscribers": "mailer.cli.subscribers:subscribers",
    "unions": "mailer.cli.unions:unions",
    "worker": "mailer.cli.worker:worker",
}


class _Commands(click.Group):
    """Loads commands on demand and turns errors into one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (MailerError, ConfigurationError) as error:
            click.echo(f"mailer: {error}", err=True)
            sys.exit(error.exit_code)


@click.group(cls=_Commands)
@click.version_option(package_name="tocsin", prog_name="mailer")
def main() -> None:
    """Tocsin: urgent-action e-mail for solidarity campaigns.

    Exit codes: 0 done, 1 the request was refused, 2 wrong usage, 3 a service is missing.
    """
