"""Mail that goes out: who it is from, who signs it, and where it is handed over."""

import os
import socket
from dataclasses import dataclass
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path

from mailer.errors import ConfigurationError
from mailer.mail import dkim, smtp
from mailer.mail.smtp import Server
from mailer.settings import values
from mailer.settings.advice import Advice
from mailer.settings.environment import Environment, required
from mailer.settings.secret_files import refuse_open_to_all

ORGANISATION = "Harbour Solidarity"
SENDER = "Harbour Solidarity <alerts@example.org>"
POSTAL_ADDRESS = r"1 Example Street\nExample City"
SMTP_URL = "smtp+starttls://user:pass@mail.example.org:587"

_SMTP_HELO = "mail.example.org"
_DKIM_DOMAIN, _DKIM_SELECTOR, _DKIM_KEY_FILE = "example.org", "s1", "/etc/tocsin/dkim.pem"


@dataclass(frozen=True, kw_only=True)
class OutgoingSettings:
    """Whose mail goes out, and how."""

    organisation: str | None
    sender: str | None  # an address, or Name <address>
    postal_address: str | None  # may have several lines
    reply_to: str | None
    dkim_domain: str | None
    dkim_selectors: tuple[str, ...] | None  # in the order of the keys in the file
    dkim_key_file: Path | None
    configured_smtp: Server | None
    smtp_connections: int  # for each worker
    smtp_helo: str | None  # what mail servers are greeted with
    smtp_rate: float | None  # messages a second, the whole installation together; None for no limit
    lease_seconds: float

    @property
    def advice_on_helo(self) -> Advice | None:
        """What to say of a machine whose name mail servers think little of; None where it has a better one, was given
        one to say, or sends no mail."""
        host = socket.gethostname()
        if self.smtp_helo or self.configured_smtp is None:
            return None
        if smtp.own_name() is None:
            problem = f"{host}, which is no full domain name, so it greets mail servers with its IP address"
        elif values.is_local_name(host) or host.lower().endswith(".localdomain"):
            problem = f"{host}, a name that only a local network knows, and greets mail servers with it"
        else:
            return None
        return Advice(
            "MAILER_SMTP_HELO",
            f"this machine is called {problem}. Many relays refuse that, or take it for a sign of spam",
            f"Set MAILER_SMTP_HELO to a name of it that the DNS knows, such as {_SMTP_HELO}.",
        )

    @cached_property
    def signer(self) -> dkim.Signer | None:
        """Who signs the mails; None when no DKIM setting is set.

        :raises ConfigurationError: only some of them are set, the keys cannot be used, or From is of another domain.
        """
        if not (self.dkim_domain or self.dkim_selectors or self.dkim_key_file):
            return None
        why = "is not set; DKIM needs all three of its settings, or none"
        domain = required("MAILER_DKIM_DOMAIN", self.dkim_domain, _DKIM_DOMAIN, why)
        selectors = required("MAILER_DKIM_SELECTOR", self.dkim_selectors, _DKIM_SELECTOR, why)
        file = required("MAILER_DKIM_KEY_FILE", self.dkim_key_file, _DKIM_KEY_FILE, why)
        keys = _dkim_keys(file)
        if len(selectors) != len(keys):
            problem = f"must name one selector for each key in {file}, in the same order; there are {len(keys)} keys"
            raise ConfigurationError("MAILER_DKIM_SELECTOR", problem, ",".join(("s1", "ed1")[: len(keys)]))
        signer = dkim.Signer(domain, tuple(map(dkim.SigningKey, selectors, keys)))
        from_domain = parseaddr(self.sender or "")[1].rpartition("@")[2]
        if from_domain and not signer.answers_for(from_domain):
            problem = f"must be the domain of MAILER_SENDER, {from_domain}, or one above it"
            raise ConfigurationError("MAILER_DKIM_DOMAIN", problem, from_domain)
        return signer


def _dkim_keys(file: Path) -> tuple[dkim.PrivateKey, ...]:
    """The keys in a file that only its owner and, maybe, a group may read.

    :raises ConfigurationError: it cannot be read, anybody may read it, or it holds something else.
    """
    try:
        with file.open("rb") as stream:
            refuse_open_to_all(os.fstat(stream.fileno()))
            return dkim.read_keys(stream.read())
    except OSError as problem:
        reason = f"{file} cannot be read: {problem.strerror or problem}"
    except ValueError as problem:
        reason = f"{file} {problem}"
    raise ConfigurationError("MAILER_DKIM_KEY_FILE", reason, _DKIM_KEY_FILE)


def read(env: Environment) -> OutgoingSettings:
    """Those of an environment.

    :raises ConfigurationError: one is wrong.
    """
    return OutgoingSettings(
        organisation=env.text("MAILER_ORGANISATION", ORGANISATION),
        sender=env.read("MAILER_SENDER", values.mailbox, SENDER),
        postal_address=env.lines("MAILER_POSTAL_ADDRESS", POSTAL_ADDRESS),
        reply_to=env.read("MAILER_REPLY_TO", values.mailbox, "office@example.org"),
        dkim_domain=env.read("MAILER_DKIM_DOMAIN", values.domain, _DKIM_DOMAIN),
        dkim_selectors=env.read("MAILER_DKIM_SELECTOR", values.selectors, _DKIM_SELECTOR),
        dkim_key_file=env.read("MAILER_DKIM_KEY_FILE", Path, _DKIM_KEY_FILE),
        configured_smtp=env.read("MAILER_SMTP_URL", values.smtp_url, SMTP_URL),
        smtp_connections=env.read("MAILER_SMTP_CONNECTIONS", values.whole(1, 100), "4") or 4,
        smtp_helo=env.read("MAILER_SMTP_HELO", values.greeting_name, _SMTP_HELO),
        smtp_rate=env.read("MAILER_SMTP_RATE", values.number(0.01, 100_000, "messages a second"), "50"),
        lease_seconds=env.read("MAILER_LEASE_SECONDS", values.number(0.5, 3600, "seconds"), "30") or 30.0,
    )
