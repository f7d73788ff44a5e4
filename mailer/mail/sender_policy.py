"""Who may send in the name of a domain: SPF (RFC 7208), read whole, as the strictest receiver would."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from mailer.mail.lookups import Kind, Lookup

MOST_LOOKUPS = 10  # RFC 7208 4.6.4
_MOST_EMPTY = 2  # answers with nothing in them, likewise
_MOST_EXCHANGES = 10  # names of one mx, likewise
_MOST_ASKED = 40  # after which a record is not read to its end: it is broken by then

_TERM = re.compile(
    r"(?P<qualifier>[-+?~]?)(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)"
    r"(?::(?P<value>[^/\s]\S*?))?(?P<length>(?:/\d{1,3})?(?://\d{1,3})?)",
    re.IGNORECASE,
)
_MODIFIER = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_.-]*)=(?P<value>\S*)")

Network = IPv4Network | IPv6Network


class BrokenRecord(Exception):
    """Receivers cannot use a record (permerror); says why."""


class NoRecord(Exception):
    """A domain has no record."""


class SeveralRecords(BrokenRecord):
    """A domain has more than one record, so none of them counts."""


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that a record says, as far as addresses tell whether it is so."""

    qualifier: str  # "+", "-", "~" or "?"
    written: str
    networks: tuple[Network, ...] = ()
    included: "Record | None" = None
    is_all: bool = False
    is_open: bool = False  # it depends on more than the address: nobody can tell beforehand


@dataclass(frozen=True, slots=True)
class Record:
    """A record with all that it leads to."""

    terms: tuple[Term, ...]
    redirected: "Record | None" = None

    def verdict(self, address: IPv4Address | IPv6Address) -> str | None:
        """What it says of mail from an address: "+", "-", "~" or "?"; None where only the mail itself would tell."""
        for term in self.terms:
            matches = _matches(term, address)
            if matches is None:
                return None
            if matches:
                return term.qualifier
        return self.redirected.verdict(address) if self.redirected else "?"

    @property
    def otherwise(self) -> str:
        """What it says of whoever it does not name."""
        for term in self.terms:
            if term.is_all:
                return term.qualifier
        return self.redirected.otherwise if self.redirected else "?"

    @property
    def names_anybody(self) -> bool:
        """Whether anybody at all may send."""
        allows = any(term.qualifier != "-" and (not term.is_all or term.qualifier == "+") for term in self.terms)
        return allows or (self.redirected is not None and self.redirected.names_anybody)


def _matches(term: Term, address: IPv4Address | IPv6Address) -> bool | None:
    if term.included is not None:
        said = term.included.verdict(address)
        return None if said is None else said == "+"
    if term.is_open:
        return None
    return term.is_all or any(address in network for network in term.networks)


@dataclass(slots=True)
class Reading:
    """What came of reading the record of a domain, and of all that it includes."""

    record: Record
    lookups: int
    empty: int
    broken: str = ""  # why receivers cannot use it

    @property
    def has_too_many_lookups(self) -> bool:
        """Whether receivers give up before its end."""
        return self.lookups > MOST_LOOKUPS


def read(domain: str, look_up: Lookup) -> Reading:
    """Read the record of a domain whole, also what comes behind a mechanism that would match.

    :raises NoRecord: it has none.
    :raises SeveralRecords: it has more than one.
    :raises LookupFailed: the DNS does not say.
    """
    reader = _Reader(look_up)
    try:
        record = reader.record(domain.lower(), via=())
    except SeveralRecords:
        raise
    except BrokenRecord as problem:
        return Reading(Record(()), reader.lookups, reader.empty, str(problem))
    broken = f"{reader.empty} of its names have no address" if reader.empty > _MOST_EMPTY else ""
    return Reading(record, reader.lookups, reader.empty, broken)


@dataclass(slots=True)
class _Reader:
    look_up: Lookup
    lookups: int = 0  # terms that cause questions
    empty: int = 0  # questions with nothing for an answer
    _known: dict[str, Record] = field(default_factory=dict)

    def record(self, domain: str, *, via: tuple[str, ...]) -> Record:
        """:param via: the domains whose records led here."""
        if domain in via:
            raise BrokenRecord(f"it leads back to itself, through {domain}")
        records = [text for text in self.look_up(domain, Kind.TXT).records if _is_record(text)]
        if not records:
            raise NoRecord(domain)
        if len(records) > 1:
            raise SeveralRecords(f"{domain} has {len(records)} SPF records")
        _, *words = records[0].split()
        terms, redirect = [], ""
        for word in words:
            modifier = _MODIFIER.fullmatch(word)
            if modifier and modifier["name"].lower() == "redirect":
                redirect = modifier["value"].lower()
            elif not modifier:
                terms.append(self._term(word, domain, (*via, domain)))
        if redirect and not any(term.is_all for term in terms):
            return Record(tuple(terms), self._led_to(redirect, (*via, domain)))
        return Record(tuple(terms))

    def _led_to(self, domain: str, via: tuple[str, ...]) -> Record | None:
        self._count()
        if "%" in domain:
            return None
        try:
            return self.record(domain.removesuffix("."), via=via)
        except NoRecord:
            raise BrokenRecord(f"{domain}, which it leads to, has no SPF record") from None

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > _MOST_ASKED:
            raise BrokenRecord(f"it needs more than {_MOST_ASKED} questions")

    def _term(self, word: str, domain: str, via: tuple[str, ...]) -> Term:
        found = _TERM.fullmatch(word)
        if found is None:
            raise BrokenRecord(f"{word[:60]!r} in the record of {domain} is nothing that SPF knows")
        name, value = found["name"].lower(), (found["value"] or "").lower().removesuffix(".")
        qualifier = found["qualifier"] or "+"
        if name in ("ip4", "ip6"):
            return Term(qualifier, word, networks=(_network(word, value + found["length"], domain),))
        if name == "all":
            return Term(qualifier, word, is_all=True)
        if name in ("include", "exists") and not value:
            raise BrokenRecord(f"{word!r} in the record of {domain} names no domain")
        if name == "include":
            included = self._led_to(value, via)
            return Term(qualifier, word, included=included, is_open=included is None)
        self._count()
        if name in ("exists", "ptr") or "%" in value:
            return Term(qualifier, word, is_open=True)
        addresses = self._exchanges(value or domain) if name == "mx" else self._addresses(value or domain)
        try:
            return Term(qualifier, word, networks=tuple(_around(addresses, found["length"])))
        except ValueError:
            raise BrokenRecord(f"{word[:60]!r} in the record of {domain} has no length of a network") from None

    def _addresses(self, name: str) -> list[str]:
        found = [*self.look_up(name, Kind.A).records, *self.look_up(name, Kind.AAAA).records]
        self.empty += not found
        return found

    def _exchanges(self, name: str) -> list[str]:
        exchanges = [each.partition(" ")[2] for each in self.look_up(name, Kind.MX).records]
        if not exchanges:
            self.empty += 1
        if len(exchanges) > _MOST_EXCHANGES:
            raise BrokenRecord(f"{name} has more than {_MOST_EXCHANGES} mail servers")
        asked = [self.look_up(each, kind).records for each in exchanges if each != "." for kind in (Kind.A, Kind.AAAA)]
        return [address for records in asked for address in records]


def _is_record(text: str) -> bool:
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def _network(word: str, value: str, domain: str) -> Network:
    try:
        return ip_network(value, strict=False)
    except ValueError:
        raise BrokenRecord(f"{word[:60]!r} in the record of {domain} is no network") from None


def _around(addresses: list[str], length: str) -> Iterator[Network]:
    """The networks around addresses, as `a/24//64` asks for."""
    four, _, six = length.partition("//")
    for each in addresses:
        address = ip_address(each)
        bits = four.removeprefix("/") if address.version == 4 else six
        yield ip_network(f"{each}/{bits}" if bits else each, strict=False)
