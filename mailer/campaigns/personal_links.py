"""Personal links: no address in a campaign's text may tell who follows it.

Who follows a link tells the server behind it which address they were given. So the address of a page, and a telephone
number, are the same for everybody, unless the whole of it is the target's own. A letter that readers send themselves
may begin with their name and country. Their union stands in no address.

An address is looked for where links are, and in all other words too: mail programs make links of these by themselves.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it.token import Token

from mailer.cases.targets import Target
from mailer.errors import MailerError
from mailer.mail import markdown
from mailer.mail.fields import Place
from mailer.mail.markers import written
from mailer.mail.types import Slot

#: what says too much wherever it stands
_UNION = "union"
#: what may be the whole of an address: where the target is to be found
_OWN_ADDRESS = "target_address"

# Each place becomes one character that nobody types, from the planes of Unicode that are for private use.
_FIRST_SLOT, _FIRST_EDGE, _PLANE = 0xF0000, 0x100000, 0xFFFF
_SLOT, _EDGE = (f"[{chr(first)}-{chr(first + _PLANE)}]" for first in (_FIRST_SLOT, _FIRST_EDGE))
_MARK = re.compile(f"{_SLOT}|{_EDGE}")
_OUTER_EDGES = re.compile(f"^{_EDGE}+|{_EDGE}+$")
#: ends of conditions that part nothing of one line, which is all that an address can stand on
_BETWEEN_LINES = re.compile(_OUTER_EDGES.pattern, re.MULTILINE)

_SCHEME = re.compile(r"(https?|mailto|tel):", re.IGNORECASE)
_HTTPS, _HTTP, _FTP, _TEL, _WWW = (f"{_EDGE}*".join(each) for each in ("https://", "http://", "ftp://", "tel:", "www"))
_BEGIN = rf"(?i:{_HTTPS}|{_HTTP}|{_FTP}|\b{_TEL}|\b{_WWW}\.)"
_REST = r"[^\s<>\"]*"
#: Vowel signs and the like, which hosts in many scripts have, and which are no letters to `re`.
_SIGNS = "".join(chr(code) for code in range(0x300, 0x1D00) if unicodedata.category(chr(code))[0] == "M")
#: in a part of a host's name
_IN_PART = rf"\w\-{_SIGNS}\u200c\u200d"
#: neither in the middle of a word nor in that of an e-mail address
_NOT_IN_ONE = rf"(?<![{_IN_PART}.])(?<![\w.+\-{_SLOT[1:-1]}{_EDGE[1:-1]}]@)"
_HOST = (
    rf"(?:[{_IN_PART}]|{_SLOT})(?:[{_IN_PART}.]|{_SLOT}|{_EDGE})*\.[^\W\d_][{_IN_PART}]+|(?:\d{{1,3}}\.){{3}}\d{{1,3}}"
)
#: what mail programs make a link of: an address with its scheme, a host with a path, or one with a field in its name
_WEB = re.compile(
    rf"(?:<{_EDGE}+)?{_BEGIN}{_REST}"
    rf"|{_NOT_IN_ONE}(?:{_HOST})(?:{_SLOT}|{_EDGE})*(?::(?:\d|{_SLOT}|{_EDGE})+)?[/?#]{_REST}"
    rf"|{_NOT_IN_ONE}[{_IN_PART}.]*{_SLOT}[{_IN_PART}]*\.(?:[{_IN_PART}]+\.)*"
    rf"(?:[a-z]{{2,}}|[^\W\d_\x00-\x7f][{_IN_PART}]+)\b"
)
#: before the @, what CommonMark lets stand there
_LOCAL = rf"[\w.!#$%&'*+/=?^`{{|}}~\-{_SLOT[1:-1]}{_EDGE[1:-1]}]"
_MAIL = re.compile(rf"(?i:mailto:){_REST}|(?<!{_LOCAL}){_LOCAL}+@(?:[\w.-]|{_SLOT}|{_EDGE})+")
#: what stands behind an address and is none of it
_BEHIND = re.compile(rf"(?:{_EDGE}|[.,;:!?)\]'’”»*_…])+$")
#: a number that may be a target's own
_NUMBER = re.compile(rf"(?i:tel:)({_SLOT})")
#: the end of a value that goes on as an address with whatever stands behind it
_OPEN_END = re.compile(rf"{_BEGIN}{_REST}$")

_IN_LINK = "Write an address that is the same for everybody."
_IN_WORDS = "Write an address that is the same for everybody, and a space behind it."
_IN_NUMBER = "Write a number that is the same for everybody, or nothing but {{ target_address }}."
_IN_MAIL = "In an e-mail's address, use only {{ name }}, {{ country }} and the fields of the target."
_ROUND_LINK = "Put a whole link into each part: {% if … %}[words](https://…){% else %}[words](https://…){% endif %}."


class PersonalLink(MailerError):
    """{what} cannot be in the address "{address}": it would tell others who follows it. {remedy}"""


@dataclass(frozen=True, slots=True)
class _Marked:
    """A wording, with a character for each place."""

    text: str
    slots: tuple[Place, ...]
    edges: tuple[Place, ...]

    def place(self, mark: str) -> Place:
        code = ord(mark)
        return self.edges[code - _FIRST_EDGE] if code >= _FIRST_EDGE else self.slots[code - _FIRST_SLOT]

    def places(self, address: str) -> Iterator[Place]:
        return (self.place(mark[0]) for mark in _MARK.finditer(address))

    def is_targets_number(self, address: str) -> bool:
        """Whether an address is a telephone number, and nothing in it but what the target says of itself."""
        number = _NUMBER.fullmatch(address)
        return number is not None and self.place(number[1]).names == {_OWN_ADDRESS}

    def shown(self, address: str) -> str:
        """An address as its author wrote it, about."""
        return _MARK.sub(lambda mark: _written(self.place(mark[0])), address)


def check_line(parts: Sequence[str | Place], targets: Sequence[Target]) -> None:
    """Look through a subject or a preheader in one wording.

    :raises PersonalLink: with the line of the file, as `fields["line"]`.
    """
    marked = _mark(parts, targets)
    _check_words(marked, marked.text)


def check_body(parts: Sequence[str | Place], targets: Sequence[Target]) -> None:
    """Look through a body, which is Markdown, in one wording.

    :raises PersonalLink: likewise.
    """
    marked = _mark(parts, targets)
    # As readers get it, and with the ends of conditions, which may keep a link from being read as one.
    for text in (re.sub(_EDGE, "", marked.text), marked.text):
        tokens, defined = markdown.read_unchecked(text)
        for address in defined:  # a field in its label keeps us from seeing which links use it
            _check_link(marked, address)
        for token in markdown.flattened(tokens):
            if token.type == "link_open":
                _check_link(marked, str(token.attrs.get("href", "")))
            elif token.type in ("inline", "code_block", "fence"):
                _check_words(marked, _words(token))


def _mark(parts: Sequence[str | Place], targets: Sequence[Target]) -> _Marked:
    slots: list[Place] = []
    edges: list[Place] = []
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += _MARK.sub("", part)
        elif part.slot is not None:
            slots.append(part)
            text += chr(_FIRST_SLOT + min(len(slots) - 1, _PLANE)) + _open_end(part.slot, targets)
        else:
            edges.append(part)
            text += chr(_FIRST_EDGE + min(len(edges) - 1, _PLANE))
    return _Marked(_BETWEEN_LINES.sub("", text), tuple(slots), tuple(edges))


def _open_end(slot: Slot, targets: Sequence[Target]) -> str:
    """What a value may begin of an address: "https://example.org/" with a name behind it would be one of both."""
    values = (slot.default, *(target.values.get(slot.field, "") for target in targets))
    return next((found[0] for value in values if (found := _OPEN_END.search(value))), "")


def _words(token: Token) -> str:
    if token.type != "inline":
        return token.content
    return "".join("\n" if "break" in child.type else child.content for child in token.children or [])


def _check_link(marked: _Marked, address: str) -> None:
    scheme = _SCHEME.match(re.sub(_EDGE, "", address))
    if scheme is None:
        return  # then it is no link that a mail may hold, and `markdown.read` says so
    match scheme[1].lower():
        case "mailto":
            _refuse(marked, address, [each for each in marked.places(address) if _UNION in each.names], _IN_MAIL)
        case "tel" if marked.is_targets_number(address):
            pass
        case "tel":
            _refuse(marked, address, list(marked.places(address)), _IN_NUMBER)
        case _:
            _refuse(marked, address, list(marked.places(address)), _IN_LINK)


def _check_words(marked: _Marked, words: str) -> None:
    for found in _WEB.finditer(words):
        address = _BEHIND.sub("", found[0])
        if not marked.is_targets_number(address):
            _refuse(marked, address, list(marked.places(address)), _IN_WORDS)
    for found in _MAIL.finditer(words):
        address = _BEHIND.sub("", _OUTER_EDGES.sub("", found[0]))
        _refuse(marked, address, [each for each in marked.places(address) if _UNION in each.names], _IN_MAIL)


def _refuse(marked: _Marked, address: str, places: Sequence[Place], remedy: str) -> None:
    """:raises PersonalLink: if there are any places."""
    if not places:
        return
    place = places[0]
    if place.slot is None:
        what = f"A condition on {' and '.join(sorted(place.names))}"
        remedy = remedy if remedy == _IN_MAIL else _ROUND_LINK
    else:
        what = _written(place)
    raise PersonalLink(what=what, address=marked.shown(address), remedy=remedy, line=place.line)


def _written(place: Place) -> str:
    return written(place.slot) if place.slot is not None else "{% … %}"
