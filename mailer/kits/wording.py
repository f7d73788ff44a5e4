"""The words of a kit: in whose name it is, and a campaign's text with nothing left open in it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mailer.cases.targets import Target
from mailer.locale import languages
from mailer.mail.render import printable
from mailer.mail.types import Pieces, Slot
from mailer.store.models import Union

#: a first paragraph of this length with a name in it is a salutation
_SALUTATION_CHARACTERS = 80

#: what begins a text, and is written as it is: a link or an e-mail address
_LINK = re.compile(r"\S+(://|@)")
#: whose capital of i is İ (Unicode, SpecialCasing)
_DOTTED_CAPITALS = frozenset({"az", "tr"})


@dataclass(frozen=True, slots=True)
class Forwarder:
    """In whose name a kit is."""

    union_id: int | None  # None: for everybody who has no kit of their own
    name: str | None  # None, like all below but the country, for one that asked not to be named
    slug: str | None
    country: str | None
    introductions: Mapping[str, str]  # language → its own words to its members, paragraphs at empty lines
    logo: bytes | None  # PNG

    @classmethod
    def of(cls, union: Union | None) -> "Forwarder":
        """Who forwards a union's kit; without a union, of the kit for everybody else."""
        if union is None:
            return cls(None, None, None, None, {}, None)
        if not union.is_named:
            return cls(union.id, None, None, union.country, {}, None)
        return cls(union.id, union.name, union.slug, union.country, union.introductions, union.logo)

    def introduction(self, language: str) -> tuple[str, ...]:
        """Its own words in a language, or in what that is a form of, as paragraphs; none where it wrote none."""
        written = {tag: words for tag, words in self.introductions.items() if words}
        return tuple(paragraphs_of(clean(written.get(languages.nearest(language, written) or "", ""))))


@dataclass(frozen=True, slots=True, kw_only=True)
class KitText:
    """A campaign's text for the members of a union: nothing in it is left open."""

    language: str
    title: str
    lead: str
    html: str
    text: str
    prose: tuple[str, ...]  # the paragraphs that it begins with
    call: str | None  # until when to act
    stop: str | None  # that nobody should act any more
    target: Target | None
    letters: Mapping[str, str]  # those to copy: name of the file → text
    web_url: str | None
    join_url: str


def is_salutation(pieces: Pieces) -> bool:
    words = sum(len(piece) for piece in pieces if isinstance(piece, str))
    return "name" in _fields(pieces) and words <= _SALUTATION_CHARACTERS


def capitalised(pieces: Pieces, language: str) -> Pieces:
    """A paragraph that begins a text: behind a salutation some languages go on with a small letter."""
    if not pieces or not isinstance(begin := pieces[0], str) or _LINK.match(begin):
        return pieces
    dotted = begin.startswith("i") and language.partition("-")[0] in _DOTTED_CAPITALS
    return (("İ" if dotted else begin[:1].title()) + begin[1:], *pieces[1:])


def names_target(pieces: Pieces) -> bool:
    return any(field.startswith("target_") for field in _fields(pieces))


def _fields(pieces: Pieces) -> set[str]:
    return {piece.field for piece in pieces if isinstance(piece, Slot)}


def addressee(target: Target | None) -> tuple[str, ...]:
    if target is None:
        return ()
    ways = (target.name, *target.address.splitlines(), target.email, target.url if not target.email else "")
    return tuple(filter(None, map(one_line, ways)))


def paragraphs_of(text: str) -> Iterable[str]:
    """What stands between empty lines, with its own line ends."""
    paragraph: list[str] = []
    for line in (*text.splitlines(), ""):
        if line := line.strip():
            paragraph.append(line)
        elif paragraph:
            yield "\n".join(paragraph)
            paragraph = []


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def clean(text: str) -> str:
    """Without the characters that no mail and no paper can show."""
    return "".join(piece for piece in printable((text,)) if isinstance(piece, str))
