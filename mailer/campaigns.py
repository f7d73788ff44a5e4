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
    """Campaign "{slug}" was not to start after {latest_start}. If it should still go out: {advice}"""


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
    campaign = session.scalar(select(Campaign).where(Campaign.slug == slug))
    if campaign is None:
        raise UnknownCampaign(slug=slug)
    return campaign


def segment_of(campaign: Campaign) -> Segment:
    """Whom a campaign is for."""
    return Segment.parse(campaign.audience)


#: move → (statuses it is allowed from, status it leads to, what to say otherwise)
_Move = tuple[Sequence[CampaignStatus], CampaignStatus, str]
_S = CampaignStatus
_MOVES: dict[str, _Move] = {
    "scheduled": ((_S.DRAFT, _S.SCHEDULED), _S.SCHEDULED, "A campaign is sent once; make a new one to write again."),
    "sent": (
        (_S.DRAFT, _S.SCHEDULED),
        _S.SENDING,
        "A campaign is sent once; `mailer campaigns status` shows how it went, `resend` repeats what failed.",
    ),
    "paused": ((_S.SENDING, _S.SCHEDULED), _S.PAUSED, "Only a campaign that is under way or scheduled can be."),
    "rescheduled": ((_S.PAUSED,), _S.SCHEDULED, "Only a paused campaign can be."),
    "resumed": ((_S.PAUSED,), _S.SENDING, "Only a paused campaign can be."),
    "cancelled": (
        (_S.DRAFT, _S.SCHEDULED, _S.SENDING, _S.PAUSED),
        _S.CANCELLED,
        "What has been sent cannot be called back.",
    ),
    "resent": (
        (_S.SENDING, _S.SENT),
        _S.SENDING,
        "Only one that has started can be.",
    ),
}


def move(session: Session, campaign: Campaign, name: str, **changes: object) -> None:
    """Take a campaign to the status that a move leads to, atomically: of two people, one succeeds.

    :param name: a key of the table above, such as "paused".
    :param changes: further columns to set with it.
    :raises WrongStatus: the move is not allowed from where the campaign stands.
    """
    allowed, status, advice = _MOVES[name]
    moved = session.scalar(
        update(Campaign)
        .where(Campaign.id == campaign.id, Campaign.status.in_(allowed))
        .values(status=status, **changes)
        .returning(Campaign.id)
    )
    session.refresh(campaign)
    if moved is None:
        if campaign.status is _S.PAUSED and status is not _S.PAUSED:
            advice = f"It goes on with: mailer campaigns resume {campaign.slug}"
        raise WrongStatus(slug=campaign.slug, status=campaign.status, move=name, advice=advice)


def pause_all(session: Session, *, reason: str) -> list[str]:
    """Pause everything that is under way or scheduled, whatever else happens to it at the same moment.

    :returns: the slugs of what was paused.
    """
    allowed, status, _ = _MOVES["paused"]
    paused = session.scalars(
        update(Campaign)
        .where(Campaign.status.in_(allowed))
        .values(status=status, hold_reason=reason)
        .returning(Campaign.slug)
    )
    return sorted(paused)


def require_in_time(campaign: Campaign, now: datetime) -> None:
    """Refuse a start after the campaign's latest start.

    :raises TooLate: it has passed.
    """
    if campaign.latest_start is not None and now > campaign.latest_start:
        # Once it is scheduled it cannot be loaded again; it is paused when its time has come, and a person decides.
        advice = (
            "change latest_start in campaign.toml, and load it again."
            if campaign.status is _S.DRAFT
            else f"once it is paused, run: mailer campaigns resume {campaign.slug}"
        )
        raise TooLate(
            slug=campaign.slug, latest_start=campaign.latest_start.isoformat(timespec="minutes"), advice=advice
        )
