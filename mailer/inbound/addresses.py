"""Which of our own addresses stand in a text: what `mail.feedback` asks, answered by the keys alone."""

import re
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from itertools import islice

from mailer import links
from mailer.delivery import message_ids
from mailer.links import ForgedToken, Link
from mailer.people.organisers import NOBODY, Organisers
from mailer.people.tallies import Known
from mailer.store.crypto import Keyring

_MOST_TOKENS = 20  # that are tried in one text; each costs a hash for every link key
_SIGNED = "(?P<token>[0-9a-f]{40})"
_MESSAGE_ID = re.compile(r"(?<![0-9a-z])(?P<id>[0-9a-f]{32}@[^\s<>@]{1,255})", re.IGNORECASE)
_TOKEN_IN_MESSAGE_ID = re.compile(rf"(?<![0-9a-z]){_SIGNED}@", re.IGNORECASE)
_ANY_TOKEN = re.compile(rf"(?<![0-9a-z]){_SIGNED}(?![0-9a-z])", re.IGNORECASE)
_NOTHING = re.compile(r"(?!)")


class OwnAddresses:
    """Reads our tokens. It needs no database, and without one it does not know to whom a delivery was."""

    def __init__(
        self,
        keyring: Keyring,
        *,
        unsubscribe_address: str | None,
        bounce_address: str | None,
        answers_go_to: Organisers = NOBODY,
        answered_at: Iterable[str] = (),
        keep_unread_days: int = 0,
    ) -> None:
        """:param unsubscribe_address: the setting; `{token}` stands in it for what tells the subscription.
        :param bounce_address: likewise, to which bounces return.
        :param answers_go_to: whom what people write is handed on to; nobody, or one.
        :param answered_at: addresses that people answer to, whose mail may come to us where it is handed on.
        :param keep_unread_days: how long what nobody could tell what it is stays; 0 for not at all.
        """
        self.answers_go_to = answers_go_to
        self.keep_unread_days = keep_unread_days
        self.taken = Known()  # messages, by whoever takes in what comes to these addresses
        self._keyring = keyring
        self._to_leave = _whole(unsubscribe_address)
        self._bounces = _wrapped(bounce_address)
        self._forms = _forms(unsubscribe_address, bounce_address)
        self._forms += [_bare(each) for each in answered_at if not _is_among(each, answers_go_to.addresses)]
        self._address_of: Callable[[int], str | None] = lambda _delivery: None

    @property
    def has_address_to_leave(self) -> bool:
        """Whether there is one that says what to leave."""
        return self._to_leave is not _NOTHING

    @property
    def any(self) -> bool:
        """Whether mail can come to any address of ours."""
        return any(form is not _NOTHING for form in self._forms)

    def are_asked_for(self, recipient: str) -> bool:
        """Whether an envelope's recipient has the form of an address of ours, signed or not: what comes with a forged
        token is taken and comes to nothing. A mail server in front of us cannot tell, and would send it back to a
        stranger.
        """
        return any(form.fullmatch(recipient) for form in self._forms)

    def delivery(self, text: str) -> int | None:
        """The delivery whose envelope sender stands in a text, however others wrapped it (BATV, SRS)."""
        return self._verified(Link.BOUNCE, _tokens(self._bounces, text))

    def message(self, text: str) -> int | None:
        """The delivery whose Message-ID stands in a text."""
        for found in islice(_MESSAGE_ID.finditer(text), _MOST_TOKENS):
            delivery = message_ids.find(self._keyring, found["id"])
            if delivery is not None:
                return delivery
        return self._verified(Link.BOUNCE, _tokens(_TOKEN_IN_MESSAGE_ID, text))

    def messages(self, text: str) -> list[int]:
        """All deliveries whose Message-IDs stand in a text."""
        found = (message_ids.find(self._keyring, each["id"]) for each in _MESSAGE_ID.finditer(text))
        return [delivery for delivery in islice(found, _MOST_TOKENS) if delivery is not None]

    def subscription(self, text: str) -> int | None:
        """The subscription that an address to leave in a text ends."""
        return self._verified(Link.UNSUBSCRIBE, _tokens(self._to_leave, text))

    def is_to_leave(self, text: str) -> bool:
        """Whether an address to leave stands in a text, signed or not."""
        return self._to_leave.search(text) is not None

    def left_by(self, header: str) -> int | None:
        """The subscription that the addresses in a mail's List-Unsubscribe end, of our pages or for mail."""
        return self._verified(Link.UNSUBSCRIBE, _tokens(_ANY_TOKEN, header))

    def given_back(self, text: str) -> int | None:
        """The delivery whose token stands in what a mail provider gives back of a mail, bare or not."""
        return self._verified(Link.BOUNCE, _tokens(_ANY_TOKEN, text))

    def tried(self, token: str) -> int | None:
        """The number of the try of the way in that a token is of."""
        return self._verified(Link.TRY, iter([token]))

    def address(self, delivery: int) -> str | None:
        """Whom a delivery was to, if there is somebody to ask."""
        return self._address_of(delivery)

    def asking(self, address_of: Callable[[int], str | None]) -> "OwnAddresses":
        """The same, which asks for the address of a delivery, by its id."""
        asking = copy(self)
        asking._address_of = address_of
        return asking

    def _verified(self, link: Link, tokens: Iterator[str]) -> int | None:
        for token in tokens:
            try:
                return links.verify(self._keyring, link, token)
            except ForgedToken:
                continue
        return None


def come_to_us(address: str, *, unsubscribe_address: str | None, bounce_address: str | None) -> bool:
    """Whether what is sent to an address comes to us, by the settings alone.

    :param unsubscribe_address: as for `OwnAddresses`.
    """
    return any(form.fullmatch(address) for form in _forms(unsubscribe_address, bounce_address))


def _forms(unsubscribe_address: str | None, bounce_address: str | None) -> list[re.Pattern[str]]:
    return [_form(unsubscribe_address), _form(bounce_address), _bare(bounce_address)]


def _is_among(address: str, others: Iterable[str]) -> bool:
    return address.casefold() in map(str.casefold, others)


def _tokens(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    return islice(dict.fromkeys(found["token"] for found in pattern.finditer(text)), _MOST_TOKENS)


def _whole(setting: str | None) -> re.Pattern[str]:
    before, slot, after = (setting or "").partition("{token}")
    if not slot:
        return _NOTHING
    # The case of a local part may be folded on the way. Found by its form, not by parsing lists of addresses: what is
    # found has to be signed by us, so a stray match does no harm, and no nesting of comments can exhaust the parser.
    return re.compile(rf"(?<![\w.+-]){re.escape(before)}{_SIGNED}{re.escape(after)}(?![\w.-])", re.IGNORECASE)


def _wrapped(setting: str | None) -> re.Pattern[str]:
    """Whatever domain follows: SRS puts ours into the local part, and another behind it."""
    before, slot, _ = (setting or "").partition("{token}")
    return re.compile(rf"(?<![\w.+-]){re.escape(before)}{_SIGNED}(?!\w)", re.IGNORECASE) if slot else _NOTHING


def _form(setting: str | None) -> re.Pattern[str]:
    """Of an envelope's recipient. In front may stand what BATV put there: `prvs=1234abcdef=`."""
    before, slot, after = (setting or "").partition("{token}")
    if not slot:
        return _NOTHING
    return re.compile(rf"(?:prvs=[^=@\s]{{1,40}}=)?{re.escape(before)}[0-9a-f]{{40}}{re.escape(after)}", re.IGNORECASE)


def _bare(setting: str | None) -> re.Pattern[str]:
    """Of the same address without a token, `bounce@`: where reports come that know none, as of feedback loops."""
    before, _, after = (setting or "").partition("{token}")
    name = before.rstrip("+-=._") + after
    return re.compile(re.escape(name), re.IGNORECASE) if "@" in name.lstrip("@") else _NOTHING
