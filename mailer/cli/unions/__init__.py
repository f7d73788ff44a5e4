"""`mailer unions`: the directory of unions, affiliation and contacts, and what forwarding brought."""

import click

from mailer.cli.unions import affiliation, directory, report


@click.group()
def unions() -> None:
    """Trade unions and the federations above them: what is known of them, and whom they name as contacts."""


for command in (*directory.COMMANDS, *affiliation.COMMANDS, *report.COMMANDS):
    unions.add_command(command)
