"""Whether somebody wants to leave: the one question that needs no words of mail servers, and that a pipe waits for."""

from mailer.mail.feedback import identifying
from mailer.mail.feedback.identifying import Lookup
from mailer.mail.feedback.reading import Headers, Message
from mailer.mail.feedback.types import Effect, Feedback, Identified, Kind

#: what mail servers write instead of an empty envelope sender (postconf(5), null_sender of pipe(8))
_NULL_SENDERS = frozenset({"", "mailer-daemon"})


def read(message: Message, *, lookup: Lookup, recipient: str | None, sender: str | None) -> Feedback | None:
    """The wish to leave that a message is; None if it is none. Auto-Submitted keeps nobody from leaving: Apple's Mail
    calls what its unsubscribe button writes auto-replied.

    :param recipient: whom the envelope names, if that is known; else headers say it.
    :param sender: whom the envelope names, which may be empty; if it is not known, Return-Path says it.
    """
    headers = message.headers
    if message.type == "multipart/report" or has_no_sender(headers, sender) or is_of_many(headers):
        return None
    is_asked = False
    for place in identifying.came_for(headers, recipient):
        subscription = lookup.subscription(place)
        if subscription is not None:
            return Feedback(
                Kind.UNSUBSCRIBE,
                "address to leave",
                Effect.LEAVE,
                subscription=subscription,
                identified_by=Identified.ENVELOPE,
            )
        is_asked |= lookup.is_to_leave(place)
    return Feedback(Kind.FORGED, "address to leave, signed by nobody") if is_asked else None


def is_of_many(headers: Headers) -> bool:
    """Whether a message goes to many: no wish of one person."""
    return headers.word("precedence") in ("bulk", "junk", "list")


def has_no_sender(headers: Headers, sender: str | None) -> bool:
    """Whether the envelope is known to have no sender.

    :param sender: of the envelope, where it is known; else Return-Path says it.
    """
    envelope = headers.all("return-path") if sender is None else [sender]
    names = (address.strip().lower().rsplit("@", 1)[0].strip('<>" ') for address in envelope)
    return any(name in _NULL_SENDERS for name in names)
