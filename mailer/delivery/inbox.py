"""A mail as an inbox shows it, and as a mail program does."""

import re
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr
from enum import StrEnum

from mailer.cases.sayable import Sayable
from mailer.errors import MailerError
from mailer.mail import html_words
from mailer.store.models import Case


class MustNotAppear(MailerError):
    """This mail is not shown, and no test of it is sent, because a word stands in it that must not appear. Take it out
    first: the campaign's check says where it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A mail as its reader sees it."""

    language: str  # of the text that they get
    sender: str  # the name that stands in the inbox
    subject: str  # one line
    preheader: str  # what the inbox shows behind the subject: the first words of the mail
    html: str
    text: str
    size: int  # bytes, all of it as it is sent


class Scheme(StrEnum):
    """The colours of a mail program."""

    LIGHT = "light"
    DARK = "dark"


def read(data: bytes) -> Seen:
    """What a mail program makes of a message.

    :param data: as it goes out.
    """
    message = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(data)
    html = _part(message, "html")
    name, address = parseaddr(str(message["From"]))
    return Seen(
        language=str(message["Content-Language"]),
        sender=name or address,
        subject=str(message["Subject"]),
        preheader=_first_words(html),
        html=html,
        text=_part(message, "plain"),
        size=len(data),
    )


def require_sayable(case: Case | None, mail: Seen) -> None:
    """Refuse a mail with a word that must not appear.

    :param case: that the mail's campaign is about.
    :raises MustNotAppear: such a word stands in it.
    """
    words, attributes = html_words.read(mail.html)
    if not Sayable(case).may_say(mail.sender, mail.subject, mail.text, words, *sorted(set(attributes))):
        raise MustNotAppear


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


#: what keeps an inbox from showing more than the preheader
_PADDING = re.compile("[\u034f\u200c\u00a0\\s]+\\Z")


def _first_words(html: str) -> str:
    words, _attributes = html_words.read(html[max(0, html.find("<body")) :])
    first = next(filter(None, map(str.strip, words.splitlines())), "")
    return _PADDING.sub("", first)


# --- colours --------------------------------------------------------------------------------------------------------

_STYLE = re.compile(r"(<style[^>]*>)(.*?)(</style>)", re.DOTALL)
_ASKED = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)")
_SCHEMES = re.compile(r"(color-schemes?\s*:\s*)light dark")
_META = re.compile(r'(<meta name="(?:supported-)?color-schemes?" content=")[^"]*(")')


def coloured(html: str, scheme: Scheme) -> str:
    """A mail as a program with these colours shows it that goes by what the mail says of them, whatever the colours of
    the screen on which it is looked at. Programs that turn colours around by themselves are not imitated."""

    def answered(style: re.Match[str]) -> str:
        rules = _ASKED.sub(lambda asked: "(min-width: 0)" if asked[1] == scheme else "(max-width: 0)", style[2])
        return style[1] + _SCHEMES.sub(rf"\g<1>{scheme}", rules) + style[3]

    return _META.sub(rf"\g<1>{scheme}\g<2>", _STYLE.sub(answered, html))
