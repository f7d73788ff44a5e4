"""Refusing: why something that somebody pressed or typed is not done, in words, and at which field that is said."""

from collections.abc import Callable, Mapping

from mailer.campaigns import lifecycle, readiness, text_versions
from mailer.delivery import control
from mailer.errors import MailerError, ServiceUnavailable
from mailer.mail.addresses import InvalidAddress
from mailer.organisers import accounts, alone, approvals, invitations, passwords, requests, sign_in, writing
from mailer.organisers.mistakes import Mistakes
from mailer.store.models import CampaignStatus
from mailer.web.language import _

#: what is not done with a campaign → what to do about it
_WITH_CAMPAIGNS: Mapping[type[MailerError], Callable[[], str]] = {
    approvals.NotPublisher: lambda: _(
        "Only publishers approve and send. Somebody who becomes a publisher can do so a day later."
    ),
    approvals.OwnChange: lambda: _(
        "You have changed the campaign, its case or its targets since it was last approved. Somebody else has to "
        "approve it."
    ),
    approvals.OwnRequest: lambda: _("You asked for this approval yourself. Somebody else has to give it."),
    approvals.NobodyAsked: lambda: _(
        "Nobody has asked for approval of the campaign as it is now. One person asks, and another approves."
    ),
    approvals.SentBack: lambda: _(
        "Somebody has sent it back, and says what should be changed. Approval can be asked for again."
    ),
    approvals.SentBackSince: lambda: _(
        "Since you opened this page, somebody has sent it back, and it was asked for again. Read what they say, and "
        "press again if you agree."
    ),
    approvals.TakenBack: lambda: _(
        "Whoever asked for approval has taken that back, so there is nothing to decide now."
    ),
    approvals.AskedTooOften: lambda: _(
        "You have asked for it and taken it back three times within an hour, and everybody who may approve it was "
        "written each time. Ring one of them, or ask again in an hour."
    ),
    approvals.AlreadyApproved: lambda: _("Somebody has approved it already. See below."),
    requests.NotTheirs: lambda: _("Only whoever asked for approval can take that back."),
    approvals.TooLate: lambda: _("The campaign has begun already, so there is nothing to approve any more."),
    approvals.Changed: lambda: _(
        "The campaign has changed since you opened this page, so it was not approved. What is different is "
        "marked below. Look at it, and press again if you agree."
    ),
    approvals.NotApproved: lambda: _("The campaign is not approved as it is now. Ask for approval first."),
    alone.NotAsked: lambda: _("The others have not been told of this as it is now. Tell them first."),
    alone.OthersNotTold: lambda: _(
        "The mail server has not yet taken the mails to all other publishers. Wait for that."
    ),
    alone.TooEarly: lambda: _("The other publishers may still object. Wait until the time that the page says."),
    alone.Objected: lambda: _("Somebody objected, so it takes a second person now. Ask for approval."),
    alone.SentBack: lambda: _(
        "A second publisher sent it back as it is now, so it is not sent alone like that. Change it, or have a second "
        "person approve it."
    ),
    alone.ShutOut: lambda: _(
        "You have changed the account of another publisher less than a day ago, who can object to nothing now. So it "
        "takes a second person: ask for approval."
    ),
    lifecycle.NoDraft: lambda: _("It is no draft any more, so nothing of it can be changed."),
    text_versions.SavedMeanwhile: lambda: _("Somebody else saved this text after you opened it."),
    text_versions.TooLong: lambda: _("This text is too long to be saved, and for any mail. Shorten it."),
    text_versions.OwnLanguage: lambda: _("Others are translated from this text, so it stays."),
    writing.AskedMeanwhile: lambda: _(
        "Approval was asked for, or given, after you opened this page. If you save all the same, it has to be asked "
        "for again."
    ),
    lifecycle.WrongStatus: lambda: _("The campaign is not where it was when you opened this page. See how it stands."),
    readiness.Refused: lambda: _("The check finds something that keeps the campaign from being sent. Mend that first."),
    control.NobodyToSendTo: lambda: _("There is nobody left to send the campaign to."),
}
#: what is not done with an account → the field that it is about, and what to do
_WITH_ACCOUNTS: Mapping[type[MailerError], tuple[str, Callable[[MailerError], str]]] = {
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
    passwords.PasswordsDiffer: (
        "new_password_again",
        lambda _error: _("This is not the same password. Type it once more."),
    ),
    sign_in.WrongPassword: ("password", lambda _error: _("This is not your password. Try again.")),
    sign_in.TooManyAttempts: (
        "password",
        lambda error: _("Too many attempts have failed. Try again in {minutes} min.", minutes=error.fields["minutes"]),
    ),
    invitations.CodeMissing: ("code", lambda _error: _("Type the six digits that your app shows.")),
    invitations.WrongCode: (
        "code",
        lambda _error: _(
            "This is not the code that your app shows for the picture on this page. Scan the picture once more, and "
            "type the six digits that the app shows now. Check that the clock of your phone is right."
        ),
    ),
}


def advice(refused: MailerError) -> str:
    """What to do about it, in the reader's language. What nobody foresaw is said as it is.

    :raises ServiceUnavailable: that is what it is, and nobody's mistake.
    """
    return next(iter(at_field(refused).values()))


def at_field(refused: MailerError) -> dict[str, str]:
    """Likewise, of several mistakes of each: field → what to do, in the order of the form; "form" where it is about
    none.

    :raises ServiceUnavailable: that is what it is, and nobody's mistake.
    """
    if isinstance(refused, ServiceUnavailable):
        raise refused
    if isinstance(refused, Mistakes):
        return {field: words for each in refused.found for field, words in at_field(each).items()}
    if isinstance(refused, approvals.TooLate) and refused.fields["status"] is CampaignStatus.CANCELLED:
        return {"form": _("The campaign was cancelled, so there is nothing to approve any more.")}
    if with_campaign := _WITH_CAMPAIGNS.get(type(refused)):
        return {"form": with_campaign()}
    field, words = _WITH_ACCOUNTS.get(type(refused), ("form", str))
    return {field: words(refused)}
