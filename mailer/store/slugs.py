"""Slugs: the short names by which lists, unions and campaigns are told apart in files, links and commands."""

import re

from mailer.errors import MailerError

MAX_LENGTH = 80

_FORM = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)


class InvalidSlug(MailerError):
    """ "{text}" cannot be a short name: use up to 80 lowercase letters, digits and single hyphens between them,
    such as urgent-actions."""


def check(text: str) -> str:
    """Give a slug back if it is one.

    :raises InvalidSlug: it has another form.
    """
    if len(text) > MAX_LENGTH or not _FORM.fullmatch(text):
        raise InvalidSlug(text=text)
    return text
