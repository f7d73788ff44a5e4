"""Signing by the link in a mail, which is its owner's word; and taking that back.

The link in the first mail of a day shows all that was asked for until it is followed, and its reader says which of it
was meant. Who is on no list becomes known by signing, without being put on one: nothing that keeps our mail from them
is lifted, and no campaign goes to them. Only who asks for our alerts, too, is put on the campaign's list, as by a
sign-up.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from mailer.campaigns import acts, petitions, publishing, signatures
from mailer.campaigns.signatures import Name
from mailer.errors import MailerError
from mailer.people import consents, mailed_links, subscribers, suppression
from mailer.people.lists import Wording, name_of
from mailer.people.mailed_links import DeadLink
from mailer.selfservice import signups
from mailer.selfservice.signing import (
    METHOD,
    NothingToSign,
    PetitionPage,
    Request,
    Wish,
    list_to_join,
    may_say,
    page,
    with_petition,
)
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import (
    Act,
    ActKind,
    Campaign,
    ConsentPurpose,
    MailedLink,
    MailedLinkKind,
    MailingList,
    Signature,
    Subscriber,
    Subscription,
    SubscriptionStatus,
)

TAKEN_BACK = "link in a mail"  # how it reaches us, for the consent log


class Undecided(MailerError):
    """Several signatures wait for this address. Choose for each petition which of them is yours."""

    def __init__(self, slugs: Collection[str]) -> None:
        """:param slugs: of the campaigns for which nothing was chosen."""
        super().__init__()
        self.slugs = slugs


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
            campaign = with_petition(publishing.of_mail(session, campaign_id))
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
