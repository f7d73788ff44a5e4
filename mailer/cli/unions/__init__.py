"""`mailer unions`: the directory of unions, affiliation and contacts, and what forwarding brought."""

import click

from mailer.cli.unions import affiliation, directory, report


@click.group()
def unions() -> None:
    """Record trade unions and federations, affiliate them, and invite their contacts."""


for command in (*directory.COMMANDS, *affiliation.COMMANDS, *report.COMMANDS):
    unions.add_command(command)
