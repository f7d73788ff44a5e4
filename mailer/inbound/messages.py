"""Mail that comes in: what one message is, and which subscription it wants to end."""

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32

from mailer.inbound.addresses import OwnAddresses
from mailer.store.crypto import Keyring

#: bytes that are read of a message; its headers are at the beginning
MAX_BYTES = 2**20

#: what mail servers write instead of an empty envelope sender (postconf(5), null_sender of pipe(8))
_NULL_SENDERS = frozenset({"", "mailer-daemon"})
#: where mail servers note the address that a message came for, the surest first; who wrote it says so in the last
_RECIPIENT_HEADERS = ("Delivered-To", "X-Original-To", "Envelope-To", "To")
_BULK = frozenset({"bulk", "junk", "list"})
#: what Auto-Submitted says of an answer (RFC 3834)
_REPLIES = frozenset({"auto-replied", "auto-notified"})
#: how a report on a delivery is marked (RFC 3464, RFC 6533)
_REPORT = re.compile(rb"^Content-Type:[ \t]*message/(?:global-)?delivery-status\b", re.IGNORECASE | re.MULTILINE)


class Kind(enum.StrEnum):
    """What a message is."""

    LEAVE = "leave"  # somebody wants to leave a list
    FORGED = "forged"  # to an unsubscribe address whose token we never signed
    BOUNCE = "bounce"  # a mail server reports on one of our mails
    AUTOMATIC = "automatic"  # an answer that nobody wrote, such as "I am on holiday"
    UNREADABLE = "unreadable"  # no message at all
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a message is and, if somebody wants to leave, which subscription it ends."""

    kind: Kind
    subscription_id: int | None = None


def read(
    message: bytes,
    *,
    keyring: Keyring,
    unsubscribe_address: str,
    bounce_address: str | None = None,
    recipient: str | None = None,
    sender: str | None = None,
) -> Finding:
    """Find out what a message wants. Any bytes will do.

    :param message: RFC 5322, as a mail server hands it over; the headers are enough.
    :param unsubscribe_address: the setting; `{token}` stands in it for what tells the subscription.
    :param bounce_address: likewise, to which bounces return.
    :param recipient: whom the envelope names, if that is known; else headers say it.
    :param sender: whom the envelope names, which may be empty; if it is not known, Return-Path says it.
    """
    headers = BytesHeaderParser(policy=compat32).parsebytes(message)
    if not headers.keys():
        return Finding(Kind.UNREADABLE)
    places = "\n".join([recipient or "", *_values(headers, *_RECIPIENT_HEADERS)])
    if headers.get_content_type() == "multipart/report":
        return Finding(Kind.BOUNCE)
    if _is_from_a_program(headers, sender):
        # OpenSMTPD's bounces are multipart/mixed.
        return Finding(Kind.BOUNCE if _REPORT.search(message) else Kind.AUTOMATIC)
    # Before Auto-Submitted: Apple's Mail calls what its unsubscribe button writes auto-replied.
    ours = OwnAddresses(keyring, unsubscribe_address=unsubscribe_address, bounce_address=bounce_address)
    subscription_id = ours.subscription(places)
    if subscription_id is not None:
        return Finding(Kind.LEAVE, subscription_id)
    if ours.is_to_leave(places):
        return Finding(Kind.FORGED)
    if any(value in _REPLIES for value in _words(headers, "Auto-Submitted")):
        return Finding(Kind.AUTOMATIC)
    return Finding(Kind.BOUNCE if ours.is_for_bounces(places) else Kind.OTHER)


def _is_from_a_program(headers: Message, sender: str | None) -> bool:
    """Whether nobody asked for this: it has no sender, or goes to many. Only such a wish to leave is dropped."""
    envelope = _values(headers, "Return-Path") if sender is None else [sender]
    names = (address.strip().lower().rsplit("@", 1)[0].strip('<>" ') for address in envelope)
    return any(name in _NULL_SENDERS for name in names) or any(
        value in _BULK for value in _words(headers, "Precedence")
    )


def _words(headers: Message, name: str) -> Iterator[str]:
    """The first word of each such header, without comments and parameters behind it."""
    for value in _values(headers, name):
        yield re.split(r"[\s;(]", value, maxsplit=1)[0].lower()


def _values(headers: Message, *names: str) -> list[str]:
    # As text: what is not ASCII comes as an object of its own.
    return [" ".join(str(value).split()) for name in names for value in headers.get_all(name, [])]
