"""`mailer inbound status`: how much came in and could not be read; the messages themselves are in `inbound_unread`."""

import json

import click
from rich.console import Console
from rich.table import Table

from mailer.cli.hints import typed
from mailer.cli.inbound_unread import NONE_IS_KEPT, NONE_IS_TO_BE_KEPT
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import json_option
from mailer.cli.tables import print_table
from mailer.people import unread as messages
from mailer.people.unread import Unread
from mailer.reports import unread
from mailer.store.db import utctoday

_WORDS = {
    Unread.NO_MESSAGE: "no message at all, or one that was cut off",
    Unread.NOT_OURS: "came back, or complains, and nothing proves of which mail of ours",
    Unread.NO_REASON: "came back, in words that no rule knows",
    Unread.FORGED: "asks to leave, with a token that nobody signed",
    Unread.OTHER: "nothing that is known",
}


@click.command()
@json_option
@pass_installation
def status(installation: Installation, as_json: bool) -> None:
    """Show how much came in that could not be read, this month and the last, and why: numbers alone.

    The messages themselves, where some are kept: mailer inbound unread list. Whether mail comes in at all: mailer
    inbound try.
    """
    with installation.session(read_only=True) as session:
        months = unread.count(session, today=utctoday())
        kept = messages.number_kept(session)
    if as_json:
        found = {each.month: {why.value: number for why, number in each.numbers.items()} for each in months}
        click.echo(json.dumps({"unread": found}))
        return
    table = Table()
    table.add_column("what it is")
    for each in months:
        table.add_column(each.month, justify="right")
    for why, words in _WORDS.items():
        table.add_row(words, *(f"{each.numbers[why]:,}" for each in months))
    print_table(Console(highlight=False, emoji=False), "How much could not be read", table)
    if kept:
        click.echo(typed(f"Of these, {kept:,} are kept as they came. Show which: mailer inbound unread list"))
    else:
        click.echo(NONE_IS_KEPT if installation.settings.keep_unread_days else NONE_IS_TO_BE_KEPT)
    click.echo(typed("This does not say whether mail comes in at all. To try that: mailer inbound try"))
