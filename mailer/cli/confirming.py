"""Asking before what cannot be taken back: once, and only where somebody sits at a terminal."""

import sys

import click

from mailer.errors import MailerError

yes_option = click.option("--yes", is_flag=True, help="Do not ask. Without a terminal nothing is asked anyway.")


class Declined(MailerError):
    """Nothing was done."""


def is_to_ask(*, yes: bool) -> bool:
    """Whether somebody is there to answer, and did not say yes already."""
    return not yes and sys.stdin.isatty()


def ask(question: str) -> None:
    """Go on only with a yes. No transaction may be open: others would wait for the answer.

    :raises Declined: they said no.
    """
    if not click.confirm(question, err=True):
        raise Declined
