"""SPF: a record is read as the strictest receiver would, and what it leads to as well."""

from ipaddress import ip_address

import pytest

from mailer.mail import sender_policy
from mailer.mail.lookups import LookupFailed
from mailer.mail.sender_policy import NoRecord, Reading, SeveralRecords
from tests.support.dns_answers import SERVFAIL, Dns

DOMAIN = "union.org"


def reading(*records: str, **others: str) -> Reading:
    """:param others: the SPF record of another domain below union.org, by its first label."""
    included = {(f"{label}.{DOMAIN}", "TXT"): [text] for label, text in others.items()}
    return sender_policy.read(DOMAIN, Dns({(DOMAIN, "TXT"): records, **included}))


@pytest.mark.parametrize("texts", [(), ("google-site-verification=x",), ("v=spf10 -all",), ("spf1 -all",)])
def test_texts_of_other_kinds_are_no_record(texts: tuple[str, ...]) -> None:
    with pytest.raises(NoRecord):
        reading(*texts)


def test_of_several_records_none_counts() -> None:
    with pytest.raises(SeveralRecords, match="2 SPF records"):
        reading("v=spf1 mx -all", "v=spf1 ip4:192.0.2.1 -all")


def test_a_question_without_an_answer_is_no_missing_record() -> None:
    with pytest.raises(LookupFailed):
        sender_policy.read(DOMAIN, Dns({(DOMAIN, "TXT"): SERVFAIL}))


@pytest.mark.parametrize(
    ("record", "address", "verdict"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.9", "+"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "198.51.100.9", "-"),
        ("V=SPF1 IP4:192.0.2.9 ~ALL", "198.51.100.9", "~"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::7", "+"),
        ("v=spf1 ip6:2001:db8::/32 -all", "192.0.2.9", "-"),
        ("v=spf1 -ip4:192.0.2.9 +all", "192.0.2.9", "-"),
        ("v=spf1 ip4:192.0.2.9", "198.51.100.9", "?"),
        ("v=spf1 include:a.union.org -all", "203.0.113.5", "+"),
        ("v=spf1 include:a.union.org -all", "203.0.113.6", "-"),
        ("v=spf1 redirect=a.union.org", "203.0.113.6", "~"),
        ("v=spf1 redirect=a.union.org -all", "203.0.113.5", "-"),
        ("v=spf1 exists:%{i}.list.union.org -all", "192.0.2.9", None),
        ("v=spf1 ip4:192.0.2.9 exp=why.union.org unknown=x -all", "192.0.2.9", "+"),
    ],
)
def test_addresses_are_judged_as_receivers_do(record: str, address: str, verdict: str | None) -> None:
    found = reading(record, a="v=spf1 ip4:203.0.113.5 ~all")
    assert found.broken == ""
    assert found.record.verdict(ip_address(address)) == verdict


def test_hosts_and_mail_servers_are_looked_up() -> None:
    dns = Dns(
        {
            (DOMAIN, "TXT"): ["v=spf1 a/24 mx:list.union.org a:www.union.org//64 -all"],
            (DOMAIN, "A"): ["192.0.2.1"],
            ("list.union.org", "MX"): ["10 mx.union.org"],
            ("mx.union.org", "A"): ["198.51.100.1"],
            ("www.union.org", "AAAA"): ["2001:db8::1"],
        }
    )
    found = sender_policy.read(DOMAIN, dns)
    assert (found.lookups, found.empty) == (3, 0)
    said = {each: found.record.verdict(ip_address(each)) for each in ("192.0.2.99", "198.51.100.1", "198.51.100.2")}
    assert said == {"192.0.2.99": "+", "198.51.100.1": "+", "198.51.100.2": "-"}
    assert found.record.verdict(ip_address("2001:db8::ffff")) == "+"


def test_questions_of_included_records_count() -> None:
    record = "v=spf1 " + " ".join(f"include:{label}.union.org" for label in "abcdef") + " -all"
    included = dict.fromkeys("abcdef", "v=spf1 exists:x.union.org -all")
    assert reading(record, **included).lookups == 12
    assert reading(record, **included).has_too_many_lookups
    assert not reading("v=spf1 " + "exists:x.union.org " * 10 + "-all").has_too_many_lookups
    assert reading("v=spf1 " + "exists:x.union.org " * 11 + "-all").has_too_many_lookups


def test_a_record_without_end_is_not_read_without_end() -> None:
    dns = Dns({(DOMAIN, "TXT"): ["v=spf1 " + "a:www.union.org " * 500 + "-all"]})
    assert sender_policy.read(DOMAIN, dns).has_too_many_lookups
    assert len(dns.asked) < 100


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("v=spf1 ip4:192.0.2.300 -all", "no network"),
        ("v=spf1 ipv4:192.0.2.3 -all", "nothing that SPF knows"),
        ("v=spf1 all-", "nothing that SPF knows"),
        ("v=spf1 a/99 -all", "no length"),
        ("v=spf1 include -all", "names no domain"),
        ("v=spf1 include:nobody.union.org -all", "no SPF record"),
        ("v=spf1 redirect=nobody.union.org", "no SPF record"),
        ("v=spf1 include:union.org -all", "back to itself"),
        ("v=spf1 a:x.union.org a:y.union.org a:z.union.org -all", "have no address"),
    ],
)
def test_what_receivers_cannot_use_is_said(record: str, why: str) -> None:
    dns = Dns({(DOMAIN, "TXT"): [record], (DOMAIN, "A"): ["192.0.2.1"]})
    assert why in sender_policy.read(DOMAIN, dns).broken


@pytest.mark.parametrize(
    ("record", "names_anybody", "otherwise"),
    [
        ("v=spf1 -all", False, "-"),
        ("v=spf1 ~all", False, "~"),
        ("v=spf1 +all", True, "+"),
        ("v=spf1 ip4:192.0.2.1", True, "?"),
        ("v=spf1 ip4:192.0.2.1 ?all", True, "?"),
        ("v=spf1 redirect=a.union.org", True, "~"),
    ],
)
def test_records_for_nobody_and_for_everybody_are_told_apart(record: str, names_anybody: bool, otherwise: str) -> None:
    found = reading(record, a="v=spf1 ip4:203.0.113.5 ~all").record
    assert (found.names_anybody, found.otherwise) == (names_anybody, otherwise)
