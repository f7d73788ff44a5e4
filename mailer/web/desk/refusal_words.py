"""Why a mail was not delivered, in the languages of the desk: what servers mean by their words, and our own reasons."""

from collections.abc import Callable, Mapping

from mailer.mail.feedback import meanings
from mailer.mail.feedback.types import Category
from mailer.store.models import Reason
from mailer.web.language import _

_MEANINGS: Mapping[Category, Callable[[], str]] = {
    Category.NO_MAILBOX: lambda: _("Nobody has this address"),
    Category.NO_DOMAIN: lambda: _("The domain does not exist, or takes no mail"),
    Category.DISABLED: lambda: _("The mailbox is locked, or no longer used"),
    Category.FULL: lambda: _("The mailbox is full"),
    Category.TEMPORARY: lambda: _("The server asks to try again later"),
    Category.UNDETERMINED: lambda: _("The server does not say why"),
    Category.RATE: lambda: _("Too many mails in too short a time"),
    Category.POLICY: lambda: _("A rule or a blocklist of that server keeps us out"),
    Category.CONTENT: lambda: _("That server does not like what the mail says"),
    Category.AUTH: lambda: _("That server could not verify that the mail is from us"),
    Category.SIZE: lambda: _("The mail is too large"),
    Category.RELAY: lambda: _("That server takes no mail for this domain"),
    Category.US: lambda: _("That server does not accept our sender’s address"),
}
_REASONS: Mapping[str, Callable[[], str]] = {
    Reason.LEFT: lambda: _("The person had left"),
    Reason.SUPPRESSED: lambda: _("The address is blocked"),
    Reason.ERASED: lambda: _("The person had their data erased"),
    Reason.CANCELLED: lambda: _("The campaign was cancelled"),
    Reason.HOME: lambda: _("The person lives under the authorities that the campaign is about"),
    Reason.ACTED: lambda: _("The person had done by then what it reminds of"),
    Reason.WORKER_LOST: lambda: _("The worker that sent it broke off"),
    Reason.RESTORED: lambda: _("It comes from a backup, so it may have been sent before"),
    Reason.CONNECTION_LOST: lambda: _("The connection to the mail server broke off"),
    Reason.POLICY: lambda: _("The server refuses us, not this address"),
    Reason.GAVE_UP: lambda: _("Given up after many attempts"),
    Reason.UNUSABLE: lambda: _("No mail can be sent to this address"),
    Reason.UNREADABLE: lambda: _("The stored address is damaged"),
    Reason.REPEATED: lambda: _("The address was sent the same a short while ago"),
}


def why(code: int | None, reply: str | None, reason: str | None) -> str:
    """Why, without a full stop; "" where nothing is known.

    :param code: of the mail server's reply (RFC 5321).
    :param reply: its words, or its enhanced status code alone (RFC 3463).
    :param reason: of ours.
    """
    known = _REASONS.get(reason or "")
    ours = known() if known else ""
    if not code and not reply:
        return ours
    category = meanings.of_reply(code or 0, reply or "").category
    if reason == Reason.POLICY or not ours:  # which says less than what the server means
        return ours if ours and category is Category.UNDETERMINED else _MEANINGS[category]()
    return f"{ours} ({_MEANINGS[category]()})"
