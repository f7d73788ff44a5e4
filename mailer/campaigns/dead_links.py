"""Dead links: what a text asks people to press, and leads nowhere where their target has no such address."""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mailer.cases.targets import Target
from mailer.mail import dialect, markdown
from mailer.mail.fields import Place
from mailer.mail.markers import Markers, written
from mailer.mail.merge import fill
from mailer.mail.types import Pieces

#: whom a link is to, without what the letter begins with
_TO = re.compile(r"(mailto|tel):([^?]*)", re.IGNORECASE)
#: as much of an address as keeps "no e-mail address" from being one
_MAIL = re.compile(r"[^\s@]+@[^\s@]+")


@dataclass(frozen=True, slots=True)
class Link:
    """A link to whomever a field names."""

    written: str  # as it stands in the text
    line: int  # of the file
    field: str  # the first one in it
    to: Pieces
    is_mail: bool  # or to a telephone number

    def is_dead(self, target: Target) -> bool:
        """Whether it leads nowhere for people who have this target."""
        to = fill(self.to, target.values)
        if not self.is_mail:
            return not any(map(str.isdigit, to))
        named = [address.strip() for address in to.split(",") if address.strip()]
        return not named or not all(map(_MAIL.fullmatch, named))


@functools.lru_cache(maxsize=256)  # whoever checks a campaign asks several times, and sends it a moment later
def links(parts: tuple[str | Place, ...]) -> tuple[Link, ...]:
    """The links in one wording of a body, which is Markdown, that lead where a field says."""
    return tuple(_links(parts))


def _links(parts: Sequence[str | Place]) -> Iterator[Link]:
    markers = Markers()
    places: list[Place] = []
    mail_fields: set[str] = set()
    marked = ""
    for part in parts:
        if isinstance(part, str):
            marked += part
        elif part.slot is not None:
            # Each slot is called by its number, and so tells on which line it stands.
            number = str(len(places))
            places.append(part)
            mail_fields |= {number} if part.slot.field in dialect.MAIL_FIELDS else set()
            marked += markers.mark((replace(part.slot, field=number),))
    tokens = dialect.reader(as_written=True).parse(marked, {"markers": markers, "mail_fields": mail_fields})
    for token in markdown.flattened(tokens):
        to = _TO.match(str(token.attrs.get("href", ""))) if token.type == "link_open" else None
        if to and (link := _link(to, markers, places)):
            yield link


def _link(to: re.Match[str], markers: Markers, places: Sequence[Place]) -> Link | None:
    numbered = markers.cut(to[2])
    pieces = tuple(piece if isinstance(piece, str) else places[int(piece.field)].slot or "" for piece in numbered)
    first = next((places[int(piece.field)] for piece in numbered if not isinstance(piece, str)), None)
    if first is None or first.slot is None:
        return None
    shown = "".join(piece if isinstance(piece, str) else written(piece) for piece in pieces)
    return Link(f"{to[1]}:{shown}", first.line, first.slot.field, pieces, is_mail=to[1].lower() == "mailto")
