"""Asking a listener whom it takes mail for, as a mail server does before it hands a message over; none is."""

import smtplib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from mailer.mail.addresses import redact
from mailer.mail.smtp import Place, own_name
from mailer.mail.smtp_replies import one_line
from mailer.mail.smtp_taking import Dialect

#: an address that stands for all of this machine, and where it is reached
_REACHED_AT = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where others listen
_LONGEST = 300  # characters of its words


class NoListener(Exception):
    """Why nobody could be asked, in one line."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said to a command."""

    code: int
    words: str  # in one line, without addresses

    @property
    def is_yes(self) -> bool:
        """Whether it was done."""
        return 200 <= self.code < 300

    @property
    def is_for_now(self) -> bool:
        """Whether it may be done later."""
        return 400 <= self.code < 500

    def __str__(self) -> str:
        return f"{self.code} {self.words}".rstrip() if self.code > 0 else "no words of a mail server"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a listener said; the first no is the last answer."""

    greeting: Answer
    opening: Answer | None = None  # to EHLO or LHLO, and MAIL
    recipients: Mapping[str, Answer] = field(default_factory=dict)


def ask(place: Place, dialect: Dialect, recipients: Sequence[str], *, seconds: float) -> Heard:
    """Say what a mail server says until it has named the recipients, then QUIT. No message is given.

    :param seconds: until each answer has to be there.
    :raises NoListener: nobody answers, or not as a mail server does.
    """
    client = smtplib.LMTP(local_hostname=own_name() or "localhost", timeout=seconds)
    if dialect is Dialect.SMTP:  # the other class of the library knows no socket by its path
        client.ehlo_msg = smtplib.SMTP.ehlo_msg
    try:
        return _talk(client, place, recipients)
    except (OSError, smtplib.SMTPException) as problem:
        raise NoListener(_in_words(problem)) from problem
    finally:
        with suppress(OSError, smtplib.SMTPException):
            client.quit()
        client.close()


def _in_words(problem: Exception) -> str:
    if isinstance(problem, TimeoutError) or isinstance(problem.__context__, TimeoutError):
        return "it did not answer in time"
    if isinstance(problem, smtplib.SMTPException):
        return "it hung up, or says what is no mail server's answer"
    return (problem.strerror if isinstance(problem, OSError) else None) or type(problem).__name__


def _talk(client: smtplib.SMTP, place: Place, recipients: Sequence[str]) -> Heard:
    host = str(place.path) if place.path is not None else _REACHED_AT.get(place.host, place.host)
    heard = Heard(_answer(client.connect(host, place.port)))
    if not heard.greeting.is_yes:
        return heard
    for say in (client.ehlo, partial(client.mail, "")):  # without a sender, as what comes back has none
        heard = replace(heard, opening=_answer(say()))
        if heard.opening is not None and not heard.opening.is_yes:
            return heard
    return replace(heard, recipients={recipient: _answer(client.rcpt(recipient)) for recipient in recipients})


def _answer(said: tuple[int, bytes]) -> Answer:
    return Answer(said[0], _shown(said[1]))


def _shown(words: bytes) -> str:
    return redact(one_line(words))[:_LONGEST]
