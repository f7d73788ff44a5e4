"""Signing up: what somebody asks for on the site waits apart from everybody's data, until the owner of the address
confirms it by the link in a mail.

Nobody learns from `ask` who is known here. Whatever becomes of it, the same statements are run and the same rows
written; what differs is only in a mail that the owner of the address alone gets. An unknown address, one that left, and
one that is not yet on all the lists that are asked for get a link to confirm; one that is on all of them gets a link to
its preferences; and the rows of a mail that must not go out are written too, as skipped.

An address gets one such mail a day. Who asks again meanwhile is not forgotten: the link in the first mail shows all
that was asked for. Since anyone may have filled in either form, its reader says which of it was meant.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from babel.lists import format_list
from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from mailer import links
from mailer.campaigns import publishing
from mailer.campaigns.publishing import Headline
from mailer.errors import MailerError
from mailer.links import Pages
from mailer.locale import countries, languages
from mailer.mail.addresses import Address
from mailer.people import consents, mailed_links, notices, subscribers, suppression
from mailer.people.lists import Wording, hold, name_of
from mailer.people.mailed_links import DeadLink
from mailer.people.notices import Notice, NoticeKind
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import (
    ConsentEvent,
    ConsentPurpose,
    JoinCount,
    MailedLink,
    MailedLinkKind,
    MailingList,
    Reason,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    SuppressionReason,
    Union,
)

METHOD = "sign-up form"

#: how long the page that answers a confirmation says what was stored: a button may be pressed twice
_SAID_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """What somebody filled in and agreed to."""

    address: Address
    name: str | None
    country: str | None
    union_id: int | None  # stored only with `union_text`
    language: str  # to be written to in
    list_ids: tuple[int, ...]  # one at least
    alerts_text: str  # the exact words beside the box that was ticked
    union_text: str | None  # likewise; None where it was not
    shown_in: str  # the language of these words
    via_union_id: int | None = None  # in whose name the page was
    asked_at: datetime
    method: str = METHOD  # how it reached us, for the consent log


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a confirmed sign-up came to; the same however often it is confirmed."""

    language: str  # the person's own
    lists: tuple[Wording, ...]  # names of the lists that they confirmed and are on
    alert: Headline | None  # what one can do at once
    stored: "Stored | None" = None  # what was taken over from the form; only in the first minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a confirmation has us store of a person; nothing of what was known before."""

    name: str | None = None
    country: str | None = None
    language: str | None = None
    union: str | None = None  # its name
    is_union_left_out: bool = False  # one was named, and its box was not ticked


# --- asking ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of an address."""

    subscriber_id: int | None
    email: str | None
    language: str | None
    gets: frozenset[int]  # lists that it is on
    suppressed: SuppressionReason | None


def ask(session: Session, sign_up: SignUp, *, not_before: datetime | None = None) -> Reason | None:
    """Keep a sign-up, and owe the owner of the address the mail that it takes.

    :param not_before: when that is sent; by default at once.
    :returns: why no mail goes out, which nobody may learn who fills in the form.
    :raises lists.ListGone: a list was deleted a moment ago.
    """
    # An erasure at the same moment would leave what is written here pointing at nobody.
    suppression.lock_shared(session)
    hold(session, sign_up.list_ids)
    email_index = keyring_of(session).blind_index(sign_up.address.folded)
    mailed_links.one_at_a_time(session, email_index, mailbox=sign_up.address.mailbox)
    known = _look_up(session, email_index)
    if known.subscriber_id is not None and known.gets.issuperset(sign_up.list_ids):
        kind, notice, language = MailedLinkKind.MANAGE, NoticeKind.MANAGE, known.language or sign_up.language
    else:
        kind, notice, language = MailedLinkKind.SIGN_UP, NoticeKind.CONFIRM, sign_up.language
    # Whatever the mail then is: anyone can have the form mail anybody.
    is_barred, limits = known.suppressed is SuppressionReason.COMPLAINED, mailed_links.ONE_A_DAY
    withheld = mailed_links.reason_to_withhold(
        session, kind, email_index, mailbox=sign_up.address.mailbox, is_barred=is_barred, limits=limits
    )
    is_manage = kind is MailedLinkKind.MANAGE
    token = mailed_links.issue_unless(
        session,
        kind,
        withheld,
        email_index=email_index,
        mailbox=sign_up.address.mailbox,
        subscriber_id=known.subscriber_id if is_manage else None,
        details=None if is_manage else mailed_links.to_details(sign_up),
    )
    mailed_links.drop_oldest(session, MailedLinkKind.SIGN_UP, email_index)
    notices.owe(
        session,
        Notice(notice, token, {"is_on_list": "yes"} if is_manage else {}),
        language=language,
        address=known.email or sign_up.address.text,
        not_before=not_before,
        withheld=withheld,
    )
    return withheld


def _look_up(session: Session, email_index: bytes) -> _Known:
    reason = suppression.reason(session, email_index)
    rows = session.execute(
        select(Subscriber.id, Subscriber.email, Subscriber.language, Subscription.list_id, Subscription.status)
        .outerjoin(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(Subscriber.email_index == email_index)
    ).all()
    active = frozenset(row.list_id for row in rows if row.status is SubscriptionStatus.ACTIVE)
    return _Known(
        subscriber_id=rows[0].id if rows else None,
        email=rows[0].email if rows else None,
        language=rows[0].language if rows else None,
        gets=active if reason is None else frozenset(),
        suppressed=reason,
    )


# --- confirming -----------------------------------------------------------------------------------------------------

#: what a person tells of themselves, and sign-ups may differ in
_FIELDS = ("name", "country", "language")
UNION = "union"  # likewise; it is chosen by its slug


@dataclass(frozen=True, slots=True)
class AddedList:
    """A list that another sign-up of the same address asks for."""

    slug: str
    name: Wording


@dataclass(frozen=True, slots=True)
class NamedUnion:
    """A union that somebody named, to be stored if the owner of the address agrees."""

    slug: str
    name: str | None  # None where it has asked not to be named since


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpAsked:
    """What a link would confirm, for the owner of the address to see first: anyone may have filled in the form."""

    language: str | None
    lists: tuple[Wording, ...]  # names; none where it was confirmed before
    added: tuple[AddedList, ...] = ()  # that were asked for besides; each only if its owner says so
    choices: Mapping[str, tuple[str | None, ...]]  # field → what was filled in, the newest first, where that differs
    unions: tuple[NamedUnion, ...] = ()  # the newest first
    union_text: str | None = None  # what they would agree to for their union's sake


class Undecided(MailerError):
    """The sign-ups for this address differ in: {undecided}. Choose what is right on the page to confirm."""

    def __init__(self, undecided: Sequence[str]) -> None:
        """:param undecided: the fields, as `confirm` takes them."""
        super().__init__(undecided=", ".join(undecided))
        self.undecided = undecided


def look(session: Session, token: str) -> SignUpAsked:
    """What a link to confirm is for. Changes nothing.

    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: it has run out, or the person was erased.
    """
    link = mailed_links.find(session, MailedLinkKind.SIGN_UP, token)
    if link.used_at is not None:
        language = session.scalar(select(Subscriber.language).where(Subscriber.id == mailed_links.person_of(link)))
        return SignUpAsked(language=language, lists=(), choices={})
    sign_ups = _all_asked(session, link)
    sign_up = sign_ups[0]
    person = _who_gets_mail(session, sign_up)
    unions = _unions(session, sign_ups)
    return SignUpAsked(
        language=sign_up.language,
        lists=tuple(name_of(each) for each in _lists(session, sign_up.list_ids)),
        added=tuple(AddedList(each.slug, name_of(each)) for each in _added_lists(session, sign_ups, person)),
        choices=_differing(sign_ups, person),
        unions=tuple(NamedUnion(union.slug, union.name if union.is_named else None) for union, _by in unions),
        union_text=unions[0][1].union_text if unions else None,
    )


def _all_asked(session: Session, link: MailedLink) -> list[SignUp]:
    """What a link was mailed for, and behind it what else was asked for the same address, the newest first."""
    others = session.scalars(mailed_links.others(link).limit(mailed_links.MOST_BESIDES))
    found = [mailed_links.details_of(each) for each in (link, *others)]
    return [mailed_links.from_details(SignUp, details) for details in found]


def _lists(session: Session, list_ids: Collection[int]) -> Sequence[MailingList]:
    return session.scalars(select(MailingList).where(MailingList.id.in_(list_ids)).order_by(MailingList.slug)).all()


def _who_gets_mail(session: Session, sign_up: SignUp) -> Subscriber | None:
    """The person whose address it is, if they are on a list."""
    email_index = keyring_of(session).blind_index(sign_up.address.folded)
    person = session.scalar(select(Subscriber).where(Subscriber.email_index == email_index))
    if person is None or suppression.reason(session, email_index) is not None:
        return None
    return person if _is_on_any_list(session, person) else None


def _added_lists(session: Session, sign_ups: Sequence[SignUp], person: Subscriber | None) -> list[MailingList]:
    """The lists that only other sign-ups than the one that was mailed ask for, and that the person is not on."""
    asked = {list_id for sign_up in sign_ups[1:] for list_id in sign_up.list_ids} - set(sign_ups[0].list_ids)
    is_on = select(Subscription.list_id).where(
        Subscription.subscriber_id == (person.id if person else None), Subscription.status == SubscriptionStatus.ACTIVE
    )
    return list(_lists(session, asked - set(session.scalars(is_on))))


def _differing(sign_ups: Sequence[SignUp], person: Subscriber | None) -> dict[str, tuple[str | None, ...]]:
    """What sign-ups differ in: field → what was filled in, the newest first.

    :param person: who gets our mail: of what they told us, nothing is changed here, so nothing is asked.
    """
    mailed, *others = sign_ups
    found = {}
    for field in _FIELDS:
        if person is None or getattr(person, field) is None:
            values = tuple(dict.fromkeys(getattr(sign_up, field) for sign_up in (*others, mailed)))
            if len(values) > 1:
                found[field] = values
    return found


def _unions(session: Session, sign_ups: Sequence[SignUp]) -> list[tuple[Union, SignUp]]:
    """The unions that were named, each with the newest sign-up that did."""
    mailed, *others = sign_ups
    named: dict[int, SignUp] = {}
    for sign_up in (*others, mailed):
        if sign_up.union_id is not None and sign_up.union_text is not None:
            named.setdefault(sign_up.union_id, sign_up)
    unions = {union.id: union for union in session.scalars(select(Union).where(Union.id.in_(named)))}
    return [(unions[union_id], sign_up) for union_id, sign_up in named.items() if union_id in unions]


def confirm(
    session: Session,
    token: str,
    *,
    union_agreed: bool,
    base_url: str,
    added: Collection[str] = (),
    chosen: Mapping[str, str] | None = None,
    fallbacks: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Confirmed:
    """Put the owner of an address on the lists that were asked for; once, however often the link is used.

    It brings back who left, was erased, or whose mailbox was gone; never who reported our mail as spam.

    :param union_agreed: whether they agreed, here too, that their union is stored: who filled in the form may have been
        somebody else.
    :param base_url: of the site, for the links in the welcome mail.
    :param added: slugs of those lists among `SignUpAsked.added` that they want.
    :param chosen: what they say where sign-ups differ: a field of `SignUpAsked.choices` → one of its values, or "" for
        none; `UNION` → the slug of one of several, or of the one that the page named.
    :param fallbacks: as `Wording.for_reader` takes them, for the lists' names in the welcome mail.
    :raises Undecided: sign-ups differ, and they have not chosen; nothing was changed.
    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: it has run out, they left since it was used, were erased, or reported our mail as
        spam.
    """
    mailed_links.find(session, MailedLinkKind.SIGN_UP, token)  # nobody is kept waiting for a link that is none
    # Alone, without imports, erasures and other confirmations: each could be writing about the same person.
    suppression.lock_alone(session)
    session.expire_all()
    link = mailed_links.find(session, MailedLinkKind.SIGN_UP, token)
    welcome_now = link.used_at is None
    if welcome_now:
        _carry_out(session, link, _decided(session, link, union_agreed, added, chosen or {}))
    person = session.get_one(Subscriber, mailed_links.person_of(link))
    lists = _confirmed_lists(session, link)
    if not lists:
        raise DeadLink
    language = person.language or "en"
    alert = publishing.current(session, language, person.country)
    if welcome_now:
        welcome(session, person, lists, base_url, fallbacks)
    names = tuple(name_of(each) for each, _subscription_id in lists)
    return Confirmed(language, names, alert, _stored(session, link, person))


@dataclass(frozen=True, slots=True)
class _Decided:
    """What the owner of an address makes of the sign-ups for it."""

    sign_up: SignUp  # the mailed one, with the person's own answers, and the union that they agreed to as it was named
    consents: Sequence[tuple[int, SignUp]]  # each list, and the sign-up in which it was asked for
    is_union_left_out: bool  # one was named, and they did not agree to it

    @property
    def list_ids(self) -> list[int]:
        """The lists that they want."""
        return [list_id for list_id, _asked in self.consents]


def _decided(
    session: Session, link: MailedLink, union_agreed: bool, added: Collection[str], chosen: Mapping[str, str]
) -> _Decided:
    sign_ups = _all_asked(session, link)
    person = _who_gets_mail(session, sign_ups[0])
    told: dict[str, Any] = {}
    undecided = []
    for field, values in _differing(sign_ups, person).items():
        told[field] = chosen.get(field) or None
        if field not in chosen or told[field] not in values:
            undecided.append(field)
    unions = _unions(session, sign_ups)
    agreed = unions if union_agreed else []
    if len(agreed) > 1 or (agreed and UNION in chosen):  # others may have filled in the form since the page was shown
        agreed = [(union, sign_up) for union, sign_up in agreed if union.slug == chosen.get(UNION)]
        if not agreed:
            undecided.append(UNION)
    if undecided:
        raise Undecided(undecided)
    union, named_by = agreed[0] if agreed else (None, sign_ups[0])
    shown = unions[0][1] if agreed else sign_ups[0]  # whose words stand beside the box
    wanted = [(each.id, sign_ups[0]) for each in _lists(session, sign_ups[0].list_ids)]
    for each in _added_lists(session, sign_ups, person):
        if each.slug in added:
            wanted.append((each.id, next(sign_up for sign_up in sign_ups if each.id in sign_up.list_ids)))
    return _Decided(
        sign_up=replace(
            sign_ups[0],
            **told,
            union_id=union.id if union else None,
            union_text=shown.union_text if union else None,
            shown_in=shown.shown_in,
            asked_at=named_by.asked_at,
            method=named_by.method,
        ),
        consents=wanted,
        is_union_left_out=bool(unions) and union is None,
    )


def _carry_out(session: Session, link: MailedLink, decided: _Decided) -> None:
    sign_up = decided.sign_up
    email_index = keyring_of(session).blind_index(sign_up.address.folded)
    person = subscribers.lock_row(session, Subscriber.email_index == email_index)
    try:
        suppressed = suppression.lift(session, email_index)
    except suppression.Complained:
        raise DeadLink from None
    gets_mail = person is not None and suppressed is None and _is_on_any_list(session, person)
    if person is None:
        person = Subscriber(email=sign_up.address.text, email_index=email_index)
        session.add(person)
    person.is_kept_off_lists = False
    taken = _fill_in(person, sign_up, replace=not gets_mail)
    session.flush()
    now = utcnow()
    for list_id in decided.list_ids:
        subscribers.put_on(session, person.id, list_id, now)
    _log_consent(session, person, decided)
    if sign_up.via_union_id is not None and not gets_mail:
        _count_join(session, sign_up.via_union_id, now)
    mailed_links.drop_unmailed(session, link)
    used_for = {
        "list_ids": decided.list_ids,
        "taken": taken,
        "is_union_left_out": decided.is_union_left_out,
        "said_until": (now + _SAID_FOR).isoformat(),
    }
    mailed_links.use(session, link, person.id, at=now, details=used_for)
    subscribers.refresh(session, [person.id])


def _stored(session: Session, link: MailedLink, person: Subscriber) -> Stored | None:
    """What a link had us store, shortly after it was used: it works for days, and shows no details of a person then."""
    used_for = mailed_links.details_of(link)
    if datetime.fromisoformat(used_for.get("said_until", link.created_at.isoformat())) < utcnow():
        return None
    told = {field: getattr(person, field) for field in _FIELDS if field in used_for["taken"]}
    if "union_id" in used_for["taken"]:
        told[UNION] = session.scalar(select(Union.name).where(Union.id == person.union_id, Union.is_named))
    return Stored(**told, is_union_left_out=used_for["is_union_left_out"])


def _is_on_any_list(session: Session, person: Subscriber) -> bool:
    active = exists().where(Subscription.subscriber_id == person.id, Subscription.status == SubscriptionStatus.ACTIVE)
    return bool(session.scalar(select(active)))


def _fill_in(person: Subscriber, sign_up: SignUp, *, replace: bool) -> list[str]:
    """Take over what was filled in; returns the columns.

    :param replace: what is known too. Not of somebody who gets our mail: anyone may have filled in the form with their
        address, and they confirm it for the list's sake; their preferences are the place to change the rest. Only the
        union they have just agreed to by its name.
    """
    given = {
        "name": sign_up.name,
        # What was asked for before an upgrade may name a part of a country, such as the Canary Islands.
        "country": countries.find(sign_up.country or ""),
        "language": sign_up.language,
        "union_id": sign_up.union_id if sign_up.union_text else None,
    }
    taken = []
    for column, value in given.items():
        if value is not None and (replace or column == "union_id" or getattr(person, column) is None):
            setattr(person, column, value)
            taken.append(column)
    return taken


def _log_consent(session: Session, person: Subscriber, decided: _Decided) -> None:
    agreed: list[tuple[ConsentPurpose, str, SignUp, int | None]] = [
        (ConsentPurpose.ALERTS, asked.alerts_text, asked, list_id) for list_id, asked in decided.consents
    ]
    sign_up = decided.sign_up
    if sign_up.union_text and sign_up.union_id is not None:
        agreed.append((ConsentPurpose.UNION, sign_up.union_text, sign_up, None))
    for purpose, words, asked, list_id in agreed:
        consents.agree(
            session,
            person.id,
            purpose,
            words,
            language=asked.shown_in,
            method=asked.method,
            asked_at=asked.asked_at,
            list_id=list_id,
        )


def _count_join(session: Session, union_id: int, now: datetime) -> None:
    month = now.strftime("%Y-%m")
    if session.get(JoinCount, (union_id, month)) is None:
        db.insert_unless_there(session, JoinCount(union_id=union_id, month=month, joined=0))
    session.execute(
        update(JoinCount)
        .where(JoinCount.union_id == union_id, JoinCount.month == month)
        .values(joined=JoinCount.joined + 1)
    )


def _confirmed_lists(session: Session, link: MailedLink) -> list[tuple[MailingList, int]]:
    """The lists that a link was used for, as far as they were not left since, each with the person's subscription."""
    subscriber_id = mailed_links.person_of(link)
    confirmed: ColumnElement[bool]
    if "list_ids" in (used_for := mailed_links.details_of(link)):
        confirmed = MailingList.id.in_(used_for["list_ids"])
    else:  # used before links kept them
        confirmed = exists().where(
            ConsentEvent.subscriber_id == subscriber_id,
            ConsentEvent.purpose == ConsentPurpose.ALERTS,
            ConsentEvent.list_id == MailingList.id,
            ConsentEvent.confirmed_at == link.used_at,
        )
    found = (
        select(MailingList, Subscription.id)
        .join(Subscription, Subscription.list_id == MailingList.id)
        .where(Subscription.subscriber_id == subscriber_id, confirmed)
        .where(Subscription.status == SubscriptionStatus.ACTIVE)
    )
    return [(row.MailingList, row.id) for row in session.execute(found.order_by(MailingList.slug))]


def welcome(
    session: Session,
    person: Subscriber,
    lists: Sequence[tuple[MailingList, int]],
    base_url: str,
    fallbacks: Mapping[str, Sequence[str]],
) -> None:
    """Owe somebody the mail that says what they will get, and what there is to do.

    :param lists: that they were put on, each with their subscription; `base_url` and `fallbacks` as for `confirm`.
    """
    language = person.language or "en"
    pages, keyring = Pages(base_url, language), keyring_of(session)
    of_mail = languages.of_site(language) or "en"
    wordings = (name_of(each) for each, _subscription_id in lists)
    names = [each.for_reader(language, of_mail, fallbacks=fallbacks).text for each in wordings]
    words = {"share_url": Pages(base_url).front()}  # in no language: friends may have others
    if not 1 < len(names) <= notices.MOST_LISTS_LEFT:  # else each stands on its own line, by its link to leave
        words["lists"] = format_list(names, locale=languages.locale(language))
    tokens = [links.sign(keyring, links.Link.UNSUBSCRIBE, subscription_id) for _each, subscription_id in lists]
    words["preferences_url"] = pages.preferences(tokens[0])
    for number, (name, token) in enumerate(zip(names, tokens, strict=True), start=1):
        if number <= notices.MOST_LISTS_LEFT:
            words |= {f"leave_{number}": name, f"leave_{number}_url": pages.unsubscribe(token)}
    found = publishing.current_for(session, language, person.country)
    if found is not None:
        alert, target = found
        words["campaign_slug"] = alert.slug
        with_letter = target.slug if target else ""
        words["campaign_url"] = pages.letter(alert.slug, with_letter) if with_letter else pages.campaign(alert.slug)
        words["campaign_title"] = alert.title
        words["campaign_until"] = (alert.deadline or utcnow()).isoformat()
        words |= target.values if target else {}
    notices.owe(session, Notice(NoticeKind.WELCOME, words=words), language=language, subscriber_id=person.id)
