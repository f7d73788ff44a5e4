"""Handing messages to a mail server over one kept-open connection."""

import smtplib
import ssl
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from mailer.errors import MailerError, ServiceUnavailable
from mailer.mail.types import Outcome, OutcomeKind, Outgoing, Stage

# RFC 5321, section 4.5.3.2. A short wait at the dot would make unknown outcomes of slow ones.
_CONNECT_SECONDS = 30
_COMMAND_SECONDS = 300
_DOT_SECONDS = 600


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


class SmtpTransport:
    """Sends messages one after another (RFC 5321) and says what became of each."""

    def __init__(self, server: Server, *, dot_seconds: float = _DOT_SECONDS) -> None:
        """:param dot_seconds: how long to wait for the answer to a whole message."""
        self._server = server
        self._dot_seconds = dot_seconds
        self._connection: smtplib.SMTP | None = None

    def send(self, messages: Iterable[Outgoing]) -> Iterator[Outcome]:
        """Send messages as they are taken from the iterable, one Outcome each, in order.

        A message that was taken but has no Outcome when this raises had no byte of its body sent.

        :raises SmtpUnavailable: no connection can be had, or it was lost between messages.
        :raises SenderRefused: the server takes no mail from the envelope sender (5yz to MAIL).
        """
        for message in messages:
            try:
                yield self._send(message)
            except (OSError, smtplib.SMTPException) as problem:
                self.close()
                raise SmtpUnavailable(server=self._server, problem=_reason(problem)) from problem

    def close(self) -> None:
        """Say goodbye, if there is a connection."""
        if self._connection is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._connection.quit()
            self._connection.close()
            self._connection = None

    def _send(self, message: Outgoing) -> Outcome:
        connection = self._connection or self._connect()
        if message.needs_smtputf8 and not connection.has_extn("smtputf8"):
            text = "the mail server does not take international addresses (SMTPUTF8)"
            return Outcome(message.id, OutcomeKind.FAILED, 0, text, Stage.RCPT)
        return (
            self._refusal(connection, message, Stage.MAIL, connection.mail(message.sender, _mail_options(message)))
            or self._refusal(connection, message, Stage.RCPT, connection.rcpt(message.recipient))
            or self._refusal(connection, message, Stage.DATA, connection.docmd("DATA"), expected=3)
            or self._transmit(connection, message)
        )

    def _refusal(
        self,
        connection: smtplib.SMTP,
        message: Outgoing,
        stage: Stage,
        reply: tuple[int, bytes],
        expected: int = 2,
    ) -> Outcome | None:
        """None when the server agreed, else what its refusal means for this message."""
        code, text = reply[0], _one_line(reply[1])
        if code // 100 == expected:
            return None
        if code == 421 or code == -1:  # the server closes the connection (RFC 5321, section 3.8)
            raise smtplib.SMTPServerDisconnected(f"{code} {text}")
        if stage is Stage.MAIL and code >= 500:
            raise SenderRefused(sender=message.sender, code=code, text=text)
        connection.rset()
        kind = OutcomeKind.DEFERRED if code < 500 else OutcomeKind.FAILED
        return Outcome(message.id, kind, code, text, stage)

    def _transmit(self, connection: smtplib.SMTP, message: Outgoing) -> Outcome:
        """Send the body. From here on a lost connection means that nobody knows (RFC 1047)."""
        try:
            _set_timeout(connection, self._dot_seconds)
            connection.send(message.data + b".\r\n")
            code, text = connection.getreply()
        except (OSError, smtplib.SMTPException) as problem:
            self._connection = None
            connection.close()
            return Outcome(message.id, OutcomeKind.UNKNOWN, 0, _reason(problem), Stage.DOT)
        _set_timeout(connection, _COMMAND_SECONDS)
        kind = {2: OutcomeKind.SENT, 4: OutcomeKind.DEFERRED, 5: OutcomeKind.FAILED}.get(code // 100)
        return Outcome(message.id, kind or OutcomeKind.UNKNOWN, code, _one_line(text), Stage.DOT)

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        context = ssl.create_default_context()
        connection: smtplib.SMTP
        if server.security == "tls":
            connection = smtplib.SMTP_SSL(server.host, server.port, timeout=_CONNECT_SECONDS, context=context)
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=_CONNECT_SECONDS)
        try:
            if server.security == "starttls":
                connection.starttls(context=context)
            connection.ehlo_or_helo_if_needed()
            if server.username is not None:
                connection.login(server.username, server.password or "")
        except BaseException:
            connection.close()
            raise
        _set_timeout(connection, _COMMAND_SECONDS)
        self._connection = connection
        return connection


def _mail_options(message: Outgoing) -> list[str]:
    return ["SMTPUTF8", "BODY=8BITMIME"] if message.needs_smtputf8 else []


def _set_timeout(connection: smtplib.SMTP, seconds: float) -> None:
    if connection.sock is not None:
        connection.sock.settimeout(seconds)


def _one_line(text: bytes) -> str:
    return " ".join(text.decode("utf-8", "replace").split())[:500]


def _reason(problem: Exception) -> str:
    """What went wrong, in one line; a refusal during log-in brings the server's words as bytes."""
    if isinstance(problem, smtplib.SMTPResponseException):
        words = problem.smtp_error
        return f"{problem.smtp_code} {_one_line(words if isinstance(words, bytes) else str(words).encode())}"
    return " ".join(str(problem).split())[:300] or type(problem).__name__
