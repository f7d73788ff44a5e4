"""A message that goes along with one of ours arrives as it was, and gets nothing into our header."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.attaching import Carrying, carry
from mailer.mail.dkim import Signer, SigningKey

OURS = (
    b"To: office@example.org\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\nFrom: alerts@example.org\r\n"
    b'Subject: An answer\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="a"\r\n\r\n'
    b"--a\r\nContent-Type: text/plain\r\n\r\nIt is attached.\r\n--a--\r\n"
)
FIELD = b"X-Tocsin-Forwarded: 00ff\r\n"
NAMES = ["To", "Date", "From", "Subject", "MIME-Version", "X-Tocsin-Forwarded", "Content-Type"]
ANSWER = b"From: ana@example.net\r\nSubject: Re: Free the five\r\n\r\nI wrote to them.\r\n"


def carried(theirs: bytes, signer: Signer | None = None) -> Carrying:
    return carry(OURS, theirs, field=FIELD, signer=signer, timestamp=1_767_225_600)


def received(data: bytes) -> bytes:
    """As a mail server takes it down (RFC 5321, section 4.5.2)."""
    return data.replace(b"\r\n.", b"\r\n")


def parts(carrying: Carrying) -> tuple[EmailMessage, EmailMessage, EmailMessage]:
    """Ours, its words and what is attached."""
    message = message_from_bytes(received(carrying.data), policy=policy.default)
    words, attached = message.iter_parts()
    return message, words, attached  # type: ignore[return-value]  # the policy makes such


def bytes_between(data: bytes) -> bytes:
    """What stands in the last part, below its header, up to the line end of the last boundary."""
    boundary = data.rstrip(b"\r\n").rpartition(b"\r\n--")[2].removesuffix(b"--")
    last = received(data).split(b"--" + boundary)[-2]
    return last.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")


def test_an_answer_is_attached_as_a_message_beside_our_words() -> None:
    message, words, attached = parts(carried(ANSWER))
    assert sorted(message.keys()) == sorted(NAMES)
    assert (message.get_content_type(), message["X-Tocsin-Forwarded"]) == ("multipart/mixed", "00ff")
    assert words.get_content_type() == "multipart/alternative"
    assert [piece.get_content().strip() for piece in words.iter_parts()] == ["It is attached."]
    assert attached.get_content_type() == "message/rfc822"
    assert attached.get_content_disposition() == "attachment"
    (inner,) = attached.iter_parts()
    assert inner["Subject"] == "Re: Free the five"
    assert bytes_between(carried(ANSWER).data) == ANSWER


@pytest.mark.parametrize(
    "theirs",
    [
        ANSWER.replace(b"\r\n", b"\n"),
        ANSWER.rstrip(),
        b".\r\n.. a line that begins with dots\r\n.\r\n" + ANSWER,
        b"--a\r\n--a--\r\n" + ANSWER,
        b"",
        "From: ana@example.net\r\n\r\nJ’ai écrit.\r\n".encode(),
    ],
)
def test_every_line_of_it_arrives(theirs: bytes) -> None:
    carrying = carried(theirs)
    assert bytes_between(carrying.data) == theirs.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert carrying.is_8bit is not theirs.isascii()
    assert not carrying.data.startswith(b".") and b"\r\n.\r\n" not in carrying.data


@pytest.mark.parametrize("theirs", [ANSWER + b"\0", ANSWER + b"one\rtwo\r\n", ANSWER + b"x" * 999, b"\xff\r\r\n" * 50])
def test_what_no_mail_server_may_take_as_lines_goes_as_a_file_with_the_same_bytes(theirs: bytes) -> None:
    carrying = carried(theirs)
    message, _, attached = parts(carrying)
    assert attached.get_content_type() == "application/octet-stream"
    assert attached.get_payload(decode=True) == theirs
    assert not message.defects and not carrying.is_8bit and carrying.data.isascii()


@given(
    st.binary(max_size=400) | st.lists(st.sampled_from([b"\r\n", b"\n.", b"\r", b"--", b"X: 1", b"\0"])).map(b"".join)
)
def test_whatever_they_wrote_our_header_is_ours(theirs: bytes) -> None:
    carrying = carried(theirs)
    optional = ["Content-Transfer-Encoding"] if carrying.is_8bit else []
    assert sorted(parts(carrying)[0].keys()) == sorted(NAMES + optional)
    for line in carrying.data.split(b"\r\n"):
        assert len(line) <= 998 and b"\n" not in line and b"\r" not in line
        assert line != b"."


def test_a_signature_covers_what_is_attached() -> None:
    private = generate_private_key(65537, 2048)
    signer = Signer("example.org", (SigningKey("s1", private),))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; k=rsa; p=" + b"".join(public.splitlines()[1:-1])
    data = received(carried(b".a\r\n" + ANSWER, signer).data)
    assert dkimpy.verify(data, dnsfunc=lambda *_a, **_k: record)
    assert not dkimpy.verify(data.replace(b"I wrote", b"I read"), dnsfunc=lambda *_a, **_k: record)
