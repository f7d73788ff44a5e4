"""What may be written for a setting.

Each function reads one kind of text, and refuses any other with a ValueError: words that go on where the name of the
variable stops.
"""

import os
import re
from base64 import b64decode
from collections.abc import Callable
from datetime import tzinfo
from email.utils import getaddresses
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from math import nan
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from mailer.locale import languages
from mailer.mail import addresses
from mailer.mail.mailboxes.types import HANDLED_FOLDER, Disposal, ImapFolder, MaildirFolder
from mailer.mail.smtp import Place, Server, is_full_name, is_loopback

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_SOCKET = 107  # octets: unix(7)


def database_url(text: str) -> str:
    """A SQLAlchemy URL of a database that several programs can share."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError("is not a database URL") from None
    if "@" in (url.host or ""):
        raise ValueError(_TO_BE_ESCAPED)
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise ValueError(f"the driver {url.drivername!r} is not supported; use sqlite or postgresql+psycopg")
    if url.drivername == "sqlite" and (not url.database or ":memory:" in url.database or "mode" in url.query):
        raise ValueError("must name a file, so that the web part, the workers and commands share one database")
    return text


def redis_url(text: str) -> str:
    """The URL of a Redis server, by host or by socket. On another machine it has to ask for a password and, where its
    address is not known to be private, to speak TLS: whoever reaches it reads and changes what stands there."""
    url = _split_with_password(text)
    if url.scheme not in ("redis", "rediss", "unix"):
        raise ValueError("must start with redis://, rediss:// or unix://")
    if not (url.path if url.scheme == "unix" else url.hostname):
        raise ValueError("must name a host, or after unix:// the path of a socket")
    if url.scheme == "unix" or is_loopback(url.hostname or ""):
        return text
    options = parse_qs(url.query)
    if not (url.password or options.get("password")):
        raise ValueError("must hold a password for a Redis on another machine, as in rediss://:password@host:6379/0")
    if url.scheme != "rediss" and not _is_private(url.hostname or ""):
        raise ValueError(
            "must start with rediss:// for a Redis on another machine, save at a private IP address, or at a name of"
            " the local network: one without a dot, or that ends in .internal, .local, .home.arpa or .lan"
        )
    if any(not allowed.issuperset(options.get(name, [])) for name, allowed in _TLS_CHECKS.items()):
        names = " and ".join(_TLS_CHECKS)
        raise ValueError(f"must not turn off the check of the server's certificate: leave out {names}")
    return text


#: the values with which certificates are checked, as they are if nothing is said
_TLS_CHECKS = {"ssl_cert_reqs": {"required"}, "ssl_check_hostname": {"true", "True", "yes", "1"}}

#: RFC 1918 and RFC 4193
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


#: RFC 9476, 6762, 8375, and what containers and routers use: no name of the Internet ends in these
_LOCAL_NAMES = (".internal", ".local", ".home.arpa", ".lan", ".localhost")


def _is_private(host: str) -> bool:
    """Whether a host is an address of a private network, or a name that only a local network gives. Where another name
    leads is not known here."""
    try:
        address = ip_address(host)
    except ValueError:
        return is_local_name(host)
    return any(address in network for network in _PRIVATE)


def is_local_name(name: str) -> bool:
    """Whether only a local network gives a name: as those of containers, which have no dot."""
    name = name.lower().rstrip(".")
    return "." not in name or name.endswith(_LOCAL_NAMES)


def fallbacks(text: str) -> dict[str, list[str]]:
    """Languages and those that stand in for them: "kk=ru,en be=ru"."""
    table: dict[str, list[str]] = {}
    for entry in text.split():
        tag, equals, others = entry.partition("=")
        if not equals or not tag or not others:
            raise ValueError("must be languages with = and those that stand in for them, such as kk=ru,en be=ru")
        table[tag] = others.split(",")
    try:
        return languages.read_fallbacks(table)
    except languages.InvalidLanguage as error:
        raise ValueError(f"has what is no language: {error}") from None


def base_url(text: str) -> str:
    """What links start with, the root of a site: pages find their own links and forms there. The slash at the end is
    taken off."""
    url = _split(text)
    if not text.isascii():
        raise ValueError("must be written in ASCII: use xn-- names")
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment or "@" in url.netloc:
        raise ValueError("must be an http or https address without user, query and fragment")
    if set(text) & set(" \"'<>\\"):
        raise ValueError("contains characters that an address cannot have")
    if url.path.strip("/"):
        raise ValueError(
            "must not have a path, because the site's links and forms lead to the root of its host: give it a host of"
            " its own"
        )
    return text.rstrip("/")


def _split(text: str) -> SplitResult:
    """As `urlsplit`, which looks at the port only when it is asked for, and whose errors may quote a password."""
    try:
        url = urlsplit(text)
    except ValueError:
        raise ValueError("is not a URL: it has brackets, or signs that no host can have") from None
    try:
        _ = url.port
    except ValueError:
        raise ValueError("has a port that is not a number from 0 to 65535") from None
    return url


_TO_BE_ESCAPED = (
    "must be percent-encoded where a user name or a password has / # ? @ [ ] or %: write %2F %23 %3F %40 %5B %5D %25"
)


def _split_with_password(text: str) -> SplitResult:
    """As `_split`, of a URL in which the user and the password are written before the host."""
    _, _, rest = text.partition("://")
    authority, *behind = re.split("[/?#]", rest, maxsplit=1)
    is_elsewhere = not authority or ("@" not in authority and "password=" in rest)  # of a socket, or in an option
    if not is_elsewhere and ("@" in "".join(behind) or set("[]") & set(authority.rpartition("@")[0])):
        raise ValueError(_TO_BE_ESCAPED)
    return _split(text)


_SMTP_SCHEMES = {"smtp": ("none", 25), "smtp+starttls": ("starttls", 587), "smtps": ("tls", 465)}


def smtp_url(text: str) -> Server:
    """A mail server, with how to speak to it and, if need be, as whom."""
    url = _split_with_password(text)
    if url.scheme not in _SMTP_SCHEMES or not url.hostname or url.path.strip("/") or url.query or url.fragment:
        raise ValueError("must be smtp://, smtp+starttls:// or smtps://, and then a host, with nothing behind it")
    security, port = _SMTP_SCHEMES[url.scheme]
    if url.username and security == "none" and not is_loopback(url.hostname):
        raise ValueError("a password must not travel unencrypted: use smtp+starttls:// or smtps://")
    return Server(
        host=url.hostname,
        port=url.port or port,
        security=security,
        username=unquote(url.username) if url.username else None,
        password=unquote(url.password) if url.password else None,
    )


_LITERAL = re.compile(r"\[(?:IPv6:(?P<six>[0-9a-f:.]+)|(?P<four>[0-9.]+))\]", re.IGNORECASE)


def listening_place(text: str) -> Place:
    """A port of this machine, of one of its addresses, or the path of a socket."""
    scheme, _, path = text.partition("unix:")
    if not scheme and path:
        if not path.startswith("/"):
            raise ValueError("must have a path from the root after unix:")
        if len(os.fsencode(path)) > _LONGEST_SOCKET:
            raise ValueError(
                f"has a path that is longer than {_LONGEST_SOCKET} octets, the most that a socket may have"
            )
        return Place(path=Path(path))
    host, _, port = text.rpartition(":")
    named = host.removeprefix("[").removesuffix("]")
    if not (port.isascii() and port.isdigit() and int(port) < 65536) or (":" in named and named == host):
        raise ValueError("must be a port, HOST:PORT, [IPv6]:PORT, or unix: and the path of a socket")
    return Place(named or "127.0.0.1", int(port))


def mailbox_url(text: str) -> MaildirFolder | ImapFolder:
    """A mailbox that messages are fetched from."""
    scheme, _, path = text.partition(":")
    if scheme == "maildir" and path.startswith("/"):
        return MaildirFolder(Path(path))
    if scheme != "imaps":
        raise ValueError("must be imaps:// and a user, @ and a host, or maildir: and a path from the root")
    url = _split_with_password(text)
    if url.password is not None:
        raise ValueError(
            "must not hold a password: write it into a file, and name that in MAILER_INBOUND_PASSWORD_FILE"
        )
    if url.query not in ("", "auth=xoauth2"):
        raise ValueError("may have only auth=xoauth2 behind the question mark")
    if not url.hostname or not url.username or url.fragment:
        raise ValueError("must be imaps:// and a user, @ and a host, then perhaps a port and / with the folder")
    folder = unquote(url.path.removeprefix("/")) or "INBOX"
    if _CONTROL.search(folder) or folder.rpartition("/")[2] == HANDLED_FOLDER:
        raise ValueError(f"must name a folder other than {HANDLED_FOLDER}, where handled messages go")
    return ImapFolder(url.hostname, unquote(url.username), url.port or 993, folder, by_token=bool(url.query))


def disposal(text: str) -> Disposal:
    """What becomes of a message that was handled."""
    try:
        return Disposal(text)
    except ValueError:
        raise ValueError(f"must be {' or '.join(Disposal)}") from None


def greeting_name(text: str) -> str:
    """What to call ourselves in EHLO: a full domain name, or an address in brackets (RFC 5321, 4.1.3)."""
    if not text.isascii():
        raise ValueError("must be written in ASCII: use xn-- names")
    if literal := _LITERAL.fullmatch(text):
        try:
            _ = IPv6Address(literal["six"]) if literal["six"] else IPv4Address(literal["four"])
        except ValueError as problem:
            raise ValueError(f"is not an address in brackets ({problem})") from None
    elif not is_full_name(text):
        raise ValueError(
            "must be a full domain name, with a dot in it, or an IP address in brackets: [192.0.2.1] or"
            " [IPv6:2001:db8::1]"
        )
    return text


_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\([^()]*\)')
#: outside of quotations and comments only pairs of brackets; the standard library would mend half of one
_BALANCED = re.compile(r'(?:[^<>()"]*<[^<>()"]*>)*[^<>()"]*')
_NAMED = re.compile(r'(?P<name>[^<>()"]*?)\s*(?P<address><[^<>()"]*>)')
_IN_BRACKETS = re.compile("<[^<>]*>")
#: what ends a name that is not in quotation marks, or makes it that of a group (RFC 5322 3.2.3)
_SPECIAL = re.compile(r"[:;,@\[\]\\]")


def mailbox(text: str) -> str:
    """An address, or Name <address>; a name that needs quotation marks is given them."""
    plain = _QUOTED.sub("", text)
    if not _BALANCED.fullmatch(plain):
        raise ValueError("must be an address, or Name <address>; a bracket or a quotation mark is missing in it")
    named = _NAMED.fullmatch(text)
    if named and _SPECIAL.search(named["name"]) and not {"@", ","} <= set(named["name"]):
        text = '"{}" {}'.format(named["name"].replace("\\", r"\\"), named["address"])
    elif not named and (special := re.search("[:;]" if "<" not in plain else _SPECIAL, _IN_BRACKETS.sub("", plain))):
        raise ValueError(
            f"must be a single e-mail address, or Name <address>; a name with {special[0]} in it needs quotation marks"
            " around the whole name"
        )
    parsed = getaddresses([text])
    if len(parsed) != 1:
        raise ValueError("must be a single e-mail address; a name with a comma in it needs quotes")
    address = parsed[0][1]
    if not address.isascii():
        raise ValueError("must have an address in ASCII: use xn-- names")
    try:
        addresses.parse(address)
    except addresses.InvalidAddress as problem:
        raise ValueError(f"is not an e-mail address ({problem})") from None
    return text


def address_pattern(text: str) -> str:
    """An address in which {token} may stand for what differs per message."""
    example = text.replace("{token}", "x" * 32)
    if set(example) & set("{}<> "):
        raise ValueError("must be an address without a name; only {token} is filled in")
    mailbox(example)
    return text


def address(text: str) -> str:
    """A bare address, without a name."""
    if set(text) & set("<> "):
        raise ValueError("must be an address without a name")
    return mailbox(text)


def addresses_of_people(text: str) -> tuple[str, ...]:
    """Bare addresses with commas between them, each once."""
    parts = [part.strip() for part in text.split(",")]
    found: dict[str, str] = {}
    for number, part in enumerate(parts, start=1):
        try:
            found.setdefault(addresses.parse(address(part)).folded, part)
        except ValueError as problem:
            raise ValueError(
                f"must be e-mail addresses with commas between them, but number {number} {problem}"
            ) from None
    return tuple(found.values())


def site_language(text: str) -> str:
    """A language that the site speaks, or a form of one."""
    try:
        found = languages.of_site(languages.normalise(text))
    except languages.InvalidLanguage:
        found = None
    if found is None:
        raise ValueError(f"must be one of the site's languages: {', '.join(languages.SITE_LANGUAGES)}")
    return found


def time_zone(text: str) -> tzinfo:
    """A time zone by its name in the IANA database."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a time zone that this machine knows; most are named by a city") from None


def https_url(text: str) -> str:
    """The address of a page, which may have a query and a fragment."""
    url = _split(text)
    if url.scheme != "https" or not url.hostname or "@" in url.netloc:
        raise ValueError("must be an https address")
    if not text.isascii() or set(text) & set(" \"'<>\\"):
        raise ValueError("contains characters that an address cannot have; use xn-- names and %-escapes")
    return text


def contact_uri(text: str) -> str:
    """How to reach somebody: mailto: and an address, or the https address of a page (RFC 9116 2.5.3)."""
    scheme, _, rest = text.partition(":")
    if scheme == "mailto":
        return f"mailto:{address(rest)}"
    if scheme != "https":
        raise ValueError("must start with mailto: or https://")
    return https_url(text)


def domain(text: str) -> str:
    """A domain that mail can come from."""
    if not text.isascii():
        raise ValueError("must be written in ASCII: use xn-- names")
    try:
        return addresses.parse(f"postmaster@{text}").folded.rpartition("@")[2]
    except addresses.InvalidAddress as problem:
        raise ValueError(f"is not an e-mail domain ({problem})") from None


_TOPIC = re.compile(r"arn:aws(?:-cn|-us-gov)?:sns:[a-z0-9-]{4,30}:[0-9]{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?", re.ASCII)


def sns_topics(text: str) -> tuple[str, ...]:
    """ARNs of topics of Amazon SNS, with commas between them."""
    topics = tuple(part.strip() for part in text.split(","))
    if not all(map(_TOPIC.fullmatch, topics)):
        raise ValueError("must be ARNs of topics of Amazon SNS, with commas between them")
    return topics


def ecdsa_keys(text: str) -> tuple[EllipticCurvePublicKey, ...]:
    """Public keys on the curve P-256 in base64 (DER, without the lines around a PEM), with commas between them."""
    keys = []
    for part in text.split(","):
        try:
            key = load_der_public_key(b64decode(part.strip(), validate=True))
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise ValueError("must be the verification key as the provider shows it: ECDSA, P-256, in base64")
        keys.append(key)
    return tuple(keys)


_SELECTOR = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*")


def selectors(text: str) -> tuple[str, ...]:
    """One selector (RFC 6376 3.1) or two, separated by a comma."""
    selectors = tuple(part.strip() for part in text.split(","))
    if not all(map(_SELECTOR.fullmatch, selectors)) or len(set(selectors)) < len(selectors) or len(selectors) > 2:
        raise ValueError(
            "must be a name of letters, digits, hyphens and dots, or two different ones separated by a comma"
        )
    return selectors


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Make the reader of a whole number."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not lowest <= int(text) <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return int(text)

    return parse


def number(lowest: float, highest: float, unit: str) -> Callable[[str], float]:
    """Make the reader of a number."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = nan
        if not lowest <= number <= highest:
            raise ValueError(f"must be a number of {unit} from {lowest:g} to {highest:g}")
        return number

    return parse
