"""The site, and what it says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailer.settings import values
from mailer.settings.environment import Environment

_PRIVACY_CONTACT = "privacy@example.org"


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """Where the site is, and whom its visitors can ask."""

    base_url: str  # no trailing slash
    trusted_proxies: int
    language_fallbacks: Mapping[str, Sequence[str]]  # language → those that stand in for it
    privacy_contact: str | None  # an address
    privacy_url: str | None  # of the organisation's whole privacy notice
    security_contact: str | None  # a mailto: or https: URI


def read(env: Environment) -> WebSettings:
    """Those of an environment.

    :raises ConfigurationError: one is wrong.
    """
    return WebSettings(
        base_url=env.read("MAILER_BASE_URL", values.base_url, "https://act.example.org") or "http://127.0.0.1:8000",
        trusted_proxies=env.read("MAILER_TRUSTED_PROXIES", values.whole(0, 10), "1") or 0,
        language_fallbacks=env.read("MAILER_LANGUAGE_FALLBACKS", values.fallbacks, "kk=ru,en") or {},
        privacy_contact=env.read("MAILER_PRIVACY_CONTACT", values.address, _PRIVACY_CONTACT),
        privacy_url=env.read("MAILER_PRIVACY_URL", values.https_url, "https://www.example.org/privacy"),
        security_contact=env.read("MAILER_SECURITY_CONTACT", values.contact_uri, "mailto:security@example.org"),
    )
