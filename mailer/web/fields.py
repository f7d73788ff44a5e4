"""Fields that several forms have: what may stand in them, and what to do where it does not."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from sqlalchemy.orm import Session

from mailer.mail import addresses
from mailer.mail.addresses import Address, InvalidAddress
from mailer.unions import directory
from mailer.web.language import _

T = TypeVar("T")

MAX_ADDRESS_LENGTH = 320  # RFC 5321: 64 before the @, 255 behind it
#: more people than are in all unions of the world
MAX_NUMBER = 999_999_999
MAX_NUMBER_LENGTH = 20  # as it is typed, with what parts the thousands

#: digits of any script, and what parts the thousands somewhere: 1200, 1.200, 1,200, 1 200, 1'200
_NUMBER = re.compile(r"\d{1,3}(?:[.,'’٬\s]\d{3})+|\d+")


class Problems(Exception):
    """What is wrong with a form: field → what to do about it, in the order of the page."""

    def __init__(self, by_field: Mapping[str, str]) -> None:
        super().__init__()
        self.by_field = by_field


class Mistyped(Exception):
    """What was typed cannot be taken; `advice` says what to do, in the reader's language."""

    def __init__(self, advice: str) -> None:
        super().__init__()
        self.advice = advice


def check(field: str, read: Callable[[], T], problems: dict[str, str]) -> T | None:
    """What `read` makes of a field; None where that cannot be taken, with what to do about it among the problems."""
    try:
        return read()
    except Mistyped as mistake:
        problems[field] = mistake.advice
        return None


def address(typed: str) -> Address:
    """Read an e-mail address.

    :raises Mistyped: it is none.
    """
    if not typed:
        raise Mistyped(_("Enter your e-mail address."))
    if len(typed) > MAX_ADDRESS_LENGTH:
        raise Mistyped(too_long(MAX_ADDRESS_LENGTH))
    try:
        return addresses.parse(typed)
    except InvalidAddress:
        raise Mistyped(_("This is not an e-mail address. Enter one like this: name@example.org")) from None


def number(typed: str) -> int | None:
    """Read about how many people something is about; None where nothing was typed.

    :raises Mistyped: it is no number of people.
    """
    text = typed.strip()
    if not text:
        return None
    digits = re.sub(r"\D", "", text) if len(text) <= MAX_NUMBER_LENGTH and _NUMBER.fullmatch(text) else ""
    if not digits or not 0 < int(digits) <= MAX_NUMBER:
        raise Mistyped(_("Enter a whole number, such as 1200, or leave this empty."))
    return int(digits)


def too_long(most: int) -> str:
    """What to do about a text that is too long."""
    return _("This is too long. Use at most {most} characters.", most=most)


def once_more() -> dict[str, str]:
    """What to do where a form was sent out of time, see `protection.is_out_of_time`; by the id of its button."""
    return {
        "send": _("Please press the button once more. Your form came so quickly, or so late, that we want to be sure.")
    }


def agree_to_mail() -> str:
    """What to do where the box beside the mail of a list is not ticked."""
    return _("To sign up, tick the box that says we may write to you.")


def agree_to_union() -> str:
    """What to do where a union is named, and the box beside it is not ticked."""
    return _("If you want us to store your union, tick this box. If not, leave the union empty.")


#: A page must stay light for an old phone: so many names, and so many bytes of them.
_MOST = 300
_MOST_BYTES = 12_000
_BYTES_AROUND_NAME = 17  # of <option></option>


def union_names(session: Session, country: str | None) -> list[str]:
    """Names of unions, those of a country first."""
    names, room = [], _MOST_BYTES
    for name in directory.names_to_choose_from(session, country, most=_MOST):
        room -= len(name.encode()) + _BYTES_AROUND_NAME
        if room < 0:
            break
        names.append(name)
    return names
