"""The domains of our addresses: what the DNS says of them comes out as what to do, and silence as silence."""

import functools
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mailer.mail.dkim import Signer, SigningKey
from mailer.mail.dkim_records import record_for
from mailer.operations.doctor import domains
from mailer.operations.doctor.domains import Mailboxes
from mailer.operations.doctor.findings import Level
from mailer.operations.doctor.outgoing import Outgoing
from mailer.operations.doctor.rounds import Seen
from tests.support.dns_answers import SERVFAIL, SILENCE, Dns

Records = Mapping[tuple[str, str], Sequence[str] | str]
DOMAIN = "union.org"


def codes(seen: Seen) -> list[tuple[str, str]]:
    return [(finding.level.value, finding.code) for finding in seen.findings]


def known(*addresses: str) -> Callable[[], Outgoing]:
    return lambda: Outgoing(tuple(map(ip_address, addresses)))


@functools.cache
def signer(domain: str = DOMAIN) -> Signer:
    return Signer(domain, (SigningKey("s1", rsa.generate_private_key(public_exponent=65537, key_size=2048)),))


# --- mail to us -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ({(DOMAIN, "MX"): ["10 mx.union.org"], ("mx.union.org", "A"): ["192.0.2.1"]}, []),
        ({(DOMAIN, "MX"): ["10 mx.union.org"], ("mx.union.org", "AAAA"): ["2001:db8::1"]}, []),
        ({}, [("error", "domain-unknown")]),
        ({(DOMAIN, "TXT"): ["x"]}, [("error", "mx-missing")]),
        ({(DOMAIN, "A"): ["192.0.2.1"]}, [("warning", "mx-missing")]),
        ({(DOMAIN, "MX"): ["0 ."]}, [("error", "mx-null")]),
        ({(DOMAIN, "MX"): ["10 mx.union.org"]}, [("error", "mx-dead")]),
        (
            {(DOMAIN, "MX"): ["10 mx.union.org", "20 old.union.org"], ("mx.union.org", "A"): ["192.0.2.1"]},
            [("warning", "mx-dead")],
        ),
        ({(DOMAIN, "MX"): SERVFAIL}, [("unknown", "dns-silent")]),
        ({(DOMAIN, "MX"): ["10 mx.union.org"], ("mx.union.org", "A"): SILENCE}, [("unknown", "dns-silent")]),
    ],
)
def test_where_mail_to_us_goes(records: Records, found: list[tuple[str, str]]) -> None:
    assert codes(domains.look_at_exchanges(DOMAIN, ["MAILER_REPLY_TO"], Dns(records))) == found


def test_domains_for_examples_are_not_asked_about() -> None:
    assert domains.is_reserved("example.org")
    assert domains.is_reserved("mail.example.net")
    assert domains.is_reserved("relay.test")
    assert not domains.is_reserved("myexample.org")
    assert not domains.is_reserved("test.org")


# --- SPF ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "found"),
    [
        (["v=spf1 ip4:192.0.2.1 -all"], []),
        ([], [("error", "spf-missing")]),
        (["v=spf1 mx -all", "v=spf1 a -all"], [("error", "spf-several")]),
        (["v=spf1 " + "exists:x.union.org " * 11 + "-all"], [("error", "spf-lookups")]),
        (["v=spf1 include:gone.net -all"], [("error", "spf-broken")]),
        (["v=spf1 -all"], [("error", "spf-nobody")]),
        (["v=spf1 ip4:192.0.2.1 +all"], [("error", "spf-open")]),
        (["v=spf1 ip4:192.0.2.1"], [("warning", "spf-open")]),
        (["v=spf1 ip4:198.51.100.1 -all"], [("warning", "spf-relay")]),
        (["v=spf1 exists:%{i}.union.org -all"], []),
        (SILENCE, [("unknown", "dns-silent")]),
    ],
)
def test_what_spf_says(records: Sequence[str] | str, found: list[tuple[str, str]]) -> None:
    dns = Dns({(DOMAIN, "TXT"): records})
    assert codes(domains.look_at_spf(DOMAIN, known("192.0.2.1"), dns, variable="MAILER_SENDER")) == found


def test_a_relay_whose_address_is_not_known_is_not_missed_in_spf() -> None:
    dns = Dns({(DOMAIN, "TXT"): ["v=spf1 ip4:198.51.100.1 -all"]})
    assert codes(domains.look_at_spf(DOMAIN, known(), dns, variable="MAILER_SENDER")) == []


# --- DKIM -----------------------------------------------------------------------------------------------------------


def test_our_key_where_we_say_it_is_needs_no_word() -> None:
    dns = Dns({("s1._domainkey.union.org", "TXT"): [record_for(signer().keys[0])]})
    assert domains.look_at_keys(signer(), dns).findings == ()


@pytest.mark.parametrize(
    ("records", "found"),
    [
        (None, ("error", "dkim-missing")),
        (["v=DKIM1; p="], ("error", "dkim-revoked")),
        (["v=DKIM1; p=AAAA"], ("error", "dkim-other-key")),
        (["v=DKIM1; p=AAAA", "v=DKIM1; p=BBBB"], ("error", "dkim-several")),
        (["v=DKIM1"], ("error", "dkim-broken")),
        (SERVFAIL, ("unknown", "dns-silent")),
    ],
)
def test_any_other_key_is_an_error_that_says_what_to_publish(
    records: Sequence[str] | str | None, found: tuple[str, str]
) -> None:
    dns = Dns({} if records is None else {("s1._domainkey.union.org", "TXT"): records})
    seen = domains.look_at_keys(signer(), dns)
    assert codes(seen) == [found]
    if found[0] == Level.ERROR:
        assert record_for(signer().keys[0]) in seen.findings[0].remedy


# --- DMARC ----------------------------------------------------------------------------------------------------------


def boxes(author: str = DOMAIN, envelope: str = DOMAIN) -> Mailboxes:
    return Mailboxes(author, envelope, {})


@pytest.mark.parametrize(
    ("mailboxes", "signs", "text", "found"),
    [
        (boxes(), DOMAIN, "v=DMARC1; p=reject", []),
        (boxes("news.union.org", "other.net"), DOMAIN, "v=DMARC1; p=reject", []),
        (boxes("news.union.org", "union.org"), None, "v=DMARC1; p=reject", []),
        (boxes(), DOMAIN, "v=DMARC1; p=none", [("warning", "dmarc-none")]),
        (boxes("news.union.org", "other.net"), DOMAIN, "v=DMARC1; p=reject; adkim=s", [("error", "dmarc-unaligned")]),
        (
            boxes("news.union.org", "news.union.org"),
            DOMAIN,
            "v=DMARC1; p=reject; adkim=s",
            [("warning", "dmarc-unaligned")],
        ),
        (boxes(DOMAIN, "bounces.union.org"), None, "v=DMARC1; p=reject; aspf=s", [("error", "dmarc-unaligned")]),
        (boxes(DOMAIN, "other.net"), None, "v=DMARC1; p=reject", [("error", "dmarc-unaligned")]),
        (boxes(), DOMAIN, None, [("error", "dmarc-missing")]),
        (boxes(), DOMAIN, "v=DMARC1; p", [("error", "dmarc-broken")]),
    ],
)
def test_what_dmarc_says(
    mailboxes: Mailboxes, signs: str | None, text: str | None, found: list[tuple[str, str]]
) -> None:
    dns = Dns({} if text is None else {("_dmarc.union.org", "TXT"): [text]})
    assert codes(domains.look_at_dmarc(mailboxes, signer(signs) if signs else None, dns)) == found


def test_silence_about_a_policy_is_said() -> None:
    dns = Dns({("_dmarc.union.org", "TXT"): SILENCE})
    assert codes(domains.look_at_dmarc(boxes(), signer(), dns)) == [("unknown", "dns-silent")]


# --- names of addresses ---------------------------------------------------------------------------------------------

PTR = ("1.2.0.192.in-addr.arpa", "PTR")


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ({PTR: ["mail.union.org"], ("mail.union.org", "A"): ["192.0.2.1"]}, []),
        ({PTR: ["old.net", "mail.union.org"], ("mail.union.org", "A"): ["192.0.2.1"]}, []),
        ({}, [("error", "ptr-missing")]),
        ({PTR: ["mail.union.org"], ("mail.union.org", "A"): ["192.0.2.2"]}, [("error", "ptr-mismatch")]),
        ({PTR: SERVFAIL}, [("unknown", "dns-silent")]),
    ],
)
def test_what_the_address_is_called_that_mail_comes_from(records: Records, found: list[tuple[str, str]]) -> None:
    assert codes(domains.look_at_names(known("192.0.2.1"), Dns(records))) == found


def test_an_address_of_version_6_is_compared_however_it_is_written() -> None:
    address = "2001:db8::1"
    records = {
        (ip_address(address).reverse_pointer, "PTR"): ["mail.union.org"],
        ("mail.union.org", "AAAA"): ["2001:0db8:0:0::1"],
    }
    assert codes(domains.look_at_names(known(address), Dns(records))) == []


def test_why_no_address_is_known_is_said() -> None:
    seen = domains.look_at_names(lambda: Outgoing(why_not="a provider's"), Dns({}))
    assert (seen.says, seen.findings) == ("a provider's", ())
