"""What all mailboxes have in common. Read this first; then `maildir`, which is the simpler one."""

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from mailer.errors import ServiceUnavailable

#: messages that are read before the first of them is let go of
BATCH = 20
#: where handled messages go on an IMAP server, beside the folder that they come from
HANDLED_FOLDER = "Tocsin"


class Disposal(enum.StrEnum):
    """What becomes of a message that was handled."""

    KEEP = "keep"  # in a folder beside, marked as read
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that lies in a mailbox."""

    name: str  # what the mailbox calls it
    data: bytes  # its beginning
    came_at: datetime | None = None  # when it came into the mailbox, if that is known


class Mailbox(Protocol):
    """An open one. What came since it was last looked at is given in batches, and each is settled before the next."""

    def batches(self) -> Iterator[Sequence[Waiting]]:
        """The messages that nobody looked at, in one order.

        :raises MailboxUnavailable: the rest cannot be read.
        """

    def settle(self, handled: Sequence[Waiting], left: Sequence[Waiting]) -> None:
        """Have messages of the last batch leave, and remember of others that they were looked at. What is named in
        neither is given again in the next round.

        :raises MailboxUnavailable: some of what was handled is still there.
        """


class Obstacle(enum.Enum):
    """What a mailbox cannot be used for."""

    CONNECTION = enum.auto()  # nobody answers, or not as such a server does
    CERTIFICATE = enum.auto()
    TOKEN = enum.auto()  # nobody gives us one to log in with
    LOGIN = enum.auto()
    FOLDER = enum.auto()
    CLEARING = enum.auto()  # it can be read, and what was handled does not leave


_REMEDIES: Mapping[Obstacle, str] = {
    Obstacle.CONNECTION: "See that MAILER_INBOUND_URL names the right host and port, and that no firewall is between.",
    Obstacle.CERTIFICATE: (
        "Name the server in MAILER_INBOUND_URL as its certificate does, or have its operator renew the certificate."
    ),
    Obstacle.TOKEN: "See that the settings MAILER_OAUTH_… are right, and give your consent anew if it has run out.",
    Obstacle.LOGIN: (
        "See that the user in MAILER_INBOUND_URL and the password are right, and that the provider lets programs read"
        " mail over IMAP: many want a password for apps, or OAuth."
    ),
    Obstacle.FOLDER: "See that MAILER_INBOUND_URL names a folder that is there.",
    Obstacle.CLEARING: "See that messages may be moved or deleted there, and that its storage is not full.",
}


class MailboxUnavailable(ServiceUnavailable):
    """The mailbox {place} cannot be used: {problem}. {remedy} Messages stay there until then, and nothing is lost."""

    def __init__(self, *, place: object, problem: str, obstacle: Obstacle) -> None:
        """:param place: without the user's name, which may be an address."""
        self.obstacle, self.problem, self.remedy = obstacle, problem, _REMEDIES[obstacle]
        super().__init__(place=place, problem=problem, remedy=self.remedy)


@dataclass(frozen=True, slots=True)
class MaildirFolder:
    """A Maildir on this machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def identity(self) -> str:
        """What tells it from every other mailbox."""
        return f"maildir:{self.path.absolute()}"


@dataclass(frozen=True, slots=True)
class ImapFolder:
    """A folder of somebody's on an IMAP server. It is only spoken to over TLS, and its certificate is verified."""

    host: str
    user: str = field(repr=False)
    port: int = 993
    folder: str = "INBOX"
    by_token: bool = False  # whether it is opened by a token of OAuth, and not by a password

    def __str__(self) -> str:
        return f"{self.folder} on {self.host}:{self.port}"

    @property
    def identity(self) -> str:
        """What tells it from every other mailbox."""
        return f"imap:{self.user}@{self.host}/{self.folder}"
