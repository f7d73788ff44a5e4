"""Campaigns: what one is, where it stands, and which moves are allowed from there."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.store.models import Campaign, CampaignStatus


class UnknownCampaign(MailerError):
    """There is no campaign "{slug}". Load it with: mailer campaigns load DIR"""


class WrongStatus(MailerError):
    """Campaign "{slug}" is {status}, so it cannot be {move}. {advice}"""


def get(session: Session, slug: str) -> Campaign:
    """The campaign of that slug.

    :raises UnknownCampaign: there is none.
    """
    campaign = session.scalar(select(Campaign).where(Campaign.slug == slug, Campaign.status != CampaignStatus.STANDING))
    if campaign is None:
        raise UnknownCampaign(slug=slug)
    return campaign


def all_campaigns(session: Session) -> Sequence[Campaign]:
    """Every campaign, the latest first."""
    made = select(Campaign).where(Campaign.status != CampaignStatus.STANDING)
    return session.scalars(made.order_by(Campaign.id.desc())).all()


@dataclass(frozen=True, slots=True)
class _Move:
    """What people may do with a campaign as a whole."""

    allowed: Sequence[CampaignStatus]  # from where
    leads_to: CampaignStatus
    done: str  # "it cannot be …"
    advice: str  # where it is not allowed


_S = CampaignStatus
_ONCE = "A campaign is sent once; `mailer campaigns status` shows how it went, `resend` repeats what failed."
_MOVES = {
    "schedule": _Move((_S.DRAFT, _S.SCHEDULED), _S.SCHEDULED, "scheduled", _ONCE),
    "start": _Move((_S.DRAFT, _S.SCHEDULED), _S.SENDING, "started", _ONCE),
    "pause": _Move(
        (_S.SENDING, _S.SCHEDULED), _S.PAUSED, "paused", "Only a campaign that is under way or scheduled can be."
    ),
    "resume": _Move((_S.PAUSED,), _S.SENDING, "resumed", "Only a paused campaign can be."),
    "reschedule": _Move((_S.PAUSED,), _S.SCHEDULED, "scheduled again", "Only a paused campaign can be."),
    "cancel": _Move(
        (_S.DRAFT, _S.SCHEDULED, _S.SENDING, _S.PAUSED),
        _S.CANCELLED,
        "cancelled",
        "What has been sent cannot be called back.",
    ),
    "resend": _Move((_S.SENDING, _S.SENT), _S.SENDING, "sent again", "Only one that has started can be."),
}


def move(session: Session, campaign: Campaign, name: str, **changes: object) -> None:
    """Take a campaign to the status that a move leads to, atomically: of two people, one succeeds.

    :param name: a key of the table above, such as "pause".
    :param changes: further columns to set with it.
    :raises WrongStatus: the move is not allowed from where the campaign stands.
    """
    wanted = _MOVES[name]
    moved = session.scalar(
        update(Campaign)
        .where(Campaign.id == campaign.id, Campaign.status.in_(wanted.allowed))
        .values(status=wanted.leads_to, **changes)
        .returning(Campaign.id)
    )
    session.refresh(campaign)
    if moved is None:
        is_held = campaign.status is _S.PAUSED and wanted.leads_to is not _S.PAUSED
        advice = f"It goes on with: mailer campaigns resume {campaign.slug}" if is_held else wanted.advice
        raise WrongStatus(slug=campaign.slug, status=campaign.status, move=wanted.done, advice=advice)


def pause_all(session: Session, *, reason: str) -> list[str]:
    """Pause everything that is under way or scheduled, whatever else happens to it at the same moment.

    :returns: the slugs of what was paused.
    """
    pause = _MOVES["pause"]
    paused = session.scalars(
        update(Campaign)
        .where(Campaign.status.in_(pause.allowed))
        .values(status=pause.leads_to, hold_reason=reason)
        .returning(Campaign.slug)
    )
    return sorted(paused)
