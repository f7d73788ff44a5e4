"""Header fields as bytes: encoded words, mailboxes and URIs that nothing can break out of.

Written by hand because `email.policy.SMTP` turns a long `List-Unsubscribe` into encoded words, which ends
one-click unsubscribe (cpython issue 85725), and because a merged value that looks like an encoded word
could become a header of its own (CVE-2024-6923).
"""

import functools
import re
import unicodedata
from binascii import b2a_base64
from email.utils import parseaddr

import idna

from mailer.errors import MailerError

CRLF = "\r\n"

#: What a display name in `To:` may have: mail programs show less, and attacks need more.
NAME_CHARACTERS = 100

# RFC 2047: an encoded word has at most 75 characters, 12 of them "=?utf-8?b?" and "?=": 60 of base64 are 45 octets.
_ENCODED_WORD_OCTETS = 45
_LINE = 76

# Controls, lone surrogates, line and paragraph separators, and what reorders the text around it (UAX #9: embeddings,
# overrides, isolates).
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_SEPARATORS = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029")
_ENCODED_WORD_START = re.compile(r"=+\?+")
_PHRASE_OF_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_ADDRESS = re.compile(r"[^\s<>()\[\]\",:;\\@\x00-\x1f\x7f]+@[A-Za-z0-9.-]+")
_LIST_IDENTIFIER = re.compile(r"[A-Za-z0-9._-]{1,200}")
_URI = re.compile(r"(?:https?|mailto):[!-;=?-~]{1,900}")


class UnusableAddress(MailerError):
    """The address cannot be written in a mail's header: {problem}."""


class UnusableHeader(MailerError):
    """The header {name} cannot be written: {problem}."""


def clean(value: str) -> str:
    """A value without control characters, lone surrogates and bidi controls; line ends become spaces."""
    if value.isprintable():
        return value
    return _HARMFUL.sub(lambda found: " " if _SEPARATORS.intersection(found[0]) else "", value)


def clean_for_header(value: str) -> str:
    """As `clean`, and nothing in it can be taken for an encoded word; white space is single spaces."""
    return " ".join(_ENCODED_WORD_START.sub("", clean(value)).split())


def shortened(name: str) -> str:
    """At most 100 characters, not cut inside what is shown as one (a letter with its accents, a joined emoji)."""
    if len(name) <= NAME_CHARACTERS:
        return name
    cut = NAME_CHARACTERS - 1
    while cut > NAME_CHARACTERS // 2 and (_continues(name[cut]) or name[cut - 1] == "\u200d"):
        cut -= 1
    return f"{name[:cut].rstrip()}…"


def unstructured(name: str, value: str) -> bytes:
    """A header of free text, such as a subject, with its line end."""
    value = clean_for_header(value)
    if value.isascii() and all(len(word) < _LINE for word in value.split(" ")):
        return _folded(f"{name}:", value.split(" "))
    return _folded(f"{name}:", _encoded_words(value))


def mailbox(name: str, display_name: str | None, address: str) -> bytes:
    """A header with one mailbox (RFC 5322 3.4), with its line end.

    :param display_name: shortened to 100 characters.
    :param address: its domain may be in any script; a local part beyond ASCII goes out as UTF-8 (RFC 6532).
    :raises UnusableAddress: for an address that email-validator would not have let pass.
    """
    angle = f"<{a_label_address(address)}>"
    shown = shortened(clean_for_header(display_name)) if display_name else ""
    return _folded(f"{name}:", [*_phrase(shown), angle] if shown else [angle[1:-1]])


def uris(name: str, *targets: str) -> bytes:
    """A header of URIs in angle brackets, folded only after a comma (RFC 2369), with its line end.

    :raises UnusableHeader: for a URI with anything but printable ASCII.
    """
    for target in targets:
        if not _URI.fullmatch(target):
            raise UnusableHeader(name=name, problem="it takes http, https or mailto URIs in ASCII, without < and >")
    return f"{name}: {f',{CRLF} '.join(f'<{target}>' for target in targets)}{CRLF}".encode()


def list_id(list_name: str, identifier: str) -> bytes:
    """The List-Id header (RFC 2919).

    :param identifier: without its angle brackets: "slug.example.org".
    :raises UnusableHeader: for an identifier that is no dot-separated ASCII.
    """
    if not _LIST_IDENTIFIER.fullmatch(identifier):
        raise UnusableHeader(name="List-Id", problem="it takes an ASCII name with dots, such as slug.example.org")
    return _folded("List-Id:", [*_phrase(shortened(clean_for_header(list_name))), f"<{identifier}>"])


def token(name: str, value: str) -> bytes:
    """A header whose value is written as it is.

    :raises UnusableHeader: for anything but printable ASCII, or too much of it.
    """
    if not (value.isascii() and value.isprintable() and 0 < len(value) < 900):
        raise UnusableHeader(name=name, problem="it takes printable ASCII")
    return f"{name}: {value}{CRLF}".encode()


def split_mailbox(text: str) -> tuple[str, str]:
    """The display name, perhaps empty, and the address of `Name <address>` or of a bare address."""
    return parseaddr(text)


def a_label_address(address: str) -> str:
    """The address with its domain as A-label (RFC 5890).

    :raises UnusableAddress: when it could not stand in a header as it is.
    """
    if not address.isascii():
        local, _, domain = address.rpartition("@")
        address = f"{local}@{_a_label(domain)}"
    if not _ADDRESS.fullmatch(address) or "=?" in address or not address.partition("@")[0].isprintable():
        raise UnusableAddress(problem="it contains white space, brackets, quotes or control characters")
    return address


@functools.lru_cache(maxsize=4096)
def _a_label(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise UnusableAddress(problem="its domain is not a domain name") from None


def _phrase(text: str) -> list[str]:
    """A display name as words that a line may be folded between."""
    if not text.isascii():
        return _encoded_words(text)
    if _PHRASE_OF_ATOMS.fullmatch(text):
        return text.split(" ")
    return ['"{}"'.format(text.replace("\\", r"\\").replace('"', r"\""))]


def _encoded_words(text: str) -> list[str]:
    """Text as RFC 2047 encoded words, cut between characters."""
    whole = text.encode()
    if len(whole) <= _ENCODED_WORD_OCTETS:
        return [_encoded_word(whole)]
    words, octets = [], b""
    for character in text:
        encoded = character.encode()
        if len(octets) + len(encoded) > _ENCODED_WORD_OCTETS:
            words.append(_encoded_word(octets))
            octets = b""
        octets += encoded
    return [*words, _encoded_word(octets)]


def _encoded_word(octets: bytes) -> str:
    return f"=?utf-8?b?{b2a_base64(octets, newline=False).decode()}?="


def _folded(line: str, words: list[str]) -> bytes:
    lines = []
    for word in words:
        if len(line) + 1 + len(word) > _LINE and not line.endswith(":"):
            lines.append(line)
            line = ""
        line = f"{line} {word}"
    return f"{CRLF.join((*lines, line))}{CRLF}".encode()


def _continues(character: str) -> bool:
    is_skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    return character == "\u200d" or is_skin_tone or unicodedata.category(character).startswith("M")
