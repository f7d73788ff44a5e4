"""Refusing: why something is not done with a campaign, in words."""

from collections.abc import Callable, Mapping

from mailer.campaigns import lifecycle, readiness
from mailer.delivery import control
from mailer.errors import MailerError
from mailer.organisers import alone, approvals
from mailer.web.language import _

#: error → what to do about it, in the reader's language
_ADVICE: Mapping[type[MailerError], Callable[[], str]] = {
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
    alone.ShutOut: lambda: _(
        "You have changed the account of another publisher less than a day ago, who can object to nothing now. So it "
        "takes a second person: ask for approval."
    ),
    lifecycle.WrongStatus: lambda: _("The campaign is not where it was when you opened this page. See how it stands."),
    readiness.Refused: lambda: _("The check finds something that keeps the campaign from being sent. Mend that first."),
    control.NobodyToSendTo: lambda: _("There is nobody left to send the campaign to."),
}


def advice(refused: MailerError) -> str:
    """What to do about a press that was refused."""
    known = _ADVICE.get(type(refused))
    return known() if known else str(refused)
