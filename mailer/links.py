"""Signed links: a number and a purpose, no address, nothing to look up.

A token is 40 hexadecimal digits, so that it survives a mail server that folds the case of a local part, where
`{token}` of the unsubscribe address stands. (Base32 would be 8 characters shorter and take ten times as long.)
"""

import enum
import hashlib
import hmac
import re

from mailer.errors import MailerError
from mailer.locale.languages import of_site
from mailer.store.crypto import Keyring

_ID_BYTES = 6
_MAC_BYTES = 14
_FORM = re.compile(r"[0-9a-fA-F]{40}", re.ASCII)


class ForgedToken(MailerError):
    """This link does not work. Part of it may be missing: copy the whole link from the e-mail."""


class Link(enum.StrEnum):
    """What a token may be used for. One made for one purpose is refused for every other."""

    UNSUBSCRIBE = "unsubscribe"  # of a subscription: leave or pause that list, for ever valid
    BOUNCE = "bounce"  # of a delivery: which message came back
    KIT = "kit"  # of a kit: read it, and say what became of it
    UNION = "union"  # of a union: read what its forwarding brought
    CONTACT = "contact"  # of a union's contact: get no more of the union's mail


def sign(keyring: Keyring, link: Link, number: int) -> str:
    """Make the token for a purpose and a row id, under the newest link key (keyed BLAKE2b, 112 bits)."""
    payload = number.to_bytes(_ID_BYTES, "big")
    return (payload + _mac(keyring.link_keys[0].secret, link, payload)).hex()


def verify(keyring: Keyring, link: Link, token: str) -> int:
    """The row id in a token that any link key of the ring signed for this purpose.

    :raises ForgedToken: it was changed, cut, made for something else, or signed by nobody we know.
    """
    if not _FORM.fullmatch(token):
        raise ForgedToken
    raw = bytes.fromhex(token)
    payload, mac = raw[:_ID_BYTES], raw[_ID_BYTES:]
    if not any(hmac.compare_digest(mac, _mac(key.secret, link, payload)) for key in keyring.link_keys):
        raise ForgedToken
    return int.from_bytes(payload, "big")


def _mac(secret: bytes, link: Link, payload: bytes) -> bytes:
    # Keyed BLAKE2b (RFC 7693) is a MAC by itself. HMAC of hashlib lets go of the interpreter lock at each call, which
    # cost 25 µs a message beside the ledger's thread; this costs 1.
    return hashlib.blake2b(payload, key=secret, digest_size=_MAC_BYTES, person=link.value.encode()).digest()


def prefix(tag: str | None) -> str:
    """What the addresses of the site's pages in a language begin with: "/fr"; nothing where the site lacks it."""
    language = of_site(tag)
    return f"/{language}" if language else ""
