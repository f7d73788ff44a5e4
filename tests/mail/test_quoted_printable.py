"""Runs of quoted-printable that can be joined in any order and still read as what went in."""

import quopri

from hypothesis import example, given
from hypothesis import strategies as st

from mailer.mail.quoted_printable import encode_text, encode_value

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r"))
edgy = st.text(alphabet=".= \tFé😀x\n", max_size=300)
lines = (texts | edgy).map(lambda text: text.replace("\n", " "))


@given(st.lists(st.tuples(texts | edgy, lines)))
def test_static_runs_and_values_in_turn_decode_to_what_went_in(runs: list[tuple[str, str]]) -> None:
    encoded = b"".join(encode_text(static) + encode_value(value.encode()) for static, value in runs)
    decoded = quopri.decodestring(encoded).decode().replace("\r\n", "\n")
    assert decoded == "".join(static + value for static, value in runs)


@given(texts | edgy)
@example("." * 400)
@example(".é" * 200)
def test_every_line_is_short_ascii_and_needs_no_dot_stuffing(text: str) -> None:
    encoded = encode_text(text)
    assert b"\r" not in encoded.replace(b"\r\n", b"")
    assert b"\n" not in encoded.replace(b"\r\n", b"")
    assert encoded.isascii()
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith(b".")
        assert not line.endswith((b" ", b"\t"))
