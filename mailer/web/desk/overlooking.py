"""Overlooking: what stands against a campaign, and whom it reaches, for pages that show it. Of a million people that
takes seconds, and page after page asks: so what was found is shown for some seconds more while the campaign stays as it
is.

Nothing is decided by it: what somebody presses looks for itself.
"""

from collections.abc import Hashable

from sqlalchemy.orm import Session

from mailer.campaigns.readiness import Check
from mailer.errors import ConfigurationError
from mailer.operations import checks
from mailer.organisers import content
from mailer.store.models import Campaign
from mailer.web.desk.recent import recent, renderings
from mailer.web.desk.visit import visit
from mailer.web.site import site


def check(session: Session, campaign: Campaign, *, anew: bool = False) -> Check:
    """What stands against a campaign, as it was found some seconds ago at most.

    :param anew: look now: for who has just pressed something, and is told why that was refused.
    """

    def look() -> Check:
        with renderings().lent(session):
            return checks.check(session, campaign, site().settings)

    try:
        known_by = _known_by(session, campaign)
    except ConfigurationError:  # which is one of the findings
        return look()
    return recent("check").get(known_by, look, anew=anew)  # type: ignore[no-any-return]


def _known_by(session: Session, campaign: Campaign) -> Hashable:
    """What is different once somebody has changed the campaign, or may see something else of it."""
    return (
        campaign.id,
        content.of(session, campaign, site().settings.mail_sender).hash,
        campaign.status,
        campaign.asking,
        campaign.scheduled_at,
        campaign.case.status if campaign.case else None,
        visit().permissions,
    )
