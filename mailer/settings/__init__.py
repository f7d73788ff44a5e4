"""Typed settings: the sole reader of the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parseaddr
from pathlib import Path

from mailer.errors import ConfigurationError
from mailer.inbound.addresses import OwnAddresses
from mailer.mail import smtp
from mailer.mail.sender import Sender
from mailer.mail.smtp import Server
from mailer.people.organisers import Organisers
from mailer.settings import inbound, organisers, outgoing, storage, web
from mailer.settings.advice import Advice
from mailer.settings.environment import KEY_VARIABLES, Environment, required
from mailer.settings.inbound import InboundSettings
from mailer.settings.organisers import ORGANISERS, OrganiserSettings
from mailer.settings.outgoing import ORGANISATION, POSTAL_ADDRESS, SENDER, SMTP_URL, OutgoingSettings
from mailer.settings.storage import VALKEY_SOCKET, StorageSettings
from mailer.settings.web import WebSettings

__all__ = ["KEY_VARIABLES", "VALKEY_SOCKET", "Advice", "Settings", "load_settings"]


@dataclass(frozen=True, kw_only=True)
class Settings(StorageSettings, WebSettings, OutgoingSettings, InboundSettings, OrganiserSettings):
    """The installation's settings, as in docs/reference/settings.md. Those it can start without may be None.

    What follows from those of one part stands with them; here is what follows from several.
    """

    given: frozenset[str]  # names of the variables that were set, wherever

    @property
    def smtp(self) -> Server:
        """Where mail is handed over.

        :raises ConfigurationError: it is not set, or links in the mails would be unsafe.
        """
        if self.configured_smtp is None:
            raise ConfigurationError("MAILER_SMTP_URL", "is not set", SMTP_URL)
        if not smtp.is_loopback(self.configured_smtp.host) and not self.base_url.startswith("https://"):
            raise ConfigurationError(
                "MAILER_BASE_URL",
                "must be https when mail leaves this machine, because links in the mails begin with it",
                "https://act.example.org",
            )
        return replace(self.configured_smtp, greeted_as=self.smtp_helo)

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
            f"Set MAILER_ORGANISERS to their addresses, such as {ORGANISERS}.",
        )

    @property
    def contact(self) -> str | None:
        """The address for questions about people's data: the one set for it, else where answers to mails go."""
        return self.privacy_contact or parseaddr(self.reply_to or self.sender or "")[1] or None

    @property
    def mail_sender(self) -> Sender:
        """Who the mails come from.

        :raises ConfigurationError: organisation, sender or postal address is not set, or DKIM is set up wrongly.
        """
        why = "is not set, and every mail must say who sent it"
        return Sender(
            organisation=required("MAILER_ORGANISATION", self.organisation, ORGANISATION, why),
            mailbox=required("MAILER_SENDER", self.sender, SENDER, why),
            postal_address=required("MAILER_POSTAL_ADDRESS", self.postal_address, POSTAL_ADDRESS, why),
            base_url=self.base_url,
            reply_to=self.reply_to,
            bounce_address=self.bounce_address,
            unsubscribe_address=self.unsubscribe_address,
            answers_are_read=bool(self.reply_to or self.forward_replies_to),
            signer=self.signer,
            providers=self.hooks.providers,
        )


def load_settings(environ: Mapping[str, str] | None = None, *, directory: Path | None = None) -> Settings:
    """Read the settings from the environment, then `.env`, then the installation's own `keys.env`.

    :param environ: instead of the process's environment.
    :param directory: where `.env` is looked for; the current one by default.
    :raises ConfigurationError: naming the variable, what is wrong with it, and an example.
    """
    env = Environment(os.environ if environ is None else environ, directory or Path.cwd())
    parts = (part.read(env) for part in (storage, web, outgoing, inbound, organisers))
    settings = Settings(
        given=frozenset(env.values), **{name: value for part in parts for name, value in vars(part).items()}
    )
    env.refuse_unread()
    return settings
