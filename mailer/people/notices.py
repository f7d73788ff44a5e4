"""System notices: mails that one person waits for. They are owed like all mail, under one standing campaign."""

import enum
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine, inspect, or_, select, update
from sqlalchemy.orm import Session

from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.db import add_unique, session_scope, utcnow
from mailer.store.models import (
    SYSTEM_MAIL,
    WAITING,
    Campaign,
    CampaignStatus,
    Delivery,
    DeliveryState,
    Purpose,
    Reason,
    ended,
)

#: what went wrong, so that somebody should know of it
FAILED = (DeliveryState.FAILED, DeliveryState.UNKNOWN)
_SETTLED = (DeliveryState.SENT, DeliveryState.SKIPPED, *FAILED)
#: what says whom a notice is for
NAMES_SOMEBODY = ("subscriber_id", "address", "language", "country", "union_id")
#: how long it is kept of what kind a notice was that failed, and what the mail server said
FAILURES_KEPT = timedelta(days=7)
_SLUG = "(notices)"  # no slug that a person could give
#: how many kits one mail names: `kit_1` and `kit_1_url`, and so on
MOST_KITS_NAMED = 5
#: how many lists a welcome has a link to leave: `leave_1` and `leave_1_url`, and so on
MOST_LISTS_LEFT = 5
_MARK = "notices.owed"  # in `Session.info`: the notices that it owes, until somebody has asked what to ring for


class NoticeKind(enum.StrEnum):
    """What a notice is about; names its template."""

    CONFIRM = "confirm"  # a sign-up that only the owner of the address can have meant
    WELCOME = "welcome"  # confirmed, with what to do at once
    MANAGE = "manage"  # a fresh link to see and change everything
    ADDRESS = "address"  # to the new address, which becomes theirs when they confirm it
    GOODBYE = "goodbye"  # left by the button on the page; with a way back
    PAUSED = "paused"  # a list was paused; with a way to end that
    MOVED = "moved"  # to the old address, after somebody's mail has moved; with a way to stop it
    CONTACT = "contact"  # to be a union's contact, which only the owner of the address can have meant
    AFFILIATED = "affiliated"  # to a union's contacts: an organiser has said yes
    STEPPED_DOWN = "stepped_down"  # contact no more, by the button on the page; with a way back
    KIT = "kit"  # to a union's contacts: there is something to forward
    REMINDER = "reminder"  # to those of a union that said nothing, before the deadline
    RENEWED = "renewed"  # to a union's contacts: its links were replaced, and these are the new ones
    ANSWER = "answer"  # to them: a link to change what was said of a kit
    CHANGED = "changed"  # to them: what was said of a kit was changed
    APPLICATION = "application"  # to organisers: a union asks to affiliate, and its officer has confirmed that
    HELD = "held"  # to organisers: a campaign cannot go on by itself
    DAILY = "daily"  # to organisers: what happened, in counts
    INVITATION = "invitation"  # to somebody who may come to the desk: a link to come in, or to replace what was lost
    WAITING = "waiting"  # to publishers: somebody asks for their approval
    APPROVED = "approved"  # to who asked for approval: somebody has said yes
    SENT_BACK = "sent_back"  # to who asked for approval: somebody wants the campaign changed first
    ALONE = "alone"  # to publishers: one of them wants to send without a second person
    ACCOUNT = "account"  # to somebody with an account at the desk: what happened to it, in case it was not they
    HELD_AT_DESK = "held_at_desk"  # to publishers: a campaign cannot go on by itself
    TAKE_BACK = "take_back"  # a link to take back what they did for a campaign, as they or somebody else said
    SIGN = "sign"  # a petition, which only the owner of the address can have meant
    REPLY = "reply"  # to who reads answers: what somebody wrote to us
    REPLIES = "replies"  # to them: more came in a day than is forwarded, in counts


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notice says beyond who it is for. Stored encrypted until it is settled."""

    kind: NoticeKind
    token: str | None = None  # of the link in it, see `mailed_links`
    words: Mapping[str, str] = field(default_factory=dict)  # what its text prints, such as the name of a list
    kit_id: int | None = None  # of the kit that it is about: it is skipped once that must not be forwarded any more
    union_id: int | None = None  # of the union that it names, where it does not go to a contact of it
    language: str | None = None  # that it is written in, as `owe` was told; in clear it would say whose row is whose
    campaign_id: int | None = None  # of the campaign that is held: it is skipped once that is held no more

    @classmethod
    def from_stored(cls, stored: str) -> "Notice":
        """The notice that `owe` stored."""
        data = json.loads(stored)
        kind = NoticeKind(data["kind"])
        more = {name: data.get(name) for name in ("kit_id", "union_id", "language", "campaign_id")}
        return cls(kind, data["token"], data["words"], **more)

    def to_stored(self) -> str:
        """As `from_stored` reads it."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def saying(self, words: Mapping[str, str]) -> "Notice":
        """The same notice with other words."""
        return replace(self, words=words)


def owe(
    session: Session,
    notice: Notice,
    *,
    language: str | None,
    subscriber_id: int | None = None,
    address: str | None = None,
    union_id: int | None = None,
    not_before: datetime | None = None,
    withheld: Reason | None = None,
    purpose: Purpose = Purpose.NOTICE,
) -> int:
    """Owe a notice to a subscriber, or to an address. The session is marked, so that whoever opened it by
    `ringing_session` rings once it is committed.

    :param subscriber_id: only where no stranger can bring it about by naming an address. What a form has us send goes
        to an address, also to that of a subscriber: else whoever fills in the form, and reads the database, learns
        whose row is whose.
    :param address: kept only until it is settled; and not at all where the notice is withheld.
    :param union_id: of the union as whose contact the subscriber gets it. Nobody waits for such a mail, so it is
        skipped, up to the moment it would be sent, if they are its contact no more or their address is suppressed.
    :param not_before: when it is sent; by default at once.
    :param withheld: why it must not be sent. It is written down all the same, as skipped: what takes as long as a
        real one tells nobody who is known here. For the same reason the session is marked all the same.
    :param purpose: one of `SYSTEM_MAIL`.
    :returns: the id of the delivery.
    """
    campaign_id = campaign(session).id
    if withheld:
        how = ended(DeliveryState.SKIPPED, utcnow(), withheld)
    else:
        state = DeliveryState.PENDING if not_before is None else DeliveryState.DEFERRED
        how = {"state": state, "not_before": not_before}
    delivery = Delivery(
        campaign_id=campaign_id,
        purpose=purpose,
        subscriber_id=subscriber_id,
        address=None if withheld else address,
        notice=replace(notice, language=language).to_stored(),
        union_id=union_id,
        **how,
    )
    session.add(delivery)
    session.flush()
    session.info.setdefault(_MARK, []).append((campaign_id, delivery))
    return delivery.id


def to_ring_for(session: Session) -> int | None:
    """What to ring for now that a session is committed: the id of the standing campaign, or None if no notice is owed
    since this was last asked. What was rolled back, be it to a savepoint, is not owed.
    """
    owed = session.info.pop(_MARK, [])
    return next((campaign_id for campaign_id, delivery in owed if inspect(delivery).has_identity), None)


@contextmanager
def ringing_session(engine: Engine, ring: Callable[[int], None], *, read_only: bool = False) -> Iterator[Session]:
    """As `db.session_scope`; and where notices are owed, rings once, after the commit.

    :param ring: called with the id of the standing campaign. The notices are owed, whatever becomes of it.
    """
    with session_scope(engine, read_only=read_only) as session:
        yield session
    campaign_id = to_ring_for(session)
    if campaign_id is not None:
        ring(campaign_id)


def campaign(session: Session) -> Campaign:
    """What notices are owed under; made where there is none."""
    found = select(Campaign).where(Campaign.status == CampaignStatus.STANDING)
    campaign = session.scalar(found)
    if campaign is None:
        campaign = Campaign(
            slug=_SLUG,
            kind="notice",
            language="en",
            status=CampaignStatus.STANDING,
            audience={},
            targets=[],
            salt=secrets.token_bytes(16),
            message_key=keyring_of(session).link_keys[0].id,
        )
        if not add_unique(session, campaign):
            return session.scalars(found).one()
    return campaign


def drop_name_of_union(session: Session, union_id: int) -> None:
    """Have what waits to be sent no longer name a union, which has just asked for that; nor by the address of its
    page."""

    def unnamed(notice: Notice) -> Notice:
        rest = {word: said for word, said in notice.words.items() if word not in ("union", "join_url")}
        return notice.saying(rest | ({"is_invited": "yes"} if notice.kind is NoticeKind.CONTACT else {}))

    rewrite_waiting(session, unnamed, union_id=union_id)
    rewrite_waiting(session, lambda notice: unnamed(notice) if notice.union_id == union_id else notice)


def rewrite_waiting(session: Session, rewritten: Callable[[Notice], Notice], *, union_id: int | None = None) -> None:
    """Change what waits to be sent. What a worker holds goes out as it is.

    :param rewritten: makes the notice that is sent instead of one.
    :param union_id: of the union whose contacts get it; None for all notices.
    """
    waiting = select(Delivery).where(
        Delivery.campaign_id == campaign(session).id, Delivery.notice.is_not(None), Delivery.state.in_(WAITING)
    )
    if union_id is not None:
        waiting = waiting.where(Delivery.union_id == union_id)
    for delivery in session.scalars(waiting.order_by(Delivery.id).with_for_update()):
        delivery.notice = rewritten(Notice.from_stored(delivery.notice or "")).to_stored()
    session.flush()


def rewrite_one(session: Session, delivery_id: int, rewritten: Callable[[Notice], Notice]) -> bool:
    """Change one notice that waits to be sent.

    :param delivery_id: as `owe` gave it.
    :param rewritten: as for `rewrite_waiting`.
    :returns: whether it still waited.
    """
    waiting = (Delivery.id == delivery_id, Delivery.notice.is_not(None), Delivery.state.in_(WAITING))
    found = select(Delivery).where(*waiting).with_for_update().execution_options(populate_existing=True)
    delivery = session.scalars(found).one_or_none()
    if delivery is None:
        return False
    delivery.notice = rewritten(Notice.from_stored(delivery.notice or "")).to_stored()
    session.flush()
    return True


def forget_settled(session: Session) -> None:
    """Drop what settled notices said, and whom they went to: nobody needs it any more, and the time at which one was
    sent, which a mail provider's log has too, would tell whose row is whose.

    Of one that failed `failed_notices` keeps for a while why: nobody else sees it fail.
    """
    is_old = Delivery.settled_at.is_(None) | (Delivery.settled_at < failures_since(session))
    session.execute(
        update(Delivery)
        .where(
            Delivery.notice.is_not(None),
            Delivery.state.in_(_SETTLED),
            or_(Delivery.state.not_in(FAILED), is_old),
        )
        .values(notice=None, smtp_text=None, **dict.fromkeys(NAMES_SOMEBODY))
        .execution_options(synchronize_session=False)
    )


def failures_since(session: Session) -> datetime:
    """Since when it is known which notices failed: a midnight, as times are cut to the day."""
    return (db.now(session) - FAILURES_KEPT).replace(hour=0, minute=0, second=0, microsecond=0)


def doubt_waiting(session: Session) -> None:
    """Call unknown what waits to be sent: a restored database owes again what may long have gone out, and who still
    waits for such a mail can ask for another."""
    session.execute(
        update(Delivery)
        .where(
            Delivery.campaign_id == campaign(session).id,
            Delivery.purpose.in_(SYSTEM_MAIL),
            Delivery.state.in_([DeliveryState.PENDING, DeliveryState.DEFERRED]),
        )
        .values(ended(DeliveryState.UNKNOWN, utcnow(), Reason.RESTORED))
        .execution_options(synchronize_session=False)
    )
