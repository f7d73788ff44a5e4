"""DMARC: the policy that counts is found, and what is aligned under it."""

import pytest

from mailer.mail import dmarc
from mailer.mail.dmarc import BrokenPolicy, Policy
from mailer.mail.lookups import LookupFailed
from tests.support.dns_answers import SILENCE, Dns


def policy(author: str, **records: str) -> Policy | None:
    """:param records: the policy of a domain; its dots are written as two low lines."""
    published = {(f"_dmarc.{domain.replace('__', '.')}", "TXT"): [text] for domain, text in records.items()}
    return dmarc.find(author, Dns(published))


def test_a_domain_without_a_policy_has_none() -> None:
    assert policy("union.org") is None
    assert policy("union.org", union__org="some other text") is None


@pytest.mark.parametrize(
    ("text", "handling"),
    [
        ("v=DMARC1; p=none", "none"),
        ("v=DMARC1;p=reject;;", "reject"),
        ("v = DMARC1 ; P=Quarantine; rua=mailto:x@union.org;", "quarantine"),
        ("v=DMARC1; rua=mailto:x@union.org", "none"),
        ("v=DMARC1; p=refuse", "none"),
        ("v=DMARC1; p=reject; sp=none", "reject"),
    ],
)
def test_policies_are_read_as_people_write_them(text: str, handling: str) -> None:
    found = policy("union.org", union__org=text)
    assert found is not None
    assert found.handling == handling


def test_a_domain_without_one_takes_that_of_the_organisation() -> None:
    found = policy("alerts.news.union.org", union__org="v=DMARC1; p=reject; sp=quarantine; adkim=s")
    assert found == Policy("union.org", "quarantine", strict_dkim=True, strict_spf=False, organisation="union.org")


def test_a_policy_of_its_own_comes_first_and_the_organisation_stays() -> None:
    found = policy("news.union.org", news__union__org="v=DMARC1; p=none", union__org="v=DMARC1; p=reject")
    assert found == Policy("news.union.org", "none", strict_dkim=False, strict_spf=False, organisation="union.org")


def test_a_registry_is_no_organisation() -> None:
    found = policy("news.union.org", org="v=DMARC1; p=reject; psd=y")
    assert found is not None
    assert found.organisation == "union.org"
    assert not found.aligns("other.org", "news.union.org", strict=False)


def test_who_says_so_is_an_organisation_of_its_own() -> None:
    found = policy("news.union.org", news__union__org="v=DMARC1; p=none; psd=n", union__org="v=DMARC1; p=none")
    assert found is not None
    assert found.organisation == "news.union.org"


def test_relaxed_alignment_goes_by_organisation_and_strict_by_the_same_domain() -> None:
    found = policy("news.union.org", union__org="v=DMARC1; p=none")
    assert found is not None
    assert found.aligns("mail.union.org", "news.union.org", strict=False)
    assert found.aligns("UNION.org", "news.union.org", strict=False)
    assert not found.aligns("otherunion.org", "news.union.org", strict=False)
    assert not found.aligns("union.org", "news.union.org", strict=True)
    assert found.aligns("News.Union.org", "news.union.org", strict=True)


@pytest.mark.parametrize("text", ["v=DMARC1; p", "v=DMARC1; p=none; p=reject"])
def test_a_policy_that_cannot_be_read_is_none(text: str) -> None:
    with pytest.raises(BrokenPolicy, match=r"_dmarc\.union\.org"):
        policy("union.org", union__org=text)


def test_of_several_policies_none_counts() -> None:
    records = {("_dmarc.union.org", "TXT"): ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}
    with pytest.raises(BrokenPolicy, match="2 policies"):
        dmarc.find("union.org", Dns(records))


def test_silence_is_no_missing_policy() -> None:
    with pytest.raises(LookupFailed):
        dmarc.find("news.union.org", Dns({("_dmarc.union.org", "TXT"): SILENCE}))


def test_long_names_are_walked_in_few_questions() -> None:
    dns = Dns({})
    dmarc.find(".".join("abcdefghijklmnop") + ".union.org", dns)
    assert len(dns.asked) == 8
