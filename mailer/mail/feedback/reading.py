"""Bytes → headers and parts, within bounds, and without exceptions whatever the bytes are.

Not by `email`: it takes a status report of RFC 6533 for a nested message, and can be made to take minutes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from mailer.mail.feedback.charsets import text_of, without_transfer_encoding, words_of

MAX_BYTES = 2**20  # that are read
_MOST_PARTS = 100
_DEEPEST = 10
_LONGEST_VALUE = 8_000  # characters of a header
_MOST_FIELDS = 500
_MOST_TEXT = 200_000  # characters of a part's text; a notice is at its beginning
_MOST_HTML = 200_000

_FIELD = re.compile(r"([!-9;-~]{1,80})[ \t]*:(.*)", re.DOTALL)
_WORD = re.compile(r"[\s;(]")  # ends one
_TYPE = re.compile(r"\s*([\w.+-]+/[\w.+-]+)")
_PARAMETER = re.compile(r';\s*([\w-]+)\*?\s*=\s*(?:"([^"]*)"|([^\s;]+))')
_HTML = re.compile(r"\s*(?:<!--[^>]{0,200}-->\s*)?<(?:!doctype\b|html\b|head\b|body\b)", re.IGNORECASE)
#: no tag, but an address that somebody forgot to escape
_BARE_ADDRESS = re.compile(r"<([^\s<>=\"'@]{1,64}@[^\s<>=\"'@]{1,255})>")
_TAG = re.compile(r"(<[a-zA-Z/!][^<>]*>)")
_TAG_NAME = re.compile(r"(?<=<)/?[a-zA-Z]{1,20}")
_HIDDEN = ("style", "script", "title")
_INLINE = frozenset(["a", "b", "i", "u", "em", "font", "span", "strong", "code", "tt", "small", "big", "wbr"])
_EMPTY_LINES = re.compile(r"\n\s*\n")
_NESTED = frozenset({"message/rfc822", "message/global", "message/news"})
_ONLY_HEADERS = frozenset({"text/rfc822-headers", "message/global-headers", "message/rfc822-headers"})


@dataclass(frozen=True, slots=True)
class Headers:
    """The header fields of a message or part, decoded, in their order; names in lower case."""

    fields: tuple[tuple[str, str], ...] = ()

    def all(self, *names: str) -> list[str]:
        """Every value of the fields with these names, in the order of the names."""
        return [value for name in names for known, value in self.fields if known == name]

    def first(self, name: str) -> str:
        """The first value; "" without one."""
        return next((value for known, value in self.fields if known == name), "")

    def word(self, name: str) -> str:
        """The first word of the first value in lower case, without comments and parameters behind it."""
        return _WORD.split(self.first(name).strip(), maxsplit=1)[0].lower()


@dataclass(frozen=True, slots=True)
class Part:
    """One part without parts of its own, or a nested message as a whole."""

    type: str  # such as text/plain
    text: str  # decoded; of HTML the words
    headers: Headers = field(default_factory=Headers)  # of the nested message, or of what is only headers
    is_returned: bool = False  # it belongs to a mail that is given back


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was read."""

    headers: Headers
    type: str
    report_type: str  # parameter of multipart/report; "" without one
    parts: tuple[Part, ...]
    mailbox_sender: str | None = None  # of the line that begins a message in a mailbox file

    def own_parts(self) -> Iterator[Part]:
        """Those that belong to the message itself."""
        return (part for part in self.parts if not part.is_returned)

    def returned(self) -> Iterator[Part]:
        """Those of the mail that is given back."""
        return (part for part in self.parts if part.is_returned)


def read(message: bytes) -> Message | None:
    """Read the first MiB of a message (RFC 5322, 2045, 2046); None if it has no header at all."""
    data = _lines(message)
    mailbox_sender = None
    if data.startswith((b"From ", b">From ")):
        line, _, data = data.partition(b"\n")
        mailbox_sender = text_of(line).split("From ", 1)[1].split(" ", 1)[0][:320]
    headers, body = _split(data)
    if not headers.fields:
        return None
    media_type, parameters = _type_of(headers)
    parts = tuple(_Walk().parts(headers, body, depth=0, is_returned=False))
    return Message(headers, media_type, parameters.get("report-type", "").lower(), parts, mailbox_sender)


def header(message: bytes) -> Headers:
    """The header of a message alone, without what stands below it.

    :param message: as for `read`.
    """
    return _split(_lines(message))[0]


def _lines(message: bytes) -> bytes:
    return message[:MAX_BYTES].replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")


class _Walk:
    """Goes through parts, and counts them."""

    def __init__(self) -> None:
        self._left = _MOST_PARTS

    def parts(self, headers: Headers, body: bytes, *, depth: int, is_returned: bool) -> Iterator[Part]:
        if self._left <= 0:
            return
        self._left -= 1
        media_type, parameters = _type_of(headers)
        if media_type.startswith("multipart/") and depth < _DEEPEST:
            pieces = _pieces(body, parameters.get("boundary", ""))
            if pieces:
                for piece in pieces:
                    yield from self.parts(*_split(piece), depth=depth + 1, is_returned=is_returned)
                return
            media_type = "text/plain"  # nothing parts it
        data = without_transfer_encoding(body, headers.first("content-transfer-encoding"))
        charset = parameters.get("charset", "")
        if media_type in _NESTED:
            nested, inner = _split(data.lstrip(b"\n"))
            yield Part(media_type, text_of(data, charset)[:_MOST_TEXT], nested, is_returned=True)
            if depth < _DEEPEST:
                yield from self.parts(nested, inner, depth=depth + 1, is_returned=True)
        elif media_type in _ONLY_HEADERS:
            yield Part(media_type, text_of(data, charset)[:_MOST_TEXT], _split(data)[0], is_returned=True)
        else:
            text = text_of(data, charset)[:_MOST_TEXT] if media_type.startswith(("text/", "message/")) else ""
            is_html = media_type == "text/html" or (media_type == "text/plain" and _HTML.match(text))
            yield Part(media_type, _words_in(text) if is_html else text, is_returned=is_returned)


def _split(data: bytes) -> tuple[Headers, bytes]:
    """Headers, and what stands below the empty line."""
    if data.startswith(b"\n"):
        return Headers(), data[1:]
    head, _, body = data.partition(b"\n\n")
    fields = list(fields_in(text_of(head)))
    if not fields:
        return Headers(), data
    return Headers(tuple((name, " ".join(words_of(value).split())) for name, value in fields)), body


def fields_in(text: str) -> Iterator[tuple[str, str]]:
    """Name and value of each field of a block: names in lower case, folded lines put together, blanks before colons
    and lines that are no field tolerated.
    """
    name, value, count = "", "", 0
    for line in text.split("\n"):
        if name and line[:1] in (" ", "\t"):
            if len(value) < _LONGEST_VALUE:
                value += "\n" + line.strip()
            continue
        found = _FIELD.fullmatch(line[:_LONGEST_VALUE])
        if found is None:
            continue
        if name:
            yield name, value[:_LONGEST_VALUE]
        count += 1
        if count > _MOST_FIELDS:
            return
        name, value = found[1].lower(), found[2].strip()
    if name:
        yield name, value[:_LONGEST_VALUE]


def _type_of(headers: Headers) -> tuple[str, dict[str, str]]:
    value = headers.first("content-type")[:2_000]
    found = _TYPE.match(value)
    parameters = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(value)}
    return (found[1].lower() if found else "text/plain"), parameters


def _pieces(body: bytes, boundary: str) -> list[bytes]:
    """The parts of a multipart body, without what stands before and behind them."""
    mark = boundary.encode("utf-8", "replace") or _guessed(body)
    if not mark:
        return []
    pieces, start = [], None
    for line in re.finditer(rb"^--" + re.escape(mark) + rb"(--)?[ \t]*$\n?", body, re.MULTILINE):
        if start is not None:
            pieces.append(body[start : max(start, line.start() - 1)])
        if len(pieces) >= _MOST_PARTS:
            return pieces
        start = None if line[1] else line.end()
    if start is not None:
        pieces.append(body[start:])  # cut off
    return pieces


def _guessed(body: bytes) -> bytes:
    found = re.search(rb"^--([^\s-][^\n]{0,70})$", body[:20_000], re.MULTILINE)
    return found[1].rstrip() if found else b""


def _words_in(html: str) -> str:
    """What a reader gets to see of HTML. Not by a parser: what is broken on purpose must take no longer."""
    words, hidden = [], ""
    for position, piece in enumerate(_TAG.split(html[:_MOST_HTML])):
        if position % 2 == 0 or _BARE_ADDRESS.fullmatch(piece):
            words.append("" if hidden else piece)
            continue
        name = _TAG_NAME.search(piece[:40])
        tag = name[0].lower() if name else ""
        if tag in _HIDDEN:
            hidden = tag
        elif hidden and tag == f"/{hidden}":
            hidden = ""
        words.append("" if tag.lstrip("/") in _INLINE else "\n")
    return _EMPTY_LINES.sub("\n\n", unescape("".join(words)))
