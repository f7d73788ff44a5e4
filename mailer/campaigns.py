"""Campaigns: what one is, where it stands, and which moves are allowed from there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.models import Campaign, CampaignStatus
from mailer.segments import Segment


class UnknownCampaign(MailerError):
    """There is no campaign "{slug}". Load it with: mailer campaigns load DIR"""


class WrongStatus(MailerError):
    """Campaign "{slug}" is {status}, so it cannot be {move}. {advice}"""


class TooLate(MailerError):
    """The latest start of campaign "{slug}" is {latest_start}. If it should still go out later: {advice}"""


class DeadlinePassed(MailerError):
    """Campaign "{slug}" asks people to act before {deadline}, but it would only start at {start}. If it should still go
    out: {advice}"""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom supporters are asked to write to. One without countries is for everyone who has no other."""

    countries: tuple[str, ...]
    name: str
    email: str
    address: str

    def to_json(self) -> dict[str, Any]:
        """As stored with the campaign."""
        return {"countries": list(self.countries), "name": self.name, "email": self.email, "address": self.address}

    @property
    def values(self) -> dict[str, str]:
        """What a text prints of it, by field."""
        return {"target_name": self.name, "target_email": self.email, "target_address": self.address}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Target":
        """As stored with the campaign."""
        return cls(tuple(data["countries"]), data["name"], data["email"], data["address"])


class Targets:
    """A campaign's targets, to be asked by country."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self._by_country: dict[str, Target] = {}
        self.fallback: Target | None = None
        for target in targets:
            if not target.countries:
                self.fallback = target
            for country in target.countries:
                self._by_country[country] = target

    @classmethod
    def of(cls, campaign: Campaign) -> "Targets":
        """The targets stored with a campaign."""
        return cls(Target.from_json(data) for data in campaign.targets)

    def has_own(self, country: str) -> bool:
        """Whether a country has a target of its own."""
        return country in self._by_country

    def for_country(self, country: str | None) -> Target | None:
        """The target for people in a country, else the fallback, else None."""
        return self._by_country.get(country or "", self.fallback)


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


def segment_of(campaign: Campaign) -> Segment:
    """Whom a campaign is for."""
    return Segment.parse(campaign.audience)


@dataclass(frozen=True, slots=True)
class _Move:
    """What people may do with a campaign as a whole."""

    allowed: Sequence[CampaignStatus]  # from where
    leads_to: CampaignStatus
    done: str  # "it cannot be …"
    advice: str  # where it is not allowed


_S = CampaignStatus
_ONCE = "A campaign is sent only once. `mailer campaigns status` shows how it went; `resend` sends again what failed."
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
        advice = f"Resume it with: mailer campaigns resume {campaign.slug}" if is_held else wanted.advice
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


def require_in_time(campaign: Campaign, start: datetime) -> None:
    """Refuse a start after the campaign's latest start, or after what it asks people to do is over.

    :raises TooLate: its latest start is before that.
    :raises DeadlinePassed: its deadline is.
    """
    if campaign.latest_start is not None and start > campaign.latest_start:
        raise TooLate(
            slug=campaign.slug,
            latest_start=campaign.latest_start.isoformat(timespec="minutes"),
            advice=_other_time(campaign, "latest_start"),
        )
    if campaign.deadline is not None and is_overdue(campaign, start):
        raise DeadlinePassed(
            slug=campaign.slug,
            deadline=campaign.deadline.isoformat(timespec="minutes"),
            start=start.isoformat(timespec="minutes"),
            advice=_other_time(campaign, "deadline"),
        )


def is_overdue(campaign: Campaign, now: datetime) -> bool:
    """Whether its deadline has passed."""
    return campaign.deadline is not None and now > campaign.deadline


def _other_time(campaign: Campaign, key: str) -> str:
    # Once it is scheduled it cannot be loaded again; it is paused when its time has come, and a person decides.
    if campaign.status is _S.DRAFT:
        return f"change {key} in campaign.toml, and load it again."
    return f"once it is paused, run: mailer campaigns resume {campaign.slug}"
