"""Test mails that somebody at the desk sends to themselves: of a campaign, in all its languages at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from mailer.campaigns import editions
from mailer.campaigns.editions import Reader
from mailer.campaigns.readership import Readership
from mailer.delivery import composing, previews
from mailer.delivery.control import Ahead
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


@dataclass(frozen=True, slots=True)
class Ready:
    """What is known and made of test mails before they are owed."""

    readers: Mapping[str, str | None]  # language of each → the country of whoever most likely reads it
    ahead: Ahead


def prepare(session: Session, campaign: Campaign, sender: Sender) -> Ready:
    """Make what test mails need, in a session that only reads: to compose thirty mails takes seconds, in which nobody
    else could write to SQLite, not even to pause something.

    :raises editions.Unrenderable: a text cannot be rendered.
    :raises inbox.MustNotAppear: a word stands in one that must not.
    """
    readers = Readership.of(session, campaign).of_texts(campaign)
    for language, country in sorted(readers.items()):
        previews.look(session, campaign, Reader(language, country, None), sender)
    return Ready(readers, Ahead(editions.rendered(session), composing.compiled(session)))


def order(
    session: Session, campaign: Campaign, account: Account, sender: Sender, who: Who, ready: Ready
) -> Sequence[Delivery]:
    """Owe an account a test mail in each language that the campaign has a text in, as most of its readers would get it.
    Each is composed here once, so that an error shows at once.

    :param who: for the audit log.
    :param ready: what `prepare` made.
    :returns: by language.
    :raises TooManyTests: they have had as many as they may.
    :raises editions.Unrenderable: a text cannot be rendered.
    :raises inbox.MustNotAppear: a word stands in one that must not.
    """
    # One after the other, so that two who press at once are both counted.
    session.get_one(Account, account.id, with_for_update=True, populate_existing=True)
    ready.ahead.give(session)
    readers = ready.readers
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
