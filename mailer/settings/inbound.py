"""Mail that comes in: to which addresses, how it reaches us, and who reads what people write."""

from dataclasses import dataclass
from pathlib import Path

from mailer.errors import ConfigurationError
from mailer.inbound import addresses
from mailer.mail import oauth
from mailer.mail.mailboxes.types import Disposal, ImapFolder, MaildirFolder
from mailer.mail.smtp import Place
from mailer.settings import hooks, values
from mailer.settings.environment import Environment, required
from mailer.settings.hooks import HookSettings
from mailer.settings.secret_files import SecretFile, secret_in

_FORWARD_REPLIES_TO = "answers@example.org"
_INBOUND_URL, _PASSWORD_FILE = "imaps://bounces@mail.example.org/INBOX", "/etc/tocsin/inbound-password"

_TOKEN_URL, _CLIENT_ID = "https://oauth2.example.com/token", "tocsin.apps.example.com"
_CLIENT_SECRET_FILE, _REFRESH_TOKEN_FILE = "/etc/tocsin/oauth-secret", "/var/lib/tocsin/refresh-token"
_SCOPE = "https://mail.example.com/.default"


@dataclass(frozen=True, kw_only=True)
class InboundSettings:
    """Where mail comes in, by itself or as providers tell of it."""

    bounce_address: str | None  # may hold {token}
    unsubscribe_address: str | None  # may hold {token}
    forward_replies_to: str | None  # an address, to which what people write to us is handed on
    inbound_lmtp: Place | None  # where the listener takes mail
    inbound_smtp: Place | None
    inbound_mailbox: MaildirFolder | ImapFolder | None  # where mail is fetched from
    inbound_password_file: Path | None
    oauth_token_url: str | None  # https
    oauth_client_id: str | None
    oauth_client_secret_file: Path | None
    oauth_refresh_token_file: Path | None
    oauth_scope: str | None
    inbound_disposal: Disposal  # of what was handled there
    keep_unread_days: int  # how long a message that is not understood stays; 0 for not at all
    hooks: HookSettings

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
        file = required("MAILER_INBOUND_PASSWORD_FILE", self.inbound_password_file, _PASSWORD_FILE, why)
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
            consent = SecretFile("MAILER_OAUTH_REFRESH_TOKEN_FILE", file, _REFRESH_TOKEN_FILE)
            consent.load()
        if consent is None:
            instead = f"{why} where no MAILER_OAUTH_REFRESH_TOKEN_FILE is set"
            required("MAILER_OAUTH_CLIENT_SECRET_FILE", secret, _CLIENT_SECRET_FILE, instead)
        return oauth.Client(
            token_url=required("MAILER_OAUTH_TOKEN_URL", self.oauth_token_url, _TOKEN_URL, why),
            id=required("MAILER_OAUTH_CLIENT_ID", self.oauth_client_id, _CLIENT_ID, why),
            secret=secret,
            scope=self.oauth_scope,
            consent=consent,
        )


def read(env: Environment) -> InboundSettings:
    """Those of an environment.

    :raises ConfigurationError: one is wrong.
    """
    settings = InboundSettings(
        bounce_address=env.read("MAILER_BOUNCE_ADDRESS", values.address_pattern, "bounce+{token}@example.org"),
        unsubscribe_address=env.read("MAILER_UNSUBSCRIBE_ADDRESS", values.address_pattern, "leave+{token}@example.org"),
        forward_replies_to=env.read("MAILER_FORWARD_REPLIES_TO", values.address, _FORWARD_REPLIES_TO),
        inbound_lmtp=env.read("MAILER_INBOUND_LMTP", values.listening_place, "127.0.0.1:2424"),
        inbound_smtp=env.read("MAILER_INBOUND_SMTP", values.listening_place, "127.0.0.1:2525"),
        inbound_mailbox=env.read("MAILER_INBOUND_URL", values.mailbox_url, _INBOUND_URL),
        inbound_password_file=env.read("MAILER_INBOUND_PASSWORD_FILE", Path, _PASSWORD_FILE),
        oauth_token_url=env.read("MAILER_OAUTH_TOKEN_URL", values.https_url, _TOKEN_URL),
        oauth_client_id=env.text("MAILER_OAUTH_CLIENT_ID", _CLIENT_ID),
        oauth_client_secret_file=env.read("MAILER_OAUTH_CLIENT_SECRET_FILE", Path, _CLIENT_SECRET_FILE),
        oauth_refresh_token_file=env.read("MAILER_OAUTH_REFRESH_TOKEN_FILE", Path, _REFRESH_TOKEN_FILE),
        oauth_scope=env.text("MAILER_OAUTH_SCOPE", _SCOPE),
        inbound_disposal=env.read("MAILER_INBOUND_HANDLED", values.disposal, "delete") or Disposal.KEEP,
        keep_unread_days=env.read("MAILER_INBOUND_KEEP_UNREAD_DAYS", values.whole(0, 7), "7") or 0,
        hooks=hooks.read(env),
    )
    _refuse_loop(settings)
    return settings


def _refuse_loop(settings: InboundSettings) -> None:
    """:raises ConfigurationError: what is handed on would come to us again."""
    ours = {"unsubscribe_address": settings.unsubscribe_address, "bounce_address": settings.bounce_address}
    if settings.forward_replies_to and addresses.come_to_us(settings.forward_replies_to, **ours):
        problem = "is an address whose mail comes to this program; name a mailbox that somebody reads"
        raise ConfigurationError("MAILER_FORWARD_REPLIES_TO", problem, _FORWARD_REPLIES_TO)
