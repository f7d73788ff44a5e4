"""Findings: what an organiser has to know before a campaign is sent."""

import enum
from dataclasses import asdict, dataclass


class Level(enum.StrEnum):
    """Whether a finding keeps a campaign from being sent."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that stands against sending a campaign, or that may harm."""

    level: Level
    code: str  # for programs: "consent-missing"
    where: str  # a file with its line, or what it is about
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.remedy}"

    def to_json(self) -> dict[str, str]:
        """As `campaigns check --json` prints it."""
        return {**asdict(self), "level": self.level.value}
