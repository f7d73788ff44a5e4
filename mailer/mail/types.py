"""The values that e-mail is made of, from a rendering to what the server said of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple


class SlotContext(StrEnum):
    """Where a merged value goes, and so how it is escaped."""

    HTML = "html"  # in a quoted attribute, in the title, or a URL of ours that is the whole of an href
    HTML_WORDS = "html words"  # between tags, set apart from the words around it
    HTML_LINES = "html lines"  # likewise, where its line ends stay
    URL = "url"  # a part of the value of href
    TEXT = "text"  # the plain-text part, where nothing may stand beside it: in a link
    LTR_WORDS = "ltr words"  # the plain-text part, set apart from words that run from left to right
    RTL_WORDS = "rtl words"  # likewise, from right to left
    LTR_LINES = "ltr lines"  # as LTR_WORDS, alone on a line and with line ends that stay
    RTL_LINES = "rtl lines"  # likewise
    HEADER = "header"  # the subject


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a rendering that each recipient fills differently.

    `field` is the name of the value, `default` what stands there when a person has none.
    """

    field: str
    default: str = ""
    context: SlotContext = SlotContext.TEXT


#: Where a value may have several lines.
LINES = frozenset({SlotContext.HTML_LINES, SlotContext.LTR_LINES, SlotContext.RTL_LINES})

#: A text cut at its slots: strings are the same for everyone, slots are filled per person.
Pieces = tuple[str | Slot, ...]


def join_pieces(pieces: Iterable[str | Slot]) -> Pieces:
    """Pieces with neighbouring strings made one and empty ones left out."""
    joined: list[str | Slot] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        elif piece:
            joined.append(piece)
    return tuple(joined)


#: what an author can be warned of, for programs
WarnedOf = Literal["mail-long", "markdown-left", "no-link", "preheader-length", "spam-words", "unseen"]


class Warned(NamedTuple):
    """What the author of a text should see to."""

    code: WarnedOf
    what: str  # in English, without a full stop
    remedy: str
    about: str = ""  # what of the text it is about, as it is written there; "" for all of it


@dataclass(frozen=True, slots=True)
class Rendering:
    """One edition as everyone who gets it sees it, with slots for what differs. Lines end in "\\n"."""

    language: str  # BCP 47
    subject: Pieces
    html: Pieces
    text: Pieces
    warnings: tuple[Warned, ...] = ()


class Outgoing(NamedTuple):  # made for each mail: a frozen dataclass takes three times as long
    """One message ready for the wire."""

    id: int  # the caller's own number for it, given back in the Outcome
    sender: str  # envelope sender (RFC 5321 reverse-path), "" for none
    recipient: str  # envelope recipient, domain as A-label
    data: bytes  # headers and body, CRLF, no line that starts with a dot, ends with CRLF
    envelope_id: str = ""  # ENVID of RFC 3461, sent where the server offers DSN
    is_8bit: bool = False  # it has octets beyond ASCII, as others wrote them (RFC 6152)

    @property
    def needs_smtputf8(self) -> bool:
        """Whether only a server that offers SMTPUTF8 (RFC 6531) can take it."""
        return not (self.recipient.isascii() and self.sender.isascii())


class OutcomeKind(StrEnum):
    """What became of one transmission."""

    SENT = "sent"  # 2yz to the final dot: the server answers for it now
    DEFERRED = "deferred"  # 4yz: may be tried again later
    FAILED = "failed"  # 5yz: will never be accepted
    UNKNOWN = "unknown"  # the body was begun and its answer never came (RFC 1047)


class Stage(StrEnum):
    """The SMTP command that an answer belongs to: it decides whom a refusal is about."""

    CONNECT = "connect"  # greeting, EHLO, STARTTLS
    AUTH = "auth"
    MAIL = "mail"  # about the sender
    RCPT = "rcpt"  # about the recipient
    DATA = "data"
    DOT = "dot"  # about the message


class Outcome(NamedTuple):  # likewise
    """The server's answer for one message."""

    id: int  # of the Outgoing
    kind: OutcomeKind
    code: int = 0  # SMTP reply code, 0 when none came
    text: str = ""  # the server's words, one line; may contain the recipient's address
    stage: Stage = Stage.DOT
