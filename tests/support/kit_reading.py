"""What stands in the files of a kit, for whoever opens them or looks inside; and what should not."""

import html
import quopri
import re
import struct
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from email import message_from_bytes, policy
from urllib.parse import unquote

#: all that a draft may have
_HEADERS = ["X-Unsent", "Subject", "Content-Language", "MIME-Version", "Content-Type"]
#: chunks of a PNG that are the picture itself, its colours or its size; every other could carry words
_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"sRGB", b"gAMA", b"cHRM", b"pHYs"}
_ABOUT_PDF = {"Title", "Creator", "Producer"}

_TOKEN = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])", re.IGNORECASE)
_PERSONAL_PAGE = re.compile(
    r"/(?:unsubscribe|preferences|manage|confirm|undo|resume|moved|address|contact|no-contact|kit|results)\b",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"https?://[^\s<>\"'()\[\]]+")
_HEADER_NAME = re.compile(r"\b(?:Message-ID|List-Unsubscribe|List-Id|Feedback-ID|Return-Path|Received):", re.IGNORECASE)
_OPEN = re.compile(r"\{\{|\{%|slot[0-9a-f]{16}n\d+e")
#: in a PDF: the start of a string and the key it belongs to, if any; on a page, a font too, and the end of a text
_STARTS = re.compile(rb"(?:/([A-Z][A-Za-z]*) ?)?\(|/(f\d+) [\d.]+ Tf|\b(ET)\b")
_IN_STRING = re.compile(rb"\\.|[()]", re.DOTALL)
#: that HTML and XMP name their own languages by
_NAMESPACES = ("http://www.w3.org/", "http://ns.adobe.com/", "http://purl.org/", "http://www.aiim.org/")


def problems(files: Mapping[str, bytes], *, secrets: Collection[str], is_known: Callable[[str], bool]) -> list[str]:
    """What stands in the files of a kit that should not, a line each.

    :param secrets: words that may stand nowhere.
    :param is_known: whether an e-mail address or a URL, or the beginning of one, may.
    """
    found = []
    for name, data in files.items():
        if name.endswith(".eml"):
            names = message_from_bytes(data).items()
            found += [f"{name}: header {header}" for header, _ in names if header not in _HEADERS]
        if name.endswith(".png"):
            found += [f"{name}: chunk {kind!r}" for kind, _ in png_chunks(data) if kind not in _CHUNKS]
        if name.endswith(".pdf"):
            found += [f"{name}: says its {key}" for key in _pdf_information(data) if key not in _ABOUT_PDF]
        for text in readings(name, data):
            found += [f"{name}: {problem}" for problem in _problems(text, secrets, is_known)]
    return sorted(set(found))


def links(files: Mapping[str, bytes]) -> set[str]:
    """Every URL in the files of a kit."""
    return {url for name, data in files.items() for text in readings(name, data) for url in _urls(text)}


def _urls(text: str) -> Iterator[str]:
    return (url.rstrip(".,;:&") for url in _URL.findall(text) if not url.startswith(_NAMESPACES))


def _problems(text: str, secrets: Collection[str], is_known: Callable[[str], bool]) -> Iterator[str]:
    for pattern in (_TOKEN, _HEADER_NAME, _OPEN):
        yield from pattern.findall(text)
    for found in (*_ADDRESS.findall(text), *_urls(text)):
        if not is_known(found):
            yield found
    together = "".join(text.split()).casefold()  # what is printed may be broken over two lines
    yield from _PERSONAL_PAGE.findall(together)
    for secret in secrets:
        letters = "".join(secret.split()).casefold()
        if letters in together or letters[::-1] in together:  # a PDF has what runs from right to left as it is seen
            yield secret


def readings(name: str, data: bytes) -> Iterator[str]:
    """Every way in which a file can be read as text."""
    match name.rpartition(".")[2]:
        case "eml":
            message = message_from_bytes(data, policy=policy.default)
            yield quopri.decodestring(data).decode("utf-8", "replace")
            yield "\n".join(f"{header} {value}" for header, value in message.items())
            for part in message.iter_parts():
                yield from _as_html(part.get_content())
        case "html":
            yield from _as_html(data.decode())
        case "txt":
            yield data.decode("utf-8-sig")
        case "pdf":
            about = (stream.decode() for stream in pdf_streams(data) if b"xpacket" in stream)
            for text in (pdf_text(data), *pdf_strings(data), *about):
                yield text.replace("\u200b", "")  # where a long word may be broken
        case "png":
            yield from (body.decode("latin-1") for kind, body in png_chunks(data) if kind not in (b"IDAT", b"PLTE"))
        case other:
            raise AssertionError(f"nobody knows how to read a .{other}")


def _as_html(text: str) -> Iterator[str]:
    yield text
    yield unquote(html.unescape(text))


# --- PNG ------------------------------------------------------------------------------------------------------------


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each part of a PNG; what stands behind its end is a chunk "rest"."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    position, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        yield kind, data[position + 8 : position + 8 + length]
        position += 12 + length
    if rest := data[position:]:
        yield b"rest", rest


# --- PDF ------------------------------------------------------------------------------------------------------------


def pdf_text(data: bytes) -> str:
    """What is printed in a PDF such as typst makes them (fonts with a ToUnicode map, nothing in object streams)."""
    objects = {int(number): body for number, body in re.findall(rb"(\d+) 0 obj\n(.*?)\nendobj", data, re.DOTALL)}
    fonts: dict[bytes, dict[int, str]] = {}
    for name, number in re.findall(rb"/(f\d+) (\d+) 0 R", data):
        to_unicode = re.search(rb"/ToUnicode (\d+) 0 R", objects[int(number)])
        assert to_unicode, "a font does not say which letters its glyphs are"
        letters = _cmap(_inflated(objects[int(to_unicode[1])]))
        assert fonts.setdefault(name, letters) == letters, "two fonts of one name"
    printed = [_printed(stream, fonts) for stream in pdf_streams(data) if b" Tf" in stream]
    return "\n".join(printed)


def pdf_strings(data: bytes) -> list[str]:
    """The strings outside its page: titles, links, descriptions, what it tells about itself."""
    dictionaries = re.sub(rb"stream\n.*?\nendstream", b"", data, flags=re.DOTALL)
    unicode = (
        bytes.fromhex(digits.decode()) for digits in re.findall(rb"<(FEFF[0-9A-F]+)>", dictionaries, re.IGNORECASE)
    )
    return [_string(text) for text in (*(text for _start, text in _strings(dictionaries)), *unicode)]


def _strings(content: bytes) -> Iterator[tuple[re.Match[bytes], bytes]]:
    """Each match of `_STARTS`, and the string that starts there; parentheses in it may be nested (ISO 32000)."""
    position = 0
    while start := _STARTS.search(content, position):
        position, depth = start.end(), int(start[0].endswith(b"("))
        while depth:
            mark = _IN_STRING.search(content, position)
            assert mark, "a string does not end"
            depth += {b"(": 1, b")": -1}.get(mark[0], 0)
            position = mark.end()
        yield start, _unescaped(content[start.end() : position - 1]) if start[0].endswith(b"(") else b""


def _string(text: bytes) -> str:
    return text.decode("utf-16" if text.startswith(b"\xfe\xff") else "latin-1")


def _printed(content: bytes, fonts: Mapping[bytes, Mapping[int, str]]) -> str:
    words: list[str] = []
    letters: Mapping[int, str] = {}
    for start, string in _strings(content):
        key, font, end = start.groups()
        if font:
            letters = fonts[font]
        elif end:
            words.append(" ")
        elif key:
            words.append(f" {_string(string)} ")
        else:
            words += [letters[high << 8 | low] for high, low in zip(string[::2], string[1::2], strict=True)]
    return "".join(words)


def _unescaped(string: bytes) -> bytes:
    plain = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
    return re.sub(
        rb"\\([0-7]{1,3}|.)",
        lambda match: bytes([int(match[1], 8)]) if match[1][:1].isdigit() else plain.get(match[1], match[1]),
        string,
        flags=re.DOTALL,
    )


def _cmap(source: bytes) -> dict[int, str]:
    letters = {}
    for section in re.findall(rb"beginbfchar(.*?)endbfchar", source, re.DOTALL):
        for code, text in re.findall(rb"<(\w+)>\s*<(\w+)>", section):
            letters[int(code, 16)] = bytes.fromhex(text.decode()).decode("utf-16-be")
    for section in re.findall(rb"beginbfrange(.*?)endbfrange", source, re.DOTALL):
        for first, last, text in re.findall(rb"<(\w+)>\s*<(\w+)>\s*<(\w+)>", section):
            for offset, code in enumerate(range(int(first, 16), int(last, 16) + 1)):
                letters[code] = chr(int(text, 16) + offset)
    return letters


def pdf_streams(data: bytes) -> Iterator[bytes]:
    for body in re.findall(rb"\d+ 0 obj\n(.*?)\nendobj", data, re.DOTALL):
        if b"stream\n" in body:
            yield _inflated(body)


def _inflated(body: bytes) -> bytes:
    head, _, stream = body.partition(b"stream\n")
    return zlib.decompressobj().decompress(stream) if b"/FlateDecode" in head else stream


def _pdf_information(data: bytes) -> list[str]:
    """The names of what a PDF tells about itself."""
    trailer = re.search(rb"/Info (\d+) 0 R", data)
    if trailer is None:
        return []
    information = re.search(rb"\n%b 0 obj\n(.*?)\nendobj" % trailer[1], data, re.DOTALL)
    assert information
    return [key.decode() for key in re.findall(rb"/(\w+) ?[(<]", information[1])]
