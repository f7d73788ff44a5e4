"""Mistakes: what is wrong with what somebody typed about an account, and at which field."""

from collections.abc import Callable, Mapping

from mailer.errors import MailerError, ServiceUnavailable
from mailer.mail.addresses import InvalidAddress
from mailer.organisers import accounts, invitations, passwords, sign_in
from mailer.web.language import _

#: what it is about → the field, and what to do
_KNOWN: Mapping[type[MailerError], tuple[str, Callable[[MailerError], str]]] = {
    InvalidAddress: ("invitee", lambda _error: _("This is no e-mail address. Look it over.")),
    accounts.AccountAlready: ("invitee", lambda _error: _("Somebody with this address has an account already.")),
    accounts.NoRole: ("roles", lambda _error: _("Choose at least one role.")),
    accounts.LastAdmin: (
        "roles",
        lambda _error: _(
            "This is the only admin left, so nobody could let others in. Make somebody else an admin first."
        ),
    ),
    accounts.DisabledAccount: ("form", lambda _error: _("This account is disabled. Enable it first.")),
    invitations.JoinedAlready: ("form", lambda _error: _("They have joined meanwhile. Look at the account again.")),
    invitations.NotJoined: ("form", lambda _error: _("They have not joined yet. Make them a new link to join.")),
    accounts.LongName: (
        "name",
        lambda error: _("This name is too long. It may have at most {most} characters.", most=error.fields["most"]),
    ),
    accounts.UnknownZone: ("zone", lambda _error: _("Choose a time zone from the list.")),
    passwords.ShortPassword: (
        "new_password",
        lambda error: _(
            "This password is too short: it needs at least {shortest} characters. "
            "Four or five words that do not belong together are easy to remember.",
            shortest=error.fields["shortest"],
        ),
    ),
    passwords.LongPassword: (
        "new_password",
        lambda error: _(
            "This password is too long. It may have at most {longest} characters.", longest=error.fields["longest"]
        ),
    ),
    passwords.PasswordIsAddress: (
        "new_password",
        lambda _error: _("This password is your address, or part of it. Choose one that has nothing to do with it."),
    ),
    passwords.CommonPassword: (
        "new_password",
        lambda _error: _(
            "This password is one of those that are tried first. "
            "Four or five words that do not belong together are better."
        ),
    ),
    sign_in.WrongPassword: ("password", lambda _error: _("This is not your password. Try again.")),
    sign_in.TooManyAttempts: (
        "password",
        lambda error: _("Too many attempts have failed. Try again in {minutes} min.", minutes=error.fields["minutes"]),
    ),
    invitations.WrongCode: (
        "code",
        lambda _error: _(
            "This is not the code that your app shows for the picture on this page. Scan the picture once more, and "
            "type the six digits that the app shows now. Check that the clock of your phone is right."
        ),
    ),
}


def of(error: MailerError) -> dict[str, str]:
    """What to say of it: field → what to do. What nobody foresaw is said as it is, above the form.

    :raises ServiceUnavailable: that is what it is, and nobody's mistake.
    """
    if isinstance(error, ServiceUnavailable):
        raise error
    field, words = _KNOWN.get(type(error), ("form", str))
    return {field: words(error)}
