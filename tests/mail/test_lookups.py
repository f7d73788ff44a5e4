"""What the DNS says, and what it does not say, are told apart."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from mailer.mail.lookups import NOTHING, Answer, Kind, LookupFailed, system_lookup

Resolver = dns.resolver.Resolver
Handler = Callable[[dns.message.Message], dns.message.Message | None]


@contextmanager
def name_server(handle: Handler, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One on this machine that answers as a function says, or not at all, and that this process asks."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            data, client = sock.recvfrom(4096)
            if not data:
                return
            if (answer := handle(dns.message.from_wire(data))) is not None:
                sock.sendto(answer.to_wire(), client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    resolver = Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], sock.getsockname()[1]
    monkeypatch.setattr("dns.resolver.Resolver", lambda: resolver)
    try:
        yield
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"", sock.getsockname())
        thread.join(30)
        sock.close()


def has(*rrsets: dns.rrset.RRset) -> Handler:
    """A server that answers everything with the same."""

    def handle(query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        answer.answer.extend(rrsets)
        return answer

    return handle


def says(code: dns.rcode.Rcode) -> Handler:
    def handle(query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.set_rcode(code)
        return answer

    return handle


def test_texts_that_were_split_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    record = dns.rrset.from_text("a.union.org.", 60, "IN", "TXT", '"v=DKIM1; " "p=AA" "BB"', '"other \\; text"')
    with name_server(has(record), monkeypatch):
        assert set(system_lookup(seconds=30)("a.union.org", Kind.TXT).records) == {"v=DKIM1; p=AABB", "other ; text"}


def test_a_name_that_stands_for_another_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    alias = dns.rrset.from_text("s1._domainkey.union.org.", 60, "IN", "CNAME", "s1.provider.net.")
    record = dns.rrset.from_text("s1.provider.net.", 60, "IN", "TXT", '"v=DKIM1; p=AA"')
    with name_server(has(alias, record), monkeypatch):
        found = system_lookup(seconds=30)("s1._domainkey.union.org", Kind.TXT)
    assert found == Answer(("v=DKIM1; p=AA",))


def test_mail_servers_and_no_mail_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with name_server(has(dns.rrset.from_text("u.org.", 60, "IN", "MX", "10 mx.u.org.")), monkeypatch):
        assert system_lookup(seconds=30)("u.org", Kind.MX) == Answer(("10 mx.u.org",))
    with name_server(has(dns.rrset.from_text("u.org.", 60, "IN", "MX", "0 .")), monkeypatch):
        assert system_lookup(seconds=30)("u.org", Kind.MX) == Answer(("0 .",))


def test_no_record_and_no_name_are_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with name_server(has(), monkeypatch):
        assert system_lookup(seconds=30)("u.org", Kind.MX) == Answer()
    with name_server(says(dns.rcode.NXDOMAIN), monkeypatch):
        assert system_lookup(seconds=30)("u.org", Kind.MX) == NOTHING


@pytest.mark.parametrize("name", ["a..b.org", "x" * 64 + ".org", ".".join(["abcdefgh"] * 40)])
def test_what_can_be_no_name_is_nowhere(name: str) -> None:
    assert system_lookup(seconds=30)(name, Kind.A) == NOTHING


@pytest.mark.parametrize("code", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_resolver_that_cannot_say_has_not_answered(code: dns.rcode.Rcode, monkeypatch: pytest.MonkeyPatch) -> None:
    with name_server(says(code), monkeypatch), pytest.raises(LookupFailed, match=r"u\.org \(MX\)"):
        system_lookup(seconds=2)("u.org", Kind.MX)


def test_nobody_waits_longer_than_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with name_server(lambda _query: None, monkeypatch):
        look_up = system_lookup(seconds=0.5)
        with pytest.raises(LookupFailed, match="in time"):
            look_up("u.org", Kind.A)
        time.sleep(0.5)
        with pytest.raises(LookupFailed, match="no time was left to ask"):
            look_up("u.org", Kind.A)


def test_a_machine_without_resolvers_has_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> dns.resolver.Resolver:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr("dns.resolver.Resolver", fail)
    with pytest.raises(LookupFailed):
        system_lookup(seconds=1)("u.org", Kind.A)
