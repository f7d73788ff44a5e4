"""What the commands that stop, close and withdraw share: words in several languages, and what they say."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from mailer.cases import history
from mailer.cli.hints import typed
from mailer.locale import languages
from mailer.locale.languages import InvalidLanguage
from mailer.store.db import DatabaseUnavailable

#: LANG and TEXT, as often as they were given
Translations = Sequence[tuple[str, str]]


def words_options(name: str, what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options `--NAME TEXT` and `--NAME-in LANG TEXT`.

    :param what: they say, in words.
    """
    one = click.option(f"--{name}", metavar="TEXT", help=f"{what}, as everybody will read it.")
    more = click.option(
        f"--{name}-in",
        metavar="LANG TEXT",
        type=(str, str),
        multiple=True,
        help="The same in another language. May be repeated.",
    )
    return lambda command: one(more(command))


def require_why(why: str | None, why_in: Translations) -> None:
    """:raises click.UsageError: nothing was said."""
    if why is None and not why_in:
        raise click.UsageError('Say why: --why "Letters now put her in danger."')


def by_language(text: str | None, language: str, more: Translations) -> dict[str, str]:
    """Words by language, each in one line. Those in what is no language are left out: `warn` says so.

    :param language: of the first.
    """
    words = {language: history.line(text or "")}
    for tag, each in more:
        if (known := _language(tag)) is not None:
            words[known] = history.line(each)
    return {tag: each for tag, each in words.items() if each}


def _language(tag: str) -> str | None:
    try:
        return languages.parse(tag)
    except InvalidLanguage:
        return None


def tell(said: Mapping[str, str], shown: Mapping[str, str], more: Translations, *, command: str, what: str) -> None:
    """Say in which languages words are shown, or that they are not.

    :param said: language → words.
    :param shown: likewise, those that may be shown.
    :param command: that gives others.
    :param what: they are, such as "reason".
    """
    if shown:
        click.echo(f"The {what} is shown in: {', '.join(sorted(shown))}.")
    elif said:
        click.echo(
            f"Warning: the {what} is kept in the history, but shown nowhere: a word stands in it that must not appear, "
            f"as the case's `never` says. To give another: {typed(command)}",
            err=True,
        )
    for tag, _words in more:
        if _language(tag) is None:
            click.echo(
                f'Warning: "{tag}" is no language, so that text is shown nowhere. Give it again: {typed(command)}',
                err=True,
            )


def say_again(problem: DatabaseUnavailable) -> None:
    """Say that something is tried again."""
    click.echo(f"Warning: {problem} It is tried again.", err=True)


def in_words(slugs: Sequence[str]) -> str:
    """What was paused, in a sentence."""
    return f"Paused: {', '.join(slugs)}." if slugs else "No campaign that it would pause is under way or scheduled."


def tell_those_who_have_it(slugs: Sequence[str]) -> None:
    """Say how to reach those who have the mails of some campaigns.

    :param slugs: of those that went out.
    """
    if slugs:
        got = ", ".join(f'"{slug}"' for slug in slugs)
        click.echo(
            f"What was mailed cannot be called back. To tell those who have it, send a campaign with these in its "
            f'campaign.toml: kind = "stop", and below [audience] got = [{got}]'
        )
