"""What of a message shows why nobody could tell what it is: its header and its own words, without the mail that it
gives back."""

from mailer.mail.feedback import notices
from mailer.mail.feedback.charsets import text_of
from mailer.mail.feedback.reading import Headers, Message, Part

_MOST = 40_000  # characters
_MOST_OF_NO_MESSAGE = 4_000


def of(message: Message | None, data: bytes) -> str:
    """Put it into words, decoded, a field or a line of text each.

    :param message: what was read; None where there was no header.
    :param data: from which it was read.
    """
    if message is None:
        return text_of(data[:_MOST_OF_NO_MESSAGE])
    parts = [_header(message.headers), *map(_part, message.parts)]
    return "\n\n".join(parts)[:_MOST]


def _header(headers: Headers) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.fields)


def _part(part: Part) -> str:
    if part.is_returned:
        return f"[{part.type}, given back]\n{_header(part.headers)}".rstrip()
    own = notices.cut(part.text)
    return f"[{part.type}]\n{own.words.strip()}" + ("\n[given back as text]" if own.copy else "")
