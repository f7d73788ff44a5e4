"""From where our mail comes is said only where it is known."""

from ipaddress import ip_address

import pytest

from mailer.mail.smtp import Server
from mailer.operations.doctor import outgoing
from tests.support.dns_answers import Dns

DNS = Dns({("mail.union.org", "A"): ["192.0.2.1"], ("smtp.provider.net", "A"): ["198.51.100.1"]})


@pytest.mark.parametrize(
    ("host", "own", "addresses"),
    [
        ("127.0.0.1", "203.0.113.9", ["203.0.113.9"]),
        ("localhost", "10.1.2.3", []),
        ("localhost", None, []),
        ("192.168.0.7", "203.0.113.9", []),
        ("203.0.113.7", "203.0.113.9", ["203.0.113.7"]),
        ("mail.union.org", "203.0.113.9", ["192.0.2.1"]),
        ("smtp.provider.net", "203.0.113.9", []),
        ("union.org.provider.net", "203.0.113.9", []),
    ],
)
def test_only_a_relay_of_our_own_has_a_known_address(host: str, own: str | None, addresses: list[str]) -> None:
    found = outgoing.find(Server(host, 25), "union.org", DNS, own_address=lambda: own)
    assert list(found.addresses) == [*map(ip_address, addresses)]
    assert bool(found.why_not) is not bool(addresses)


def test_this_machine_knows_an_address_or_none() -> None:
    own = outgoing.own_address()
    assert own is None or ip_address(own).version == 4
