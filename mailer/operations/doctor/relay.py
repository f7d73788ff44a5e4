"""The mail server that takes our mail: whether it can be used, and what it can do."""

from collections.abc import Iterator, Mapping

from mailer.mail import smtp_probe
from mailer.mail.smtp import Server, is_loopback
from mailer.mail.smtp_opening import Obstacle, OpeningFailed
from mailer.operations.doctor import clock
from mailer.operations.doctor.findings import Code, Finding, Level
from mailer.operations.doctor.rounds import Seen

_SECONDS = 15.0
#: octets: a mail in Cyrillic letters with a letter and its reading version has about 200,000
_SMALL = 1_000_000
_MEGABYTE = 1_000_000

_WAITS = "Until then, mail waits and nothing is lost."
_REMEDIES: Mapping[Obstacle, tuple[Code, str]] = {
    Obstacle.CONNECTION: (
        "relay-away",
        "See that it runs, that MAILER_SMTP_URL names the right host and port, and that no firewall is in between: "
        f"many providers of machines block port 25, but not 587. {_WAITS}",
    ),
    Obstacle.GREETING: (
        "relay-greeting",
        "It does not want to talk to this machine. Its words say why; ask its operator, or set MAILER_SMTP_HELO. "
        f"{_WAITS}",
    ),
    Obstacle.CERTIFICATE: (
        "relay-certificate",
        "Name the server in MAILER_SMTP_URL as its certificate does, or have its operator renew the certificate. "
        f"{_WAITS}",
    ),
    Obstacle.ENCRYPTION: (
        "relay-encryption",
        "smtp+starttls:// is for port 587, smtps:// for port 465: see that the scheme and the port in MAILER_SMTP_URL "
        f"go together. {_WAITS}",
    ),
    Obstacle.LOGIN: (
        "relay-login",
        "See that the user name and the password in MAILER_SMTP_URL are right, still valid, and percent-encoded where "
        f"they have special characters. {_WAITS}",
    ),
}


def look(server: Server) -> Seen:
    """Open a connection to the mail server as workers do, and close it again."""
    try:
        seen = smtp_probe.look(server, seconds=_SECONDS)
    except OpeningFailed as problem:
        code, remedy = _REMEDIES[problem.obstacle]
        what = f"the mail server cannot be used: {_without(str(problem), server.username)}"
        return Seen(findings=(Finding(Level.ERROR, code, str(server), what, remedy),))
    return Seen(_in_words(server, seen), tuple(_findings(server, seen)))


def _without(words: str, name: str | None) -> str:
    """A server's words without the user name, which may be a person's address."""
    return words.replace(name, "(user name)") if name else words


def _in_words(server: Server, seen: smtp_probe.Seen) -> str:
    offered = seen.capabilities
    size = f"mails up to {offered.size // _MEGABYTE:,} MB" if offered.size else "mails of any size, as far as it says"
    return ", ".join(
        (
            f"{server} answers",
            f"encrypted ({seen.tls})" if seen.tls else "not encrypted",
            "log-in taken" if server.username else "no log-in",
            size,
            "several commands at once (PIPELINING)" if offered.pipelining else "one command at a time",
            "international addresses (SMTPUTF8)" if offered.smtputf8 else "no international addresses",
        )
    )


def _findings(server: Server, seen: smtp_probe.Seen) -> Iterator[Finding]:
    offered, where = seen.capabilities, str(server)
    if not seen.tls and not is_loopback(server.host):
        what = "mails go to it unencrypted, with the addresses of people in them"
        remedy = "Use smtp+starttls:// or smtps:// in MAILER_SMTP_URL, unless the way there is a network of your own."
        yield Finding(Level.WARNING, "relay-readable", where, what, remedy)
    if not offered.smtputf8:
        what = "it takes no addresses with letters such as é or ж before the @ (SMTPUTF8), so those people get nothing"
        remedy = "Turn SMTPUTF8 on there if it can (Postfix: smtputf8_enable = yes), or live with it."
        yield Finding(Level.WARNING, "relay-smtputf8", where, what, remedy)
    if offered.size and offered.size < _SMALL:
        what = f"it takes mails of {offered.size:,} octets at most, and long alerts may be larger"
        remedy = "Raise its limit (Postfix: message_size_limit), or ask its operator."
        yield Finding(Level.WARNING, "relay-size", where, what, remedy)
    if seen.time:
        yield from clock.compare("the mail server", seen.time, seen.seen_at)
