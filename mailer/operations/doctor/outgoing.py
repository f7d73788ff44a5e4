"""From which addresses receivers see our mail come, as far as that can be known from here."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from mailer.mail.lookups import Kind, Lookup
from mailer.mail.smtp import Server, is_loopback

_HIDDEN = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"),
    )
)  # RFC 1918, 6598, 3927, 4193, 4291: others see another address


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Addresses that are known, or why none is."""

    addresses: tuple[IPv4Address | IPv6Address, ...] = ()
    why_not: str = ""


def find(server: Server, domain: str, look_up: Lookup, *, own_address: Callable[[], str | None]) -> Outgoing:
    """The addresses from which a relay of our own sends: this machine's, or those of a host of our own domain. A
    provider sends from others than those that it takes mail at.

    :param domain: of From.
    :param own_address: this machine's address towards the world.
    :raises LookupFailed: the DNS does not say.
    """
    if is_loopback(server.host):
        own = own_address()
        found = [own] if own else []
    elif is_literal(server.host):
        found = [server.host]
    elif f".{server.host.lower()}".endswith(f".{domain}"):
        found = [*look_up(server.host, Kind.A).records, *look_up(server.host, Kind.AAAA).records]
    else:
        return Outgoing(why_not=f"{server.host} is no host of {domain}: its operator answers for its name")
    seen = tuple(address for address in map(ip_address, found) if not _is_hidden(address))
    if not seen:
        return Outgoing(why_not="the address is one of a private network, and the one that receivers see is not known")
    return Outgoing(seen)


def is_literal(host: str) -> bool:
    """Whether a host is an IP address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_hidden(address: IPv4Address | IPv6Address) -> bool:
    return address.is_loopback or any(address in network for network in _HIDDEN)


def own_address() -> str | None:
    """The address that this machine would use towards the world. Nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))  # any address elsewhere will do: this only chooses a route
        except OSError:
            return None
        return str(sock.getsockname()[0])
