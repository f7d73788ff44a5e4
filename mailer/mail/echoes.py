"""Whether a server's words repeat what we logged in with, in whatever form; if they do, nobody is shown them."""

import base64
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote

#: characters of a secret that give too much of it away, wherever they stand in it: a server may cut what it repeats
_PIECE = 12
_FEWEST = 3  # octets that are looked for in base64: fewer stand in it by chance
_MOST = 4_000  # characters of a server's words that are looked at; fewer are shown
_NO_LETTERS = re.compile(r"\s+")
_BACKSLASHED = re.compile(r"\\(.)", re.DOTALL)
_QUOTED_PRINTABLE = re.compile(r"=([0-9A-F]{2})")


def repeat(words: str, secret: str, *, sent: str = "") -> bool:
    """Whether a secret, or a piece of it, stands in words: as it is, in another case, within quotation marks, escaped
    (RFC 3501, 4.3), percent-encoded (RFC 3986, 2.1), in base64 of either alphabet (RFC 4648), also in the middle of
    something longer such as a SASL response, or in hexadecimal digits. Blanks, and where lines end, do not matter.

    :param words: of a server, as they came; only the first 4,000 characters count.
    :param sent: what the secret was sent in, which counts in base64: cut, it may end in the middle of the secret.
    """
    forms = {_without_blanks(form) for form in _read_in_all_ways(words[:_MOST])}
    folded = {form.casefold() for form in forms}
    plain = {form.translate(_ONE_ALPHABET) for form in forms}
    octets = secret.encode()
    return (
        _is_in(folded, _without_blanks(secret).casefold(), _PIECE)
        or _is_in(folded, octets.hex(), 2 * _PIECE)
        or any(_is_in(plain, written, _PIECE * 4 // 3) for written in (*_in_base64(octets), *_in_base64(sent.encode())))
    )


_ONE_ALPHABET = str.maketrans("-_", "+/")


def _read_in_all_ways(words: str) -> Iterator[str]:
    yield words
    for read in (unquote, unescape, _unescaped, _from_quoted_printable):
        yield read(words)
    yield _unescaped(_unescaped(words))  # `imaplib` quotes what it does not understand as Python does


def _unescaped(words: str) -> str:
    return _BACKSLASHED.sub(r"\1", words)


def _from_quoted_printable(words: str) -> str:
    return _QUOTED_PRINTABLE.sub(lambda found: chr(int(found[1], 16)), words)


def _without_blanks(text: str) -> str:
    return _NO_LETTERS.sub("", text)


def _in_base64(octets: bytes) -> Iterator[str]:
    """What stands in base64 for octets, wherever in something longer they begin: only what they alone decide."""
    for before in range(3) if len(octets) >= _FEWEST else ():
        written = base64.b64encode(bytes(before) + octets).decode("ascii")
        yield written[-(-before * 8 // 6) : (before + len(octets)) * 8 // 6]


def _is_in(texts: set[str], secret: str, length: int) -> bool:
    """Whether a secret stands in one of the texts, or a piece of it that is so long."""
    if not secret:
        return False
    pieces = [secret[start : start + length] for start in range(max(1, len(secret) - length + 1))]
    return any(piece in text for text in texts for piece in pieces)
