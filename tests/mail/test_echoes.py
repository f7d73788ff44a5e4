"""A server's words are shown only if they repeat nothing that we logged in with, in whatever form."""

import base64
import html
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail import echoes

PASSWORD = 'swörd"fish\\ 7&+9'
TOKEN = "ya29.a0AfH6SMBx-_kT9q" + "Zx81" * 40
SASL = "\0box@example.org\0{}"
XOAUTH2 = "user=box@example.org\1auth=Bearer {}\1\1"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda secret: secret,
    "in capitals": lambda secret: secret.upper(),
    "quoted": lambda secret: '"{}"'.format(secret.replace("\\", "\\\\").replace('"', '\\"')),
    "as Python writes it": lambda secret: repr(b'LOGIN "%s"' % secret.replace("\\", "\\\\").encode("latin-1")),
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "in HTML": html.escape,
    "base64": b64,
    "base64 for addresses": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    "base64, percent-encoded": lambda secret: quote(b64(secret), safe=""),
    "base64 on several lines": lambda secret: "\r\n ".join(b64(secret)[at : at + 8] for at in range(0, 400, 8)),
    "as a SASL response": lambda secret: b64(SASL.format(secret)),
    "as another": lambda secret: b64(XOAUTH2.format(secret)),
    "hexadecimal": lambda secret: secret.encode().hex().upper(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [PASSWORD, TOKEN, "abc"])
def test_a_secret_is_found_in_every_form(form: str, secret: str) -> None:
    if form == "as Python writes it" and secret is PASSWORD:
        secret = 'sword"fish\\ 7&+9'
    assert echoes.repeat(f"NO [AUTHENTICATIONFAILED] what is {FORMS[form](secret)} meant to be?", secret)


@given(before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_it_is_found_wherever_it_stands_in_something_longer_in_base64(before: bytes, after: bytes) -> None:
    written = base64.b64encode(before + PASSWORD.encode() + after).decode()
    assert echoes.repeat(f"BAD {written}", PASSWORD)


@pytest.mark.parametrize("most", [18, 40, 80])
def test_a_piece_is_found_too(most: int) -> None:
    assert echoes.repeat(f"NO {TOKEN[10 : 10 + most]}...", TOKEN)
    assert echoes.repeat(f"NO {b64(SASL.format(PASSWORD))[:most]}...", PASSWORD, sent=SASL.format(PASSWORD))
    assert echoes.repeat(f"NO {b64(XOAUTH2.format(TOKEN))[:most]}...", TOKEN, sent=XOAUTH2.format(TOKEN))


@pytest.mark.parametrize(
    "words",
    [
        "[AUTHENTICATIONFAILED] box@example.org is not let in",
        "[ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)",
        "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=",
        "",
    ],
)
def test_other_words_are_shown(words: str) -> None:
    for secret, sent in ((PASSWORD, SASL), (TOKEN, XOAUTH2), ("abc", SASL), ("ab", ""), ("", "")):
        assert not echoes.repeat(words, secret, sent=sent.format(secret) if secret else "")
