"""About whom a message is: which of its texts may hold a token, in which order, and what the caller finds in them."""

import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from mailer.mail.feedback.reading import Headers, Message
from mailer.mail.feedback.types import Identified

#: where mail servers note whom a message came for, the surest first; who wrote it says so in the last two
RECIPIENT_HEADERS = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to", "cc")
_RETURNED_HEADERS = ("return-path", "x-envelope-from", "errors-to", "list-unsubscribe", "x-hmxmroriginalrecipient")
_MESSAGE_IDS = ("message-id", "original-message-id", "original-envelope-id", "x-original-message-id")
_OWN_MESSAGE_IDS = ("in-reply-to", "references", "x-original-message-id", "original-message-id")
_MOST_PLACES = 200
#: what a returned mail answers stands in these lines, and is not that mail
_ANSWERED = re.compile(r"^[> |\t]{0,4}(?:references|in-reply-to)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*", re.I | re.M)


class Lookup(Protocol):
    """What a caller knows of its own addresses; each answers for the first in a text that is signed by it."""

    def delivery(self, text: str) -> int | None:
        """The delivery whose envelope sender stands in a text."""

    def message(self, text: str) -> int | None:
        """The delivery whose Message-ID stands in a text."""

    def subscription(self, text: str) -> int | None:
        """The subscription that an address to leave in a text ends."""

    def is_to_leave(self, text: str) -> bool:
        """Whether an address to leave stands in a text, signed or not."""

    def left_by(self, header: str) -> int | None:
        """The subscription that the addresses in a mail's List-Unsubscribe end."""

    def address(self, delivery: int) -> str | None:
        """Whom a delivery was to; None if that is not known."""


class Nobody:
    """Knows no address: for texts alone."""

    def delivery(self, text: str) -> int | None:
        return None

    def message(self, text: str) -> int | None:
        return None

    def subscription(self, text: str) -> int | None:
        return None

    def is_to_leave(self, text: str) -> bool:
        return False

    def left_by(self, header: str) -> int | None:
        return None

    def address(self, delivery: int) -> str | None:
        return None


class Place(NamedTuple):
    """A text in which a token may stand, and what it would prove."""

    proof: Identified
    text: str
    is_answered: bool = False  # it names what the message answers, which everybody can write who got an answer


class Found(NamedTuple):
    """About which delivery a message is, and how that is known."""

    delivery: int | None = None
    proof: Identified = Identified.NONE
    is_unproven: bool = False  # nothing but what the message says that it answers leads there


def came_for(headers: Headers, recipient: str | None) -> list[str]:
    """To which addresses a message came, the surest first.

    :param recipient: of the envelope, where it is known.
    """
    return [*([recipient] if recipient else []), *headers.all(*RECIPIENT_HEADERS)]


def places(message: Message, recipient: str | None, texts: list[str]) -> Iterator[Place]:
    """Every place where a token may stand, the surest first.

    :param texts: what the message says itself, with what it gives back as text.
    """
    for value in came_for(message.headers, recipient):
        yield Place(Identified.ENVELOPE, value)
    returned = list(message.returned())
    for part in returned:
        for value in part.headers.all(*_RETURNED_HEADERS):
            yield Place(Identified.RETURNED, value)
    for text in [*(part.text for part in returned), *texts]:
        yield Place(Identified.RETURNED, text)
    for part in returned:
        for value in part.headers.all(*_MESSAGE_IDS):
            yield Place(Identified.MESSAGE_ID, value)
    for text in [*(part.text for part in returned), *texts]:
        yield Place(Identified.MESSAGE_ID, _ANSWERED.sub("", text))
    for value in message.headers.all(*_OWN_MESSAGE_IDS):
        yield Place(Identified.MESSAGE_ID, value, is_answered=True)


def find(found: Iterator[Place], lookup: Lookup) -> Found:
    """The delivery that the first token leads to that is the caller's, and how."""
    for number, place in enumerate(found):
        if number >= _MOST_PLACES:
            break
        look = lookup.message if place.proof is Identified.MESSAGE_ID else lookup.delivery
        delivery = look(place.text)
        if delivery is not None:
            return Found(delivery, place.proof, place.is_answered)
    return Found()


def left_by(message: Message, lookup: Lookup) -> int | None:
    """The subscription that the mail which a message gives back can be left by."""
    values = [value for part in message.returned() for value in part.headers.all("list-unsubscribe")]
    return next((found for value in values[:_MOST_PLACES] if (found := lookup.left_by(value)) is not None), None)
