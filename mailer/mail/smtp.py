"""A mail server to hand messages to, and what can be wrong with it.

Who speaks to it: `pipeline` (which connection gets the next message), `smtp_opening` (how a connection comes to be),
`smtp_connection` (what is said on one, and why no message is lost or doubled there; read that first), `smtp_envelope`
and `smtp_replies` (what the two sides write), `backlog` (messages that were taken and not begun).
"""

from dataclasses import dataclass, field
from ipaddress import ip_address

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

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
