"""Bytes from an SMTP server → replies (RFC 5321, section 4.2)."""

import re
from collections.abc import Iterator

_LONGEST = 64 * 1024  # octets of one reply; ours are a few hundred, and a server must not fill our memory
_SHOWN = 500  # characters of a server's words that are kept

#: What the last line of a reply may start with, and the code. One look-up checks and converts: 0.1 µs a line
#: instead of 0.3.
_CODES = {b"%d%b" % (code, mark): code for code in range(200, 600) for mark in (b" ", b"\r", b"")}
_CONTINUED = frozenset(b"%d-" % code for code in range(200, 600))

_ENHANCED_CODE = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")

#: At the beginning (RFC 2034; Cisco's appliances put # before it), or at the end as qmail and its heirs have it.
STATUS = re.compile(r"^#?([245]\.\d{1,3}\.\d{1,3})(?![\d.])|\(#([245]\.\d{1,3}\.\d{1,3})\)\W*$")

Reply = tuple[int, bytes]  # the code, and the text; lines are parted by LF


class BrokenReply(Exception):
    """The server said something that is no SMTP reply."""


class ReplyReader:
    """Puts replies together, however they are cut into packets. A bare LF ends a line too."""

    def __init__(self) -> None:
        self._rest = b""  # a line without its end
        self._lines: list[bytes] = []  # of a reply without its last line
        self._size = 0  # of those lines

    @property
    def between_replies(self) -> bool:
        """Whether nothing was received of a reply that is not complete."""
        return not self._rest and not self._lines

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Take in what was received; yields the replies that are complete now, in order.

        :raises BrokenReply: a line does not start with a reply code, or a reply is far too long. What came before it
            has been yielded: it may be the answer that a message depends on.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            code = _CODES.get(line[:4])
            if code is not None:
                yield code, self._complete(line[4:]) if self._lines else line[4:]
            elif line[:4] in _CONTINUED:
                self._lines.append(line[4:])
                self._size += len(line)
            else:
                raise BrokenReply(f"not an SMTP reply: {one_line(line[:80])}")
        if self._size + len(self._rest) > _LONGEST:
            raise BrokenReply("a reply without end")

    def _complete(self, last_line: bytes) -> bytes:
        text = b"\n".join([*self._lines, last_line])
        self._lines.clear()
        self._size = 0
        return text


def one_line(text: bytes) -> str:
    """A server's words as one line that can be shown and stored."""
    return " ".join(text.decode("utf-8", "replace").split())[:_SHOWN]


def enhanced_code(text: str | None) -> str | None:
    """The status code (RFC 3463) in a server's words, such as "5.1.1"."""
    found = _ENHANCED_CODE.search(text or "")
    return found[0] if found else None


def status_of(text: str) -> str:
    """The enhanced status code (RFC 3463) in a server's words; "" where there is none."""
    found = STATUS.search(text)
    return (found[1] or found[2]) if found else ""
