"""Signing a petition: what somebody asks for on the site waits, until the owner of the address confirms it by the link
in a mail.

Nobody learns from it who has signed. An address that has, one that has not, and one that nobody knows are answered
alike, with the same statements and the same rows; what differs is only in a mail that the owner of the address alone
gets, at most one a day, whatever petitions it is about. What is asked for meanwhile is kept: the link in the first mail
shows it all, and its reader says which of it was meant.

Who is on no list becomes known by signing, without being put on one: nothing that keeps our mail from them is lifted,
and no campaign goes to them. Only who asks for our alerts, too, is put on the campaign's list, as by a sign-up.
"""

import hashlib
import json
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType

from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import Session

from mailer.campaigns import acts, petitions, publishing, signatures
from mailer.campaigns.publishing import Headline
from mailer.campaigns.signatures import Name
from mailer.cases.sayable import Sayable, Words
from mailer.errors import MailerError
from mailer.mail import addresses
from mailer.mail.addresses import Address
from mailer.people import consents, mailed_links, notices, subscribers, suppression
from mailer.people.lists import Wording, description_of, name_of
from mailer.people.mailed_links import DeadLink
from mailer.people.notices import Notice, NoticeKind
from mailer.selfservice import signups
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import (
    Act,
    ActKind,
    Asking,
    Campaign,
    ConsentPurpose,
    Delivery,
    MailedLink,
    MailedLinkKind,
    MailingList,
    Purpose,
    Reason,
    Signature,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    SuppressionReason,
)

#: how it reaches us, for the consent log
METHOD = "petition form"
TAKEN_BACK = "link in a mail"
_DIGEST_SIZE = 6


class NothingToSign(MailerError):
    """There is nothing to sign here."""


class Undecided(MailerError):
    """Several signatures wait for this address. Choose for each petition which of them is yours."""

    def __init__(self, slugs: Collection[str]) -> None:
        """:param slugs: of the campaigns for which nothing was chosen."""
        super().__init__()
        self.slugs = slugs


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
    return _with_petition(publishing.find(session, slug))


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
    return _with_petition(publishing.of_mail(session, campaign_id))


def _with_petition(campaign: Campaign) -> Campaign:
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


# --- what a link is for ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """A signature that waits, for its owner to look at: anybody may have filled in the form."""

    key: str
    wish: Wish
    is_named: bool  # whether the name would be shown or handed over: of nobody at home


@dataclass(frozen=True, slots=True)
class Asked:
    """What a link has waiting for one petition."""

    petition: PetitionPage
    waiting: tuple[Waiting, ...]  # that differ, the one that was mailed first; none where nothing can be signed
    signature: "Signed | None"  # of somebody who has signed


@dataclass(frozen=True, slots=True)
class Signed:
    """That somebody has signed."""

    day: date
    name: str | None  # none where they are only counted
    place: str | None
    is_shown: bool
    is_handed_over: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """What a link is for."""

    language: str | None  # its owner's
    asked: tuple[Asked, ...]  # one at least, each about another petition
    lists: tuple[Wording, ...] = ()  # that its owner was put on just now

    @property
    def to_decide(self) -> tuple[Asked, ...]:
        """Those of which a signature waits."""
        return tuple(each for each in self.asked if each.waiting)

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to choose."""
        return len(self.to_decide) <= 1 and all(len(each.waiting) == 1 for each in self.to_decide)


def look(session: Session, token: str, *, language: str) -> Shown:
    """What a mailed link would sign, or has signed. Changes nothing.

    :param language: of the page that asks.
    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: it has run out, or what was signed by it was taken back.
    :raises publishing.Withdrawn: all that it is about was taken down.
    """
    return _shown(session, mailed_links.find(session, MailedLinkKind.SIGN, token), language)


def _shown(session: Session, link: MailedLink, language: str) -> Shown:
    person = session.scalar(select(Subscriber).where(_is_owner(session, link)))
    if link.used_at is not None:
        ids: Sequence[int] = mailed_links.details_of(link).get("campaign_ids", ())
        requests: Mapping[int, list[Request]] = {campaign_id: [] for campaign_id in ids}
    else:
        requests = _requests(session, link)
    found, is_withdrawn = [], False
    for campaign_id, wanted in requests.items():
        try:
            campaign = _with_petition(publishing.of_mail(session, campaign_id))
        except (publishing.Withdrawn, publishing.NotPublished, NothingToSign):
            is_withdrawn = True
            continue
        each = _asked(session, campaign, wanted, person, language)
        if each.signature or link.used_at is None:
            found.append(each)
    if not found and is_withdrawn:
        raise publishing.Withdrawn(slug="")
    if not found:
        raise DeadLink
    spoken = (person.language if person else None) or next((w.wish.language for a in found for w in a.waiting), None)
    return Shown(spoken, tuple(found))


def _requests(session: Session, link: MailedLink) -> dict[int, list[Request]]:
    """What waits for the address that a link was mailed to, by campaign, that of the mail first; of those that want the
    same, one."""
    others = session.scalars(mailed_links.others(link).limit(mailed_links.MOST_BESIDES))
    every = [mailed_links.from_details(Request, mailed_links.details_of(each)) for each in (link, *others)]
    by_campaign: dict[int, dict[str, Request]] = {}
    for request in every:
        by_campaign.setdefault(request.campaign_id, {}).setdefault(request.key, request)
    return {campaign_id: list(requests.values()) for campaign_id, requests in by_campaign.items()}


def _asked(
    session: Session, campaign: Campaign, requests: Iterable[Request], person: Subscriber | None, language: str
) -> Asked:
    petition = page(session, campaign, language=language)
    signature = _signed(session, campaign.id, person.id) if person else None
    waiting: tuple[Waiting, ...] = ()
    if signature is None and petition.over is None:
        waiting = tuple(Waiting(each.key, each.wish, _may_name(campaign, each.wish, person)) for each in requests)
    return Asked(petition, waiting, signature)


def _signed(session: Session, campaign_id: int, subscriber_id: int) -> Signed | None:
    theirs = (Act.campaign_id == campaign_id, Act.kind == ActKind.SIGNED, Act.subscriber_id == subscriber_id)
    found = select(Act.day, Signature).outerjoin(Signature, Signature.act_id == Act.id).where(*theirs)
    row = session.execute(found).first()
    if row is None:
        return None
    named = row.Signature
    if named is None:
        return Signed(row.day, None, None, is_shown=False, is_handed_over=False)
    return Signed(row.day, named.name, named.place, named.is_shown, named.is_handed_over)


def _may_name(campaign: Campaign, wish: Wish, person: Subscriber | None) -> bool:
    """Whether somebody's name may be shown or handed over: not if they live at home, as they say now or said before."""
    known = person.country if person else None
    return (
        wish.is_named
        and petitions.may_be_named(campaign, wish.country)
        and (known is None or petitions.may_be_named(campaign, known))
        and may_say(campaign, wish.name or "", wish.place or "")
    )


# --- signing --------------------------------------------------------------------------------------------------------


def confirm(
    session: Session,
    token: str,
    *,
    language: str,
    base_url: str,
    chosen: Mapping[str, str] = MappingProxyType({}),
    fallbacks: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Shown:
    """Sign for the owner of an address, as they asked; once, however often the link is used.

    :param language: of the page that answers; `base_url` and `fallbacks` as `signups.confirm` takes them.
    :param chosen: what they say where there is something to choose: the slug of a campaign → `Waiting.key`, or "" for
        none.
    :raises Undecided: there is, and they have not; nothing was changed.
    :raises mailed_links.UnknownLink: and the others as for `look`.
    """
    mailed_links.find(session, MailedLinkKind.SIGN, token)  # nobody is kept waiting for a link that is none
    # Alone, without imports, erasures and other confirmations: each could be writing about the same person.
    suppression.lock_alone(session)
    session.expire_all()
    link = mailed_links.find(session, MailedLinkKind.SIGN, token)
    shown = _shown(session, link, language)
    if link.used_at is not None or not shown.to_decide:
        return shown
    keys = _decided(shown, chosen)
    requests = [request for each in _requests(session, link).values() for request in each if request.key in keys]
    if not requests:
        return shown
    person, lists = _sign_all(session, requests)
    mailed_links.drop_unmailed(session, link)
    signed_for = {"campaign_ids": [request.campaign_id for request in requests]}
    mailed_links.use(session, link, person.id, at=utcnow(), details=signed_for)
    subscribers.refresh(session, [person.id])
    if lists:
        signups.welcome(session, person, lists, base_url, fallbacks)
    return replace(_shown(session, link, language), lists=tuple(name_of(each) for each, _subscription in lists))


def _decided(shown: Shown, chosen: Mapping[str, str]) -> set[str]:
    """The keys of what is signed."""
    if shown.is_plain:
        return {each.key for asked in shown.to_decide for each in asked.waiting}
    keys, undecided = set(), []
    for asked in shown.to_decide:
        slug = asked.petition.headline.slug
        answer = chosen.get(slug)
        if answer is None or answer not in {"", *(each.key for each in asked.waiting)}:
            undecided.append(slug)
        else:
            keys.add(answer)
    if undecided:
        raise Undecided(undecided)
    return keys - {""}


def _sign_all(session: Session, requests: Sequence[Request]) -> tuple[Subscriber, list[tuple[MailingList, int]]]:
    """Sign for somebody; returns them, and the lists that they were put on by that, each with their subscription."""
    address = requests[0].address
    email_index = keyring_of(session).blind_index(address.folded)
    person = subscribers.lock_row(session, Subscriber.email_index == email_index)
    if person is None:
        person = Subscriber(email=address.text, email_index=email_index)
        session.add(person)
    lists: list[tuple[MailingList, int]] = []
    for request in requests:
        campaign, wish = session.get_one(Campaign, request.campaign_id), request.wish
        named = _may_name(campaign, wish, person)
        person.country = person.country or wish.country
        person.language = person.language or wish.language
        session.flush()
        _sign(session, campaign, person, wish, is_named=named)
        if wish.alerts_text:
            lists += _put_on_list(session, campaign, person, wish)
    return person, lists


def _sign(session: Session, campaign: Campaign, person: Subscriber, wish: Wish, *, is_named: bool) -> None:
    act = acts.add(
        session,
        campaign,
        ActKind.SIGNED,
        person,
        language=wish.shown_in,
        words=wish.signed_text,
        method=METHOD,
        asked_at=wish.asked_at,
        country=wish.country,
    )
    if act is not None and is_named and wish.name is not None:
        signatures.add(
            session,
            act,
            Name(wish.name, wish.place),
            shown_words=wish.shown_text,
            handed_over_words=wish.handed_over_text,
            language=wish.shown_in,
            method=METHOD,
            asked_at=wish.asked_at,
        )


def _put_on_list(
    session: Session, campaign: Campaign, person: Subscriber, wish: Wish
) -> Iterator[tuple[MailingList, int]]:
    """Put somebody on the campaign's list who asked for our alerts, if it is still open, and they are not on it. It
    brings back who left, was erased, or whose mailbox was gone; never who reported our mail as spam."""
    mailing_list = list_to_join(session, campaign)
    if mailing_list is None or wish.alerts_text is None:
        return
    theirs = (Subscription.subscriber_id == person.id, Subscription.list_id == mailing_list.id)
    is_on = exists().where(*theirs, Subscription.status == SubscriptionStatus.ACTIVE)
    try:
        suppression.lift(session, person.email_index)
    except suppression.Complained:
        return
    person.is_kept_off_lists = False
    if session.scalar(select(is_on)):
        return
    subscribers.put_on(session, person.id, mailing_list.id, utcnow())
    consents.agree(
        session,
        person.id,
        ConsentPurpose.ALERTS,
        wish.alerts_text,
        language=wish.shown_in,
        method=METHOD,
        asked_at=wish.asked_at,
        list_id=mailing_list.id,
    )
    yield mailing_list, session.execute(select(Subscription.id).where(*theirs)).scalar_one()


# --- taking it back -------------------------------------------------------------------------------------------------


def take_back(session: Session, token: str, slug: str, *, language: str) -> Shown:
    """Take a signature back by the link that it was confirmed with, or that says that there is one; returns what the
    link was for until now.

    :param slug: of the campaign; the rest as for `look`, errors too.
    """
    suppression.lock_shared(session)
    link = mailed_links.find(session, MailedLinkKind.SIGN, token)
    shown = _shown(session, link, language)
    person = subscribers.lock_row(session, _is_owner(session, link))
    signed = [each for each in shown.asked if each.petition.headline.slug == slug and each.signature]
    campaign_id = session.scalar(select(Campaign.id).where(Campaign.slug == slug))
    if person is None or campaign_id is None or not signed:
        raise DeadLink
    acts.take_back(session, campaign_id, ActKind.SIGNED, person.id, method=TAKEN_BACK)
    return replace(shown, asked=tuple(signed))


def _is_owner(session: Session, link: MailedLink) -> ColumnElement[bool]:
    """The condition that somebody is whom a link was mailed to."""
    if link.used_at is not None:
        return Subscriber.id == mailed_links.person_of(link)
    request = mailed_links.from_details(Request, mailed_links.details_of(link))
    return Subscriber.email_index == keyring_of(session).blind_index(request.address.folded)
