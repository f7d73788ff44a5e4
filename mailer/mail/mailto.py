"""Links that open a new mail in whatever program the reader has (RFC 6068)."""

from urllib.parse import quote

from mailer.mail import headers

#: characters of a link that common mail programs and browsers still take whole
LONGEST = 1800
_LINE_END = "%0D%0A"  # RFC 6068, 5


def link(to: str, *, cc: str = "", subject: str = "", body: str = "") -> str:
    """A link with all that the mail should have.

    :param to: an address, as for `cc`; its domain is written as A-label.
    :param cc: "" for nobody.
    :param body: lines end in "\\n".
    :raises headers.UnusableAddress: one of the addresses could not stand in a mail's header.
    """
    fields = {
        "cc": _address(cc) if cc else "",
        "subject": _encoded(subject),
        "body": _LINE_END.join(map(_encoded, body.split("\n"))),
    }
    query = "&".join(f"{name}={value}" for name, value in fields.items() if value)
    return f"mailto:{_address(to)}{'?' if query else ''}{query}"


def fitting(to: str, *, cc: str, subject: str, body: str) -> tuple[str, bool]:
    """A link with all of this, where it is not too long; else one without the body, or without any words.

    :returns: the link, and whether the body is in it.
    :raises headers.UnusableAddress: as for `link`.
    """
    whole = link(to, cc=cc, subject=subject, body=body)
    if len(whole) <= LONGEST:
        return whole, True
    headed = link(to, cc=cc, subject=subject)
    return headed if len(headed) <= LONGEST else link(to, cc=cc), False


def _address(address: str) -> str:
    return _encoded(headers.a_label_address(address), "@")


def _encoded(words: str, safe: str = "") -> str:
    return quote(headers.clean(words), safe=safe)
