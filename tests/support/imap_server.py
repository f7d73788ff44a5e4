"""An IMAP server for tests, independent of the code under test: it keeps folders, and misbehaves on request."""

import base64
import io
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"|(\([^)]*\)|\S+)')


@dataclass
class Mail:
    """A message in a folder."""

    data: bytes
    flags: set[str] = field(default_factory=set)
    came: str = "17-Jul-2026 02:44:25 -0700"  # with that zone


@dataclass
class Folder:
    """Messages by UID."""

    validity: int = 7
    mails: dict[int, Mail] = field(default_factory=dict)
    next_uid: int = 1

    def add(self, data: bytes, flags: set[str] | None = None) -> int:
        uid = self.next_uid
        self.mails[uid] = Mail(data, flags or set())
        self.next_uid += 1
        return uid


#: instead of an answer: hang up, hang up once the command is carried out, or say nothing
BEFORE, AFTER, SILENT = "hang up", "carry out, then hang up", "say nothing"


@dataclass
class Behaviour:
    """How the server answers."""

    capabilities: tuple[str, ...] = ("IMAP4rev1", "AUTH=PLAIN", "MOVE", "UIDPLUS")
    #: before the log-in, where that differs
    to_strangers: tuple[str, ...] | None = None
    user: str = "box@example.org"
    password: str = "right"
    token: str = ""
    #: asked with each command, without its tag; NO or BAD and words, one of the above, or None to go on
    instead: Callable[[str], str | None] = lambda _: None
    prefix: str = ""  # of somebody's own folders
    greeting: str = "* OK ready"
    #: where the UID stands in an answer to FETCH
    uid_behind: bool = False
    #: more than was asked for, of every message
    whole: bool = False


class ImapServer:
    """One account on it."""

    def __init__(self, behaviour: Behaviour, context: ssl.SSLContext) -> None:
        self.behaviour = behaviour
        self.folders = {"INBOX": Folder()}
        self.subscribed: set[str] = set()
        self.commands: list[str] = []
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def inbox(self) -> Folder:
        return self.folders["INBOX"]

    def said(self, word: str) -> list[str]:
        """The commands with a word in them."""
        return [command for command in self.commands if word in command]

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each line waits for the one before
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), plain, self._context.wrap_socket(plain, server_side=True) as connection:
            connection.settimeout(60)
            _Conversation(self, connection.makefile("rwb")).hold()


class _Conversation:
    def __init__(self, server: ImapServer, stream: io.BufferedRWPair) -> None:
        self.server, self.stream = server, stream
        self.behaviour = server.behaviour
        self.folder: Folder | None = None
        self.is_known = False

    def say(self, text: str | bytes) -> None:
        self.stream.write((text if isinstance(text, bytes) else text.encode()) + b"\r\n")
        self.stream.flush()

    def hold(self) -> None:
        self.say(self.behaviour.greeting)
        for line in iter(self.stream.readline, b""):
            tag, _, rest = line.rstrip(b"\r\n").partition(b" ")
            command = rest.decode()
            self.server.commands.append(command)
            instead = self.behaviour.instead(command)
            if instead == BEFORE:
                return
            if instead == SILENT:
                self.stream.read()  # until the other side has had enough
            if instead not in (None, AFTER):
                self.say(tag + b" " + str(instead).encode())
                continue
            answer = self.carry_out(command, rest)
            if instead == AFTER:
                return
            self.say(tag + b" " + answer.encode())
            if command == "LOGOUT":
                return

    def carry_out(self, command: str, raw: bytes) -> str:
        words = [(found[1] if found[1] is not None else found[2]).decode() for found in _WORD.finditer(raw)]
        words = [re.sub(r"\\(.)", r"\1", word) if '"' in command else word for word in words]
        name = words[0].upper()
        if name == "UID":
            name, words = f"UID {words[1].upper()}", words[1:]
        handler = getattr(self, "_" + name.lower().replace(" ", "_"), None)
        if handler is None:
            return f"BAD no such command as {name}"
        if not self.is_known and name not in ("CAPABILITY", "LOGIN", "AUTHENTICATE", "LOGOUT"):
            return "BAD log in first"
        return str(handler(*words[1:]))

    def _capability(self) -> str:
        offered = self.behaviour.capabilities
        if not self.is_known and self.behaviour.to_strangers is not None:
            offered = self.behaviour.to_strangers
        self.say(f"* CAPABILITY {' '.join(offered)}")
        return "OK done"

    def _login(self, user: str, password: str) -> str:
        return self._let_in((user, password) == (self.behaviour.user, self.behaviour.password))

    def _let_in(self, is_right: bool) -> str:
        self.is_known = is_right
        return "OK in" if is_right else f"NO [AUTHENTICATIONFAILED] {self.behaviour.user} is not let in"

    def _authenticate(self, mechanism: str) -> str:
        self.say("+ ")
        said = base64.b64decode(self.stream.readline())
        if mechanism == "PLAIN":
            expected = f"\0{self.behaviour.user}\0{self.behaviour.password}"
            return self._let_in(said == expected.encode())
        bearer = f"user={self.behaviour.user}\1auth=Bearer {self.behaviour.token}\1\1"
        if said == bearer.encode():
            return self._let_in(True)
        problem = json.dumps({"status": "400", "schemes": "Bearer", "scope": "https://mail.example.org/"})
        self.say(b"+ " + base64.b64encode(problem.encode()))
        self.server.commands.append(f"answer {self.stream.readline()!r}")
        return self._let_in(False)

    def _namespace(self) -> str:
        self.say(f'* NAMESPACE (("{self.behaviour.prefix}" ".")) NIL NIL')
        return "OK done"

    def _select(self, name: str, *, read_only: bool = False) -> str:
        folder = self.server.folders.get(name)
        if folder is None:
            return f"NO [NONEXISTENT] Mailbox doesn't exist: {name}"
        self.folder = folder
        self.say(f"* {len(folder.mails)} EXISTS")
        if folder.validity:
            self.say(f"* OK [UIDVALIDITY {folder.validity}] valid")
        return f"OK [READ-{'ONLY' if read_only else 'WRITE'}] open"

    def _examine(self, name: str) -> str:
        return self._select(name, read_only=True)

    def _create(self, name: str) -> str:
        if name in self.server.folders:
            return "NO [ALREADYEXISTS] it is there"
        if not name.startswith(self.behaviour.prefix):
            return f"NO [CANNOT] names begin with {self.behaviour.prefix}"
        self.server.folders[name] = Folder(validity=8)
        return "OK made"

    def _subscribe(self, name: str) -> str:
        self.server.subscribed.add(name)
        return "OK done"

    def _logout(self) -> str:
        self.say("* BYE")
        return "OK bye"

    # --- of the folder that is open

    def _chosen(self, set_: str) -> list[int]:
        assert self.folder is not None
        there = sorted(self.folder.mails)
        chosen: set[int] = set()
        for piece in set_.split(","):
            first, colon, last = piece.partition(":")
            if last == "*":  # whatever comes first, the last message is among them (RFC 3501, 6.4.8)
                chosen |= {uid for uid in there if uid >= int(first)} | set(there[-1:])
            else:
                chosen |= {uid for uid in there if int(first) <= uid <= int(last if colon else first)}
        return sorted(chosen)

    def _uid_fetch(self, set_: str, items: str) -> str:
        assert self.folder is not None
        self.say("* 1 FETCH (FLAGS (\\Recent))")  # of a change that somebody else made
        for number, uid in enumerate(self._chosen(set_), start=1):
            mail = self.folder.mails[uid]
            partial = re.search(r"BODY\.PEEK\[\]<0\.(\d+)>", items)
            if partial is None:
                self.say(f'* {number} FETCH (UID {uid} RFC822.SIZE {len(mail.data)} INTERNALDATE "{mail.came}")')
                continue
            data = mail.data if self.behaviour.whole else mail.data[: int(partial[1])]
            literal = b"BODY[]<0> {%d}\r\n%s" % (len(data), data)
            if not data:
                literal = b'BODY[]<0> ""'
            parts = [b"UID %d" % uid, literal]
            self.say(b"* %d FETCH (%s)" % (number, b" ".join(reversed(parts) if self.behaviour.uid_behind else parts)))
        return "OK done"

    def _uid_store(self, set_: str, what: str, flags: str) -> str:
        assert self.folder is not None
        assert what == "+FLAGS.SILENT"
        for uid in self._chosen(set_):
            self.folder.mails[uid].flags |= set(flags.strip("()").split())
        return "OK done"

    def _uid_copy(self, set_: str, name: str) -> str:
        assert self.folder is not None
        target = self.server.folders.get(name)
        if target is None:
            return "NO [TRYCREATE] no such folder"
        for uid in self._chosen(set_):
            target.add(self.folder.mails[uid].data, set(self.folder.mails[uid].flags))
        return "OK done"

    def _uid_move(self, set_: str, name: str) -> str:
        assert self.folder is not None
        if "MOVE" not in self.behaviour.capabilities:
            return "BAD no such command"
        copied = self._uid_copy(set_, name)
        if copied.startswith("OK"):
            for uid in self._chosen(set_):
                del self.folder.mails[uid]
                self.say("* 1 EXPUNGE")
        return copied

    def _uid_expunge(self, set_: str) -> str:
        assert self.folder is not None
        if "UIDPLUS" not in self.behaviour.capabilities:
            return "BAD no such command"
        for uid in self._chosen(set_):
            if "\\Deleted" in self.folder.mails[uid].flags:
                del self.folder.mails[uid]
                self.say("* 1 EXPUNGE")
        return "OK done"


@contextmanager
def running(behaviour: Behaviour, context: ssl.SSLContext) -> Iterator[ImapServer]:
    """One, until the end of the block.

    :param context: with its certificate.
    """
    server = ImapServer(behaviour, context)
    try:
        yield server
    finally:
        server.close()
