"""System notices: mails that one person waits for. They are owed like all mail, under one standing campaign."""

import enum
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.store.db import add_unique, utcnow
from mailer.store.models import (
    Campaign,
    CampaignStatus,
    Delivery,
    DeliveryState,
    Purpose,
    Reason,
)

_SETTLED = (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.SKIPPED, DeliveryState.UNKNOWN)
_SLUG = "(notices)"  # no slug that a person could give


class NoticeKind(enum.StrEnum):
    """What a notice is about; names its template."""

    CONFIRM = "confirm"  # a sign-up that only the owner of the address can have meant
    WELCOME = "welcome"  # confirmed, with what to do at once
    MANAGE = "manage"  # a fresh link to see and change everything
    ADDRESS = "address"  # to the new address, which becomes theirs when they confirm it
    GOODBYE = "goodbye"  # left by the button on the page; with a way back
    CONTACT = "contact"  # to be a union's contact, which only the owner of the address can have meant
    AFFILIATED = "affiliated"  # to a union's contacts: an organiser has said yes
    STEPPED_DOWN = "stepped_down"  # contact no more, by the button on the page; with a way back
    KIT = "kit"  # to a union's contacts: there is something to forward
    REMINDER = "reminder"  # to those of a union that said nothing, before the deadline


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notice says beyond who it is for. Stored encrypted until it is settled."""

    kind: NoticeKind
    token: str | None = None  # of the link in it, see `mailed_links`
    words: Mapping[str, str] = field(default_factory=dict)  # what its text prints, such as the name of a list
    kit_id: int | None = None  # of the kit that it is about: it is skipped once that must not be forwarded any more

    @classmethod
    def from_stored(cls, stored: str) -> "Notice":
        """The notice that `owe` stored."""
        data = json.loads(stored)
        return cls(NoticeKind(data["kind"]), data["token"], data["words"], data.get("kit_id"))


def owe(
    session: Session,
    notice: Notice,
    *,
    language: str | None,
    subscriber_id: int | None = None,
    address: str | None = None,
    union_id: int | None = None,
    withheld: Reason | None = None,
) -> int:
    """Owe a notice to a subscriber, or to an address that is no subscriber's.

    :param union_id: of the union as whose contact the subscriber gets it. Nobody waits for such a mail, so it is
        skipped, up to the moment it would be sent, if they are its contact no more or their address is suppressed.
    :param withheld: why it must not be sent. It is written down all the same, as skipped: what takes as long as a
        real one tells nobody who is known here.
    :returns: what to ring for after the commit: the id of the standing campaign.
    """
    campaign_id = standing(session).id
    session.add(
        Delivery(
            campaign_id=campaign_id,
            purpose=Purpose.NOTICE,
            subscriber_id=subscriber_id,
            address=address,
            notice=json.dumps(asdict(notice), ensure_ascii=False),
            language=language,
            union_id=union_id,
            state=DeliveryState.SKIPPED if withheld else DeliveryState.PENDING,
            reason=withheld,
            settled_at=utcnow() if withheld else None,
        )
    )
    session.flush()
    return campaign_id


def standing(session: Session) -> Campaign:
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
        )
        if not add_unique(session, campaign):
            return session.scalars(found).one()
    return campaign


def forget_settled(session: Session) -> None:
    """Drop what settled notices said, and the addresses they went to: nobody needs them any more."""
    session.execute(
        update(Delivery)
        .where(Delivery.notice.is_not(None), Delivery.state.in_(_SETTLED))
        .values(notice=None, address=None, smtp_text=None)
        .execution_options(synchronize_session=False)
    )


def doubt_waiting(session: Session) -> None:
    """Call unknown what waits to be sent: a restored database owes again what may long have gone out, and who still
    waits for such a mail can ask for another."""
    session.execute(
        update(Delivery)
        .where(
            Delivery.campaign_id == standing(session).id,
            Delivery.purpose == Purpose.NOTICE,
            Delivery.state.in_([DeliveryState.PENDING, DeliveryState.DEFERRED]),
        )
        .values(state=DeliveryState.UNKNOWN, reason=Reason.RESTORED, not_before=None, settled_at=utcnow())
        .execution_options(synchronize_session=False)
    )
