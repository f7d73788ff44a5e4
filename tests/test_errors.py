"""Every error can be said."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from inspect import getdoc
from string import Formatter

import mailer
from mailer.errors import MailerError


def kinds_of(error: type[MailerError]) -> Iterator[type[MailerError]]:
    for kind in error.__subclasses__():
        yield kind
        yield from kinds_of(kind)


def test_the_message_of_every_error_takes_words() -> None:
    for module in pkgutil.walk_packages(mailer.__path__, "mailer."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    errors = [*kinds_of(MailerError)]
    assert len(errors) > 100
    for error in errors:
        parsed = [(words, name) for words, name, *_ in Formatter().parse(getdoc(error) or "")]
        fields = [name for _, name in parsed if name]
        said = MailerError.__new__(error)
        MailerError.__init__(said, **dict.fromkeys(fields, "some words"))
        assert str(said).count("{") == sum(words.count("{") for words, _ in parsed), error
