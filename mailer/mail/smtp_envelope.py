"""The commands that announce a message, as far as a server's extensions go."""

import re
from dataclasses import dataclass

from mailer.mail.types import Outcome, OutcomeKind, Outgoing, Stage

_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")  # RFC 3461, section 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a server offers in its answer to EHLO."""

    pipelining: bool = False  # RFC 2920
    size: int | None = None  # octets a message may have, 0 for no fixed limit, None: not offered (RFC 1870)
    eight_bit_mime: bool = False  # RFC 6152
    smtputf8: bool = False  # RFC 6531
    dsn: bool = False  # RFC 3461
    starttls: bool = False  # RFC 3207
    auth: frozenset[str] = frozenset()  # mechanisms (RFC 4954)


def read_capabilities(text: bytes) -> Capabilities:
    """Read the text of a 250 to EHLO (RFC 5321, section 4.1.1.1); its first line is a greeting."""
    offered: dict[str, list[str]] = {}
    for line in text.decode("ascii", "replace").upper().splitlines()[1:]:
        keyword, *parameters = line.replace("AUTH=", "AUTH ").split() or [""]  # "AUTH=": servers from before RFC 2554
        offered.setdefault(keyword, []).extend(parameters)
    size = offered.get("SIZE")
    return Capabilities(
        pipelining="PIPELINING" in offered,
        size=None if size is None else int(size[0]) if size and size[0].isascii() and size[0].isdigit() else 0,
        eight_bit_mime="8BITMIME" in offered,
        smtputf8="SMTPUTF8" in offered,
        dsn="DSN" in offered,
        starttls="STARTTLS" in offered,
        auth=frozenset(offered.get("AUTH", [])),
    )


def obstacle(message: Outgoing, offered: Capabilities) -> Outcome | None:
    """Why this server could never take a message, so that it need not be announced; None if it may."""
    if offered.size and len(message.data) > offered.size:
        text = f"the message has {len(message.data)} octets and the mail server takes {offered.size} (SIZE)"
        return Outcome(message.id, OutcomeKind.FAILED, 0, text, Stage.MAIL)
    if not offered.smtputf8 and message.needs_smtputf8:
        text = "the mail server does not take international addresses (SMTPUTF8)"
        return Outcome(message.id, OutcomeKind.FAILED, 0, text, Stage.RCPT)
    if not (message.sender + message.recipient).isprintable():
        text = "the address has a control character"  # a line break would start a command of its own
        return Outcome(message.id, OutcomeKind.FAILED, 0, text, Stage.RCPT)
    return None


def envelope(message: Outgoing, offered: Capabilities) -> bytes:
    """MAIL, RCPT and DATA for a message without an `obstacle`, a line each."""
    mail = f" SIZE={len(message.data)}" if offered.size is not None else ""
    rcpt = ""
    if offered.smtputf8 and message.needs_smtputf8:
        mail += " SMTPUTF8 BODY=8BITMIME" if offered.eight_bit_mime else " SMTPUTF8"
    elif message.is_8bit and offered.eight_bit_mime:  # a server that does not offer it takes such octets all the same
        mail += " BODY=8BITMIME"
    if offered.dsn and message.envelope_id:
        # No ORCPT: it would show the address in reports that go through other hands.
        mail += f" RET=HDRS ENVID={_xtext(message.envelope_id)}"
        rcpt = " NOTIFY=FAILURE,DELAY"
    return f"MAIL FROM:<{message.sender}>{mail}\r\nRCPT TO:<{message.recipient}>{rcpt}\r\nDATA\r\n".encode()


def _xtext(text: str) -> str:
    return _NOT_XTEXT.sub(lambda found: "".join(f"+{octet:02X}" for octet in found[0].encode()), text)
