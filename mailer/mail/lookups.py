"""Asking the DNS, so that an answer that nobody gave is never taken for "there is none"."""

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass

import dns.exception
import dns.name
import dns.resolver
from dns.rdtypes.txtbase import TXTBase

_ONE_SECONDS = 5.0  # for a single question


class Kind(enum.StrEnum):
    """What is asked for."""

    A = "A"
    AAAA = "AAAA"
    MX = "MX"
    PTR = "PTR"
    TXT = "TXT"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the DNS has under a name."""

    records: tuple[str, ...] = ()  # names without the dot at the end; an MX as "10 mail.example.org"
    exists: bool = True  # whether there is anything at all under that name


#: the answer where there is nothing under a name (NXDOMAIN)
NOTHING = Answer(exists=False)


class LookupFailed(Exception):
    """Nobody said what stands under a name."""

    def __init__(self, name: str, kind: Kind, problem: str) -> None:
        super().__init__(f"{name} ({kind}): {problem}")


#: asks one question; raises LookupFailed
Lookup = Callable[[str, Kind], Answer]


def system_lookup(*, seconds: float) -> Lookup:
    """Questions to the resolvers that this machine is set up with.

    :param seconds: for all questions together; later ones fail at once.
    """
    end = time.monotonic() + seconds

    def look_up(name: str, kind: Kind) -> Answer:
        """:raises LookupFailed: no resolver is set up, none answers in time, or those that do cannot say."""
        left = end - time.monotonic()
        if left <= 0:
            raise LookupFailed(name, kind, "no time was left to ask")
        try:
            found = dns.resolver.Resolver().resolve(
                dns.name.from_text(name), kind.value, lifetime=min(left, _ONE_SECONDS), raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            return NOTHING
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel):
            return NOTHING  # no such name can be
        except dns.resolver.LifetimeTimeout:
            raise LookupFailed(name, kind, "no resolver answers in time") from None
        except dns.resolver.NoNameservers:
            raise LookupFailed(name, kind, "the resolvers cannot say (SERVFAIL)") from None
        except (dns.exception.DNSException, OSError) as problem:
            raise LookupFailed(name, kind, " ".join(str(problem).split())[:200] or type(problem).__name__) from None
        return Answer(tuple(map(_written, found.rrset or ())))

    return look_up


def _written(record: object) -> str:
    if isinstance(record, TXTBase):
        return b"".join(record.strings).decode("utf-8", "replace")  # long ones are split (RFC 7208 3.3)
    return " ".join(word.removesuffix(".") or "." for word in str(record).split())
