"""Targets: whom a campaign asks people to write to, by country."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mailer.store.models import Campaign


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
