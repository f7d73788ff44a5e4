"""Addresses are kept as people write them and found however they write them."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail import addresses


@pytest.mark.parametrize(
    ("written", "text", "folded"),
    [
        ("Ana.Example@EXAMPLE.org", "Ana.Example@example.org", "ana.example@example.org"),
        ("ana+alerts@example.org", "ana+alerts@example.org", "ana+alerts@example.org"),
        ("INFO@example.org", "info@example.org", "info@example.org"),
        ("josé@bücher.example.com", "josé@bücher.example.com", "josé@xn--bcher-kva.example.com"),
        ("jose\u0301@example.org", "josé@example.org", "josé@example.org"),
        ("ana@XN--bcher-kva.example.com", "ana@bücher.example.com", "ana@xn--bcher-kva.example.com"),
    ],
)
def test_an_address_is_normalised_for_sending_and_folded_for_finding(written: str, text: str, folded: str) -> None:
    assert addresses.parse(written) == addresses.Address(text=text, folded=folded)


def test_gmail_tricks_are_not_folded() -> None:
    folded = {addresses.parse(text).folded for text in ("a.na@example.com", "ana@example.com", "ana+x@example.com")}
    assert len(folded) == 3


@pytest.mark.parametrize(
    ("written", "mailbox"),
    [
        ("Ana@EXAMPLE.org", "ana@example.org"),
        ("ana+alerts@example.org", "ana@example.org"),
        ("ana+a+b@example.org", "ana@example.org"),
        ("ana+@example.org", "ana@example.org"),
        ("+ana@example.org", "+ana@example.org"),
        ("a.na-b_c@example.org", "a.na-b_c@example.org"),
        ("ana+x@bücher.example.com", "ana@xn--bcher-kva.example.com"),
        ("josé+x@example.org", "josé@example.org"),
        # Nobody can have so short an address at these providers.
        ("a.n.a+x@gmail.com", "ana@gmail.com"),
        ("A.na@GoogleMail.com", "ana@gmail.com"),
        ("a_n-a@pm.me", "ana@pm.me"),
        ("An-a.b+x@ya.ru", "an.a.b@yandex.ru"),
        ("an.a.b@yandex.kz", "an.a.b@yandex.ru"),
        # Not everybody's, and mail to one that is not theirs comes back.
        ("ana@me.com", "ana@me.com"),
        ("ana@protonmail.com", "ana@protonmail.com"),
    ],
)
def test_addresses_that_somebody_makes_up_at_will_have_one_mailbox(written: str, mailbox: str) -> None:
    assert addresses.parse(written).mailbox == mailbox


def test_the_mailbox_is_no_address_to_write_to() -> None:
    parsed = addresses.parse("Ana+Alerts@example.org")
    assert (parsed.text, parsed.folded) == ("Ana+Alerts@example.org", "ana+alerts@example.org")


@pytest.mark.parametrize("text", ["", "ana", "ana@", "@example.org", "ana@example", "a b@example.org", "ana@a.test"])
def test_what_is_no_address_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(addresses.InvalidAddress, match=r"\.$"):
        addresses.parse(text)


_plain = st.text("aAbZ019._+-", min_size=1, max_size=70)
_domain = st.text("aAzZ09-.", min_size=1, max_size=30) | st.sampled_from(
    ["example.org", "EXAMPLE.ORG", "xn--bcher-kva.example.com", "x.test", "localhost", "ab--c.org", "a" * 64 + ".org"]
)
_role = st.sampled_from(["info", "Info", "POSTMASTER", "information", "info.x"])


@given(local=_plain | _role | st.text(max_size=10), domain=_domain | st.text(max_size=10))
def test_the_short_way_for_plain_addresses_agrees_with_email_validator(local: str, domain: str) -> None:
    text = f"{local}@{domain}"
    try:
        checked = validate_email(text, check_deliverability=False)
    except EmailNotValidError as problem:
        with pytest.raises(addresses.InvalidAddress) as refused:
            addresses.parse(text)
        assert str(refused.value) == " ".join(str(problem).split())
    else:
        parsed = addresses.parse(text)
        assert parsed.text == checked.normalized
        assert parsed.folded == f"{checked.local_part.casefold()}@{checked.ascii_domain}"


@given(st.emails())
def test_a_normalised_address_is_found_under_the_same_hash(email: str) -> None:
    try:
        first = addresses.parse(email)
    except addresses.InvalidAddress:
        return
    assert addresses.parse(first.text) == first


@pytest.mark.parametrize("text", ["5.1.1 no 5 here", "no 5 here (#5.1.1)"])
def test_a_servers_words_keep_their_status_code_when_somebody_is_called_like_a_part_of_it(text: str) -> None:
    names = addresses.names_in("5@example.org", None)
    assert addresses.without(text, names) == text.replace(" 5 ", " [recipient] ")


def test_a_word_without_an_end_is_looked_through_in_a_time_that_grows_with_it_not_with_its_square() -> None:
    long = "a" * 200_000
    assert addresses.find(f"{long} ana@example.org {long}.") == ["ana@example.org"]
    assert addresses.redact(f"{long} ana@example.org, smtp://us:pass@host") == f"{long} [address], [address]"


@pytest.mark.parametrize(
    ("address", "text", "stands"),
    [
        ("_ana@example.net", "Final-Recipient: rfc822; _Ana@Example.NET", True),
        ("ana/x@example.net", "<ana/x@example.net>", True),
        ("ana@ex\N{LATIN SMALL LETTER A WITH DIAERESIS}mple.net", "'ana@xn--exmple-cua.net'.", True),
        ("ana@ex\N{LATIN SMALL LETTER A WITH DIAERESIS}mple.net", "ana@exa\N{COMBINING DIAERESIS}mple.net", True),
        ("ana@example.net", "banana@example.net", False),
        ("ana@example.net", "joana.ana@example.net ana@example.net.org ana@example.net-x.org", False),
    ],
)
def test_an_address_stands_in_a_text_also_with_signs_and_in_either_form(address: str, text: str, stands: bool) -> None:
    assert addresses.stands_in(addresses.parse(address), text) is stands
