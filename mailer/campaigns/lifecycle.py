"""The life of a campaign: where it stands, and which moves are allowed from there."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.store import db
from mailer.store.models import Campaign, CampaignStatus

_REASON_CHARACTERS = 300  # as many as the column holds
#: what to set with a move that ends a pause
NOT_HELD: Mapping[str, None] = {"hold_reason": None, "hold_words": None, "held_by": None, "held_at": None}


class UnknownCampaign(MailerError):
    """There is no campaign "{slug}". See which there are: mailer campaigns list"""


class WrongStatus(MailerError):
    """Campaign "{slug}" is {status}, so it cannot be {move}. {advice}"""


class NoDraft(MailerError):
    """Campaign "{slug}" is {status}, so nothing of it can be changed any more. Copy it to send something else."""


def get(session: Session, slug: str, *, is_held: bool = False) -> Campaign:
    """The campaign of that slug.

    :param is_held: nobody deletes it until the transaction ends: for what names it, and does not refer to its row.
    :raises UnknownCampaign: there is none.
    """
    wanted = select(Campaign).where(Campaign.slug == slug, Campaign.status != CampaignStatus.STANDING)
    campaign = session.scalar(wanted.with_for_update(read=True, key_share=True) if is_held else wanted)
    if campaign is None:
        raise UnknownCampaign(slug=slug)
    return campaign


def hold_draft(session: Session, campaign: Campaign) -> None:
    """Insist that a campaign is a draft. Until the transaction ends nobody else changes it.

    :raises NoDraft: it is none any more.
    """
    session.get_one(Campaign, campaign.id, with_for_update=True, populate_existing=True)
    session.expire(campaign, ["texts"])
    if campaign.status is not CampaignStatus.DRAFT:
        raise NoDraft(slug=campaign.slug, status=campaign.status)


def all_campaigns(session: Session) -> Sequence[Campaign]:
    """Every campaign, the latest first."""
    made = select(Campaign).where(Campaign.status != CampaignStatus.STANDING)
    return session.scalars(made.order_by(Campaign.id.desc())).all()


def of_case(session: Session, case_id: int) -> Sequence[Campaign]:
    """The campaigns about a case, the first one first."""
    return session.scalars(select(Campaign).where(Campaign.case_id == case_id).order_by(Campaign.id)).all()


@dataclass(frozen=True, slots=True)
class _Rule:
    """Where a move is allowed from, and where it leads."""

    allowed: Sequence[CampaignStatus]
    leads_to: CampaignStatus
    done: str  # "it cannot be …"
    advice: str  # where it is not allowed


_S = CampaignStatus
_ONCE = "A campaign is sent only once. See how it went with: mailer campaigns status {slug}"


class Move(enum.Enum):
    """What is done to a campaign as a whole. `delivery.control` does each of them, with all that belongs to it."""

    SCHEDULE = _Rule((_S.DRAFT, _S.SCHEDULED), _S.SCHEDULED, "scheduled", _ONCE)
    SEND = _Rule((_S.DRAFT,), _S.SCHEDULED, "sent", _ONCE)
    UNDO = _Rule((_S.SCHEDULED,), _S.DRAFT, "made a draft again", "Only a campaign that is scheduled can be.")
    START = _Rule((_S.DRAFT, _S.SCHEDULED), _S.SENDING, "started", _ONCE)
    PAUSE = _Rule(
        (_S.SENDING, _S.SCHEDULED), _S.PAUSED, "paused", "Only a campaign that is under way or scheduled can be."
    )
    RESUME = _Rule((_S.PAUSED,), _S.SENDING, "resumed", "Only a paused campaign can be.")
    RESCHEDULE = _Rule((_S.PAUSED,), _S.SCHEDULED, "scheduled again", "Only a paused campaign can be.")
    CANCEL = _Rule(
        (_S.DRAFT, _S.SCHEDULED, _S.SENDING, _S.PAUSED),
        _S.CANCELLED,
        "cancelled",
        "What has been sent cannot be called back.",
    )
    RESEND = _Rule((_S.SENDING, _S.SENT), _S.SENDING, "sent again", "Only one that has started can be.")
    FINISH = _Rule((_S.SENDING,), _S.SENT, "finished", "Only one that is under way can be.")


def held(
    session: Session, reason: str, *, words: str | None = None, account_id: int | None = None
) -> Mapping[str, Any]:
    """What to set with a pause.

    :param reason: that an organiser is shown. It is kept in clear.
    :param words: that somebody typed. They are encrypted.
    :param account_id: whose they are.
    """
    return {
        "hold_reason": reason[:_REASON_CHARACTERS],
        "hold_words": words or None,
        "held_by": account_id,
        "held_at": db.now(session),
    }


def move(session: Session, campaign: Campaign, to: Move, **changes: object) -> None:
    """Take a campaign to the status that a move leads to, atomically: of two people, one succeeds.

    :param changes: further columns to set with it.
    :raises WrongStatus: the move is not allowed from where the campaign stands.
    """
    rule = to.value
    moved = session.scalar(
        update(Campaign)
        .where(Campaign.id == campaign.id, Campaign.status.in_(rule.allowed))
        .values(status=rule.leads_to, **changes)
        .returning(Campaign.id)
    )
    session.refresh(campaign)
    if moved is None:
        raise _wrong_status(campaign, rule)


def require(session: Session, campaign: Campaign, to: Move) -> None:
    """Insist that a move is allowed, and let nobody else make one until the transaction ends.

    :raises WrongStatus: it is not.
    """
    session.get_one(Campaign, campaign.id, with_for_update=True, populate_existing=True)
    if campaign.status not in to.value.allowed:
        raise _wrong_status(campaign, to.value)


def _wrong_status(campaign: Campaign, rule: _Rule) -> WrongStatus:
    is_held = campaign.status is _S.PAUSED and rule.leads_to is not _S.PAUSED
    advice = "Resume it with: mailer campaigns resume {slug}" if is_held else rule.advice
    advice = advice.format(slug=campaign.slug)
    return WrongStatus(slug=campaign.slug, status=campaign.status, move=rule.done, advice=advice)


def move_all(session: Session, to: Move, *which: ColumnElement[bool], **changes: object) -> list[str]:
    """Make a move with every campaign that it is allowed for, whatever else happens to it at the same moment.

    :param which: conditions that it meets as well.
    :param changes: further columns to set with it.
    :returns: the slugs of those that moved.
    """
    moved = session.scalars(
        update(Campaign)
        .where(Campaign.status.in_(to.value.allowed), *which)
        .values(status=to.value.leads_to, **changes)
        .returning(Campaign.slug)
    )
    return sorted(moved)
