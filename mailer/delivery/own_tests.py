"""Test mails that somebody at the desk sends to themselves: of a campaign, in all its languages at once."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from mailer.campaigns.readership import Readership
from mailer.delivery import previews
from mailer.delivery.previews import SampleReader
from mailer.errors import MailerError
from mailer.mail.sender import Sender
from mailer.store import audit, db
from mailer.store.audit import Who
from mailer.store.models import Account, Campaign, Delivery

#: mails to one account within the time: some thirty languages, three times
MOST = 100
WITHIN = timedelta(hours=1)
#: as the command is called that does the same
_ACTION = "campaigns.test"


class TooManyTests(MailerError):
    """You have had {sent} test mails within an hour, and this would be {more} more. {most} are the most. Try again in
    an hour."""


def order(session: Session, campaign: Campaign, account: Account, sender: Sender, who: Who) -> Sequence[Delivery]:
    """Owe an account a test mail in each language that the campaign has a text in, as most of its readers would get it.
    Each is composed here once, so that an error shows at once.

    :param who: for the audit log.
    :returns: by language.
    :raises TooManyTests: they have had as many as they may.
    :raises editions.Unrenderable: a text cannot be rendered.
    :raises inbox.MustNotAppear: a word stands in one that must not.
    """
    # One after the other, so that two who press at once are both counted.
    session.get_one(Account, account.id, with_for_update=True, populate_existing=True)
    readers = Readership.of(session, campaign).of_texts(campaign)
    lately = audit.by_account(session, account.id, _ACTION, since=db.now(session) - WITHIN)
    sent = sum(entry.details["mails"] for entry in lately)
    if sent + len(readers) > MOST:
        raise TooManyTests(sent=sent, more=len(readers), most=MOST)
    owed = [
        previews.order_test(session, campaign, SampleReader(language=language, country=country), sender, account.email)
        for language, country in sorted(readers.items())
    ]
    details = {"mails": len(owed)}
    audit.append(session, _ACTION, who, kind="campaign", subject=campaign.slug, details=details)
    return owed
