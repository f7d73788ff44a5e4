"""A mail of ours that hands on what somebody wrote: their message goes with it as it came.

Nothing of that message gets into the header of ours, whatever it says: only bytes that we made ourselves stand there.
"""

import re
import secrets
from binascii import b2a_base64
from typing import NamedTuple

from mailer.mail.dkim import EditionSigner, Signer

_CRLF = b"\r\n"
#: octets of a line without its end (RFC 5322, section 2.1.1)
_LONGEST_LINE = 998
_FIELD = re.compile(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*")
_BASE64_OCTETS = 57  # in a line


class Carrying(NamedTuple):
    """A message with another in it, as the wire wants it: a dot at the beginning of a line is doubled."""

    data: bytes
    is_8bit: bool


def carry(ours: bytes, theirs: bytes, *, field: bytes, signer: Signer | None, timestamp: int) -> Carrying:
    """Attach a message to one of ours (RFC 2046, section 5.2.1), and sign both together.

    Where it cannot travel as a message, because its lines are too long or end otherwise, it goes as a file with the
    same bytes: nobody may encode a message in a message.

    :param ours: as `CompiledEdition.merge` makes it, without a signature.
    :param theirs: any bytes.
    :param field: one more header field of ours, with its line end.
    :param timestamp: Unix time, in seconds.
    """
    header, _, body = ours.partition(_CRLF * 2)
    fields = _FIELD.findall(header + _CRLF)
    of_body = [each for each in fields if each.lower().startswith(b"content-type:")]
    # `From` first, as in every mail that is signed.
    rest = sorted((each for each in fields if each not in of_body), key=lambda each: each[:5].lower() != b"from:")
    boundary = secrets.token_hex(16).encode()
    attached, is_8bit = _part(theirs)
    parts = (
        b"--%b\r\n%b\r\n%b" % (boundary, b"".join(of_body), body),
        b"\r\n--%b\r\n%b\r\n--%b--\r\n" % (boundary, attached, boundary),
    )
    fields = [*rest, field, b'Content-Type: multipart/mixed;\r\n boundary="%b"\r\n' % boundary]
    if is_8bit:
        fields.append(b"Content-Transfer-Encoding: 8bit\r\n")
    shared, whole = b"".join(fields), b"".join(parts)
    signatures = EditionSigner(signer, shared, [whole]).sign(b"", [whole], timestamp=timestamp) if signer else b""
    return Carrying(signatures + shared + _CRLF + whole.replace(b"\r\n.", b"\r\n.."), is_8bit)


def _part(message: bytes) -> tuple[bytes, bool]:
    """The message as a part, header and all; and whether it has octets beyond ASCII."""
    lines = message.replace(_CRLF, b"\n")
    if b"\r" in lines or b"\0" in lines or max(map(len, lines.split(b"\n"))) > _LONGEST_LINE:
        encoded = b"".join(
            b2a_base64(message[start : start + _BASE64_OCTETS], newline=False) + _CRLF
            for start in range(0, len(message), _BASE64_OCTETS)
        )
        return _head(b"application/octet-stream", b"base64") + encoded, False
    is_8bit = not lines.isascii()
    return _head(b"message/rfc822", b"8bit" if is_8bit else b"7bit") + lines.replace(b"\n", _CRLF), is_8bit


def _head(media_type: bytes, encoding: bytes) -> bytes:
    name = b'Content-Disposition: attachment; filename="message.eml"\r\n'
    return b"Content-Type: %b\r\nContent-Transfer-Encoding: %b\r\n%b\r\n" % (media_type, encoding, name)
