"""What proves that a mail provider posts an event: a secret in the address, and something of each one's own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from mailer.errors import ConfigurationError
from mailer.mail.webhooks.types import Provider
from mailer.settings import values
from mailer.settings.environment import Environment
from mailer.settings.secret_files import secrets_in

#: examples
FOLDER = "/etc/tocsin/hooks/"
TOPICS = "arn:aws:sns:eu-west-1:123456789012:tocsin"
KEYS = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsaeM+sQGGX+EF9oMwI9yKDSmZMCV"
    "lO7lRa5ei+pWR6F2dp7W7RQUMtIZ2ZjJ+l44uM+0O8rMRcwqCuAXT/ca7Q=="
)

_SECRET = re.compile(r"[0-9a-f]{32}", re.ASCII)
_IN_ADDRESS = "MAILER_HOOKS_SECRET_FILE"
_SHORTEST = 16  # characters of what a provider was told


@dataclass(frozen=True, kw_only=True)
class HookSettings:
    """What is set of webhooks. Files are read when somebody asks for what they hold."""

    secret_file: Path | None
    ses_topics: tuple[str, ...]
    sendgrid_keys: tuple[EllipticCurvePublicKey, ...] = field(repr=False)
    mailgun_file: Path | None
    postmark_file: Path | None
    brevo_file: Path | None
    sparkpost_file: Path | None

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Those who may post, in the order of `Provider`."""
        given = {
            Provider.SES: self.ses_topics,
            Provider.SENDGRID: self.sendgrid_keys,
            Provider.MAILGUN: self.mailgun_file,
            Provider.POSTMARK: self.postmark_file,
            Provider.BREVO: self.brevo_file,
            Provider.SPARKPOST: self.sparkpost_file,
        }
        return tuple(provider for provider in Provider if given[provider])

    @property
    def secrets(self) -> tuple[str, ...]:
        """What stands in the address that providers post to; each counts.

        :raises ConfigurationError: it is not set, or weak.
        """
        example = f"{FOLDER}secret"
        if self.secret_file is None:
            problem = f"is not set, and {', '.join(self.providers)} would have no address to post to"
            raise ConfigurationError(_IN_ADDRESS, problem, example)
        secrets = secrets_in(_IN_ADDRESS, self.secret_file, example)
        if not secrets or not all(map(_SECRET.fullmatch, secrets)):
            problem = (
                f"{self.secret_file} must hold 32 hexadecimal digits on a line; make them with: openssl rand -hex 16"
            )
            raise ConfigurationError(_IN_ADDRESS, problem, example)
        return tuple(secrets)

    def told(self, provider: Provider) -> Sequence[str]:
        """What only a provider was told, or only it and we know: a key, a token, or `user:password`. Each line counts.

        :raises ConfigurationError: it cannot be read, or is weak.
        """
        files = {
            Provider.MAILGUN: self.mailgun_file,
            Provider.POSTMARK: self.postmark_file,
            Provider.BREVO: self.brevo_file,
            Provider.SPARKPOST: self.sparkpost_file,
        }
        file = files.get(provider)
        if file is None:
            return ()
        variable, example = f"MAILER_HOOKS_{provider.upper()}_FILE", f"{FOLDER}{provider}"
        lines = secrets_in(variable, file, example)
        is_login = provider in (Provider.POSTMARK, Provider.SPARKPOST)
        what = "user:password" if is_login else "a key" if provider is Provider.MAILGUN else "a token"
        for line in lines:
            user, colon, password = line.partition(":")
            secret = password if is_login else line
            if len(secret) < _SHORTEST or (is_login and not (user and colon)):
                lines = []
        if not lines:
            problem = f"{file} must hold {what} on a line, of at least {_SHORTEST} characters"
            raise ConfigurationError(variable, problem, example)
        return lines


def read(env: Environment) -> HookSettings:
    """Those of an environment.

    :raises ConfigurationError: one is wrong.
    """
    return HookSettings(
        secret_file=env.read("MAILER_HOOKS_SECRET_FILE", Path, FOLDER + "secret"),
        ses_topics=env.read("MAILER_HOOKS_SES_TOPICS", values.sns_topics, TOPICS) or (),
        sendgrid_keys=env.read("MAILER_HOOKS_SENDGRID_KEYS", values.ecdsa_keys, KEYS) or (),
        mailgun_file=env.read("MAILER_HOOKS_MAILGUN_FILE", Path, FOLDER + "mailgun"),
        postmark_file=env.read("MAILER_HOOKS_POSTMARK_FILE", Path, FOLDER + "postmark"),
        brevo_file=env.read("MAILER_HOOKS_BREVO_FILE", Path, FOLDER + "brevo"),
        sparkpost_file=env.read("MAILER_HOOKS_SPARKPOST_FILE", Path, FOLDER + "sparkpost"),
    )
