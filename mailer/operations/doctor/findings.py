"""What is wrong with an installation, or could be better. What campaigns need of the settings, `checks` finds."""

import enum
from dataclasses import asdict, dataclass
from typing import Literal

from mailer.cases import findings as of_campaigns

#: docs/reference/findings.md says of each what it means
Code = Literal[
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
    "hooks-unmatched",
    "keys-beside-database",
    "listener-away",
    "listener-busy",
    "listener-open",
    "listener-other",
    "listener-refuses",
    "mailbox-away",
    "mailbox-certificate",
    "mailbox-expunge",
    "mailbox-folder",
    "mailbox-full",
    "mailbox-login",
    "mailbox-token",
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
    "sweep-missing",
]


class Level(enum.StrEnum):
    """How bad it is, the worst first."""

    ERROR = "error"
    WARNING = "warning"
    UNKNOWN = "unknown"  # it could not be looked at


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that keeps an installation from its work, or that may harm."""

    level: Level
    code: Code | of_campaigns.Code  # for programs
    where: str  # a setting, a domain, a server, a folder
    what: str
    remedy: str

    def to_json(self) -> dict[str, str]:
        """As `doctor --json` prints it."""
        return {**asdict(self), "level": self.level.value}


def from_settings(finding: of_campaigns.Finding) -> Finding:
    """What campaigns find of the settings too."""
    return Finding(Level(finding.level.value), finding.code, finding.where, finding.what, finding.remedy)
