"""A mail server to hand messages to, and what can be wrong with it. `pipeline` does the handing."""

from dataclasses import dataclass, field

from mailer.errors import MailerError, ServiceUnavailable


class SmtpUnavailable(ServiceUnavailable):
    """The mail server {server} cannot be used: {problem}. Check MAILER_SMTP_URL and that the server runs; what has
    not gone out waits and is tried again."""


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
