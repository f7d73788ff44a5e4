"""Waking the workers after a command."""

import click

from mailer.cli.installation import Installation
from mailer.errors import ConfigurationError
from mailer.operations import queue
from mailer.operations.queue import RedisUnavailable


def ring(installation: Installation, campaign_id: int, *, first: bool = False) -> None:
    """Tell the workers that a campaign has mail to send; without Redis they find it by themselves, only later.

    :param first: before every other: somebody waits for it.
    """
    try:
        connection = queue.connect(installation.settings.redis_url)
        queue.ring(connection, campaign_id, first=first)
        connection.close()
    except (RedisUnavailable, ConfigurationError) as problem:
        click.echo(f"Warning: {problem} Workers will find it within half a minute.", err=True)
