"""Findings: what an organiser has to know before a campaign is sent, and an operator of the installation."""

import enum
from dataclasses import asdict, dataclass
from typing import Literal

#: docs/reference/findings.md says of each what it means
Code = Literal[
    "about-missing",
    "about-outdated",
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
    "unknown-address",
    "unknown-telephone",
    "unseen",
    "wordings-few",
]

#: of an installation, whatever campaigns there are; said of on the same page
InstallationCode = Literal[
    "check-unfinished",
    "clock-off",
    "data-directory",
    "database-away",
    "database-missing",
    "database-version",
    "disk-full",
    "disk-low",
    "dkim-broken",
    "dkim-missing",
    "dkim-other-key",
    "dkim-revoked",
    "dkim-several",
    "dkim-testing",
    "dkim-unset",
    "dmarc-broken",
    "dmarc-missing",
    "dmarc-none",
    "dmarc-unaligned",
    "dns-silent",
    "domain-reserved",
    "domain-unknown",
    "keys-beside-database",
    "mx-dead",
    "mx-missing",
    "mx-null",
    "ptr-mismatch",
    "ptr-missing",
    "redis-away",
    "relay-away",
    "relay-certificate",
    "relay-encryption",
    "relay-greeting",
    "relay-login",
    "relay-readable",
    "relay-size",
    "relay-smtputf8",
    "spf-broken",
    "spf-lookups",
    "spf-missing",
    "spf-nobody",
    "spf-open",
    "spf-relay",
    "spf-several",
]


class Level(enum.StrEnum):
    """Whether a finding keeps a campaign from being sent."""

    ERROR = "error"
    WARNING = "warning"
    UNKNOWN = "unknown"  # it could not be looked at


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that stands against sending, or that may harm."""

    level: Level
    code: Code | InstallationCode  # for programs
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
