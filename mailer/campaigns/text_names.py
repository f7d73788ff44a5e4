"""Names of what is written for a campaign, as its folder calls the files: a text by its language, a letter by its role,
too."""

import re
from typing import NamedTuple

from mailer.locale import languages
from mailer.store.models import TargetRole

_LETTER = re.compile(r"letter-(?P<role>[a-z]+)\.(?P<language>[^.]+)")


class NoRole(ValueError):
    """A letter is named after no role."""


class TextName(NamedTuple):
    """Which of a campaign's texts and letters one is."""

    language: str
    role: TargetRole | None = None  # to whom a letter is; None for what mails say

    @property
    def stem(self) -> str:
        """Its file, without what that ends in."""
        return f"letter-{self.role}.{self.language}" if self.role else self.language

    @property
    def file(self) -> str:
        """The file that it is written in."""
        return f"{self.stem}.md"

    def source(self, language: str) -> "TextName":
        """What it is translated from.

        :param language: the campaign's own.
        """
        return self._replace(language=language)

    @classmethod
    def parse(cls, stem: str) -> "TextName":
        """Read the name of a file, without what that ends in.

        :raises languages.InvalidLanguage: a language is none.
        :raises NoRole: it is no letter's name, though it begins as one.
        """
        if not stem.startswith("letter-"):
            return cls(languages.normalise(stem))
        found = _LETTER.fullmatch(stem)
        if not found or found["role"] not in set(TargetRole):
            raise NoRole
        return cls(languages.normalise(found["language"]), TargetRole(found["role"]))
