"""What a rule is by which words of mail servers are understood; the rules themselves are in `rules_*.py`."""

import re
from dataclasses import dataclass
from functools import cached_property

from mailer.mail.feedback.types import Category


@dataclass(frozen=True)
class Rule:
    """Words that mean something, in the form that `meanings.plain` makes: lower case, ¤ for an address.

    Each has an example of our own wording, which a test reads.
    """

    category: Category
    pattern: str  # searched for
    example: str
    unless: str = ""  # other words that take the meaning away
    status: str = ""  # an enhanced status code (RFC 3463) must be there that fits
    is_weak: bool = False  # an enhanced status code that says something else counts for more

    def fits(self, text: str, status: str) -> bool:
        """Whether a text says this.

        :param status: enhanced status code, "" without one.
        """
        if self.status and not re.match(self.status, status):
            return False
        return self._words.search(text) is not None and not (self.unless and self._others.search(text))

    @cached_property
    def _words(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    @cached_property
    def _others(self) -> re.Pattern[str]:
        return re.compile(self.unless)
