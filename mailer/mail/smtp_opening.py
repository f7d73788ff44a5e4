"""From a server's name to a connection that takes mail: TCP, greeting, EHLO, TLS, log-in.

Written as a generator that yields what it waits for, so that it reads from top to bottom and yet never keeps other
connections waiting.
"""

import enum
import errno
import os
import socket
import ssl
from base64 import b64encode
from collections.abc import Generator
from dataclasses import dataclass
from ipaddress import ip_address
from selectors import EVENT_READ, EVENT_WRITE
from typing import NamedTuple, TypeVar

from mailer.mail import echoes
from mailer.mail.smtp import Server, own_name
from mailer.mail.smtp_envelope import Capabilities, read_capabilities
from mailer.mail.smtp_replies import BrokenReply, Reply, ReplyReader, one_line

_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK)
_PIECE = 8192  # octets read at once


#: missing where the system has none; it does not stay set, so it is said after each receive
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


def acknowledge_at_once(sock: socket.socket) -> None:
    """Have what was received acknowledged now. A server that writes its answers one by one (Nagle's algorithm, on)
    holds back the second until then, and Linux may take 40 ms: 20 messages a second instead of hundreds.
    """
    if _QUICKACK is not None:
        sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


class Obstacle(enum.Enum):
    """How far an opening came."""

    CONNECTION = enum.auto()  # nobody answers, or not as a mail server does
    GREETING = enum.auto()
    CERTIFICATE = enum.auto()
    ENCRYPTION = enum.auto()
    LOGIN = enum.auto()


class OpeningFailed(Exception):
    """Why there is no connection, in one line."""

    def __init__(self, problem: str, *, final: bool = False, obstacle: Obstacle = Obstacle.CONNECTION) -> None:
        """:param final: trying again at once cannot help."""
        super().__init__(problem)
        self.final = final
        self.obstacle = obstacle


class Wait(NamedTuple):
    """What has to happen before an opening can go on."""

    sock: socket.socket
    events: int  # of `selectors`


@dataclass(frozen=True, slots=True)
class Opened:
    """A non-blocking connection on which MAIL may be said."""

    sock: socket.socket
    capabilities: Capabilities
    greeting: str = ""  # the server's first words, in one line


_T = TypeVar("_T")
Steps = Generator[Wait, None, _T]


def open_connection(server: Server, context: ssl.SSLContext) -> Steps[Opened]:
    """Connect, greet, encrypt and log in as the server's address asks for.

    The caller resumes it when what it yielded has happened, throws a TimeoutError when that took too long, and closes
    it to give up.

    :param context: for TLS; verifies certificates.
    :raises OpeningFailed: there is no connection, and nothing is left open.
    """
    try:
        dialogue = _Dialogue((yield from _connect(server)))
        try:
            greeting, capabilities = yield from _introduce(dialogue, server, context)
        except BaseException:
            dialogue.sock.close()
            raise
        return Opened(dialogue.sock, capabilities, greeting)
    except ssl.SSLCertVerificationError as problem:
        said = f"its certificate is not valid: {problem.verify_message}"
        raise OpeningFailed(said, final=True, obstacle=Obstacle.CERTIFICATE) from problem
    except ssl.SSLError as problem:
        raise OpeningFailed(_in_words(problem), obstacle=Obstacle.ENCRYPTION) from problem
    except (OSError, BrokenReply) as problem:
        raise OpeningFailed(_in_words(problem)) from problem


def _in_words(problem: Exception) -> str:
    return " ".join(str(problem).split())[:300] or type(problem).__name__


def _connect(server: Server) -> Steps[socket.socket]:
    """Try the addresses of a host one after another (RFC 5321, section 5.1)."""
    problem = OSError("the host has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
            )  # each write is a whole step; nothing to wait for
            error = sock.connect_ex(address)
            if error in _UNDER_WAY:
                yield Wait(sock, EVENT_WRITE)
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
            return sock
        except OSError as this_problem:
            sock.close()
            problem = this_problem
        except GeneratorExit:
            sock.close()
            raise
    raise problem


def _introduce(dialogue: "_Dialogue", server: Server, context: ssl.SSLContext) -> Steps[tuple[str, Capabilities]]:
    if server.security == "tls":
        yield from dialogue.encrypt(context, server.host)
    greeting = yield from dialogue.reply()
    _require_agreement(greeting, "it does not greet", Obstacle.GREETING)
    capabilities = yield from _say_hello(dialogue, server)
    if server.security == "starttls":
        if not capabilities.starttls:
            problem = "it does not offer STARTTLS, and without it nothing is sent"
            raise OpeningFailed(problem, final=True, obstacle=Obstacle.ENCRYPTION)
        _require_agreement((yield from dialogue.ask("STARTTLS")), "it refuses STARTTLS", Obstacle.ENCRYPTION)
        yield from dialogue.encrypt(context, server.host)
        capabilities = yield from _say_hello(
            dialogue, server
        )  # what was offered in the clear may be forged (RFC 3207, 4.2)
    if server.username is not None:
        yield from _log_in(dialogue, capabilities, server.username, server.password or "")
    return one_line(greeting[1]), capabilities


def _say_hello(dialogue: "_Dialogue", server: Server) -> Steps[Capabilities]:
    name = server.greeted_as or own_name() or _own_address(dialogue.sock)
    code, text = yield from dialogue.ask(f"EHLO {name}")
    if code // 100 == 2:
        return read_capabilities(text)
    if code >= 500:
        code, text = yield from dialogue.ask(f"HELO {name}")
    _require_agreement((code, text), "it refuses EHLO", Obstacle.GREETING)
    return Capabilities()


def _own_address(sock: socket.socket) -> str:
    """This machine's address on a connection, as who has no full name says it (RFC 5321, 4.1.3 and 4.1.4)."""
    address = ip_address(sock.getsockname()[0].partition("%")[0])
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"


def _log_in(dialogue: "_Dialogue", capabilities: Capabilities, username: str, password: str) -> Steps[None]:
    """AUTH PLAIN, else AUTH LOGIN (RFC 4954; RFC 4616)."""
    if "PLAIN" in capabilities.auth:
        credentials = _base64(f"\0{username}\0{password}")
        code, text = yield from dialogue.ask(f"AUTH PLAIN {credentials}")
    elif "LOGIN" in capabilities.auth:
        code, text = yield from dialogue.ask("AUTH LOGIN")
        for answer in (username, password):
            if code == 334:
                code, text = yield from dialogue.ask(_base64(answer))
    else:
        raise OpeningFailed("it offers no log-in by PLAIN or LOGIN", final=True, obstacle=Obstacle.LOGIN)
    if echoes.repeat(text.decode("utf-8", "replace"), password, sent=f"\0{username}\0{password}"):
        text = b"(its words repeat the password)"
    _require_agreement((code, text), "it refuses the log-in of MAILER_SMTP_URL", Obstacle.LOGIN)


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _require_agreement(reply: Reply, problem: str, obstacle: Obstacle) -> None:
    code, text = reply
    if code // 100 != 2:
        raise OpeningFailed(f"{problem}: {code} {one_line(text)}", final=code >= 500, obstacle=obstacle)


class _Dialogue:
    """One command, one reply."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = ReplyReader()
        self._replies: list[Reply] = []

    def ask(self, command: str) -> Steps[Reply]:
        """Say a command and wait for its reply. A fresh connection takes a line of this length whole."""
        self.sock.send(command.encode() + b"\r\n")
        return (yield from self.reply())

    def reply(self) -> Steps[Reply]:
        """Wait for the next reply."""
        while not self._replies:
            try:
                data = self.sock.recv(_PIECE)
                acknowledge_at_once(self.sock)
            except (BlockingIOError, ssl.SSLWantReadError):
                yield Wait(self.sock, EVENT_READ)
                continue
            if not data:
                raise ConnectionError("it hung up")
            self._replies = list(self._reader.feed(data))
        return self._replies.pop(0)

    def encrypt(self, context: ssl.SSLContext, host: str) -> Steps[None]:
        """Begin TLS. What came in the clear before is forgotten: it may be someone else's (CVE-2011-0411)."""
        self._reader, self._replies = ReplyReader(), []
        self.sock = context.wrap_socket(self.sock, server_hostname=host, do_handshake_on_connect=False)
        while True:
            try:
                self.sock.do_handshake()
                return
            except ssl.SSLWantReadError:
                yield Wait(self.sock, EVENT_READ)
            except ssl.SSLWantWriteError:
                yield Wait(self.sock, EVENT_WRITE)
