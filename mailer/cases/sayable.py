"""What of a case may stand where everybody reads it: words for a reader, and none that its `never` forbids.

A case's file is searched when it is loaded, but what an organiser said of a stop is not, and `never` may have grown
since: so it is asked once more here.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mailer.cases.never import Never
from mailer.locale import languages
from mailer.store.models import Case

_NO_FALLBACKS: Mapping[str, Sequence[str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Words:
    """Words, and the language that they are in."""

    language: str
    text: str


class Sayable:
    """What may be said of a case."""

    def __init__(self, case: Case | None) -> None:
        """:param case: none for a campaign without one, of which everything may be said."""
        self._never = tuple(case.never) if case is not None else ()

    def may_say(self, *texts: str) -> bool:
        """Whether nothing that must not appear stands in any of some texts."""
        return not self._never or _may_say(self._never, texts)

    def choose(
        self, words: Mapping[str, str], language: str, fallbacks: Mapping[str, Sequence[str]] = _NO_FALLBACKS
    ) -> Words | None:
        """Of words in several languages, those for a reader; None where there are none that may be said.

        :param words: that say the same: what must not appear in one of them is kept in none.
        :param fallbacks: as `languages.nearest` takes them.
        """
        if not words or not self.may_say(*words.values()):
            return None
        tag = nearest(language, words, fallbacks)
        return Words(tag, words[tag])


# A link in a hundred thousand mails is followed by many at once, and a page may name a whole parliament.
@functools.lru_cache(maxsize=4096)
def _may_say(never: tuple[str, ...], texts: tuple[str, ...]) -> bool:
    return not Never(never).holds(*texts)


def nearest(
    language: str, offered: Mapping[str, object], fallbacks: Mapping[str, Sequence[str]] = _NO_FALLBACKS
) -> str:
    """The language in which to tell a reader of another one: the nearest, else English, else whichever there is.

    :param offered: by language; at least one.
    """
    return languages.nearest(language, offered, fallbacks) or ("en" if "en" in offered else next(iter(offered)))
