"""Saying that one acted: with the link of a campaign's mail, which may have been forwarded.

Whoever has the mail can say once, in its owner's name, that they wrote. They learn nothing by it: the page is the same
before and after, and what counts and what does not is answered alike. To take it back, a link is mailed to the owner.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from mailer import links
from mailer.campaigns import acts, publishing
from mailer.campaigns.publishing import Headline
from mailer.errors import MailerError
from mailer.links import Link
from mailer.people import mailed_links, notices, subscribers, suppression
from mailer.people.mailed_links import DeadLink
from mailer.people.notices import Notice, NoticeKind
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.models import (
    Act,
    ActKind,
    Asking,
    Campaign,
    Delivery,
    MailedLinkKind,
    Purpose,
    Subscriber,
    SuppressionReason,
    new_act_id,
)

#: how what is said on these pages reached us
PAGE = "page of a mail"
_CAMPAIGN = "campaign_id"  # among the details of a link


class NothingToSay(MailerError):
    """The campaign of this e-mail asks for nothing that could be told here."""


class Mail(NamedTuple):
    """What the link of a mail leads to."""

    delivery_id: int
    campaign: Campaign
    subscriber_id: int | None  # whom it went to; None for nobody who can act: a test, or somebody who was erased


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody who has a campaign's mail is asked. What is for the page tells nothing of whom the mail went to."""

    mail: Mail = field(repr=False, compare=False)  # not for the page
    headline: Headline  # of the campaign
    over: Asking | None  # why nothing counts any more, as `acts.why_over`; None while it does
    known_until: date | None  # the last day on which it is known who acted; None where nobody can say yet
    is_public: bool  # whether the campaign has a page


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What somebody takes back, or has taken back."""

    headline: Headline
    kinds: Collection[ActKind]  # what they are counted for now


def look(session: Session, token: str, *, language: str) -> Asked:
    """What the page of a mail's link asks.

    :param token: of a delivery, for `Link.ACT`.
    :param language: of the reader.
    :raises links.ForgedToken: it is none of ours.
    :raises mailed_links.DeadLink: nobody knows the mail any more.
    :raises publishing.Withdrawn: its campaign was taken down.
    :raises NothingToSay: its campaign asks nobody to write.
    """
    mail = _mail(session, token)
    campaign = mail.campaign
    if ActKind.WROTE not in acts.asked_for(campaign):
        raise NothingToSay
    until = acts.known_until(campaign, acts.told_at(session, campaign))
    return Asked(
        mail,
        publishing.headline_of(session, campaign, language),
        acts.why_over(campaign, db.now(session)),
        until.date() if until else None,
        campaign.public,
    )


def say(session: Session, asked: Asked, *, language: str, words: str) -> None:
    """Count that whoever a mail went to wrote; once, and only while the campaign goes on. Nothing is read again here:
    others wait meanwhile who say the same.

    :param asked: as `look` has just found it.
    :param language: in which they say it.
    :param words: that they agree to, in that language.
    """
    if asked.over is not None:
        return
    suppression.lock_shared(session)  # whoever is being erased must not leave an act with their name behind
    mail = asked.mail
    if mail.subscriber_id is None:
        _pretend(session, mail)
        return
    person = subscribers.lock_row(session, Subscriber.id == mail.subscriber_id)
    if person is not None:
        acts.add(session, mail.campaign, ActKind.WROTE, person, language=language, words=words, method=PAGE)


def _pretend(session: Session, mail: Mail) -> None:
    """Do what it takes to count somebody who was counted before: lock a row, and write none. The time it takes must not
    tell that nobody is there any more."""
    session.execute(select(Delivery.id).where(Delivery.id == mail.delivery_id).with_for_update(key_share=True))
    none = delete(Act).where(Act.id == new_act_id())
    session.execute(none.execution_options(synchronize_session=False))


def _mail(session: Session, token: str) -> Mail:
    number = links.verify(keyring_of(session), Link.ACT, token)
    columns = select(Delivery.campaign_id, Delivery.subscriber_id, Delivery.purpose)
    found = session.execute(columns.where(Delivery.id == number)).one_or_none()
    if found is None:
        raise DeadLink
    campaign = publishing.of_mail(session, found.campaign_id)
    return Mail(number, campaign, found.subscriber_id if found.purpose is Purpose.CAMPAIGN else None)


# --- taking it back -------------------------------------------------------------------------------------------------


def mail_take_back(session: Session, token: str, *, language: str) -> None:
    """Owe the owner of a mail a link by which they take back what they did for its campaign, if they did anything.
    Whoever asks for it learns nothing: the same is written for somebody who did nothing, or whom we may not write to.

    :param token: as for `look`, errors too.
    :param language: of the page on which it was asked for; the person's own comes first.
    """
    suppression.lock_shared(session)
    mail = _mail(session, token)
    campaign = mail.campaign
    is_owner = Subscriber.id == mail.subscriber_id
    person = session.execute(
        select(Subscriber.id, Subscriber.email, Subscriber.email_index, Subscriber.language).where(is_owner)
    ).first()
    email_index = bytes(person.email_index) if person else secrets.token_bytes(32)
    mailed_links.one_at_a_time(session, email_index)
    kind = MailedLinkKind.TAKE_BACK
    is_barred = suppression.reason(session, email_index) is SuppressionReason.COMPLAINED or person is None
    withheld = mailed_links.reason_to_withhold(session, kind, email_index, is_barred=is_barred)
    link = None
    if withheld or person is None:
        mailed_links.pretend(session, kind)
    else:
        details = {_CAMPAIGN: campaign.id}
        link = mailed_links.issue(session, kind, email_index=email_index, subscriber_id=person.id, details=details)
    spoken = (person.language if person else None) or language
    notices.owe(
        session,
        Notice(NoticeKind.TAKE_BACK, link, words={"campaign": publishing.title(campaign, spoken)}),
        language=spoken,
        address=person.email if person else None,
        withheld=withheld,
    )


def look_at_take_back(session: Session, token: str, *, language: str) -> TakenBack:
    """What a mailed link takes back.

    :param token: as `mailed_links.issue` made it.
    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: it has run out, or the person was erased.
    """
    campaign, subscriber_id = _whose(session, token)
    theirs = select(Act.kind).where(Act.campaign_id == campaign.id, Act.subscriber_id == subscriber_id)
    return TakenBack(publishing.headline_of(session, campaign, language), session.scalars(theirs).all())


def take_back(session: Session, token: str, *, language: str) -> TakenBack:
    """Have a person not have acted on a campaign, in whatever way; as often as they like.

    :param token: as for `look_at_take_back`, errors too.
    """
    suppression.lock_shared(session)
    campaign, subscriber_id = _whose(session, token)
    if subscribers.lock_row(session, Subscriber.id == subscriber_id) is None:
        raise DeadLink
    for kind in ActKind:
        acts.take_back(session, campaign.id, kind, subscriber_id, method=PAGE)
    return TakenBack(publishing.headline_of(session, campaign, language), ())


def _whose(session: Session, token: str) -> tuple[Campaign, int]:
    link = mailed_links.find(session, MailedLinkKind.TAKE_BACK, token)
    subscriber_id = mailed_links.person_of(link)
    if subscriber_id is None:
        raise DeadLink
    return session.get_one(Campaign, mailed_links.details_of(link)[_CAMPAIGN]), subscriber_id
