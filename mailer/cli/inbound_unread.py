"""`mailer inbound unread`: messages that nobody could tell what they are."""

import json

import click

from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import json_lines_option, json_option
from mailer.people import unread as messages

NONE_IS_KEPT = "None is kept now."
NONE_IS_TO_BE_KEPT = "None is kept: MAILER_INBOUND_KEEP_UNREAD_DAYS is not set."


@click.group()
def unread() -> None:
    """Messages that could not be understood, themselves. MAILER_INBOUND_KEEP_UNREAD_DAYS says for how long they are
    kept; without it none is. How many there were, kept or not: mailer inbound status.
    """


@unread.command("list")
@json_lines_option
@pass_installation
def list_(installation: Installation, as_json: bool) -> None:
    """Show which are kept: the ID of each, the day on which it came, and what it seems to be."""
    with installation.session(read_only=True) as session:
        found = messages.kept(session)
        for each in found:
            facts = {"id": messages.name_of(each), "day": each.day.isoformat(), "kind": each.kind.value}
            click.echo(json.dumps(facts) if as_json else "  ".join(facts.values()))
    if not found and not as_json:
        click.echo(NONE_IS_KEPT if installation.settings.keep_unread_days else NONE_IS_TO_BE_KEPT)
        click.echo(typed("How many there were: mailer inbound status"))


@unread.command()
@click.argument("id_", metavar="ID")
@json_option
@pass_installation
def show(installation: Installation, id_: str, as_json: bool) -> None:
    """Print the header and the words of one. It may name people: pass it on to nobody."""
    with installation.session(read_only=True) as session:
        found = messages.find(session, id_)
        words = found.words
        facts = {"id": messages.name_of(found), "day": found.day.isoformat(), "kind": found.kind.value, "words": words}
    click.echo(json.dumps(facts) if as_json else _for_a_terminal(words))


def _for_a_terminal(words: str) -> str:
    """Words of strangers, who may command a terminal by control characters."""
    return "".join(char for char in words if char == "\n" or char.isprintable())
