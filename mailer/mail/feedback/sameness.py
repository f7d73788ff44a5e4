"""Whether two messages are one, which came again or on another way."""

import hashlib

from mailer.mail.feedback.charsets import text_of
from mailer.mail.feedback.reading import fields_in

#: what stands in a header since a message was written; what else does may be of the servers on its way
_WRITTEN = ("from", "to", "cc", "date", "subject", "message-id", "in-reply-to")
#: octets that count of what stands below: less than is read, as headers of two ways are not equally long
_OF_BODY = 2**19


def digest(message: bytes) -> bytes:
    """What a message has in common with itself, whoever it was handed over to, and with no other: SHA-256.

    :param message: its first MiB, or more.
    """
    data = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
    head, _, body = data.partition(b"\n\n")
    found: dict[str, str] = {}
    for name, value in fields_in(text_of(head)):
        found.setdefault(name, " ".join(value.split()))
    written = [found.get(name, "").encode("utf-8", "replace") for name in _WRITTEN]
    whole = hashlib.sha256()
    for part in (*written, body[:_OF_BODY].rstrip(b"\n")):
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.digest()
