"""Fields that several forms have: what may stand in them, and what to do where it does not."""

from mailer import addresses
from mailer.addresses import Address, InvalidAddress
from mailer.web.language import _

MAX_ADDRESS_LENGTH = 320  # RFC 5321: 64 before the @, 255 behind it


class Mistyped(Exception):
    """What was typed cannot be taken; `advice` says what to do, in the reader's language."""

    def __init__(self, advice: str) -> None:
        super().__init__()
        self.advice = advice


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
        raise Mistyped(_("This is not an e-mail address. One looks like this: name@example.org")) from None


def too_long(most: int) -> str:
    """What to do about a text that is too long."""
    return _("This is too long. Use at most {most} characters.", most=most)


def agree_to_mail() -> str:
    """What to do where the box beside the mail of a list is not ticked."""
    return _("To join, tick the box that says we may write to you.")


def agree_to_union() -> str:
    """What to do where a union is named, and the box beside it is not ticked."""
    return _("To have us store your union, tick this box. If you would rather not, leave the union empty.")
