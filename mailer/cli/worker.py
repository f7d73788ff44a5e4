"""`mailer worker`: send what is due."""

import os
import sys

import click


@click.command()
def worker() -> None:
    """Send the mail that is due, until told to stop. Start as many workers as you like, on as many machines.

    On SIGTERM or Ctrl-C, it finishes the messages that it has begun, and ends within seconds.
    """
    os.execv(sys.executable, [sys.executable, "-m", "workers"])  # noqa: S606  # the same program, under its own name
