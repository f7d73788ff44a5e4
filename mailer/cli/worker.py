"""`mailer worker`: send what is due."""

import os
import sys

import click


@click.command()
def worker() -> None:
    """Send what is due, until told to stop. Start as many as you like, on as many machines.

    SIGTERM and Ctrl-C let a message that was begun finish, and end within seconds.
    """
    os.execv(sys.executable, [sys.executable, "-m", "workers"])  # noqa: S606  # the same program, under its own name
