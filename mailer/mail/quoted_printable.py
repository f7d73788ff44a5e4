"""Quoted-printable (RFC 2045 6.7) that can be cut and joined, and never needs dot-stuffing.

A run that starts on a fresh line and ends with a soft line break (`=CRLF`) can be joined with any other such run:
what stands between two slots is encoded once, what fills them is encoded by itself.
"""

import re

#: ends a line of what is one line when it is read
SOFT_BREAK = b"=\r\n"
_WIDTH = 75  # of at most 76, one is for the "=" of a soft line break
_PLAIN = re.compile(rb"[ !-<>-~]*")
_OCTETS = [
    bytes((octet,)) if re.fullmatch(rb"[ !-<>-~]", bytes((octet,))) else b"=%02X" % octet for octet in range(256)
]


def encode_value(value: bytes) -> bytes:
    """UTF-8 text without line ends, ready to stand between two soft line breaks."""
    if not value:
        return b""
    encoded = value if _PLAIN.fullmatch(value) else b"".join(map(_OCTETS.__getitem__, value))
    if len(encoded) <= _WIDTH - 2:
        return (b"=2E" + encoded[1:] if encoded[0] == 0x2E else encoded) + SOFT_BREAK
    return SOFT_BREAK.join(_lines(encoded)) + SOFT_BREAK


def encode_text(text: str) -> bytes:
    """A static run of text, from a fresh line on; "\\n" ends a line, and a soft line break ends the run."""
    *full, rest = text.split("\n")
    encoded = b"".join(_hard_line(line.encode("utf-8", "replace")) for line in full)
    return encoded + encode_value(rest.encode("utf-8", "replace"))


def _hard_line(line: bytes) -> bytes:
    if line.endswith((b" ", b"\t")):
        # White space before a line end would be lost on the way.
        return encode_value(line[:-1]) + b"=%02X\r\n" % line[-1]
    return encode_value(line).removesuffix(SOFT_BREAK) + b"\r\n"


def _lines(encoded: bytes) -> list[bytes]:
    """Cut into lines without breaking an `=XX`, a leading dot encoded."""
    lines = []
    start = 0
    while start < len(encoded):
        width = _WIDTH
        if encoded[start] == 0x2E:
            width -= 2
        end = min(start + width, len(encoded))
        if end < len(encoded):
            if encoded[end - 1] == 0x3D:
                end -= 1
            elif encoded[end - 2] == 0x3D:
                end -= 2
        line = encoded[start:end]
        lines.append(b"=2E" + line[1:] if line[:1] == b"." else line)
        start = end
    return lines
