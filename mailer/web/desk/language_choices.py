"""Languages to choose from, by their names."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from mailer.locale import languages
from mailer.web.language import current


@dataclass(frozen=True, slots=True)
class Choice:
    """A language that may be chosen."""

    tag: str
    name: str  # as those who look call it
    own_name: str  # as those who speak it do


def every() -> Sequence[Choice]:
    """All languages that are likely to be written in, by their names for whoever looks."""
    return _every(current())


@functools.lru_cache(maxsize=32)
def _every(reader: str) -> Sequence[Choice]:
    names = languages.locale(reader).languages
    found = [
        Choice(tag, names.get(tag.replace("-", "_"), tag), languages.name(tag)) for tag in languages.written_ones()
    ]
    return sorted(found, key=lambda each: each.name.casefold())
