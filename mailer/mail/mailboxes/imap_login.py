"""How to prove to an IMAP server who we are: by a password, or by a token that somebody else issues."""

import binascii
from dataclasses import dataclass, field

from mailer.mail import echoes
from mailer.mail.mailboxes import imap_words
from mailer.mail.mailboxes.imap_session import Client
from mailer.mail.oauth import Tokens


@dataclass(frozen=True, slots=True)
class Password:
    """A password of the mailbox, or one that its provider gives to programs."""

    text: str = field(repr=False)

    def make_ready(self) -> None:
        """It always is."""

    def log_in(self, client: Client, user: str) -> None:
        """AUTHENTICATE PLAIN, which takes any letters (RFC 4616), else LOGIN.

        :raises imaplib.IMAP4.error: the server refuses it.
        """
        if "AUTH=PLAIN" in client.capabilities:
            answers = iter([self._response(user).encode()])
            client.authenticate("PLAIN", lambda _challenge: next(answers, None))
            return
        if "LOGINDISABLED" in client.capabilities:
            raise client.error("it offers no log-in with a password")
        try:
            words = imap_words.quoted(user), imap_words.quoted(self.text)
        except ValueError:
            raise client.error("it takes only ASCII letters in user names and passwords") from None
        # Not by its `login`, which leaves the user's name as it is.
        status, answer = client.xatom("LOGIN", *words)
        if status != "OK":
            raise client.error(answer[-1].decode("utf-8", "replace") if answer[-1] else "it refuses the log-in")
        client.state = "AUTH"

    def _response(self, user: str) -> str:
        return f"\0{user}\0{self.text}"

    def without(self, words: str, user: str) -> str:
        """A server's words, unless they repeat the password."""
        repeat = echoes.repeat(words, self.text, sent=self._response(user))
        return "(its words repeat the password)" if repeat else words


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token, as Google and Microsoft want one."""

    tokens: Tokens

    def make_ready(self) -> None:
        """:raises NoToken: nobody gives us one."""
        self.tokens.get()

    def log_in(self, client: Client, user: str) -> None:
        """AUTHENTICATE XOAUTH2: what is wrong with a token, the server says first, and wants an empty line before it
        says NO (developers.google.com/workspace/gmail/imap/xoauth2-protocol).

        :raises imaplib.IMAP4.error: the server refuses it.
        :raises NoToken: it has ended since, and nobody gives us another.
        """
        if "AUTH=XOAUTH2" not in client.capabilities:
            raise client.error("it offers no log-in with XOAUTH2")
        answers = iter([_response(user, self.tokens.get()).encode()])
        try:
            client.authenticate("XOAUTH2", lambda _challenge: next(answers, b""))
        except binascii.Error:
            raise client.abort("what it says at the log-in is no base64") from None
        except client.error:
            self.tokens.forget()
            raise

    def without(self, words: str, user: str) -> str:
        """A server's words, unless they repeat the token, or the last one that was forgotten."""
        token = self.tokens.last
        repeat = echoes.repeat(words, token, sent=_response(user, token))
        return "(its words repeat the token)" if token and repeat else words


def _response(user: str, token: str) -> str:
    return f"user={user}\1auth=Bearer {token}\1\1"
