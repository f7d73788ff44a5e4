"""The relay edition: a campaign as a union passes it on to its members, in which nothing belongs to one person.

It is for a reader of whom nothing is known but what is known of the union. No name: its default stands. The union's
country, and the target for it. The union's name, unless it asked not to be named. Where a text prints something that
has neither value nor default, "…" stands, as on the web: whoever forwards it sees where to fill something in.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer import links
from mailer.campaigns.editions import EditionKey, Press
from mailer.campaigns.targets import Target, Targets
from mailer.formats.paper import sheets
from mailer.formats.paper.sheets import Sheet, UnprintableLanguage
from mailer.locale import countries, languages, translations
from mailer.mail import draft, markdown, plain_text
from mailer.mail.markers import Markers
from mailer.mail.merge import fill
from mailer.mail.render import Relay, printable
from mailer.mail.sender import Sender
from mailer.mail.types import Pieces, Slot
from mailer.store.models import Campaign, Union

#: what the messenger texts may have, links included
SHORT_CHARACTERS = 280
MEDIUM_CHARACTERS = 1000

#: a first paragraph of this length with a name in it is a salutation
_SALUTATION_CHARACTERS = 80
#: what is too short to be worth a cut sentence
_FEWEST_CHARACTERS = 80
_FEWEST_OF_TITLE = 40

#: what begins a text, and is written as it is: a link or an e-mail address
_LINK = re.compile(r"\S+(://|@)")
#: whose capital of i is İ (Unicode, SpecialCasing)
_DOTTED_CAPITALS = frozenset({"az", "tr"})

_BLANK = "…"
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Bearer:
    """In whose name a kit is."""

    union_id: int | None  # None: for everybody who has no kit of their own
    name: str | None  # None, like all below but the country, for one that asked not to be named
    slug: str | None
    country: str | None
    introductions: Mapping[str, str]  # language → its own words to its members, paragraphs at empty lines
    logo: bytes | None  # PNG

    @classmethod
    def of(cls, union: Union | None) -> "Bearer":
        """The bearer of a union's kit; without a union, of the kit for everybody else."""
        if union is None:
            return cls(None, None, None, None, {}, None)
        if not union.is_named:
            return cls(union.id, None, None, union.country, {}, None)
        return cls(union.id, union.name, union.slug, union.country, union.introductions, union.logo)

    def introduction(self, language: str) -> tuple[str, ...]:
        """Its own words in a language, or in what that is a form of, as paragraphs; none where it wrote none."""
        written = next((words for form in languages.forms(language) if (words := self.introductions.get(form))), "")
        return tuple(_paragraphs(_clean(written)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relayed:
    """A campaign's text for the members of a union: nothing in it is left open."""

    language: str
    title: str
    lead: str
    html: str
    text: str
    prose: tuple[str, ...]  # the paragraphs that it begins with
    call: str | None  # until when to act
    target: Target | None
    web_url: str | None
    join_url: str


class RelayPress:
    """Makes what kits hold of one campaign. Holds no session: what it needs is read when it is made."""

    def __init__(self, session: Session, campaign: Campaign, sender: Sender) -> None:
        self._press = Press(session, campaign, sender)
        self._targets = Targets.of(campaign)
        self._sender = sender
        self.languages: list[str] = self._press.languages

    def files(self, bearer: Bearer, language: str) -> dict[str, bytes]:
        """The files of a kit in one language, by name.

        A language that our fonts have no letters for lacks what is on paper: leaflet.pdf and picture.png.

        :param language: one of `languages`.
        :raises editions.Unrenderable: the campaign's text, with what the union adds, cannot be made into a mail.
        """
        relayed = self._relay(bearer, language)
        mail = draft.write(subject=relayed.title, text=relayed.text, html=relayed.html, language=relayed.language)
        return {
            "mail.eml": mail,
            "mail.html": relayed.html.encode("utf-8", "replace"),
            "mail.txt": _text_file(relayed.text),
            "messenger-short.txt": _text_file(_short(relayed)),
            "messenger-medium.txt": _text_file(_medium(relayed, self._sender.organisation)),
            **self._on_paper(relayed, bearer),
        }

    def _relay(self, bearer: Bearer, language: str) -> _Relayed:
        key = self._press.choose((language, bearer.country, bearer.union_id if bearer.name else None))
        target = self._targets.for_country(bearer.country)
        values = {
            "country": countries.name(bearer.country, language) if bearer.country else "",
            "union": bearer.name or "",
            **(target.values if target else {}),
        }
        join_url = self._join_url(bearer, language)
        name = _line(bearer.name) if bearer.name else None
        rendering = self._press.render(key, relay=Relay(name, bearer.introduction(language), join_url))
        deadline = self._press.deadline(language)
        return _Relayed(
            language=language,
            title=_line(fill(rendering.subject, values, blank=_BLANK)),
            lead=_line(fill(self._press.wording(key)[1], values, blank=_BLANK)),
            html=fill(rendering.html, values, blank=_BLANK),
            text=fill(rendering.text, values, blank=_BLANK),
            prose=tuple(fill(paragraph, values, blank=_BLANK) for paragraph in self._prose(key)),
            call=translations.gettext_for(language)("Act by {date}").format(date=deadline) if deadline else None,
            target=target,
            web_url=self._press.web_url(language),
            join_url=join_url,
        )

    def _join_url(self, bearer: Bearer, language: str) -> str:
        """Where a reader signs up: it says through which union, if that is named, and never who."""
        page = f"/join/{bearer.slug}" if bearer.slug else "/"
        return f"{self._sender.base_url}{links.prefix(language)}{page}"

    def _prose(self, key: EditionKey) -> list[Pieces]:
        """The paragraphs that a text begins with, without its salutation, up to where it says whom to write to."""
        markers = Markers()
        language, _outcomes = key
        _subject, _preheader, body = self._press.wording(key)
        tokens = markdown.read(markers.mark(printable(body)), markers)
        paragraphs = [markers.cut(paragraph) for paragraph in plain_text.prose(tokens, markers)]
        if paragraphs and _is_salutation(paragraphs[0]):
            del paragraphs[0]
            paragraphs[:1] = [_capitalised(pieces, language) for pieces in paragraphs[:1]]
        addressing = (number for number, pieces in enumerate(paragraphs) if number and _names_target(pieces))
        return paragraphs[: next(addressing, None)]

    def _on_paper(self, relayed: _Relayed, bearer: Bearer) -> dict[str, bytes]:
        _ = translations.gettext_for(relayed.language)
        sheet = Sheet(
            language=relayed.language,
            direction=languages.direction(relayed.language),
            title=relayed.title,
            lead=relayed.lead,
            paragraphs=relayed.prose,
            call=relayed.call,
            write_to=_("Write to:"),
            addressee=_addressee(relayed.target),
            invitation=_("Get the next alert yourself"),
            join_url=relayed.join_url,
            signature=self._sender.organisation,
            union=bearer.name,
            logo=bearer.logo,
        )
        try:
            return {"leaflet.pdf": sheets.leaflet(sheet), "picture.png": sheets.picture(sheet)}
        except UnprintableLanguage:
            return {}


def _is_salutation(pieces: Pieces) -> bool:
    words = sum(len(piece) for piece in pieces if isinstance(piece, str))
    return "name" in _fields(pieces) and words <= _SALUTATION_CHARACTERS


def _capitalised(pieces: Pieces, language: str) -> Pieces:
    """A paragraph that begins a text: behind a salutation some languages go on with a small letter."""
    if not pieces or not isinstance(begin := pieces[0], str) or _LINK.match(begin):
        return pieces
    dotted = begin.startswith("i") and language.partition("-")[0] in _DOTTED_CAPITALS
    return (("İ" if dotted else begin[:1].title()) + begin[1:], *pieces[1:])


def _names_target(pieces: Pieces) -> bool:
    return any(field.startswith("target_") for field in _fields(pieces))


def _fields(pieces: Pieces) -> set[str]:
    return {piece.field for piece in pieces if isinstance(piece, Slot)}


def _addressee(target: Target | None) -> tuple[str, ...]:
    if target is None:
        return ()
    return tuple(filter(None, map(_line, (target.name, *target.address.splitlines(), target.email))))


# --- messengers -----------------------------------------------------------------------------------------------------
# A link stands on a line of its own: there it is shown as it is written, whichever way the words around it run, and
# no isolate has to stand beside it, which some messengers would take for a part of the link.


def _short(relayed: _Relayed) -> str:
    """For a post or a text message: the title, until when, and where one can read more, or else whom to write to, and
    join. A link is never shortened."""
    web, join = _links(relayed)
    for rest in (
        [relayed.call, web or _written_to(relayed), join],
        [relayed.call, join],
        [relayed.call, relayed.join_url],
        [relayed.join_url],
    ):
        lines = [line for line in rest if line]
        room = SHORT_CHARACTERS - len("\n".join(["", *lines]))
        if room >= min(_FEWEST_OF_TITLE, len(relayed.title)):
            break
    return "\n".join(filter(None, [_shortened(relayed.title, room), *lines]))


def _links(relayed: _Relayed) -> tuple[str | None, str]:
    """Where one can read more, and join."""
    _ = translations.gettext_for(relayed.language)
    read_more, join = _("Read more:"), _("Get the next alert yourself:")
    return f"{read_more}\n{relayed.web_url}" if relayed.web_url else None, f"{join}\n{relayed.join_url}"


def _written_to(relayed: _Relayed) -> str | None:
    """Whom to write to."""
    _, target = translations.gettext_for(relayed.language), relayed.target
    return "\n".join(filter(None, [_("Write to:"), _line(target.name), _line(target.email)])) if target else None


def _medium(relayed: _Relayed, organisation: str) -> str:
    """For a messenger: what happened, whom to write to and until when, and where it goes on."""
    rest = [
        relayed.call,
        _written_to(relayed),
        *_links(relayed),
        _line(organisation),
    ]
    end = [block for block in rest if block]
    room = MEDIUM_CHARACTERS - len("\n\n".join(["", *end]))
    begin = [_bold(_shortened(relayed.title, room - 2))]
    for paragraph in (relayed.lead, *relayed.prose):
        room_left = room - len("\n\n".join([*begin, ""]))
        if len(paragraph) > room_left:
            if len(begin) <= 2 and room_left >= _FEWEST_CHARACTERS:
                begin.append(_shortened(paragraph, room_left))
            break
        begin.append(paragraph)
    return "\n\n".join(filter(None, [*begin, *end]))


def _bold(title: str) -> str:
    """Bold in WhatsApp; elsewhere the stars set a title off as well."""
    return title if not title or "*" in title else f"*{title}*"


def _shortened(text: str, most: int) -> str:
    """At most so many characters, cut between words where there are any."""
    if len(text) <= most:
        return text
    if most < 2:
        return ""
    cut = text[: most - 1]
    whole_words = cut if text[most - 1].isspace() else cut.rpartition(" ")[0]
    return f"{(whole_words or cut).rstrip(' ,;:.–—-')}…"


# --- plain text -----------------------------------------------------------------------------------------------------


def read_text(content: bytes) -> str:
    """What a .txt file of a kit says, for a page to show and to copy."""
    return content.decode("utf-8-sig").replace("\r\n", "\n")


def _text_file(text: str) -> bytes:
    """A text that opens right everywhere: older Windows needs the line ends, and it, macOS and iOS the byte order mark
    to know letters beyond ASCII for what they are."""
    return f"{_BOM}{text}".replace("\n", "\r\n").encode("utf-8", "replace")


def _paragraphs(text: str) -> Iterable[str]:
    """What stands between empty lines, with its own line ends."""
    paragraph: list[str] = []
    for line in (*text.splitlines(), ""):
        if line := line.strip():
            paragraph.append(line)
        elif paragraph:
            yield "\n".join(paragraph)
            paragraph = []


def _line(text: str) -> str:
    return " ".join(_clean(text).split())


def _clean(text: str) -> str:
    """Without the characters that no mail and no paper can show."""
    return "".join(piece for piece in printable((text,)) if isinstance(piece, str))
