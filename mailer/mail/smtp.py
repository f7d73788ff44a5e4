"""A mail server to hand messages to, and what can be wrong with it.

Who speaks to it: `pipeline` (which connection gets the next message), `smtp_opening` (how a connection comes to be),
`smtp_connection` (what is said on one, and why no message is lost or doubled there; read that first), `smtp_envelope`
and `smtp_replies` (what the two sides write), `backlog` (messages that were taken and not begun).
"""

import re
import socket
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from mailer.errors import MailerError, ServiceUnavailable


class SmtpUnavailable(ServiceUnavailable):
    """The mail server {server} cannot be used: {problem}. Check MAILER_SMTP_URL, and that the server is running.
    Mail that has not gone out waits, and is tried again."""


class SenderRefused(MailerError):
    """The mail server refuses mail from {sender}: {code} {text}. Ask its operator, or check MAILER_SENDER and
    MAILER_BOUNCE_ADDRESS, then resume."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed over, and how."""

    host: str
    port: int
    security: str = "none"  # "none", "starttls" or "tls"; certificates are verified
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    greeted_as: str | None = None  # what we call ourselves in EHLO; None for this machine's own name or address

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen: a port of an address of this machine, or a socket in the file system."""

    host: str = "127.0.0.1"
    port: int = 0  # 0 for any free one
    path: Path | None = None  # instead of both

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine reach it."""
        return self.path is not None or is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


_NAME = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.I
)


def is_full_name(name: str) -> bool:
    """Whether a name may stand in EHLO (RFC 5321, 4.1.2): a domain, with a dot in it."""
    return _NAME.fullmatch(name) is not None


def own_name() -> str | None:
    """This machine's full name, if it has one; the DNS is not asked."""
    name = socket.gethostname()
    return name if is_full_name(name) else None
