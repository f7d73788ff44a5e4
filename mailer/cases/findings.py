"""Findings: what an organiser has to know before a campaign is sent."""

import enum
from dataclasses import asdict, dataclass
from typing import Literal

#: docs/reference/findings.md says of each what it means
Code = Literal[
    "about-missing",
    "about-outdated",
    "acted-forgotten",
    "acted-nobody",
    "acted-still-open",
    "asks-missing",
    "audience-empty",
    "audience-unknown",
    "campaign-closed",
    "campaign-stopped",
    "campaign-withdrawn",
    "case-closed",
    "case-stopped",
    "case-unseen",
    "consent-missing",
    "consent-past",
    "dead-link",
    "deadline-near",
    "deadline-passed",
    "empty-field",
    "fact-stale",
    "got-going-out",
    "got-not-begun",
    "home-same-words",
    "home-undecided",
    "home-unknown",
    "latest-start-passed",
    "letter-missing",
    "letter-unread",
    "link-key-missing",
    "machine-name",
    "mail-long",
    "markdown-left",
    "never",
    "never-in-history",
    "no-link",
    "no-organisers",
    "preheader-length",
    "role-missing",
    "setting-wrong",
    "spam-words",
    "target-doubtful",
    "target-missing",
    "target-not-own",
    "target-stale",
    "territories-left-out",
    "territories-not-excluded",
    "text-broken",
    "text-missing",
    "text-unfinished",
    "translation-outdated",
    "unknown-address",
    "unknown-telephone",
    "unseen",
    "wordings-few",
]


class Level(enum.StrEnum):
    """Whether a finding keeps a campaign from being sent."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that stands against sending a campaign, or that may harm."""

    level: Level
    code: Code  # for programs
    where: str  # a file with its line, or what it is about
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.remedy}"

    @property
    def marked(self) -> str:
        """As a terminal shows it."""
        return f"{'NOT READY' if self.level is Level.ERROR else 'Warning'}: {self}"

    def to_json(self) -> dict[str, str]:
        """As `campaigns check --json` prints it."""
        return {**asdict(self), "level": self.level.value}
