"""A draft: a mail that opens ready to be sent on, in which nothing says whose it was."""

from mailer.mail import headers
from mailer.mail.merge import alternative, boundary_for, part_headers
from mailer.mail.quoted_printable import encode_text
from mailer.mail.types import Rendering


def letter(*, to: str, cc: str = "", subject: str, text: str, language: str) -> bytes:
    """A letter to somebody as such a file, in plain text alone, as it would be typed.

    :param to: an address, as for `cc`.
    :param cc: "" for nobody.
    :param text: lines end in "\\n".
    :param language: BCP 47.
    :returns: as `write`.
    :raises headers.UnusableAddress: one of the addresses could not stand in a mail's header.
    """
    return b"".join(
        (
            b"X-Unsent: 1\r\n",
            headers.mailbox("To", None, to),
            headers.mailbox("Cc", None, cc) if cc else b"",
            headers.unstructured("Subject", subject),
            headers.token("Content-Language", language),
            b"MIME-Version: 1.0\r\n",
            b'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n',
            encode_text(f"{text}\n"),
        )
    )


def write(*, subject: str, text: str, html: str, language: str) -> bytes:
    """A mail as an `.eml` file, which opens as a new message where `X-Unsent: 1` is honoured (Outlook for Windows).

    It has no From, To, Date or Message-ID: whoever sends it has their own. RFC 5322 lets an unsent message be without.

    :param text: lines end in "\\n".
    :param html: a whole document.
    :param language: BCP 47.
    :returns: CRLF, ASCII, lines of at most 76 octets, but for a subject with a word as long as that.
    """
    boundary = boundary_for(Rendering(language=language, subject=(subject,), html=(html,), text=(text,)))
    return b"".join(
        (
            b"X-Unsent: 1\r\n",
            headers.unstructured("Subject", subject),
            headers.token("Content-Language", language),
            b"MIME-Version: 1.0\r\n",
            alternative(boundary),
            b"\r\n",
            *(
                part
                for subtype, content in (("plain", text), ("html", html))
                for part in (part_headers(boundary, subtype), encode_text(content), b"\r\n")
            ),
            f"--{boundary}--\r\n".encode(),
        )
    )
