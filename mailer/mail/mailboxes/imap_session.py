"""One conversation with an IMAP server: connecting, logging in, and what is said about one folder (RFC 3501)."""

import imaplib
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from mailer.mail.mailboxes import imap_words
from mailer.mail.mailboxes.imap_words import Answer, Listed
from mailer.mail.mailboxes.types import ImapFolder, MailboxUnavailable, Obstacle
from mailer.mail.oauth import NoToken

_SECONDS = 30.0  # until the server has to answer
#: octets of what a server may send at once: more than is ever asked for
_MOST = 2**21
_MOST_SHOWN = 300  # characters of a server's words
_DELETED = r"(\Seen \Deleted)"


class Refused(Exception):
    """The server said NO or BAD to a command; in its words, in one line."""


class Client(imaplib.IMAP4_SSL):
    """A connection that takes no more than it asked for."""

    def read(self, size: int) -> bytes:
        """Read a literal."""
        if size > _MOST:
            raise self.abort("it sends more than it was asked for")
        return super().read(size)


class Secret(Protocol):
    """What proves to the server who we are."""

    def make_ready(self) -> None:
        """Called before there is a connection.

        :raises NoToken: there is nothing to log in with.
        """

    def log_in(self, client: Client, user: str) -> None:
        """:raises imaplib.IMAP4.error: the server does not believe it."""

    def without(self, words: str, user: str) -> str:
        """A server's words without what is secret in them."""


class Session:
    """A folder that was opened. All that is said goes by UIDs, which no other program at the mailbox can change."""

    def __init__(self, place: ImapFolder, secret: Secret, client: Client) -> None:
        self._place, self._secret, self._client = place, secret, client
        self._capabilities: frozenset[str] = frozenset()
        self.validity = ""  # UIDs mean the same as long as this is the same
        self.count = 0  # messages in the folder

    def log_in(self) -> None:
        """:raises MailboxUnavailable: the server does not believe who we are."""
        with self.explained(Obstacle.LOGIN):
            self._secret.log_in(self._client, self._place.user)
            # Asked anew: many a server offers less to strangers.
            said = imap_words.last(self._ask(self._client.capability))
            self._capabilities = frozenset(said.decode("ascii", "replace").upper().split())

    def open(self, *, read_only: bool) -> None:
        """:raises MailboxUnavailable: there is no such folder, or it cannot be used."""
        with self.explained(Obstacle.FOLDER):
            name = imap_words.folder_name(self._place.folder)
            self.count = int(imap_words.last(self._ask(self._client.select, name, read_only)) or 0)
            self.validity = imap_words.last(self._client.response("UIDVALIDITY")[1]).decode("ascii", "replace")
            if not self.validity.isdecimal():
                raise Refused("(nothing of UIDVALIDITY, so its numbers of messages do not last)")

    @property
    def can_expunge(self) -> bool:
        """Whether what we marked as deleted can be removed, and nothing that others did (RFC 4315)."""
        return "UIDPLUS" in self._capabilities

    @property
    def can_move(self) -> bool:
        """Whether messages can be moved (RFC 6851)."""
        return "MOVE" in self._capabilities

    def list_from(self, uid: int) -> list[Listed]:
        """The messages from a UID on. SEARCH would answer in one line, and `imaplib` reads none of a megabyte."""
        if not self.count:
            return []
        with self.explained(Obstacle.FOLDER):
            answer = self._uid("FETCH", f"{uid}:*", "(UID RFC822.SIZE INTERNALDATE)")
        return [message for message in imap_words.listed(answer) if message.uid >= uid]  # * is the last, whatever it is

    def read(self, uids: Sequence[int], *, most_bytes: int) -> dict[int, bytes]:
        """The beginnings of messages, which stay unread. What another program took away is missing.

        :raises Refused: one of them cannot be read.
        """
        with self.explained(Obstacle.FOLDER, refusals=False):
            return imap_words.bodies(self._uid("FETCH", _set(uids), f"(UID BODY.PEEK[]<0.{most_bytes}>)"))

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Move messages, marked as read, to a folder beside, which is made if there is none."""
        with self.explained(Obstacle.CLEARING):
            name = imap_words.folder_name(self._own_name(folder))
            command = "MOVE" if self.can_move else "COPY"
            self._uid("STORE", _set(uids), "+FLAGS.SILENT", r"(\Seen)")
            try:
                self._uid(command, _set(uids), name)
            except Refused:
                self._make(name)
                self._uid(command, _set(uids), name)
        if command == "COPY":
            self.delete(uids)

    def delete(self, uids: Sequence[int]) -> None:
        """Delete messages. A server without UIDPLUS only marks them: EXPUNGE would remove what others marked too, and
        perhaps want back. For the same reason the folder is never closed, only left: CLOSE does that silently.
        """
        with self.explained(Obstacle.CLEARING):
            self._uid("STORE", _set(uids), "+FLAGS.SILENT", _DELETED)
            if self.can_expunge:
                self._uid("EXPUNGE", _set(uids))

    def _own_name(self, folder: str) -> str:
        if "NAMESPACE" not in self._capabilities:
            return folder
        return imap_words.prefix(self._ask(self._client.namespace)) + folder

    def _make(self, name: str) -> None:
        with suppress(Refused):  # it may be there; whatever it is, the next attempt says
            self._ask(self._client.create, name)
            self._ask(self._client.subscribe, name)  # or mail programs would not show it

    def _uid(self, *words: str) -> Answer:
        return self._ask(self._client.uid, *words)

    def _ask(self, command: Callable[..., tuple[str, Any]], *words: object) -> Answer:
        """:raises Refused: the server does not do it."""
        try:
            status, answer = command(*words)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as problem:
            raise Refused(_one_line(problem)) from problem
        if status != "OK":
            raise Refused(
                _one_line(b" ".join(part for part in answer if isinstance(part, bytes)).decode("utf-8", "replace"))
            )
        return list(answer)

    @contextmanager
    def explained(self, obstacle: Obstacle, *, refusals: bool = True) -> Iterator[None]:
        """Say what keeps the mailbox from being used.

        :param obstacle: of a refusal.
        :param refusals: whether to say so of these too.
        """
        try:
            yield
        except NoToken as problem:
            raise self._unavailable(str(problem), Obstacle.TOKEN) from problem
        except imaplib.IMAP4.readonly as problem:
            raise self._unavailable("messages in it can be read, and not moved", Obstacle.FOLDER) from problem
        except imaplib.IMAP4.abort as problem:
            raise self._unavailable(f"it hung up, or says what is no IMAP: {_one_line(problem)}") from problem
        except (Refused, imaplib.IMAP4.error) as problem:
            if isinstance(problem, Refused) and not refusals:
                raise
            raise self._unavailable(f"the server says: {_one_line(problem)}", obstacle) from problem
        except OSError as problem:
            raise self._unavailable(_in_words(problem)) from problem

    def _unavailable(self, words: str, obstacle: Obstacle = Obstacle.CONNECTION) -> MailboxUnavailable:
        plain = _without_name(self._secret.without(words, self._place.user), self._place.user)
        return MailboxUnavailable(place=self._place, problem=_cut(plain), obstacle=obstacle)


@contextmanager
def opened(
    place: ImapFolder,
    secret: Secret,
    *,
    read_only: bool = False,
    context: ssl.SSLContext | None = None,
    seconds: float | None = None,
) -> Iterator[Session]:
    """A folder on a server, until the end of the block.

    :param context: for TLS; by default the system's certificates are trusted.
    :param seconds: until each answer has to be there; half a minute by default.
    :raises MailboxUnavailable: it cannot be used.
    """
    try:
        secret.make_ready()
    except NoToken as problem:
        raise MailboxUnavailable(place=place, problem=str(problem), obstacle=Obstacle.TOKEN) from problem
    client = _connect(place, context or ssl.create_default_context(), seconds or _SECONDS)
    session = Session(place, secret, client)
    hears = True
    try:
        session.log_in()
        session.open(read_only=read_only)
        yield session
    except MailboxUnavailable as problem:
        hears = problem.obstacle is not Obstacle.CONNECTION
        raise
    finally:
        _leave(client, with_a_word=hears)


def _leave(client: Client, *, with_a_word: bool) -> None:
    try:
        if with_a_word:
            client.logout()
    except (imaplib.IMAP4.error, OSError):
        with_a_word = False
    if not with_a_word:
        client.shutdown()


def _connect(place: ImapFolder, context: ssl.SSLContext, seconds: float) -> Client:
    """:raises MailboxUnavailable: there is no connection."""
    try:
        return Client(place.host, place.port, ssl_context=context, timeout=seconds)
    except ssl.SSLCertVerificationError as problem:
        words, obstacle = f"its certificate is not valid: {problem.verify_message}", Obstacle.CERTIFICATE
    except (OSError, imaplib.IMAP4.error) as problem:
        words, obstacle = _in_words(problem), Obstacle.CONNECTION
    raise MailboxUnavailable(place=place, problem=_cut(words), obstacle=obstacle)


def _set(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


def _in_words(problem: Exception) -> str:
    return "it did not answer in time" if isinstance(problem, TimeoutError) else _one_line(problem)


def _one_line(problem: object) -> str:
    return " ".join(str(problem).split()).rstrip(".") or type(problem).__name__


def _without_name(words: str, user: str) -> str:
    return re.sub(re.escape(user), "(user name)", words, flags=re.IGNORECASE)


def _cut(words: str) -> str:
    """Only what nothing secret stands in: a part of a secret would not be known for one."""
    return words[:_MOST_SHOWN].rstrip(". ")
