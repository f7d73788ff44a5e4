"""Sealed numbers: row ids in what leaves the house, so that nobody without a key reads them, counts with them, or makes
one. The same number gives the same octets each time.

The tag is a MAC of the number, and hides it: a synthetic IV, as in RFC 5297, with keyed BLAKE2b (RFC 7693) for both.
A block cipher would do as well; this costs 2 µs a message, shares no object between threads, and fits 20 octets.
"""

import hashlib
import hmac

_NUMBER_OCTETS = 6
#: numbers lie below this
LIMIT = 1 << 8 * _NUMBER_OCTETS


def seal(secret: bytes, purpose: str, number: int, *, octets: int) -> bytes:
    """Hide a number.

    :param secret: at most 64 octets.
    :param purpose: at most 14 ASCII characters. What is sealed for one is refused for every other.
    :param number: from 0 up to `LIMIT`.
    :param octets: of the result, of which 6 are the number's; the rest, 8 or more, guard against forgery.
    """
    plain = number.to_bytes(_NUMBER_OCTETS, "big")
    tag = _hash(secret, f"t:{purpose}", plain, octets - _NUMBER_OCTETS)
    return tag + _masked(secret, purpose, tag, plain)


def unseal(secret: bytes, purpose: str, sealed: bytes) -> int | None:
    """The number that `seal` was given; None if it made no such octets with this secret for this purpose."""
    tag, hidden = sealed[:-_NUMBER_OCTETS], sealed[-_NUMBER_OCTETS:]
    plain = _masked(secret, purpose, tag, hidden)
    if not hmac.compare_digest(tag, _hash(secret, f"t:{purpose}", plain, len(tag))):
        return None
    return int.from_bytes(plain, "big")


def _masked(secret: bytes, purpose: str, tag: bytes, octets: bytes) -> bytes:
    mask = _hash(secret, f"m:{purpose}", tag, _NUMBER_OCTETS)
    return (int.from_bytes(octets, "big") ^ int.from_bytes(mask, "big")).to_bytes(_NUMBER_OCTETS, "big")


def _hash(secret: bytes, person: str, octets: bytes, size: int) -> bytes:
    # Keyed BLAKE2b is a MAC by itself. HMAC of hashlib lets go of the interpreter lock at each call, which cost 25 µs a
    # message beside the ledger's thread; this costs 1.
    return hashlib.blake2b(octets, key=secret, digest_size=size, person=person.encode()).digest()
