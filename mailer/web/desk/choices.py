"""What several pages offer to choose from: languages, lists and cases, by their names."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.cases import cases
from mailer.cases.sayable import Sayable
from mailer.locale import languages
from mailer.people import lists
from mailer.web.language import current


@dataclass(frozen=True, slots=True)
class Language:
    """A language that may be chosen."""

    tag: str
    name: str  # as those who look call it
    own_name: str  # as those who speak it do


def every_language() -> Sequence[Language]:
    """All languages that are likely to be written in, by their names for whoever looks."""
    return _languages(current())


@functools.lru_cache(maxsize=32)
def _languages(reader: str) -> Sequence[Language]:
    names = languages.locale(reader).languages
    found = [
        Language(tag, names.get(tag.replace("-", "_"), tag), languages.name(tag)) for tag in languages.written_ones()
    ]
    return sorted(found, key=lambda each: each.name.casefold())


def every_list(session: Session) -> Sequence[tuple[str, str]]:
    """Slug and name of every list, by their names."""
    return sorted(((each.slug, each.name) for each in lists.all_lists(session)), key=lambda each: each[1].casefold())


def every_case(session: Session) -> Sequence[tuple[str, str]]:
    """Slug of every case, and what it is called: by its slug, but for those in whose slugs a word stands that must not
    appear."""
    slugs = [each.slug for each in cases.all_cases(session) if Sayable(each).may_say(each.slug)]
    return [(slug, slug) for slug in sorted(slugs)]
