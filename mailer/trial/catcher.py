"""The mail catcher: an SMTP server that keeps every message and delivers none.

For development and the demo. Messages land in a Maildir that any mail program opens, exactly as they came over
the wire (CRLF line ends), below the `Return-Path` and `Delivered-To` lines of a delivery agent.
"""

import asyncio
import logging
import os
import re
import secrets
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from mailer.errors import MailerError, ServiceUnavailable
from mailer.mail import smtp_bodies
from mailer.mail.smtp import is_loopback
from mailer.mail.smtp_bodies import Body

FOLDER = "caught"  # where it keeps mail, in the data directory of who starts it
GREETING = "Tocsin mail catcher"  # that it introduces itself with

LARGEST_MESSAGE = 25 * 1024 * 1024  # octets
_LONGEST_LINE = 998  # octets before the CRLF (RFC 5322, 2.1.1; RFC 5321, 4.5.3.1.6)
_PATH = re.compile(r"\s*<([^<>\x00-\x1f\x7f]*)>\s*(.*)")  # RFC 5321, 4.1.2; the only form senders use
_OPEN_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL

log = logging.getLogger(__name__)


class NotOnLoopback(MailerError):
    """The mail catcher takes mail from anybody who reaches it, so it listens on this machine only, not on "{host}".
    Use 127.0.0.1."""


class CannotListen(ServiceUnavailable):
    """The mail catcher cannot listen on {host} port {port}: {problem}. Choose another port, or stop the program that
    uses it."""


class CannotKeepMail(ServiceUnavailable):
    """The mail catcher cannot keep mail in {maildir}: {problem}. Choose a directory that you can write to."""


# --- keeping --------------------------------------------------------------------------------------------------------


class _Maildir:
    """Writes messages as the Maildir format wants: into tmp/ under a name never used before, then moved to new/.

    Without the fsync that a delivery agent owes its users.
    """

    def __init__(self, directory: Path) -> None:
        for folder in (directory, directory / "tmp", directory / "new", directory / "cur"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        self._tmp, self._new = str(directory / "tmp"), str(directory / "new")
        self._process = f"P{os.getpid()}R{secrets.token_hex(4)}"
        self._numbers = count(1)

    def keep(self, *, sender: str, recipients: Iterable[str], data: bytes) -> None:
        """Store a copy for each recipient: all of them or, when one cannot be written, none.

        :raises OSError: as from the file system.
        """
        names: list[str] = []
        try:
            for recipient in recipients:
                names.append(self._new_name())
                self._write(names[-1], _envelope_lines(sender, recipient) + data)
        except OSError:
            for name in names:
                Path(self._tmp, name).unlink(missing_ok=True)
            raise
        for name in names:
            os.rename(f"{self._tmp}/{name}", f"{self._new}/{name}")  # noqa: PTH104 - half the time of Path.rename

    def _new_name(self) -> str:
        """A name that sorts by arrival and that no other process, before or after, makes again."""
        seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
        return f"{seconds}.M{microseconds:06}{self._process}Q{next(self._numbers):07}.catcher"

    def _write(self, name: str, content: bytes) -> None:
        descriptor = os.open(f"{self._tmp}/{name}", _OPEN_NEW_FILE, 0o600)
        with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - only open() takes a descriptor
            written = file.write(content)
        if written != len(content):  # an unbuffered write may stop short where the disk is full
            raise OSError(f"{written} of {len(content)} octets written")


def _envelope_lines(sender: str, recipient: str) -> bytes:
    """The two lines a delivery agent puts on top (RFC 5321, 4.4; Delivered-To by RFC 9228)."""
    return f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n".encode(errors="surrogateescape")


# --- receiving ------------------------------------------------------------------------------------------------------


class _Conversation(SMTP):
    """aiosmtpd's SMTP with the two steps replaced that a fast sender waits for.

    Measured with messages of 11 KB, stored: 0.8 ms of CPU each, 0.55 with a body read in large pieces instead of
    line by line, and 0.4 with addresses taken apart by a pattern instead of the standard library's header parser.
    """

    line_length_limit = 64 * 1024  # of the stream's buffer; the limit for lines is in `_refusal`

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Part a path from its parameters. A null sender stays "<>": aiosmtpd takes "" for a missing address."""
        found = _PATH.fullmatch(arg)
        return (found[1] or "<>", found[2]) if found else (None, None)

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - the name aiosmtpd calls
        """Take one message (RFC 5321, 4.1.1.4)."""
        if await self.check_helo_needed():
            return
        envelope = cast(Envelope, self.envelope)  # there from the greeting on
        if not envelope.rcpt_tos:
            await self.push("503 5.5.1 RCPT first")
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        body = await smtp_bodies.read(self._reader, keep=LARGEST_MESSAGE)
        answer = _refusal(body) or self.event_handler.keep(envelope, body.beginning)
        self.envelope = self._create_envelope()
        await self.push(answer)


def _refusal(body: Body) -> str | None:
    """What is wrong with a message, as an SMTP reply; None if nothing is."""
    if body.size > LARGEST_MESSAGE:
        return f"552 5.3.4 Larger than {LARGEST_MESSAGE} octets"
    text = body.beginning
    if not text.count(b"\r\n") == text.count(b"\r") == text.count(b"\n"):
        return "554 5.6.0 CR and LF only together (RFC 5321, 2.3.8)"
    if max(map(len, text.split(b"\r\n"))) > _LONGEST_LINE:
        return f"554 5.6.0 A line is longer than {_LONGEST_LINE} octets (RFC 5321, 4.5.3.1.6)"
    return None


class _Desk:
    """What aiosmtpd asks while it talks: which extensions to offer, and where a message goes."""

    def __init__(self, maildir: _Maildir) -> None:
        self._maildir = maildir

    async def handle_EHLO(  # noqa: N802 - the name aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer PIPELINING (RFC 2920) too: commands are answered one by one, in order, from one buffer."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    def keep(self, envelope: Envelope, body: bytes) -> str:
        """Store a message, and say so in an SMTP reply."""
        sender = "" if envelope.mail_from == "<>" else str(envelope.mail_from)
        try:
            self._maildir.keep(sender=sender, recipients=envelope.rcpt_tos, data=body)
        except OSError as problem:
            log.warning("a message could not be stored: %s", problem)
            return "452 4.3.1 The message could not be stored"
        return "250 2.0.0 Caught"


def serve(maildir: Path, *, host: str = "127.0.0.1", port: int = 0, on_ready: Callable[[int], None]) -> None:
    """Catch mail until SIGTERM or SIGINT. Blocks; for the main thread of a process of its own.

    :param maildir: made if missing, readable by its owner only.
    :param host: a loopback address, or "localhost".
    :param port: 0 for any free one.
    :param on_ready: called once, with the port, when mail is taken.
    :raises NotOnLoopback: other machines could reach the host.
    :raises CannotKeepMail: the directory cannot be made or written to.
    :raises CannotListen: the port is taken or may not be used.
    """
    if not is_loopback(host):
        raise NotOnLoopback(host=host)
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd logs every address it hears
    try:
        kept_in = _Maildir(maildir)
    except OSError as problem:
        raise CannotKeepMail(maildir=maildir, problem=problem.strerror) from problem
    asyncio.run(_serve(_Desk(kept_in), host, port, on_ready))


async def _serve(desk: _Desk, host: str, port: int, on_ready: Callable[[int], None]) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        server = await loop.create_server(lambda: _conversation(desk, loop), host, port)
    except OSError as problem:
        raise CannotListen(host=host, port=port, problem=os.strerror(problem.errno or 0)) from problem
    on_ready(server.sockets[0].getsockname()[1])
    await stopped.wait()
    server.close()  # open conversations end with the loop; a message is stored before its sender hears so


def _conversation(desk: _Desk, loop: asyncio.AbstractEventLoop) -> _Conversation:
    return _Conversation(
        desk,
        data_size_limit=LARGEST_MESSAGE,
        enable_SMTPUTF8=True,
        hostname="localhost",  # without one, aiosmtpd asks the DNS at each connection
        ident=GREETING,
        loop=loop,
    )


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CaughtMessage:
    """A message in the Maildir, with the envelope it came in. The file is read when something asks for it."""

    path: Path

    @cached_property
    def sender(self) -> str:
        """The envelope sender, "" for none."""
        return self._envelope[0].removeprefix("Return-Path: ").strip("<>")

    @cached_property
    def recipient(self) -> str:
        """The envelope recipient."""
        return self._envelope[1].removeprefix("Delivered-To: ")

    @property
    def data(self) -> bytes:
        """Headers and body as they came over the wire, without transparent dots."""
        return self.path.read_bytes().split(b"\r\n", 2)[2]

    @cached_property
    def message(self) -> EmailMessage:
        """The message, parsed."""
        return message_from_bytes(self.data, policy=policy.default)

    @cached_property
    def _envelope(self) -> tuple[str, str]:
        with self.path.open(encoding="utf-8", errors="surrogateescape") as file:
            return file.readline().rstrip("\n"), file.readline().rstrip("\n")


def read(maildir: Path) -> Iterator[CaughtMessage]:
    """Every message in a Maildir, in the order of arrival; none where there is no Maildir yet.

    :param maildir: as given to `serve`. What a mail program has moved to cur/ counts too.
    """
    paths = [*maildir.glob("new/*"), *maildir.glob("cur/*")]
    for path in sorted(paths, key=lambda path: path.name):
        yield CaughtMessage(path)
