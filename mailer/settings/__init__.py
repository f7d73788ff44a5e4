"""Typed settings: the sole reader of the environment."""

import os
import socket
import stat
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from difflib import get_close_matches
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from dotenv import dotenv_values
from sqlalchemy import make_url

from mailer.errors import ConfigurationError
from mailer.inbound import addresses
from mailer.inbound.addresses import OwnAddresses
from mailer.mail import dkim, oauth, smtp
from mailer.mail.mailboxes.types import Disposal, ImapFolder, MaildirFolder
from mailer.mail.sender import Sender
from mailer.mail.smtp import Place, Server
from mailer.people.organisers import Organisers
from mailer.settings import hooks, keys_file, values
from mailer.settings.hooks import HookSettings
from mailer.settings.secret_files import SecretFile, refuse_open_to_all, secret_in
from mailer.store.crypto import Key, Keyring, decode_secret

KEY_VARIABLES = ("MAILER_SECRET_KEYS", "MAILER_LINK_KEYS", "MAILER_INDEX_KEY")
VALKEY_SOCKET = "valkey.sock"

_DATA_DIR = "/var/lib/tocsin"
_KEYS_FILE = "/etc/tocsin/keys/keys.env"
_ORGANISATION = "Harbour Solidarity"
_POSTAL_ADDRESS = r"1 Example Street\nExample City"
_FORWARD_REPLIES_TO = "answers@example.org"
_SMTP_HELO = "mail.example.org"
_PRIVACY_CONTACT = "privacy@example.org"
_ORGANISERS = "desk@example.org,rosa@example.org"
_DKIM_DOMAIN, _DKIM_SELECTOR, _DKIM_KEY_FILE = "example.org", "s1", "/etc/tocsin/dkim.pem"

_INBOUND_URL, _PASSWORD_FILE = "imaps://bounces@mail.example.org/INBOX", "/etc/tocsin/inbound-password"

_TOKEN_URL, _CLIENT_ID = "https://oauth2.example.com/token", "tocsin.apps.example.com"
_CLIENT_SECRET_FILE, _SCOPE = "/etc/tocsin/oauth-secret", "https://mail.example.com/.default"

T = TypeVar("T")


class UnreadableFile(ConfigurationError):
    """A file that settings are read from cannot be read."""

    def __init__(self, file: Path, problem: str) -> None:
        Exception.__init__(self, f"{file} cannot be read: {problem}")


class UnknownSetting(ConfigurationError):
    """A variable begins with MAILER_ and is no setting: one that was misspelt would have no effect, unnoticed."""

    def __init__(self, variable: str, known: Iterable[str]) -> None:
        self.variable = variable
        alike = get_close_matches(variable, known, n=1)
        hint = f"Did you mean {alike[0]}?" if alike else "All settings are in docs/reference/settings.md."
        Exception.__init__(self, f"{variable}: there is no such setting. {hint}")


@dataclass(frozen=True, slots=True)
class Advice:
    """What could be better set."""

    variable: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}"


@dataclass(frozen=True)
class Settings:
    """The installation's settings, as in docs/reference/settings.md. Those it can start without may be None."""

    data_dir: Path
    keys_file: Path  # whether it is there or not
    database_url: str
    base_url: str  # no trailing slash
    organisation: str | None
    sender: str | None  # an address, or Name <address>
    postal_address: str | None  # may have several lines
    reply_to: str | None
    forward_replies_to: str | None  # an address, to which what people write to us is handed on
    bounce_address: str | None  # may hold {token}
    unsubscribe_address: str | None  # may hold {token}
    inbound_lmtp: Place | None  # where the listener takes mail
    inbound_smtp: Place | None
    inbound_mailbox: MaildirFolder | ImapFolder | None  # where mail is fetched from
    inbound_password_file: Path | None
    oauth_token_url: str | None  # https
    oauth_client_id: str | None
    oauth_client_secret_file: Path | None
    oauth_refresh_token_file: Path | None
    oauth_scope: str | None
    keep_unread_days: int  # how long a message that is not understood stays; 0 for not at all
    inbound_disposal: Disposal  # of what was handled there
    hooks: HookSettings
    privacy_contact: str | None  # an address
    privacy_url: str | None  # of the organisation's whole privacy notice
    security_contact: str | None  # a mailto: or https: URI
    organiser_addresses: tuple[str, ...]
    organisers_language: str  # one of the site's
    time_zone: tzinfo
    dkim_domain: str | None
    dkim_selectors: tuple[str, ...] | None  # in the order of the keys in the file
    dkim_key_file: Path | None
    smtp_connections: int  # for each worker
    smtp_helo: str | None  # what mail servers are greeted with
    language_fallbacks: Mapping[str, Sequence[str]]  # language → those that stand in for it
    smtp_rate: float | None  # messages a second, the whole installation together; None for no limit
    lease_seconds: float
    trusted_proxies: int
    configured_redis_url: str | None
    configured_smtp: Server | None
    configured_keys: Mapping[str, str] = field(repr=False)  # those of KEY_VARIABLES that are set, as written
    given: frozenset[str]  # names of the variables that were set, wherever
    secret_keys_in_file: bool  # whether MAILER_SECRET_KEYS comes from `keys_file`

    @cached_property
    def keyring(self) -> Keyring:
        """The keys of this installation.

        :raises ConfigurationError: one is missing or weak.
        """
        example = "k1:" + "A-url-safe-base64-of-32-random-bytes="
        hint = (
            f"it is not in {self.keys_file.absolute()} either. Make keys with: mailer keys new; "
            "or, if you have an installation elsewhere, set MAILER_DATA_DIR, or MAILER_KEYS_FILE"
        )
        return Keyring(
            secret_keys=self._keys("MAILER_SECRET_KEYS", example, hint),
            link_keys=self._keys("MAILER_LINK_KEYS", example, hint),
            index_key=self._parsed_key("MAILER_INDEX_KEY", decode_secret, example.partition(":")[2], hint),
        )

    def _keys(self, variable: str, example: str, hint: str) -> list[Key]:
        def parse(text: str) -> list[Key]:
            keys = [Key.parse(part) for part in text.split(",")]
            if len({key.id for key in keys}) < len(keys):
                raise ValueError("two keys have the same id")
            return keys

        return self._parsed_key(variable, parse, example, hint)

    def _parsed_key(self, variable: str, parse: Callable[[str], T], example: str, hint: str) -> T:
        text = self.configured_keys.get(variable)
        if not text:
            raise ConfigurationError(variable, f"is not set, and {hint}", example)
        try:
            return parse(text)
        except ValueError as problem:
            raise ConfigurationError(variable, f"{problem}; make keys with: mailer keys new", example) from None

    @property
    def redis_url(self) -> str:
        """The configured Redis, or the embedded Valkey of this data directory.

        :raises ConfigurationError: neither is there.
        """
        if self.configured_redis_url:
            return self.configured_redis_url
        socket = self.data_dir / VALKEY_SOCKET
        try:
            if socket.exists():
                return f"unix://{socket.resolve()}"
        except OSError as problem:
            raise UnreadableFile(socket, problem.strerror or str(problem)) from None
        raise ConfigurationError(
            "MAILER_REDIS_URL",
            "is not set, and no `mailer run` is running on this data directory",
            "redis://127.0.0.1:6379/0",
        )

    @property
    def advice_on_keys(self) -> str | None:
        """What to say of a keys file that goes wherever the database goes, since it lies in the same directory or below
        it; None where it does not, or the database is no file."""
        url = make_url(self.database_url)
        if url.get_backend_name() != "sqlite" or not url.database:
            return None
        directory = Path(url.database).resolve().parent
        for file in (self.keys_file, self.data_dir / keys_file.NAME):  # the second may be a copy that was left behind
            if file.exists() and file.resolve().is_relative_to(directory):
                return (
                    f"{file} lies in the directory of the database: whoever takes a copy of that can read everything."
                    " Move the file elsewhere, and set MAILER_KEYS_FILE to where it is."
                )
        return None

    def make_data_dir(self) -> Path:
        """Make the data directory, for its owner only, where there is none; returns it.

        :raises ConfigurationError: it cannot be made.
        """
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as problem:
            reason = f"{self.data_dir} cannot be made: {problem.strerror}"
            raise ConfigurationError("MAILER_DATA_DIR", reason, _DATA_DIR) from None
        return self.data_dir

    @property
    def smtp(self) -> Server:
        """Where mail is handed over.

        :raises ConfigurationError: it is not set, or links in the mails would be unsafe.
        """
        if self.configured_smtp is None:
            raise ConfigurationError("MAILER_SMTP_URL", "is not set", "smtp+starttls://user:pass@mail.example.org:587")
        if not smtp.is_loopback(self.configured_smtp.host) and not self.base_url.startswith("https://"):
            raise ConfigurationError(
                "MAILER_BASE_URL",
                "must be https when mail leaves this machine, because links in the mails begin with it",
                "https://act.example.org",
            )
        return replace(self.configured_smtp, greeted_as=self.smtp_helo)

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

    @property
    def organisers(self) -> Organisers:
        """Who hears by mail what happens."""
        return Organisers(self.organiser_addresses, self.organisers_language, self.time_zone)

    @property
    def readers(self) -> Organisers:
        """Who gets what people write to us."""
        to = (self.forward_replies_to,) if self.forward_replies_to else ()
        return Organisers(to, self.organisers_language, self.time_zone)

    @property
    def own_addresses(self) -> OwnAddresses:
        """What comes in is known by.

        :raises ConfigurationError: as `keyring`.
        """
        answered_at = [parseaddr(each)[1] for each in (self.sender, self.reply_to) if each]
        return OwnAddresses(
            self.keyring,
            unsubscribe_address=self.unsubscribe_address,
            bounce_address=self.bounce_address,
            answers_go_to=self.readers,
            answered_at=answered_at if self.forward_replies_to else (),
            keep_unread_days=self.keep_unread_days,
        )

    @property
    def advice_on_organisers(self) -> Advice | None:
        """What to say where nobody is named who hears by mail what happens; None where somebody is, or no mail is
        sent."""
        if self.organiser_addresses or self.configured_smtp is None:
            return None
        return Advice(
            "MAILER_ORGANISERS",
            "no organiser hears by mail when a campaign is held, or when a union asks to affiliate",
            f"Set MAILER_ORGANISERS to their addresses, such as {_ORGANISERS}.",
        )

    @property
    def contact(self) -> str | None:
        """The address for questions about people's data: the one set for it, else where answers to mails go."""
        return self.privacy_contact or parseaddr(self.reply_to or self.sender or "")[1] or None

    @property
    def inbound_place(self) -> MaildirFolder | ImapFolder:
        """Where mail is fetched from.

        :raises ConfigurationError: that is not set.
        """
        if self.inbound_mailbox is None:
            raise ConfigurationError("MAILER_INBOUND_URL", "is not set", _INBOUND_URL)
        return self.inbound_mailbox

    @property
    def inbound_password(self) -> str:
        """That of the mailbox.

        :raises ConfigurationError: its file is not set, cannot be read, or anybody may read it.
        """
        why = "is not set, and the mailbox wants a password"
        file = _required("MAILER_INBOUND_PASSWORD_FILE", self.inbound_password_file, _PASSWORD_FILE, why)
        return secret_in("MAILER_INBOUND_PASSWORD_FILE", file, _PASSWORD_FILE)

    @property
    def oauth_client(self) -> oauth.Client:
        """Who asks for tokens to open the mailbox.

        :raises ConfigurationError: something for that is not set, or a file cannot be used.
        """
        why = "is not set, and auth=xoauth2 needs it"
        secret = consent = None
        if file := self.oauth_client_secret_file:
            secret = secret_in("MAILER_OAUTH_CLIENT_SECRET_FILE", file, _CLIENT_SECRET_FILE)
        if file := self.oauth_refresh_token_file:
            consent = SecretFile("MAILER_OAUTH_REFRESH_TOKEN_FILE", file, "/var/lib/tocsin/refresh-token")
            consent.load()
        if consent is None:
            instead = f"{why} where no MAILER_OAUTH_REFRESH_TOKEN_FILE is set"
            _required("MAILER_OAUTH_CLIENT_SECRET_FILE", secret, _CLIENT_SECRET_FILE, instead)
        return oauth.Client(
            token_url=_required("MAILER_OAUTH_TOKEN_URL", self.oauth_token_url, _TOKEN_URL, why),
            id=_required("MAILER_OAUTH_CLIENT_ID", self.oauth_client_id, _CLIENT_ID, why),
            secret=secret,
            scope=self.oauth_scope,
            consent=consent,
        )

    @property
    def mail_sender(self) -> Sender:
        """Who the mails come from.

        :raises ConfigurationError: organisation, sender or postal address is not set, or DKIM is set up wrongly.
        """
        return Sender(
            organisation=_required("MAILER_ORGANISATION", self.organisation, _ORGANISATION),
            mailbox=_required("MAILER_SENDER", self.sender, "Harbour Solidarity <alerts@example.org>"),
            postal_address=_required("MAILER_POSTAL_ADDRESS", self.postal_address, _POSTAL_ADDRESS),
            base_url=self.base_url,
            reply_to=self.reply_to,
            bounce_address=self.bounce_address,
            unsubscribe_address=self.unsubscribe_address,
            answers_are_read=bool(self.reply_to or self.forward_replies_to),
            signer=self.signer,
            providers=self.hooks.providers,
        )

    @cached_property
    def signer(self) -> dkim.Signer | None:
        """Who signs the mails; None when no DKIM setting is set.

        :raises ConfigurationError: only some of them are set, the keys cannot be used, or From is of another domain.
        """
        if not (self.dkim_domain or self.dkim_selectors or self.dkim_key_file):
            return None
        why = "is not set; DKIM needs all three of its settings, or none"
        domain = _required("MAILER_DKIM_DOMAIN", self.dkim_domain, _DKIM_DOMAIN, why)
        selectors = _required("MAILER_DKIM_SELECTOR", self.dkim_selectors, _DKIM_SELECTOR, why)
        file = _required("MAILER_DKIM_KEY_FILE", self.dkim_key_file, _DKIM_KEY_FILE, why)
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


def _required(
    variable: str, value: T | None, example: str, problem: str = "is not set, and every mail must say who sent it"
) -> T:
    if not value:
        raise ConfigurationError(variable, problem, example)
    return value


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


def _refuse_shared_keys(file: Path) -> None:
    """:raises ConfigurationError: everybody on the machine can read or change the file with the keys."""
    try:
        refuse_open_to_all(file.stat())
    except OSError:
        return  # it is not there, or out of reach: whoever reads it says so
    except ValueError as problem:
        raise ConfigurationError("MAILER_KEYS_FILE", f"{file} {problem}", _KEYS_FILE) from None


def _refuse_shared_folder(variable: str, folder: Path, example: str) -> None:
    """A group may write to it: on Debian each user has a group of their own, and often umask 002.

    :raises ConfigurationError: everybody on the machine can put files of theirs in place of ours.
    """
    try:
        is_shared = folder.stat().st_mode & stat.S_IWOTH
    except OSError:
        return  # likewise
    if is_shared:
        problem = f"{folder} can be changed by everybody on this machine; run chmod o-w on it, or take another folder"
        raise ConfigurationError(variable, problem, example)


def load_settings(environ: Mapping[str, str] | None = None, *, directory: Path | None = None) -> Settings:
    """Read the settings from the environment, then `.env`, then the installation's own `keys.env`.

    :param environ: instead of the process's environment.
    :param directory: where `.env` is looked for; the current one by default.
    :raises ConfigurationError: naming the variable, what is wrong with it, and an example.
    """
    env = _Environment(os.environ if environ is None else environ, directory or Path.cwd())
    data_dir = env.data_dir
    settings = Settings(
        data_dir=data_dir,
        keys_file=env.keys_file,
        database_url=env.read("MAILER_DATABASE_URL", values.database_url, "postgresql+psycopg://user:pass@host/tocsin")
        or f"sqlite:///{data_dir / 'tocsin.db'}",
        base_url=env.read("MAILER_BASE_URL", values.base_url, "https://act.example.org") or "http://127.0.0.1:8000",
        organisation=env.text("MAILER_ORGANISATION", _ORGANISATION),
        sender=env.read("MAILER_SENDER", values.mailbox, "Harbour Solidarity <alerts@example.org>"),
        postal_address=env.lines("MAILER_POSTAL_ADDRESS", _POSTAL_ADDRESS),
        reply_to=env.read("MAILER_REPLY_TO", values.mailbox, "office@example.org"),
        forward_replies_to=env.read("MAILER_FORWARD_REPLIES_TO", values.address, _FORWARD_REPLIES_TO),
        bounce_address=env.read("MAILER_BOUNCE_ADDRESS", values.address_pattern, "bounce+{token}@example.org"),
        unsubscribe_address=env.read("MAILER_UNSUBSCRIBE_ADDRESS", values.address_pattern, "leave+{token}@example.org"),
        inbound_lmtp=env.read("MAILER_INBOUND_LMTP", values.listening_place, "127.0.0.1:2424"),
        inbound_smtp=env.read("MAILER_INBOUND_SMTP", values.listening_place, "127.0.0.1:2525"),
        inbound_mailbox=env.read("MAILER_INBOUND_URL", values.mailbox_url, _INBOUND_URL),
        inbound_password_file=env.read("MAILER_INBOUND_PASSWORD_FILE", Path, _PASSWORD_FILE),
        oauth_token_url=env.read("MAILER_OAUTH_TOKEN_URL", values.https_url, _TOKEN_URL),
        oauth_client_id=env.text("MAILER_OAUTH_CLIENT_ID", _CLIENT_ID),
        oauth_client_secret_file=env.read("MAILER_OAUTH_CLIENT_SECRET_FILE", Path, _CLIENT_SECRET_FILE),
        oauth_refresh_token_file=env.read("MAILER_OAUTH_REFRESH_TOKEN_FILE", Path, "/var/lib/tocsin/refresh-token"),
        oauth_scope=env.text("MAILER_OAUTH_SCOPE", _SCOPE),
        keep_unread_days=env.read("MAILER_INBOUND_KEEP_UNREAD_DAYS", values.whole(0, 7), "7") or 0,
        inbound_disposal=env.read("MAILER_INBOUND_HANDLED", values.disposal, "delete") or Disposal.KEEP,
        hooks=_hooks(env),
        privacy_contact=env.read("MAILER_PRIVACY_CONTACT", values.address, _PRIVACY_CONTACT),
        privacy_url=env.read("MAILER_PRIVACY_URL", values.https_url, "https://www.example.org/privacy"),
        security_contact=env.read("MAILER_SECURITY_CONTACT", values.contact_uri, "mailto:security@example.org"),
        organiser_addresses=env.read("MAILER_ORGANISERS", values.addresses_of_people, _ORGANISERS) or (),
        organisers_language=env.read("MAILER_ORGANISERS_LANGUAGE", values.site_language, "fr") or "en",
        time_zone=env.read("MAILER_TIME_ZONE", values.time_zone, "Europe/Paris") or UTC,
        dkim_domain=env.read("MAILER_DKIM_DOMAIN", values.domain, _DKIM_DOMAIN),
        dkim_selectors=env.read("MAILER_DKIM_SELECTOR", values.selectors, _DKIM_SELECTOR),
        dkim_key_file=env.read("MAILER_DKIM_KEY_FILE", Path, _DKIM_KEY_FILE),
        smtp_connections=env.read("MAILER_SMTP_CONNECTIONS", values.whole(1, 100), "4") or 4,
        smtp_helo=env.read("MAILER_SMTP_HELO", values.greeting_name, _SMTP_HELO),
        language_fallbacks=env.read("MAILER_LANGUAGE_FALLBACKS", values.fallbacks, "kk=ru,en") or {},
        smtp_rate=env.read("MAILER_SMTP_RATE", values.number(0.01, 100_000, "messages a second"), "50"),
        lease_seconds=env.read("MAILER_LEASE_SECONDS", values.number(0.5, 3600, "seconds"), "30") or 30.0,
        trusted_proxies=env.read("MAILER_TRUSTED_PROXIES", values.whole(0, 10), "1") or 0,
        configured_redis_url=env.read("MAILER_REDIS_URL", values.redis_url, "redis://127.0.0.1:6379/0"),
        configured_smtp=env.read("MAILER_SMTP_URL", values.smtp_url, "smtp+starttls://user:pass@mail.example.org:587"),
        configured_keys={name: env.values[name] for name in KEY_VARIABLES if env.values.get(name)},
        given=frozenset(env.values),
        secret_keys_in_file=env.secret_keys_in_file,
    )
    env.refuse_unread()
    _refuse_loop(settings)
    return settings


def _hooks(env: "_Environment") -> HookSettings:
    return HookSettings(
        secret_file=env.read("MAILER_HOOKS_SECRET_FILE", Path, hooks.FOLDER + "secret"),
        ses_topics=env.read("MAILER_HOOKS_SES_TOPICS", values.sns_topics, hooks.TOPICS) or (),
        sendgrid_keys=env.read("MAILER_HOOKS_SENDGRID_KEYS", values.ecdsa_keys, hooks.KEYS) or (),
        mailgun_file=env.read("MAILER_HOOKS_MAILGUN_FILE", Path, hooks.FOLDER + "mailgun"),
        postmark_file=env.read("MAILER_HOOKS_POSTMARK_FILE", Path, hooks.FOLDER + "postmark"),
        brevo_file=env.read("MAILER_HOOKS_BREVO_FILE", Path, hooks.FOLDER + "brevo"),
        sparkpost_file=env.read("MAILER_HOOKS_SPARKPOST_FILE", Path, hooks.FOLDER + "sparkpost"),
    )


def _refuse_loop(settings: Settings) -> None:
    """:raises ConfigurationError: what is handed on would come to us again."""
    ours = {"unsubscribe_address": settings.unsubscribe_address, "bounce_address": settings.bounce_address}
    if settings.forward_replies_to and addresses.come_to_us(settings.forward_replies_to, **ours):
        problem = "is an address whose mail comes to this program; name a mailbox that somebody reads"
        raise ConfigurationError("MAILER_FORWARD_REPLIES_TO", problem, _FORWARD_REPLIES_TO)


class _Environment:
    """The merged sources, and one way to read a variable from them."""

    def __init__(self, environ: Mapping[str, str], directory: Path) -> None:
        dotenv = _read(directory / ".env", lambda file: dotenv_values(file, interpolate=False, encoding="utf-8"))
        given = {name: value for name, value in {**dotenv, **environ}.items() if value}
        self.data_dir = Path(_clean("MAILER_DATA_DIR", given.get("MAILER_DATA_DIR", "data"), _DATA_DIR)).expanduser()
        _refuse_shared_folder("MAILER_DATA_DIR", self.data_dir, _DATA_DIR)
        self.keys_file = self._find_keys(given.get("MAILER_KEYS_FILE"))
        keys = _read(self.keys_file, keys_file.read)
        self.values: Mapping[str, str] = {**keys, **given}
        self.secret_keys_in_file = "MAILER_SECRET_KEYS" in keys and "MAILER_SECRET_KEYS" not in given
        self._known = {"MAILER_DATA_DIR", "MAILER_KEYS_FILE", *KEY_VARIABLES}

    def _find_keys(self, path: str | None) -> Path:
        """Where the keys are, or will be made.

        :param path: as MAILER_KEYS_FILE names it, if it does.
        :raises ConfigurationError: everybody can read them or put others in their place; or they are still where they
            were, and others would be made beside them.
        """
        default = self.data_dir / keys_file.NAME
        file = Path(_clean("MAILER_KEYS_FILE", path, _KEYS_FILE)).expanduser() if path else default
        _refuse_shared_folder("MAILER_KEYS_FILE", file.parent, _KEYS_FILE)
        _refuse_shared_keys(file)
        if os.path.lexists(default) and not os.path.lexists(file):
            problem = f"{file} is not there, but {default} is; move that file to where it should be"
            raise ConfigurationError("MAILER_KEYS_FILE", problem, _KEYS_FILE)
        return file

    def text(self, variable: str, example: str) -> str | None:
        """A free text of one line; blank counts as not set."""
        self._known.add(variable)
        return _clean(variable, " ".join(self.values.get(variable, "").split()), example) or None

    def lines(self, variable: str, example: str) -> str | None:
        """A free text of several lines. A line end may be written as a backslash and n: not every way to set a
        variable can hold one."""
        self._known.add(variable)
        lines = (" ".join(line.split()) for line in self.values.get(variable, "").replace("\\n", "\n").splitlines())
        return "\n".join(_clean(variable, line, example) for line in lines if line) or None

    def refuse_unread(self) -> None:
        """Refuse what looks like a setting, and nobody asked for; called when all have been read."""
        for variable in sorted(self.values):
            if variable.startswith("MAILER_") and variable not in self._known:
                raise UnknownSetting(variable, self._known)

    def read(self, variable: str, parse: Callable[[str], T], example: str) -> T | None:
        text = self.text(variable, example)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as problem:
            raise ConfigurationError(variable, str(problem), example) from None


def _clean(variable: str, text: str, example: str) -> str:
    """Give back a text that can be shown and stored.

    :raises ConfigurationError: it was not UTF-8 (then Python reads surrogates), or has control characters.
    """
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise ConfigurationError(variable, "must be UTF-8 text without control characters", example)
    return text


def _read(file: Path, read: Callable[[Path], Mapping[str, T]]) -> Mapping[str, T]:
    try:
        return read(file)
    except OSError as problem:
        raise UnreadableFile(file, problem.strerror or str(problem)) from None
    except UnicodeDecodeError:
        raise UnreadableFile(file, "it is not UTF-8") from None
