"""Passwords of the desk: which will do, and how they are kept (Argon2id, RFC 9106)."""

import base64
import re
import secrets
import unicodedata
from collections.abc import Collection
from functools import cache
from itertools import pairwise
from pathlib import Path
from string import digits
from threading import BoundedSemaphore

from argon2 import Parameters, PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from mailer.errors import MailerError
from mailer.mail.addresses import Address

SHORTEST = 12  # characters
LONGEST = 1000
#: what hashing costs: 64 MiB and three passes (RFC 9106, section 4, second choice)
PARAMETERS: Parameters = RFC_9106_LOW_MEMORY
#: Else a dozen strangers who try passwords would have the memory of a small machine.
_AT_ONCE = BoundedSemaphore(2)

_LIST = Path(__file__).with_name("common_passwords.txt")
_FEWEST_CHARACTERS = 5  # different ones
_MOST_AROUND = 4  # digits before and after a word: they make it no better
_AROUND = re.compile(rf"^[\W_]*\d{{0,{_MOST_AROUND}}}[\W_]*|[\W_]*\d{{0,{_MOST_AROUND}}}[\W_]*$")
#: signs and digits that people write for letters
_FOR_LETTERS = tuple(str.maketrans("@4831!057$2", letters) for letters in ("aabeiiostsz", "aabeliostsz"))


class WeakPassword(MailerError):
    """Choose another password."""


class ShortPassword(WeakPassword):
    """This password is too short: it needs at least {shortest} characters. Four or five words that do not belong
    together are easy to remember."""


class LongPassword(WeakPassword):
    """This password is too long: it may have at most {longest} characters."""


class PasswordIsAddress(WeakPassword):
    """This password is your address, or part of it. Choose one that has nothing to do with it."""


class PasswordsDiffer(MailerError):
    """This is not the same password. Type it once more."""


class CommonPassword(WeakPassword):
    """This password is one of those that are tried first, or made of such ones. Four or five words that do not belong
    together are better."""


def hash(password: str) -> str:  # as the library calls it
    """What is kept of a password, with its salt and what it cost, in Argon2's own notation."""
    with _AT_ONCE:
        return _hasher().hash(_normal(password))


def verify(kept: str | None, password: str) -> bool:
    """Whether a password is the one that was kept. Takes as long where there is none.

    :param kept: what `hash` made; None: nobody has an account, or no password yet.
    """
    with _AT_ONCE:
        try:
            _hasher().verify(kept or _nobodys(), _normal(password))
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Whether a password was hashed at another cost than now."""
    return _hasher().check_needs_rehash(kept)


def _hasher() -> PasswordHasher:
    return PasswordHasher.from_parameters(PARAMETERS)


def _nobodys() -> str:
    """A hash of no password, as costly to compare with as somebody's."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (PARAMETERS.salt_len, PARAMETERS.hash_len)
    )
    cost = f"m={PARAMETERS.memory_cost},t={PARAMETERS.time_cost},p={PARAMETERS.parallelism}"
    return f"$argon2id$v={PARAMETERS.version}${cost}${salt}${digest}"


def _normal(password: str) -> str:
    """The same for all keyboards that write the same characters (NFKC, as SP 800-63B, section 3.1.1.2, asks for)."""
    return unicodedata.normalize("NFKC", password[: LONGEST + 1])


# --- which will do --------------------------------------------------------------------------------------------------


def check(password: str, address: Address) -> None:
    """Refuse a password that somebody would soon guess.

    :raises WeakPassword: what is wrong with it, and what to do.
    """
    normal = _normal(password)
    if len(normal) < SHORTEST:
        raise ShortPassword(shortest=SHORTEST)
    if len(password) > LONGEST or len(normal) > LONGEST:
        raise LongPassword(longest=LONGEST)
    if _is_address(normal.casefold(), address):
        raise PasswordIsAddress
    if _is_common(normal.casefold()):
        raise CommonPassword


def check_again(password: str, again: str | None) -> None:
    """Refuse a password that somebody typed otherwise the second time: they may not know which one it is.

    :param again: None: they were not asked to.
    :raises PasswordsDiffer: it is another.
    """
    if again is not None and again != password:
        raise PasswordsDiffer


def _is_address(password: str, address: Address) -> bool:
    """Whether it is made of an address, or of parts of it, alone."""
    whole = address.text.casefold()
    parts = {_bare(part) for part in (whole, *whole.split("@"), *re.split(r"[\W_]+", whole))}
    return _consists_of({part for part in parts if len(part) > 2}, _bare(password))


def _is_common(password: str) -> bool:
    if len(set(password)) < _FEWEST_CHARACTERS or _is_sequence(password):
        return True
    inner = _AROUND.sub("", password)  # else digits after a word would be taken for letters of it
    return _consists_of(_common(), _bare(password)) or any(
        _consists_of(_common(), _bare(each.translate(table)), around=0)
        for each in (password, inner)
        for table in _FOR_LETTERS
    )


def _is_sequence(password: str) -> bool:
    """Whether each character is as far from the one before: 123456789012, or the alphabet."""
    steps = {ord(second) - ord(first) for first, second in pairwise(password)}
    return len(steps - {9, -9} if password.isdecimal() else steps) == 1


def _bare(text: str) -> str:
    """Its letters and digits."""
    return re.sub(r"[\W_]+", "", text)


def _consists_of(words: Collection[str], text: str, *, around: int = _MOST_AROUND) -> bool:
    """Whether a text is made of these words alone, as often as it likes.

    :param around: how many digits may stand before and after them.
    """
    if not text:
        return False
    longest = max(map(len, words), default=0)
    before, after = (min(len(text) - len(rest), around) for rest in (text.lstrip(digits), text.rstrip(digits)))
    if text.isdecimal():
        before = after = 0
    reached = [position <= before for position in range(len(text) + 1)]  # up to there it is so
    for end in range(1, len(text) + 1):
        starts = range(max(0, end - longest), end)
        reached[end] = reached[end] or any(reached[start] and text[start:end] in words for start in starts)
    return any(reached[len(text) - after :])


@cache
def _common() -> frozenset[str]:
    lines = _LIST.read_text("utf-8").splitlines()
    return frozenset(
        _bare(word) for line in lines if not line.startswith("#") for word in _normal(line).casefold().split()
    )
