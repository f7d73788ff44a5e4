"""Links that open a new mail: they decode to what was meant, in any script, and nothing can break out of them."""

import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.mail import mailto
from mailer.mail.headers import UnusableAddress

#: what RFC 6068 (2) lets stand in a link as it is: unreserved and some-delims, ":" and "@"
_QCHAR = r"(?:[A-Za-z0-9\-._~!$'()*+,;:@]|%[0-9A-F]{2})"
_URI = re.compile(rf"mailto:(?P<to>{_QCHAR}*)(?:\?(?P<fields>{_QCHAR}*={_QCHAR}*(?:&{_QCHAR}*={_QCHAR}*)*))?")

SCRIPTS = {
    "Latin": "Your Excellency,\n\n100% of them & theirs = five; is it true? #1 + more\n",
    "Cyrillic": "Ваше Превосходительство,\n\nосвободите их.\n",
    "Arabic": "سعادة السفير،\n\nأفرجوا عنهم.\n",
    "Greek": "Εξοχότατε,\n\nελευθερώστε τους.\n",
    "Han": "尊敬的大使:\n\n请释放他们。\n",
}
WORDS = st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"]) | st.just("\n"))


def decoded(link: str) -> dict[str, str]:
    """What a link says, read as RFC 6068 says."""
    found = _URI.fullmatch(link)
    assert found, link
    pairs = [pair.split("=") for pair in found["fields"].split("&")] if found["fields"] else []
    fields = dict(pairs)
    assert len(fields) == len(pairs)  # none comes twice
    return {"to": unquote(found["to"]), **{name: unquote(value) for name, value in fields.items()}}


def as_python_reads_it(link: str) -> dict[str, str]:
    parts = urlsplit(link)
    return {"to": unquote(parts.path), **{name: values[0] for name, values in parse_qs(parts.query).items()}}


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=list(SCRIPTS))
def test_a_link_decodes_to_what_was_meant_in_every_script(text: str) -> None:
    subject = text.split("\n")[0]
    link = mailto.link("embassy@example.org", cc="law@example.net", subject=subject, body=text)
    meant = {
        "to": "embassy@example.org",
        "cc": "law@example.net",
        "subject": subject,
        "body": text.replace("\n", "\r\n"),
    }
    assert decoded(link) == as_python_reads_it(link) == meant
    assert "%0D%0A%0D%0A" in link


@given(subject=WORDS, body=WORDS)
@example(subject="a&bcc=x@example.com", body="?body=b&to=c#d%0D%0ABcc: x")
def test_no_words_become_another_field_or_another_address(subject: str, body: str) -> None:
    link = mailto.link("embassy@example.org", subject=" ".join(subject.split()), body=body)
    found = decoded(link)
    assert set(found) <= {"to", "subject", "body"}
    assert found["to"] == "embassy@example.org"
    assert found.get("body", "").replace("\r\n", "\n") == body
    assert found == as_python_reads_it(link)


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("a+b&c=d?e%f#g@example.org", "a%2Bb%26c%3Dd%3Fe%25f%23g@example.org"),
        ("büro@bücher.example.org", "b%C3%BCro@xn--bcher-kva.example.org"),
    ],
)
def test_any_address_is_written_so_that_it_is_read(address: str, written: str) -> None:
    assert mailto.link(address) == f"mailto:{written}"


def test_what_is_no_address_makes_no_link() -> None:
    with pytest.raises(UnusableAddress):
        mailto.link("a@example.org,b@example.org")


def test_a_letter_goes_along_only_where_all_of_it_fits() -> None:
    without = mailto.link("a@example.org", cc="b@example.org", subject="S")
    room = mailto.LONGEST - len(without) - len("&body=")
    for letters, fits in ((room, True), (room + 1, False)):
        link, has_body = mailto.fitting("a@example.org", cc="b@example.org", subject="S", body="x" * letters)
        assert (has_body, len(link) <= 1800) == (fits, True)
        assert decoded(link).get("body") == ("x" * letters if fits else None)
        assert decoded(link)["cc"] == "b@example.org"


def test_a_subject_for_which_a_link_has_no_room_is_copied_too() -> None:
    link = mailto.fitting("a@example.org", cc="b@example.org", subject="ж" * 400, body="x")
    assert link == ("mailto:a@example.org?cc=b@example.org", False)
