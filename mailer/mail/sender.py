"""Who the mails come from."""

from dataclasses import dataclass

from mailer.mail.dkim import Signer
from mailer.mail.webhooks.types import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The organisation as its mails show it, and where their links lead."""

    organisation: str
    mailbox: str  # of the From header: an address, or Name <address>
    postal_address: str
    base_url: str  # no trailing slash
    reply_to: str | None = None
    bounce_address: str | None = None  # envelope sender; {token} is filled in
    unsubscribe_address: str | None = None  # for mail to it; {token} is filled in
    answers_are_read: bool = True  # else its mails say that nobody does
    signer: Signer | None = None  # proves that a mail comes from here
    providers: tuple[Provider, ...] = ()  # who may tell us what became of a mail, and must know it again
