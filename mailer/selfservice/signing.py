"""Signing a petition: what somebody asks for on the site waits, until the owner of the address confirms it by the link
in a mail.

Nobody learns from it who has signed. An address that has, one that has not, and one that nobody knows are answered
alike, with the same statements and the same rows; what differs is only in a mail that the owner of the address alone
gets, at most one a day, whatever petitions it is about. What is asked for meanwhile is kept, for `signing_links`.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from mailer.campaigns import acts, petitions, publishing
from mailer.campaigns.publishing import Headline
from mailer.cases.sayable import Sayable, Words
from mailer.errors import MailerError
from mailer.mail import addresses
from mailer.mail.addresses import Address
from mailer.people import mailed_links, notices, suppression
from mailer.people.lists import Wording, description_of, name_of
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
    MailingList,
    Purpose,
    Reason,
    Subscriber,
    SuppressionReason,
)

#: how it reaches us, for the consent log
METHOD = "petition form"
_DIGEST_SIZE = 6


class NothingToSign(MailerError):
    """There is nothing to sign here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody who signs wants, beside that."""

    name: str | None  # none where it is neither to be shown nor handed over
    place: str | None  # their town, or what they are
    country: str | None
    language: str  # to be written to in
    signed_text: str  # the exact words that stood beside the button
    shown_text: str | None  # likewise beside the box to have their name shown; None where it was not ticked
    handed_over_text: str | None
    alerts_text: str | None
    shown_in: str  # the language of these words
    asked_at: datetime

    @property
    def is_named(self) -> bool:
        """Whether they want their name shown or handed over."""
        return bool(self.name and (self.shown_text or self.handed_over_text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A signature that waits to be confirmed."""

    address: Address
    campaign_id: int
    wish: Wish

    @property
    def key(self) -> str:
        """What tells it from others that want something else; the same for all that want the same."""
        wish = mailed_links.to_details(self.wish)
        kept = {name: value for name, value in wish.items() if name != "asked_at"}
        written = json.dumps([self.campaign_id, kept], sort_keys=True).encode()
        return hashlib.blake2b(written, digest_size=_DIGEST_SIZE).hexdigest()


@dataclass(frozen=True, slots=True)
class PetitionPage:
    """A petition as everybody sees it; nothing of it depends on who has signed."""

    headline: Headline  # of the campaign
    to: Words  # who gets the names
    home: str  # the countries in which nobody is named, as a sentence lists them; "" for none
    alerts: tuple[Wording, Wording] | None  # the list that its readers may ask for here: name and description
    over: Asking | None  # why nobody can sign any more, as `acts.why_over`
    known_until: date | None  # the last day on which it is known who signed; None where nobody can say yet
    is_public: bool  # whether the campaign has a page


# --- the page -------------------------------------------------------------------------------------------------------


def find(session: Session, slug: str) -> Campaign:
    """The campaign with a petition that everybody may sign under that slug.

    :raises publishing.NotPublished: there is none.
    :raises publishing.Withdrawn: it was taken down.
    :raises NothingToSign: it has no petition.
    """
    return with_petition(publishing.find(session, slug))


def of_mail(session: Session, delivery_id: int) -> Campaign:
    """The campaign whose mail a link was in.

    :param delivery_id: as `links.verify` finds it in the link.
    :raises mailed_links.DeadLink: nobody knows the mail any more.
    :raises publishing.Withdrawn: its campaign was taken down.
    :raises NothingToSign: it has no petition.
    """
    campaign_id = session.scalar(select(Delivery.campaign_id).where(Delivery.id == delivery_id))
    if campaign_id is None:
        raise DeadLink
    return with_petition(publishing.of_mail(session, campaign_id))


def with_petition(campaign: Campaign) -> Campaign:
    """The campaign, if it has a petition.

    :raises NothingToSign: it has none.
    """
    if ActKind.SIGNED not in acts.asked_for(campaign):
        raise NothingToSign
    return campaign


def page(session: Session, campaign: Campaign, *, language: str) -> PetitionPage:
    """What a campaign has people sign.

    :param language: of the reader.
    """
    until = acts.known_until(campaign, acts.told_at(session, campaign))
    offered = list_to_join(session, campaign)
    return PetitionPage(
        headline=publishing.headline_of(session, campaign, language),
        to=addressee(campaign, language),
        home=publishing.home(campaign, language),
        alerts=(name_of(offered), description_of(offered)) if offered else None,
        over=acts.why_over(campaign, db.now(session)),
        known_until=until.date() if until else None,
        is_public=campaign.public,
    )


def addressee(campaign: Campaign, language: str) -> Words:
    """Who gets the names of those who sign a campaign's petition, for a reader of a language.

    :raises NothingToSign: it has none.
    """
    petition = petitions.of(campaign)
    if petition is None:
        raise NothingToSign
    return petition.addressee(language, campaign.fallbacks)


def list_to_join(session: Session, campaign: Campaign) -> MailingList | None:
    """The campaign's list, if anybody may join it here: it is open, and no union's own."""
    joinable = (MailingList.id == campaign.list_id, MailingList.is_open, MailingList.owner_id.is_(None))
    return session.scalar(select(MailingList).where(*joinable))


def may_say(campaign: Campaign, *texts: str) -> bool:
    """Whether nothing stands in some texts that must not appear where the campaign's case is spoken of."""
    return Sayable(campaign.case).may_say(*texts)


# --- asking ---------------------------------------------------------------------------------------------------------


def ask(
    session: Session, campaign: Campaign, address: Address, wish: Wish, *, not_before: datetime | None = None
) -> Reason | None:
    """Keep a wish to sign, and owe the owner of an address the mail that it takes.

    :param campaign: one that can be signed now.
    :param not_before: when the mail is sent; by default at once.
    :returns: why no mail goes out, which nobody may learn who fills in the form.
    """
    # An erasure at the same moment would leave what is written here pointing at nobody.
    suppression.lock_shared(session)
    email_index = keyring_of(session).blind_index(address.folded)
    mailed_links.one_at_a_time(session, email_index, mailbox=address.mailbox)
    known = _look_up(session, campaign.id, Subscriber.email_index == email_index)
    return _owe(session, campaign, address, email_index, wish, known, not_before)


def ask_from_mail(
    session: Session, campaign: Campaign, delivery_id: int, wish: Wish, *, not_before: datetime | None = None
) -> Reason | None:
    """Likewise for whoever has a mail of the campaign: what it takes goes to whom that mail went to. Where nobody knows
    that any more, the same rows are written.

    :param delivery_id: as for `of_mail`.
    """
    suppression.lock_shared(session)
    is_owner = Subscriber.id == (
        select(Delivery.subscriber_id)
        .where(Delivery.id == delivery_id, Delivery.campaign_id == campaign.id, Delivery.purpose == Purpose.CAMPAIGN)
        .scalar_subquery()
    )
    known = _look_up(session, campaign.id, is_owner)
    address = addresses.parse(known.email) if known else None
    folded = address.folded if address else secrets.token_hex()
    email_index = keyring_of(session).blind_index(folded)
    mailed_links.one_at_a_time(session, email_index, mailbox=address.mailbox if address else folded)
    return _owe(session, campaign, address, email_index, wish, known, not_before)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a person."""

    email: str
    language: str | None
    signed_on: date | None


def _look_up(session: Session, campaign_id: int, which: ColumnElement[bool]) -> _Known | None:
    signed = and_(Act.subscriber_id == Subscriber.id, Act.campaign_id == campaign_id, Act.kind == ActKind.SIGNED)
    columns = select(Subscriber.email, Subscriber.language, Act.day).outerjoin(Act, signed)
    row = session.execute(columns.where(which)).first()
    return _Known(*row) if row else None


def _owe(
    session: Session,
    campaign: Campaign,
    address: Address | None,
    email_index: bytes,
    wish: Wish,
    known: _Known | None,
    not_before: datetime | None,
) -> Reason | None:
    kind = MailedLinkKind.SIGN
    mailbox = address.mailbox if address else secrets.token_hex()
    signed_on = known.signed_on if known else None
    is_barred = suppression.reason(session, email_index) is SuppressionReason.COMPLAINED or address is None
    withheld = mailed_links.reason_to_withhold(session, kind, email_index, mailbox=mailbox, is_barred=is_barred)
    # A link that was used counts no more. Who signed by it a moment ago need not be told.
    if withheld is None and signed_on is not None and signed_on >= db.utctoday() - timedelta(days=1):
        withheld = Reason.REPEATED
    request = Request(address=address, campaign_id=campaign.id, wish=wish) if address else None
    token = mailed_links.issue_unless(
        session,
        kind,
        withheld,
        email_index=email_index,
        mailbox=mailbox,
        details=mailed_links.to_details(request) if request else None,
    )
    mailed_links.drop_oldest(session, kind, email_index)
    language = (known.language if known else None) or wish.language
    words = {"campaign": publishing.title(campaign, language), "campaign_slug": campaign.slug}
    if signed_on is not None:
        words["is_signed"] = "yes"
    notices.owe(
        session,
        Notice(NoticeKind.SIGN, token, words),
        language=language,
        address=known.email if known else address.text if address else None,
        not_before=not_before,
        withheld=withheld,
    )
    return withheld
