"""Looking at a mail server: opens a connection as a worker would, sees what is offered, and takes its leave."""

import re
import select
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from selectors import EVENT_READ

from mailer.mail.smtp import Server
from mailer.mail.smtp_envelope import Capabilities
from mailer.mail.smtp_opening import Opened, open_connection

_DATE = re.compile(r"\w{3}, {1,2}\d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}")  # RFC 5322, as Exim and Sendmail greet


@dataclass(frozen=True, slots=True)
class Seen:
    """What a mail server showed of itself."""

    capabilities: Capabilities
    tls: str | None  # the version that was agreed on; None in the clear
    address: str  # its IP address
    own_address: str  # ours, on this connection
    calls_itself: str  # the first word of its greeting
    time: datetime | None  # its clock, in UTC, where it greets with it
    seen_at: datetime  # ours at that moment


def look(server: Server, *, seconds: float, context: ssl.SSLContext | None = None) -> Seen:
    """Connect, greet, encrypt and log in as workers do, and say QUIT. Nothing is sent.

    :param seconds: until the connection has to be open. The name of the host is looked up besides.
    :param context: for TLS; by default the system's certificates are trusted.
    :raises OpeningFailed: there is no connection.
    """
    opened = _open(server, context or ssl.create_default_context(), time.monotonic() + seconds)
    sock = opened.sock
    try:
        words = opened.greeting.split()
        return Seen(
            capabilities=opened.capabilities,
            tls=sock.version() if isinstance(sock, ssl.SSLSocket) else None,
            address=sock.getpeername()[0].partition("%")[0],
            own_address=sock.getsockname()[0].partition("%")[0],
            calls_itself=words[0].lower() if words else "",
            time=_time_in(opened.greeting),
            seen_at=datetime.now(UTC),
        )
    finally:
        with suppress(OSError):
            sock.send(b"QUIT\r\n")
        sock.close()


def _open(server: Server, context: ssl.SSLContext, end: float) -> Opened:
    steps = open_connection(server, context)
    is_late = False
    while True:
        try:
            wait = steps.throw(TimeoutError("it did not answer in time")) if is_late else next(steps)
        except StopIteration as done:
            opened: Opened = done.value
            return opened
        waiting = select.poll()
        waiting.register(wait.sock, select.POLLIN if wait.events & EVENT_READ else select.POLLOUT)
        is_late = not waiting.poll(max(0.0, end - time.monotonic()) * 1000)


def _time_in(greeting: str) -> datetime | None:
    found = _DATE.search(greeting)
    if found is None:
        return None
    try:
        return parsedate_to_datetime(found[0]).astimezone(UTC)
    except ValueError:
        return None
