"""Who hears by mail what happens."""

from dataclasses import dataclass
from datetime import UTC, tzinfo

from mailer.people.organisers import Organisers
from mailer.settings import values
from mailer.settings.environment import Environment

ORGANISERS = "desk@example.org,rosa@example.org"


@dataclass(frozen=True, kw_only=True)
class OrganiserSettings:
    """The organisers, and how mails to them are written."""

    organiser_addresses: tuple[str, ...]
    organisers_language: str  # one of the site's
    time_zone: tzinfo

    @property
    def organisers(self) -> Organisers:
        """Who hears by mail what happens."""
        return Organisers(self.organiser_addresses, self.organisers_language, self.time_zone)


def read(env: Environment) -> OrganiserSettings:
    """Those of an environment.

    :raises ConfigurationError: one is wrong.
    """
    return OrganiserSettings(
        organiser_addresses=env.read("MAILER_ORGANISERS", values.addresses_of_people, ORGANISERS) or (),
        organisers_language=env.read("MAILER_ORGANISERS_LANGUAGE", values.site_language, "fr") or "en",
        time_zone=env.read("MAILER_TIME_ZONE", values.time_zone, "Europe/Paris") or UTC,
    )
