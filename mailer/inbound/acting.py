"""What follows from a message that came in, for whom it is about: nothing, unless we signed what it holds."""

import enum
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import LargeBinary, Select, bindparam, select, type_coerce
from sqlalchemy.orm import Session

from mailer.delivery import alarms
from mailer.delivery.alarms import CameBack
from mailer.mail import addresses
from mailer.mail.feedback.types import Category, Effect, Feedback, Identified, Kind
from mailer.mail.webhooks.types import Provider
from mailer.people import bounces, returned, suppression
from mailer.people.returned import Added, Number
from mailer.selfservice import leaving
from mailer.selfservice.leaving import Method, NotOnList, Scope
from mailer.store.crypto import UnreadableSecret, keyring_of
from mailer.store.db import Sessions
from mailer.store.models import (
    ADDRESS,
    GOT,
    Campaign,
    Delivery,
    MailEvent,
    Purpose,
    Subscriber,
    Subscription,
    SuppressionReason,
)

#: how long after a mail went out what comes back acts: whoever has an old one, forwarded, can do nothing with it
_ACTS_FOR = timedelta(days=30)


class Source(enum.StrEnum):
    """What brought a message; an event that a webhook brought comes from its `Provider`."""

    PIPE = "pipe"  # of a mail server, into `mailer inbound`
    LMTP = "lmtp"
    SMTP = "smtp"
    IMAP = "imap"
    MAILDIR = "maildir"

    @property
    def is_mailbox(self) -> bool:
        """Whether somebody's own mail may lie there, too; and a message that is not taken in stays."""
        return self in (Source.IMAP, Source.MAILDIR)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a message was, and what was done. It names nobody, so it may be logged."""

    kind: Kind
    effect: Effect = Effect.NONE  # what was done
    category: Category | None = None  # of a bounce
    why: str | None = None  # why nothing was, in words of ours
    #: whether it is understood and about a mail of ours, and nobody need read it
    is_done_with: bool = field(default=False, compare=False)
    # For `heed`: what came back of a campaign, if that is new; and what is counted, as no event is kept of it.
    came_back: CameBack | None = field(default=None, compare=False)
    number: Number | None = field(default=None, compare=False)

    def facts(self) -> dict[str, str]:
        """What the log may say of it."""
        facts = {"kind": self.kind.value, "category": self.category, "effect": self.effect.value, "why": self.why}
        return {name: str(value) for name, value in facts.items() if value is not None}


class _Mail(NamedTuple):
    """A mail of ours that something is about, and to whom it was."""

    id: int
    campaign_id: int
    purpose: Purpose
    settled_at: datetime | None
    address: bytes | None  # encrypted; where there is no subscriber
    subscriber_id: int | None

    @property
    def counts_for(self) -> int | None:
        """The campaign for whose numbers and alarms it counts: tests are sent to see what comes back."""
        return self.campaign_id if self.purpose is Purpose.CAMPAIGN else None


class _Person(NamedTuple):
    """Whom nobody else has change or leave until this transaction ends."""

    id: int | None  # None if there is no such subscriber
    email_index: bytes
    moved_on: date | None


# Made once: to put a statement together takes as long as to run it.
_MAIL = select(
    Delivery.id,
    Delivery.campaign_id,
    Delivery.purpose,
    Delivery.settled_at,
    type_coerce(Delivery.address, LargeBinary),  # its key may be lost
    Delivery.subscriber_id,
).where(Delivery.id == bindparam("delivery"))
#: as `subscribers.lock_row`, without reading what may not be decrypted
_LOCKED = select(Subscriber.id, Subscriber.email_index, Subscriber.moved_on).with_for_update(key_share=True)
_LOCKED_BY_ID = _LOCKED.where(Subscriber.id == bindparam("which"))
_LOCKED_BY_INDEX = _LOCKED.where(Subscriber.email_index == bindparam("which"))

#: why nothing follows from an event that was not kept
_WHY = {
    Added.KEPT: None,
    Added.CAME_BEFORE: "it came before, or its mail had come back before",
    Added.TOO_MANY: "too much came of its mail, so it is only counted",
}


def act(
    session: Session,
    feedback: Feedback,
    *,
    source: Source | Provider,
    key: bytes,
    now: datetime,
    is_always_kept: bool = False,
) -> Outcome:
    """Keep what came in as an event, and do what follows for people; once for each key, however often it is called.
    The rest does `heed`, once all is kept. What tells nothing is recorded nowhere: that somebody reads is nobody's
    business.

    :param key: what tells the message from every other of its source.
    :param is_always_kept: whether the key is remembered also where no event is kept.
    """
    event = MailEvent(
        key=keyring_of(session).mail_digest(source.value, key),
        kind=feedback.kind,
        category=feedback.category,
        status=feedback.meaning.status if feedback.meaning else None,
        effect=Effect.NONE,
        source=source.value,
        identified_by=feedback.identified_by if feedback.identified_by is not Identified.NONE else None,
        day=now.date(),
    )
    outcome = Outcome(event.kind) if feedback.tells_nothing else _follow(session, event, feedback, now)
    if is_always_kept and not returned.remember(session, event):
        return replace(outcome, number=None)  # what came before was counted then
    return outcome


def _follow(session: Session, event: MailEvent, feedback: Feedback, now: datetime) -> Outcome:
    if feedback.subscription is not None:
        scope = Scope.ALL if feedback.leaves_all else Scope.LIST
        return _leave(session, event, feedback.subscription, scope)
    would_act = event.kind in (Kind.BOUNCE, Kind.COMPLAINT, Kind.UNSUBSCRIBE)
    if would_act and feedback.is_unproven:
        # No event: it would take the place of what does come back, or is called spam.
        return _counted(event, why="only what it answers says of which mail it is")
    mail = _mail(session, feedback.delivery) if feedback.delivery is not None else None
    if mail is None:
        return _counted(event, why="it is about no mail of ours" if would_act else None)
    event.delivery_id, event.campaign_id = mail.id, mail.counts_for
    if feedback.effect in (Effect.SUPPRESS, Effect.COUNT):
        outcome = _act_on_person(session, event, mail, feedback.effect, now)
    else:
        why = "it holds nothing that its mail could be left by" if event.kind is Kind.UNSUBSCRIBE else None
        outcome = _outcome(event, returned.add(session, event), why=why)
    if outcome.why is not None or event.kind not in (Kind.BOUNCE, Kind.COMPLAINT) or event.campaign_id is None:
        return outcome
    if event.identified_by is Identified.MESSAGE_ID:
        return outcome  # too weak a proof for an alarm
    return replace(outcome, came_back=CameBack(event.campaign_id, event.kind, event.category, mail.settled_at))


def heed(session: Session, outcomes: Iterable[Outcome]) -> Mapping[int, Collection[datetime]]:
    """Count what is only counted, and pause the campaigns of which too much came back, once `act` has kept all: nobody
    may be locked after that.

    :returns: campaigns that somebody else was changing at that moment, for `look_again`.
    """
    outcomes = list(outcomes)
    returned.count_all(session, Counter(outcome.number for outcome in outcomes if outcome.number is not None))
    return alarms.heed(session, [outcome.came_back for outcome in outcomes if outcome.came_back is not None])


def look_again(sessions: Sessions, held: Mapping[int, Collection[datetime]]) -> None:
    """Look at the campaigns that `heed` could not, after its transaction.

    :param held: as it returned them.
    """
    for campaign_id, refused in held.items():
        with sessions() as session:
            alarms.look(session, campaign_id, refused=refused)


def _outcome(event: MailEvent, added: Added = Added.KEPT, *, why: str | None = None) -> Outcome:
    why = _WHY[added] or why
    is_number = added is Added.TOO_MANY and event.kind is not Kind.UNSUBSCRIBE  # nobody left
    number = Number.of(event) if is_number else None
    return Outcome(event.kind, Effect.NONE if why else event.effect, event.category, why, number=number)


def _counted(event: MailEvent, *, why: str | None) -> Outcome:
    """Of what no event is kept."""
    return Outcome(event.kind, category=event.category, why=why, number=Number.of(event))


# --- about a mail ---------------------------------------------------------------------------------------------------


def _mail(session: Session, delivery_id: int) -> _Mail | None:
    found = session.execute(_MAIL, {"delivery": delivery_id}).first()
    return _Mail(*found) if found else None


def _whom(session: Session, mail: _Mail, kind: Kind) -> _Person | None:
    """To whom a mail was, locked; None if that is not known any more, or was never anybody on our lists.

    What a form had us send is no subscriber's. If such a mail comes back, nothing follows: a suppression has the hash
    of the person's row, so it would tell whoever filled in the form which row that is. But a complaint is heeded:
    nothing shows better that the owner of the address did not ask for it.
    """
    if mail.subscriber_id is not None:
        return _locked(session, _LOCKED_BY_ID, mail.subscriber_id)
    if mail.address is None or kind is not Kind.COMPLAINT:
        return None
    keyring = keyring_of(session)
    try:
        written = addresses.parse(keyring.decrypt(mail.address, ADDRESS))
    except (UnreadableSecret, addresses.InvalidAddress):
        return None
    email_index = keyring.blind_index(written.folded)
    return _locked(session, _LOCKED_BY_INDEX, email_index) or _Person(None, email_index, None)


def _locked(session: Session, statement: Select[int, bytes, date | None], which: int | bytes) -> _Person | None:
    found = session.execute(statement, {"which": which}).first()
    return _Person(found.id, bytes(found.email_index), found.moved_on) if found else None


def _why_not(mail: _Mail, person: _Person | None, now: datetime) -> str | None:
    """Why something is kept and does nothing; None if it acts."""
    if person is None:
        return "its mail was to nobody whom we know"
    if mail.settled_at is not None and now - mail.settled_at > _ACTS_FOR:
        return "its mail went out too long ago"
    if person.moved_on is not None and (mail.settled_at or now).date() <= person.moved_on:
        return "the person has another address now"
    return None


def _act_on_person(session: Session, event: MailEvent, mail: _Mail, effect: Effect, now: datetime) -> Outcome:
    """Have a bounce count, or end mail to its address; have a complaint end it, without a word."""
    suppression.lock_shared(session)
    person = _whom(session, mail, event.kind)
    why = _why_not(mail, person, now)
    if person is None or why:
        return _outcome(event, returned.add(session, event), why=why)
    event.effect = effect
    event.email_index = person.email_index if effect is Effect.COUNT else None
    if (added := returned.add(session, event)) is not Added.KEPT:
        return _outcome(event, added)
    if effect is Effect.COUNT and (
        person.id is None or not bounces.have_added_up(session, person.id, person.email_index, today=event.day)
    ):
        return _outcome(event)
    if event.effect is not Effect.SUPPRESS:
        returned.did(session, event, Effect.SUPPRESS)
    outcome = _outcome(event)
    bounces.suppress(session, person.id, person.email_index, _reason(event), event.category)
    return outcome


def _reason(event: MailEvent) -> SuppressionReason:
    if event.kind is not Kind.COMPLAINT:
        return SuppressionReason.BOUNCED
    is_hearsay = event.identified_by is Identified.MESSAGE_ID
    return SuppressionReason.REPORTED if is_hearsay else SuppressionReason.COMPLAINED


# --- leaving --------------------------------------------------------------------------------------------------------


def _leave(session: Session, event: MailEvent, subscription_id: int, scope: Scope) -> Outcome:
    """Have somebody leave the list that a mail came from, which they wrote to us about; or all lists, where their
    provider did."""
    if scope is Scope.ALL:
        suppression.lock_alone(session)
    try:
        subscription = leaving.find(session, subscription_id)
        # Whoever is being erased must not leave an event behind.
        if _locked(session, _LOCKED_BY_ID, subscription.subscriber_id) is None:
            raise NotOnList
    except NotOnList:
        return _counted(event, why="not on our list")
    event.delivery_id, event.campaign_id = _last_mail(session, subscription)
    event.effect = Effect.LEAVE
    if returned.add(session, event) is not Added.KEPT:
        return _outcome(event, why="it came before")
    left = leaving.leave(session, subscription, method=Method.MAIL, scope=scope)
    if left.already:
        returned.did_nothing(session, event)
        return Outcome(Kind.UNSUBSCRIBE, why="had left before")
    return Outcome(Kind.UNSUBSCRIBE, Effect.LEAVE)


def _last_mail(session: Session, subscription: Subscription) -> tuple[int | None, int | None]:
    """The last campaign's mail from a list that somebody got, and the campaign: what they left by does not say which it
    was."""
    latest = (
        select(Delivery.id, Delivery.campaign_id)
        .join(Campaign, Campaign.id == Delivery.campaign_id)
        .where(
            Delivery.subscriber_id == subscription.subscriber_id,
            Delivery.purpose == Purpose.CAMPAIGN,
            Delivery.state.in_(GOT),
            Campaign.list_id == subscription.list_id,
        )
        .order_by(Delivery.settled_at.desc(), Delivery.id.desc())
        .limit(1)
    )
    found = session.execute(latest).first()
    return (found.id, found.campaign_id) if found else (None, None)
