"""What a case keeps in its encrypted columns: its persons, and who agreed to what is said of them."""

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any


class PersonStatus(enum.StrEnum):
    """What has become of a person."""

    THREATENED = "threatened"
    MISSING = "missing"
    ARRESTED = "arrested"
    CHARGED = "charged"
    SENTENCED = "sentenced"
    RELEASED = "released"
    ACQUITTED = "acquitted"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom a case is about."""

    name: str  # in Latin letters, as it is written on an envelope
    status: PersonStatus
    names: Mapping[str, str]  # script (ISO 15924, "Arab") → the name as it is written there

    def to_json(self) -> dict[str, Any]:
        """As stored with the case."""
        return {"name": self.name, "status": self.status.value, "names": dict(self.names)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Person":
        """As stored with the case."""
        return cls(data["name"], PersonStatus(data["status"]), data["names"])


class ConsentBy(enum.StrEnum):
    """Who agreed that we speak of a case."""

    PERSON = "person"
    FAMILY = "family"
    LAWYER = "lawyer"
    UNION = "union"
    NONE_POSSIBLE = "none_possible"  # nobody can be asked; two of us decided, with a reason


@dataclass(frozen=True, slots=True)
class Consent:
    """That somebody agreed, and until when."""

    by: ConsentBy
    on: date
    until: date | None = None  # its last day
    reason: str = ""  # why nobody can be asked
    agreed_by: str = ""  # the second of those who decided then

    def covers(self, day: date) -> bool:
        """Whether it still holds on a day."""
        return self.until is None or day <= self.until

    def to_json(self) -> dict[str, Any]:
        """As stored with the case."""
        until = self.until.isoformat() if self.until else None
        return asdict(self) | {"by": self.by.value, "on": self.on.isoformat(), "until": until}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Consent":
        """As stored with the case."""
        until = date.fromisoformat(data["until"]) if data["until"] else None
        return cls(ConsentBy(data["by"]), date.fromisoformat(data["on"]), until, data["reason"], data["agreed_by"])


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """Who agrees now, and when an organiser last said so, or said that nobody does any more."""

    given: Consent | None
    said_on: date | None = None  # by command; a file says nothing that was true only before

    def to_json(self) -> dict[str, Any]:
        """As stored with the case."""
        said_on = self.said_on.isoformat() if self.said_on else None
        return {"given": self.given.to_json() if self.given else None, "said_on": said_on}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ConsentRecord":
        """As stored with the case."""
        said_on = date.fromisoformat(data["said_on"]) if data["said_on"] else None
        return cls(Consent.from_json(data["given"]) if data["given"] else None, said_on)
