"""E-mail addresses: checked, normalised, and folded for look-up."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import normalize

from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES

from mailer.errors import MailerError
from mailer.mail import smtp_replies


class InvalidAddress(MailerError):
    """{problem}"""


@dataclass(frozen=True, slots=True)
class Address:
    """A valid address.

    `text` is what people see and what is stored: NFC, local part as written, domain lower-case in its own
    script. `folded` is what it is found by: local part case-folded, domain as A-label.
    """

    text: str
    folded: str

    @property
    def mailbox(self) -> str:
        """What it leads to, as far as that is known: the same for all addresses that somebody can make up at will.

        It is good for counting only. Mail goes to the address itself: a `+` may be part of somebody's own.
        """
        local, _, domain = self.folded.rpartition("@")
        base = local.partition("+")[0] or local
        plain = base.translate(_SIGNS.get(domain, {})) or base
        return f"{plain}@{_SAME_DOMAINS.get(domain, domain)}"


_YANDEX = ("yandex.ru", "yandex.com", "yandex.by", "yandex.kz", "ya.ru")
#: domains of providers that take no notice of some signs in a local part, or of which of two it is, as they say or as
#: was seen
_SIGNS: Mapping[str, Mapping[int, int | None]] = {
    **dict.fromkeys(("gmail.com", "googlemail.com"), str.maketrans("", "", ".")),
    **dict.fromkeys(("proton.me", "protonmail.com", "protonmail.ch", "pm.me"), str.maketrans("", "", ".-_")),
    **dict.fromkeys(_YANDEX, str.maketrans("-", ".")),
}
#: Only where everybody has all of them. At Proton and iCloud, mail to one that somebody does not have comes back.
_SAME_DOMAINS = {"googlemail.com": "gmail.com", **dict.fromkeys(_YANDEX, "yandex.ru")}


def parse(text: str) -> Address:
    """Check and normalise an address (RFC 5321, 6531; no DNS look-up).

    :raises InvalidAddress: with a message for the person who typed it.
    """
    plain = _PLAIN.fullmatch(text)
    if plain and (domain := _plain_domain(plain["domain"])):
        local = plain["local"]
        return Address(text=f"{local}@{domain}", folded=f"{local.lower()}@{domain}")
    try:
        checked = validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError as problem:
        raise InvalidAddress(problem=problem) from None
    return Address(text=checked.normalized, folded=f"{checked.local_part.casefold()}@{checked.ascii_domain}")


# Most addresses share few domains and have a local part in which nothing can be wrong. For these email-validator is
# asked about the domain once: it takes 27 µs an address, this 2 µs, and an import of a million people has 125 µs for
# each. That the result is the same is tested on generated addresses. Role names (RFC 2142) change their case there.
_PLAIN = re.compile(
    rf"(?!(?:{'|'.join(CASE_INSENSITIVE_MAILBOX_NAMES)})@)"
    r"(?P<local>(?=.{1,64}@)[a-z0-9]+(?:[._+-][a-z0-9]+)*)@(?P<domain>[a-z0-9.-]{1,180})",
    re.ASCII | re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def _plain_domain(domain: str) -> str | None:
    """The normalised form of a valid domain that has no internationalised label; None for every other."""
    try:
        checked = validate_email(f"x@{domain}", check_deliverability=False)
    except EmailNotValidError:
        return None
    return checked.domain if checked.domain == checked.ascii_domain else None


def redact(text: str) -> str:
    """Replace what looks like an e-mail address."""
    return _LOOKS_LIKE_ONE.sub(lambda found: "[address]" if found["domain"] else found[0], text)


def find(text: str) -> list[str]:
    """The e-mail addresses in a text or in a link, folded as they are looked up."""
    found = (written[0].strip("_.'-") for written in _IN_TEXT.finditer(text) if written["domain"])
    return [_folded(written) for written in found]


def stands_in(address: Address, text: str) -> bool:
    """Whether an address stands in a text, its domain in either form. It parses nothing, as a text can have thousands
    of addresses. A sign before it may be a quotation mark or a part of another address: that counts as well.
    """
    forms = "|".join(re.escape(_plainly(each)) for each in (address.folded, address.text))
    here = rf"(?<![^\W_])(?<![.+-])(?:{forms})(?![^\W_]|[.-][^\W_])"
    return re.search(here, _plainly(text)) is not None


def _plainly(text: str) -> str:
    return normalize("NFC", text).casefold()


def _folded(written: str) -> str:
    try:
        return parse(written).folded
    except InvalidAddress:
        return written.casefold()


def names_in(address: str | None, name: str | None) -> list[str]:
    """What a person could be named by, the longest first. Servers also write them apart: "ana unknown", "the mailbox of
    Ana Example is full", "no route to example.org", which may be theirs alone."""
    local_part, _, domain = (address or "").rpartition("@")
    names = [address or "", local_part, domain, *_a_label(domain), name or "", *(name or "").split()]
    return sorted(filter(None, names), key=len, reverse=True)


def _a_label(domain: str) -> list[str]:
    try:
        return [] if domain.isascii() else [parse(f"x@{domain}").folded.rpartition("@")[2]]
    except InvalidAddress:
        return []


#: what `without` has instead of whom words are about
RECIPIENT = "[recipient]"


def without(text: str, names: Sequence[str]) -> str:
    """A server's words without addresses, and without whom they are about. Their status code stays, whatever somebody
    is called.

    :param names: what that person could be named by, the longest first.
    """
    found = smtp_replies.STATUS.search(text)
    start, end = found.span() if found else (0, 0)
    return _without(text[:start], names) + text[start:end] + _without(text[end:], names)


def _without(text: str, names: Sequence[str]) -> str:
    text = redact(text)
    if not names or not text:
        return text
    named = "|".join(map(re.escape, names))
    return re.sub(rf"(?<!\w)(?:{named})(?!\w)", RECIPIENT, text, flags=re.IGNORECASE)


# Both take words without an address whole, so that each is read once: else a word of a hundred thousand letters would
# be read from each of its letters on.
#: An address among words, or between what marks them up; one that has a domain.
_IN_TEXT = re.compile(r"[\w.+'-]++(?P<domain>@(?:[\w-]+\.)+[\w-]+)?")
#: Not what an address may be but what could be one, likewise. It also takes the password out of
#: `scheme://user:password@host`.
_DOMAIN = r"""@[^\s@"'<>(),;:=\[\]]"""
_LOOKS_LIKE_ONE = re.compile(rf"""(?:"[^"\n]*"(?={_DOMAIN})|[^\s@"<>(),;=\[\]]++)(?P<domain>{_DOMAIN}+)?""")
